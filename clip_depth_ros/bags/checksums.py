# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Checksums of MCAP files: rosbags writes none, and reads those of chunks but not that of the index.

MCAP's specification (mcap.dev/spec): ``uncompressed_crc`` of a chunk is the CRC-32 of its records
before they are compressed; ``summary_crc`` of the footer, the last record, that of everything from
the index to itself. 0 stands for none.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
import os
from pathlib import Path
import struct
from typing import BinaryIO, Final

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter

_MAGIC: Final = b'\x89MCAP0\r\n'
_CRC: Final = struct.Struct('<I')
_CHUNK_CRC: Final = 9 + 3 * 8
"""Where it is in the record of a chunk: behind opcode and length, two times and a size."""

_FOOTER: Final = struct.Struct('<BQQQI')
"""Opcode, length, where the index and the offsets begin (0: there are none), checksum."""

_BLOCK: Final = 1 << 20


class _ChecksumWriter(McapWriter):
    """rosbags' writer of MCAP files, with the checksums that it leaves out."""

    def close_chunk(self) -> None:
        """Write what is pending as a chunk."""
        start, crc = self.bio.tell(), crc32(self.chunk.bio.getbuffer())
        super().close_chunk()
        end = self.bio.tell()
        self.bio.seek(start + _CHUNK_CRC)
        self.bio.write(_CRC.pack(crc))
        self.bio.seek(end)

    def close(self, version: int, metadata: str) -> None:
        """Write index and footer."""
        super().close(version, metadata)
        with Path(self.path).open('r+b') as file:
            crc = _summary_crc(file)
            file.seek(-len(_MAGIC) - _CRC.size, os.SEEK_END)
            file.write(_CRC.pack(crc))


class RecordingWriter(Writer):
    """rosbags' writer of rosbag2 folders, in whose MCAP files damage is found."""

    STORAGE_PLUGINS: Mapping[StoragePlugin, type[McapWriter]] = {
        StoragePlugin.MCAP: _ChecksumWriter,
    }


def check_summary(file: BinaryIO) -> None:
    """
    Refuse, with ValueError, an MCAP file whose index is not what was written.

    What has no index, no checksum or no footer is left to the reader. The place in the file is
    kept.
    """
    before = file.tell()
    try:
        stated = _footer(file)[-1]
        if stated and _summary_crc(file) != stated:
            raise ValueError('its index, at its end, does not fit its checksum: it is damaged')
    finally:
        file.seek(before)


def _footer(file: BinaryIO) -> tuple[int, ...]:
    """Return the fields of the footer; zeros if there is none."""
    n_bytes = _FOOTER.size + len(_MAGIC)
    if file.seek(0, os.SEEK_END) < n_bytes:
        return (0,) * 5
    file.seek(-n_bytes, os.SEEK_END)
    found = _FOOTER.unpack(file.read(_FOOTER.size))
    return found if found[:2] == (2, _FOOTER.size - 9) else (0,) * 5


def _summary_crc(file: BinaryIO) -> int:
    """Return what the checksum in the footer should be; 0 if there is no index."""
    start = _footer(file)[2]
    left = file.seek(0, os.SEEK_END) - len(_MAGIC) - _CRC.size - start
    if not start or left < 0:
        return 0
    file.seek(start)
    crc = 0
    while left and (block := file.read(min(left, _BLOCK))):
        crc, left = crc32(block, crc), left - len(block)
    return crc
