# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What data sets are kept as: images, depth maps, masks of them, lists of frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import hashlib
from io import BytesIO
import json
import os.path
from pathlib import Path, PurePosixPath
import re
from typing import Any, Final
import zipfile

from clip_depth_ros.core.compressed import check_size, decode, FILE_KINDS
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ImageError, MissingDependencyError, RecordingError
from clip_depth_ros.types import Depth, MAX_IMAGE_PIXELS, Rgb
import numpy as np
from numpy.typing import NDArray

KITTI_PER_METRE: Final = 256
"""KITTI's annotated depth: uint16, 256 for each metre, 0 for none (its development kit)."""

_DEPTH_KINDS: Final = tuple(kind for kind in FILE_KINDS if kind != 'PPM')
"""PPM is left out: its numbers are scaled where their maximum is not that of 16 bits."""

_ADVICE: Final = 'copy it again'

IN_METRES: Final = ('.npy', '.npz', '.exr', '.pfm')
"""Suffixes of depth maps that hold float metres."""

_EXR_DEPTH: Final = ('z', 'depth', 'y', 'v')
"""Channels that are depth; OpenEXR's own name for it is Z, and Y that of grey."""

_PFM_HEADER: Final = re.compile(
    rb'(?P<kind>P[fF])\s+(?P<width>\d{1,9})\s+(?P<height>\d{1,9})\s+(?P<scale>[-+.\deE]{1,30})\s'
)

_LARGEST_NUMBER: Final = 8
_LARGEST_HEADER: Final = 1 << 16

_NAMED: Final = 3  # of several missing files, so many are named


def read_bytes(path: Path) -> bytes:
    """Read a file; RecordingError, naming it, if that cannot be done."""
    _check_ends(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f'{str(path)!r} cannot be read: {error.strerror}') from error


def read_json(path: Path) -> Any:
    """Read a JSON file; RecordingError, naming it, if that cannot be done."""
    try:
        return json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise RecordingError(f'{str(path)!r} is no JSON ({error}): {_ADVICE}') from error


def read_start(path: Path, n_bytes: int = 64) -> bytes:
    """Read the first bytes of a file; RecordingError, naming it, if that cannot be done."""
    _check_ends(path)
    try:
        with path.open('rb') as file:
            return file.read(n_bytes)
    except OSError as error:
        raise RecordingError(f'{str(path)!r} cannot be read: {error.strerror}') from error


def read_rgb(path: Path, max_pixels: int = MAX_IMAGE_PIXELS, *, upright: bool = False) -> Rgb:
    """
    Read an image (JPEG, PNG, WebP, BMP, PPM or TIFF), uint8 (H, W, 3) RGB.

    Grey of 16 bits keeps its upper byte, as colours do. It is read as it is stored, or as it asks
    to be turned, ``upright``.

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode, is too large or cannot be read, naming it.

    """
    pixels = decode(
        read_bytes(path), f'image {str(path)!r}', max_pixels=max_pixels, kinds=FILE_KINDS,
        advice=_ADVICE, upright=upright,
    )
    if pixels.ndim == 3:
        return pixels
    grey = (pixels >> 8).astype(np.uint8) if pixels.itemsize == 2 else pixels
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def read_depth(path: Path, per_metre: float, max_pixels: int = MAX_IMAGE_PIXELS) -> Depth:
    """
    Read a depth map, float32 (H, W), metres: floats as they are (``IN_METRES``), or a PNG.

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode, is of another kind, too large, or cannot be read, naming it.
    MissingDependencyError
        If it is EXR, and what reads that is not installed.

    """
    name = f'depth map {str(path)!r}'
    if path.suffix not in IN_METRES:
        return read_depth_png(path, per_metre, max_pixels)
    stored = _stored_metres(path, name, max_pixels)
    if stored.ndim == 3 and stored.shape[2] == 1:
        stored = stored[..., 0]
    if stored.dtype.kind != 'f' or stored.ndim != 2:
        raise ImageError(
            f'{name} should be float metres (H, W), is {stored.dtype} {stored.shape}: save it as '
            'float32'
        )
    with np.errstate(over='ignore'):  # beyond float32 is beyond range: +Inf
        return stored.astype(np.float32)


def _stored_metres(path: Path, name: str, max_pixels: int) -> NDArray[Any]:
    if path.suffix == '.npy':
        return read_array(path, name, max_pixels)
    if path.suffix == '.npz':
        stored = read_npz(path, name, 'depth', _LARGEST_NUMBER * max_pixels)
        if stored.ndim >= 2:
            check_size(Size(*stored.shape[:2]), max_pixels, name)
        return stored
    if path.suffix == '.pfm':
        return _pfm(read_bytes(path), name, max_pixels)
    return _read_exr(path, name, max_pixels)


