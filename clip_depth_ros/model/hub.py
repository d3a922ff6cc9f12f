# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Hugging Face's hub and its cache on this machine, and whether a file is still what was published.

The network is touched where that is allowed. The hub's client asks its site also where only local
files are wanted, for what it says of itself: so the cache is looked into without it, and whatever
else goes through it is told that it is offline.

Damage loads as well as weights do. Four things tell the SHA-256 of a file: the hub's cache, where
files are named by it; open_clip's addresses, whose files have its beginning in their names; the
results beside the bundled weights; and ``NAME.sha256`` beside any other file, as ``sha256sum``
writes it, from its publisher or kept when the file was used first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
import functools
import json
import os.path
from pathlib import Path
import re
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.errors import OutputError, WeightsError
from clip_depth_ros.model import open_clip_parts
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_RESULTS
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

_DIGITS: Final = re.compile(r'[0-9a-f]{64}')
_MOST_BYTES: Final = 4096
"""More than a line of ``sha256sum`` has."""


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


class _Known(NamedTuple):
    """The SHA-256 of a file, or its beginning, and who says so."""

    sha256: str
    by: str
    advice: str


def check_unchanged(path: Path, sha256: str) -> None:
    """Refuse, with WeightsError, a file of which it is known that it had another content."""
    known = _known(path)
    if known and not sha256.startswith(known.sha256):
        raise WeightsError(
            f'its SHA-256 is {sha256[:12]}..., should be {known.sha256[:12]}... by {known.by}: '
            f'the file is damaged, {known.advice}'
        )


def keep_checksum(path: Path, sha256: str) -> None:
    """
    Keep the checksum of a file that could be used, beside it, if nothing else tells it.

    Where the folder cannot be written to, nothing is kept.
    """
    if _known(path) is None:
        with suppress(OutputError):
            atomic_write_bytes(_beside(path), f'{sha256}  {path.name}\n'.encode())


def forget_checksum(path: Path) -> None:
    """Forget what was kept of a file, which is made anew."""
    _beside(path).unlink(missing_ok=True)


def start_of_sha256(url: str) -> str | None:
    """Return the SHA-256, or its start, that OpenAI and open_clip write into their addresses."""
    if 'openaipublic' in url:
        return url.rsplit('/', 2)[1]
    if 'mlfoundations' in url:
        return Path(url).stem.rpartition('-')[2]
    return None


def _known(path: Path) -> _Known | None:
    stored = path.resolve()
    if stored.parent.name == 'blobs' and _DIGITS.fullmatch(stored.name):
        return _Known(stored.name, 'its name in the cache of the hub', f'remove {str(stored)!r}')
    if start := _published().get(path.name):
        return _Known(start, 'its name', 'fetch it again')
    if path.parent == assets_dir() and (sha256 := _bundled().get(path.name)):
        return _Known(sha256, BUNDLED_RESULTS, 'install clip_depth_ros again')
    return _kept(path)


@functools.cache
def _published() -> dict[str, str]:
    """Return how the SHA-256 of files begins that are fetched from open_clip's own addresses."""
    urls = (
        open_clip_parts.pretrained.get_pretrained_cfg(model, tag).get('url', '')
        for model, tag in open_clip_parts.pretrained.list_pretrained()
    )
    # OpenAI's have names that other files have, too, and are told by their content.
    return {
        url.rpartition('/')[2]: start
        for url in urls
        if 'openaipublic' not in url and (start := start_of_sha256(url))
    }


def _bundled() -> dict[str, str]:
    try:
        results: Any = json.loads((assets_dir() / BUNDLED_RESULTS).read_bytes())
        return dict(results['sha256'])
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _kept(path: Path) -> _Known | None:
    beside = _beside(path)
    if not os.path.isfile(beside):  # no error where its name would be too long
        return None
    try:
        with beside.open('rb') as file:
            word = file.read(_MOST_BYTES).decode('ascii').split()[0].lower()
    except (OSError, UnicodeDecodeError, IndexError):
        word = ''
    if not _DIGITS.fullmatch(word):
        raise WeightsError(
            f'{str(beside)!r} should begin with a SHA-256, as sha256sum writes it: write it again '
            'or remove it'
        )
    advice = f'copy it again; if it is another one on purpose, remove {str(beside)!r}'
    return _Known(word, beside.name, advice)


def _beside(path: Path) -> Path:
    return path.with_name(f'{path.name}.sha256')
