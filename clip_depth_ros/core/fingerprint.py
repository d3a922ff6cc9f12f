# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether files are still the same, without reading them."""

from __future__ import annotations

from collections.abc import Iterable
import hashlib
import os
from pathlib import Path


def fingerprint(files: Iterable[Path]) -> str:
    """
    Give a text that is another where files are: SHA-256 of their paths, sizes and times of change.

    Parameters
    ----------
    files : iterable of Path
        In any order; a file that is not there counts as such.

    """
    listing = '\n'.join(sorted(map(_facts, files)))
    return hashlib.sha256(os.fsencode(listing)).hexdigest()


def _facts(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f'{path}\0missing'
    return f'{path}\0{status.st_size}\0{status.st_mtime_ns}'