def read_depth_png(path: Path, per_metre: float, max_pixels: int = MAX_IMAGE_PIXELS) -> Depth:
    """
    Read a 16-bit grey PNG as depth, float32 (H, W), metres; 0 where nothing is known.

    ``per_metre`` is what is stored for each metre: 256 (KITTI), 1000 (millimetres). Errors are as
    in :func:`read_depth`.
    """
    stored = decode(
        read_bytes(path), f'depth map {str(path)!r}', max_pixels=max_pixels, kinds=_DEPTH_KINDS,
        advice=_ADVICE,
    )
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise ImageError(
            f'depth map {str(path)!r} should be 16-bit grey, is {stored.dtype} {stored.shape}: '
            'it is a picture of depth rather than depth, or was saved anew by another program'
        )
    metres: Depth = stored.astype(np.float32) / np.float32(per_metre)
    return metres


def read_array(
    path: Path, name: str, max_pixels: int, *, advice: str = 'save it with np.save'
) -> NDArray[Any]:
    """
    Map a ``.npy`` file into memory, read-only: what its header claims costs nothing.

    ``name`` is what errors call it, ``advice`` what they say to do. ImageError, RecordingError if
    it is damaged, too large, no plain array or cannot be read.
    """
    _check_ends(path)
    try:
        stored: NDArray[Any] = np.lib.format.open_memmap(path, mode='r')
    except (OSError, ValueError, EOFError, MemoryError, OverflowError) as error:
        raise ImageError(
            f'{name} cannot be read as a plain NumPy array ({error}): {advice}'
        ) from error
    if stored.ndim >= 2:
        check_size(Size(*stored.shape[:2]), max_pixels, name)
    return stored


