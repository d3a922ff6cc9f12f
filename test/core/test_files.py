# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files are written as a whole or not at all, and changes are noticed without reading them."""

from __future__ import annotations

from collections.abc import Callable
import errno
import os
from pathlib import Path

from clip_depth_ros.core.files import (
    atomic_path,
    atomic_write_bytes,
    check_free,
    file_to_append,
    fingerprint,
    new_file,
)
from clip_depth_ros.errors import ImageError, OutputError
import pytest


def test_a_file_is_written_into_folders_that_are_made(tmp_path):
    atomic_write_bytes(tmp_path / 'a' / 'b.bin', b'new')

    assert (tmp_path / 'a' / 'b.bin').read_bytes() == b'new'
    assert os.listdir(tmp_path / 'a') == ['b.bin']


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / 'a.bin'
    target.write_bytes(b'old')
    with atomic_path(target) as temporary:
        temporary.write_bytes(b'new')
        assert target.read_bytes() == b'old'
        assert temporary.parent == tmp_path  # another file system could not be renamed from

    assert target.read_bytes() == b'new'


def write_half(target, error):
    """Write a part of a file, then fail."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(b'half of the n')
        raise error


def write_half_a_folder(target):
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / 'data').write_bytes(b'1')
        raise ValueError('half')


def fill_the_disk(target):
    with atomic_path(target), open('/dev/full', 'wb') as full:
        full.write(b'x' * 100_000)


@pytest.mark.parametrize('error', [KeyboardInterrupt(), ImageError('broken'), ValueError('x')])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error):
    target = tmp_path / 'a.bin'
    target.write_bytes(b'old')
    with pytest.raises(type(error)):
        write_half(target, error)

    assert target.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.bin']


def test_a_folder_may_be_written_too(tmp_path):
    with atomic_path(tmp_path / 'bag') as temporary:
        temporary.mkdir()
        (temporary / 'data').write_bytes(b'1')
    with pytest.raises(ValueError, match='half'):
        write_half_a_folder(tmp_path / 'other')

    assert os.listdir(tmp_path) == ['bag']


def test_a_full_disk_is_an_output_error(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OutputError, match=r"cannot write '.*a.bin': No space left on device"):
        write_half(tmp_path / 'a.bin', full)

    assert os.listdir(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_an_output_error(tmp_path):
    (tmp_path / 'taken').write_bytes(b'')

    with pytest.raises(OutputError, match='cannot write'):
        atomic_write_bytes(tmp_path / 'taken' / 'a.bin', b'')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs the /dev/full of Linux')
def test_the_real_error_of_a_full_device_is_explained(tmp_path):
    with pytest.raises(OutputError, match='No space left on device; free some space'):
        fill_the_disk(tmp_path / 'a.bin')


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return two files of equal content."""
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


@pytest.fixture
def link(tmp_path):
    """Give a link, where an output is to be, to a file of somebody else."""
    (tmp_path / 'precious').write_bytes(b'precious')
    (tmp_path / 'link').symlink_to(tmp_path / 'precious')
    return tmp_path / 'link'


def test_a_link_at_an_output_is_replaced_and_not_followed(link):
    atomic_write_bytes(link, b'new')
    assert (link.parent / 'precious').read_bytes() == b'precious'
    assert link.read_bytes() == b'new'


def test_a_log_takes_the_place_of_a_link(link):
    with new_file(link) as file:
        file.write(b'new')
    assert (link.parent / 'precious').read_bytes() == b'precious'
    assert link.read_bytes() == b'new'


def test_nothing_is_added_to_what_a_link_leads_to(link):
    with pytest.raises(OSError, match='link'):
        file_to_append(link)
    with file_to_append(link.parent / 'precious') as file:
        file.write(b'!')
    assert link.read_bytes() == b'precious!'


def test_a_link_that_leads_nowhere_is_in_the_way_too(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(OutputError, match='exists already'):
        check_free([tmp_path / 'link'], force=False)


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match='cannot write'):
        new_file(tmp_path / 'no folder' / 'log')
