# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How much memory a recording may ask for: of the order of its own size.

A few kilobytes can say of themselves to be gigabytes, and be them: zeros, compressed. rosbags
unpacks whatever comes, so what it unpacks with is replaced here by the same with a bound, in the
process as a whole; what is no bomb is read as before. A ValueError says what is one.
"""

from __future__ import annotations

import bz2
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
import json
from pathlib import Path, PurePath
import sys
import tempfile
from typing import Any, Final, Protocol

from clip_depth_ros.settings.plain_yaml import checked_yaml, read_yaml
from lz4.frame import LZ4FrameDecompressor
from rosbags.rosbag1 import reader as ros1_reader
from rosbags.rosbag2 import (
    metadata,
    reader as ros2_reader,
    storage_mcap,
    storage_sqlite3,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_ANYWAY: Final = 128 << 20
"""Bytes that may come of however few: an image of 40 megapixels that is all black, say."""

_RATIO: Final = 64
"""Beyond that, how many times as much as there is; pictures and clouds compress 2 to 10 times."""

_FILE_ANYWAY: Final = 1 << 30
_BLOCK: Final = 1 << 20
_USUAL_RATIO: Final = 8
_FACTS: Final = 'rosbag2_bagfile_information'


class _Decompressor(Protocol):
    """What the standard library's and lz4's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


def most_bytes(n_packed: int, anyway: int = _ANYWAY) -> int:
    """Return how many bytes may come of some."""
    return max(anyway, _RATIO * n_packed)


def unpacked(data: bytes, make: Callable[[], _Decompressor], most: int) -> bytes:
    """
    Return what was compressed, one stream or several, each by a decompressor of its own.

    ValueError if it is more than ``most`` bytes, or ends early.
    """
    parts: list[bytes] = []
    rest: bytes | None = data
    while rest:
        decompressor = make()
        # In steps of the usual size: memory is taken for all that may come at once.
        step = max(_BLOCK, _USUAL_RATIO * len(rest))
        while not decompressor.eof:
            parts.append(decompressor.decompress(rest, min(step, most + 1)))
            most -= len(parts[-1])
            if most < 0:
                raise ValueError(_too_much(f'{len(data)} bytes', sum(map(len, parts)) - 1))
            if not (parts[-1] or decompressor.eof):
                raise ValueError('compressed data end early')
            rest = b''
        rest = decompressor.unused_data
    return b''.join(parts) if len(parts) != 1 else parts[0]


def unpacked_zstd(data: bytes) -> bytes:
    """Return what was compressed with zstd; ValueError if that is out of all proportion."""
    return unpacked(data, zstd.ZstdDecompressor, most_bytes(len(data)))


def unpacked_chunk(make: Callable[[], _Decompressor]) -> Callable[[bytes], bytes]:
    """Return the function that unpacks the chunks of a ROS 1 bag."""
    return lambda data: unpacked(data, make, most_bytes(len(data)))


def unpacked_mcap_chunk(make: Callable[[], _Decompressor]) -> Callable[[bytes, int], bytes]:
    """Return the function that unpacks the chunks of MCAP files, which state their sizes."""

    def unpack(data: bytes, size: int) -> bytes:
        if size > most_bytes(len(data)):
            raise ValueError(_too_much(f'{len(data)} bytes', most_bytes(len(data))))
        return unpacked(data, make, size)

    return unpack


def check_concurrent(chunks: Collection[storage_mcap.ChunkInfo]) -> None:
    """Refuse an MCAP file whose chunks of the same time, which are held at once, are too much."""
    changes = sorted(
        change
        for chunk in chunks
        for change in (
            (chunk.message_start_time, chunk.uncompressed_size, chunk.compressed_size),
            (chunk.message_end_time + 1, -chunk.uncompressed_size, -chunk.compressed_size),
        )
    )
    held = packed = 0
    for _, n_bytes, n_packed in changes:
        held, packed = held + n_bytes, packed + n_packed
        if held > (most := most_bytes(packed, _FILE_ANYWAY)):
            raise ValueError(_too_much(f'{packed} bytes of one time', most))


@contextmanager
def plain_recording(folder: Path) -> Iterator[Path]:
    """
    Provide a rosbag2 folder whose files are not compressed, unpacked for the time being.

    A folder whose files are not compressed is provided itself. Only what lies in the folder is
    read, whatever its metadata name; of a path, the last part counts, as in rosbags: early
    versions of rosbag2 wrote more. Links are followed, as recordings are often on other disks.

    Raises
    ------
    ValueError
        If a file that the metadata name is not there or is no regular file, or files unpack to
        out of all proportion.
    OSError, UnicodeDecodeError, yaml.YAMLError
        If the metadata cannot be read.

    """
    document = read_yaml(folder / 'metadata.yaml')
    facts: Any = document.get(_FACTS) if isinstance(document, dict) else None
    names = facts.get('relative_file_paths') if isinstance(facts, dict) else None
    if not isinstance(names, list):
        yield folder  # rosbags says what is missing
        return
    paths = [folder / PurePath(str(name)).name for name in names]
    wrong = [str(name) for name, path in zip(names, paths, strict=True) if not path.is_file()]
    if wrong:
        raise ValueError(
            f'metadata.yaml names {wrong}: there are no such files in the folder, and no others '
            'are read'
        )
    if str(facts.get('compression_mode')).lower() != 'file':
        yield folder
        return
    with tempfile.TemporaryDirectory('_unpacked') as name:
        temporary = Path(name)
        for path in paths:
            _unpack_file(path, temporary / path.stem)
        plain = {
            **facts,
            'relative_file_paths': [path.stem for path in paths],
            'compression_mode': '', 'compression_format': '',
        }
        text = json.dumps({**document, _FACTS: plain}, default=str)
        (temporary / 'metadata.yaml').write_text(text, encoding='utf-8')
        yield temporary


def _unpack_file(path: Path, target: Path) -> None:
    most = left = most_bytes(path.stat().st_size, _FILE_ANYWAY)
    with zstd.open(path, 'rb') as source, target.open('wb') as file:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError(_too_much(repr(path.name), most))
            file.write(block)


def _too_much(what: str, most: int) -> str:
    return (
        f'{what} should unpack to at most {most} bytes, unpack to more: pictures and clouds do '
        'not; if you trust it, unpack it with other tools (zstd -d, mcap decompress)'
    )


def _checked_qos(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return rosbags' reader of the YAML within recordings, which looks at it before."""
    return lambda profiles: parse(
        checked_yaml(profiles) if isinstance(profiles, str) else profiles
    )


ROS1_DECOMPRESSORS: Final = {
    ros1_reader.decompressors['bz2']: unpacked_chunk(bz2.BZ2Decompressor),
    ros1_reader.decompressors['lz4']: unpacked_chunk(LZ4FrameDecompressor),
}
"""What unpacks chunks, by what rosbags unpacks them with."""

storage_mcap.DECOMPRESSORS.update({
    'lz4': unpacked_mcap_chunk(LZ4FrameDecompressor),
    'zstd': unpacked_mcap_chunk(zstd.ZstdDecompressor),
})
_module: Any
for _module in (ros2_reader, storage_mcap, storage_sqlite3):
    _module.parse_qos = _checked_qos(metadata.parse_qos)