def read_mask(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> NDArray[np.bool_]:
    """
    Read which pixels count, bool (H, W): those above 0 of a ``.npy`` array or a picture.

    ImageError, RecordingError if the file does not decode, is of another kind, too large or cannot
    be read, naming it.
    """
    return np.asarray(read_labels(path, max_pixels) > 0)


def read_labels(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> NDArray[Any]:
    """Read a number for each pixel, (H, W); 1 bit is 0 and 255. Errors are as for masks."""
    name = f'mask {str(path)!r}'
    if path.suffix == '.npy':
        stored = read_array(path, name, max_pixels, advice=_ADVICE)
    else:
        stored = decode(
            read_bytes(path), name, max_pixels=max_pixels, kinds=FILE_KINDS, advice=_ADVICE
        )
    if stored.ndim == 3:
        stored = stored.max(axis=2)
    if stored.ndim != 2 or stored.dtype.kind not in 'biuf':
        raise ImageError(f'{name} should be (H, W), is {stored.dtype} {stored.shape}')
    return stored


def read_npz(path: Path, name: str, wanted: str, most_bytes: int) -> NDArray[Any]:
    """
    Read one array of an archive, or its only one; nothing in it is run.

    ImageError, if there is no such array, it is larger or damaged; ``name`` is what it calls it.
    """
    _check_ends(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {each.filename.removesuffix('.npy'): each for each in archive.infolist()}
            member = arrays.get(wanted) or (*arrays.values(), None)[0]
            if member is None or (wanted not in arrays and len(arrays) > 1):
                raise ImageError(
                    f'{name} should have one array, or one named {wanted}, has {[*arrays]}'
                )
            if member.file_size > most_bytes + _LARGEST_HEADER:
                raise ImageError(f'{name} has {member.file_size} bytes, at most {most_bytes} fit')
            with archive.open(member) as file:
                stored: NDArray[Any] = np.lib.format.read_array(BytesIO(file.read()))
    except ImageError:
        raise
    # Broad on purpose: of damaged archives zipfile and NumPy let through what they trip over.
    except Exception as error:
        raise ImageError(f'{name} cannot be read as NumPy arrays ({error}): {_ADVICE}') from error
    return stored


def _pfm(data: bytes, name: str, max_pixels: int) -> NDArray[np.float32]:
    """
    Return what a portable float map holds: a text header, then float32 rows from the bottom.

    The sign of its scale says the order of bytes, below 0: little end first (Paul Debevec's
    format, as in Middlebury's stereo data).
    """
    header = _PFM_HEADER.match(data)
    if header is None or header['kind'] != b'Pf':
        raise ImageError(f'{name} should be a grey PFM (Pf, width height, scale): save it as one')
    width, height = int(header['width']), int(header['height'])
    check_size(Size(height, width), max_pixels, name)
    order = '<' if header['scale'].startswith(b'-') else '>'
    rows = data[header.end():]
    if len(rows) != 4 * width * height:
        raise ImageError(
            f'{name} should have {4 * width * height} bytes behind its header, has {len(rows)}: '
            f'{_ADVICE}'
        )
    return np.frombuffer(rows, f'{order}f4').reshape(height, width)[::-1]


def _read_exr(path: Path, name: str, max_pixels: int) -> NDArray[Any]:
    """Read the channel of an OpenEXR file that is depth: Z, depth, Y, V, or the only one."""
    try:
        import OpenEXR
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs OpenEXR, which reads it: pip install 'OpenEXR>=3.3', or save depth as "
            '.npy'
        ) from error
    _check_ends(path)
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            (left, top), (right, bottom) = file.header()['dataWindow']
        check_size(Size(int(bottom - top) + 1, int(right - left) + 1), max_pixels, name)
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {key: each.pixels for key, each in file.channels().items()}
    except ImageError:
        raise
    # Broad on purpose: the bindings raise whatever the library trips over.
    except Exception as error:
        raise ImageError(f'{name} cannot be read as OpenEXR ({error}): {_ADVICE}') from error
    by_name = {key.rpartition('.')[2].lower(): pixels for key, pixels in channels.items()}
    found = [by_name[key] for key in _EXR_DEPTH if key in by_name]
    if not found and (len(channels) == 1 or _is_grey(by_name)):
        found = [*channels.values()]
    if not found:
        raise ImageError(f'{name} should have a channel Z, or a single one, has {[*channels]}')
    stored: NDArray[Any] = found[0]
    return stored


def _is_grey(channels: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether colours are one number three times, as some programs write depth."""
    if set(channels) - {'a'} != {'r', 'g', 'b'}:
        return False
    r, g, b = (channels[name] for name in 'rgb')
    return np.array_equal(r, g, equal_nan=True) and np.array_equal(r, b, equal_nan=True)


@dataclass(frozen=True, slots=True)
class SplitLine:
    """The words of one line of a split file, and where (file and line) it stands."""

    where: str
    words: tuple[str, ...]


def read_split(path: Path) -> list[SplitLine]:
    """
    Read a split file; empty lines and those that start with # do not count.

    RecordingError if it cannot be read or lists nothing.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f'split file {str(path)!r} cannot be read: {error}') from error
    lines = [
        SplitLine(f'{path}:{number}', tuple(line.split()))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith('#')
    ]
    if not lines:
        raise RecordingError(f'split file {str(path)!r} lists no frame: name another')
    return lines


def describe_split(path: Path | None) -> Mapping[str, str]:
    """Return which file it is and what is in it, for reports and the keys of caches."""
    if path is None:
        return {}
    return {'list': str(path), 'list_sha256': hashlib.sha256(path.read_bytes()).hexdigest()}


def path_below(root: Path, name: str, line: SplitLine) -> Path:
    """
    Return the path that a split file names, below the root of its data set.

    A leading slash means the root, as in BTS's lists. RecordingError if the name leads out of the
    root, or is the root.
    """
    parts = [part for part in PurePosixPath(name).parts if part.strip('/')]
    if '..' in parts or '\0' in name:
        raise RecordingError(
            f'{line.where}: {name!r} leads out of {str(root)!r}: paths in a split file are '
            'relative to the root of the data set, without ..'
        )
    if not parts:
        raise RecordingError(f'{line.where}: {name!r} names no file below {str(root)!r}')
    return root.joinpath(*parts)


def first_file(candidates: Iterable[Path]) -> Path | None:
    """Return the first of some paths that is a file; one that cannot be is none."""
    # Path.is_file raises for names that are too long, before Python 3.14.
    return next((path for path in candidates if os.path.isfile(path)), None)


def check_none_missing(missing: Mapping[str, Path], n_lines: int, what: str) -> None:
    """
    Refuse a split file of so many lines that names files which are not there.

    ``missing`` has the paths that were looked for, by the place in the split file; ``what`` says
    what they are, plural. RecordingError names the first.
    """
    if missing:
        named = '; '.join(f'{where}: {str(path)!r}' for where, path in [*missing.items()][:_NAMED])
        raise RecordingError(
            f'{len(missing)} of {n_lines} {what} are not there, looked for {named}: complete the '
            'data set, correct its root, or take these lines out of the list'
        )


def _check_ends(path: Path) -> None:
    """Refuse what is read without an end: devices and pipes."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RecordingError(f'{str(path)!r} should be a file, is a device or a pipe')
