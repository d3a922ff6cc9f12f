# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Hugging Face's hub and its cache on this machine; the network is touched where that is allowed.

Its client asks its site also where only local files are wanted, for what it says of itself: so the
cache is looked into without it, and whatever else goes through it is told that it is offline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError


def cached_file(repository: str, names: Sequence[str]) -> Path | None:
    """Return the first of the possible files of a repository that is in the cache, or None."""
    for name in names:
        found = huggingface_hub.try_to_load_from_cache(repository, name)
        if isinstance(found, str):
            return Path(found)
    return None


def fetch_file(repository: str, names: Sequence[str]) -> Path:
    """Return the first of the possible files that the hub has; FileNotFoundError if none."""
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(repository, name))
        except LocalEntryNotFoundError:  # the network failed, and would for the next file
            raise
        except EntryNotFoundError:
            continue
    raise FileNotFoundError(f'the Hugging Face hub has none of {names}')


def is_offline() -> bool:
    """Return whether ``HF_HUB_OFFLINE`` forbids the network."""
    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def offline_unless(allow_download: bool) -> Iterator[None]:
    """Keep Hugging Face's libraries from the network, unless it is allowed."""
    before = constants.HF_HUB_OFFLINE
    # Read when it is needed, by transformers too; the variable itself is read once, on import.
    constants.HF_HUB_OFFLINE = before or not allow_download
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
