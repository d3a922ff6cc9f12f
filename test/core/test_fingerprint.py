# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Changed files are noticed without reading them."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path

from clip_depth_ros.core.fingerprint import fingerprint
import pytest


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Give two files of equal content."""
    for name in 'ab':
        (tmp_path / name).write_text('text')
    return [tmp_path / name for name in 'ab']


def touch(path: Path) -> None:
    """Change when a file was written, by a nanosecond."""
    mtime_ns = path.stat().st_mtime_ns
    os.utime(path, ns=(mtime_ns, mtime_ns + 1000))


def enlarge(path: Path) -> None:
    """Change the size of a file, and not when it was written."""
    mtime_ns = path.stat().st_mtime_ns
    path.write_text('texts')
    os.utime(path, ns=(mtime_ns, mtime_ns))


def test_the_order_does_not_count(files: list[Path]) -> None:
    assert fingerprint(files) == fingerprint(reversed(files))
    assert len(fingerprint(files)) == 64


@pytest.mark.parametrize('change', [touch, enlarge, Path.unlink])
def test_another_time_size_or_nothing_counts(
    files: list[Path], change: Callable[[Path], None]
) -> None:
    before = fingerprint(files)
    change(files[0])
    assert fingerprint(files) != before


def test_one_file_more_or_less_counts(files: list[Path]) -> None:
    assert len({fingerprint(files), fingerprint(files[:1]), fingerprint([])}) == 3


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    """As Linux allows them."""
    names = [os.fsdecode(b'\xff'), os.fsdecode(b'\xfe')]
    assert fingerprint([tmp_path / names[0]]) != fingerprint([tmp_path / names[1]])
