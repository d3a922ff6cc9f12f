# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets kept as files: images, depth maps, lists of frames, and sources made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import hashlib
import os.path
from pathlib import Path, PurePosixPath
from typing import Any, Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.compressed import check_size, decode, FILE_KINDS
from clip_depth_ros.core.depth_images import MM_PER_METRE
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import ImageError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import FolderCamera
from clip_depth_ros.sources.registry import Source
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.truth import Truth, TruthRules
from clip_depth_ros.types import Depth, Intrinsics, MAX_IMAGE_PIXELS, Rgb
import numpy as np
from numpy.typing import NDArray

KITTI_PER_METRE: Final = 256
"""KITTI's annotated depth: uint16, 256 for each metre, 0 for none (its development kit)."""

_DEPTH_KINDS: Final = tuple(kind for kind in FILE_KINDS if kind != 'PPM')
"""PPM is left out: its numbers are scaled where their maximum is not that of 16 bits."""

_ADVICE: Final = 'copy it again'

_NAMED: Final = 3  # of several missing files, so many are named


def read_bytes(path: Path) -> bytes:
    """Read a file; RecordingError, naming it, if that cannot be done."""
    _check_ends(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f'{str(path)!r} cannot be read: {error.strerror}') from error


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
    Read a depth map, float32 (H, W), metres: ``.npy`` with float metres as they are, or a PNG.

    Raises
    ------
    ImageError, RecordingError
        If the file does not decode, is of another kind, too large, or cannot be read, naming it.

    """
    if path.suffix != '.npy':
        return read_depth_png(path, per_metre, max_pixels)
    stored = read_array(path, f'depth map {str(path)!r}', max_pixels)
    if stored.dtype.kind != 'f' or stored.ndim != 2:
        raise ImageError(
            f'depth map {str(path)!r} should be float metres (H, W), is {stored.dtype} '
            f'{stored.shape}: save it with np.save as float32'
        )
    with np.errstate(over='ignore'):  # beyond float32 is beyond range: +Inf
        return stored.astype(np.float32)


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


def sample_of(
    name: str, rgb: Rgb, target_m: Depth, intrinsics: Intrinsics | None
) -> DepthSample:
    """Put an image and its depth together; ImageError if they differ in size."""
    if rgb.shape[:2] != target_m.shape:
        image, depth = (f'{a.shape[1]}x{a.shape[0]}' for a in (rgb, target_m))
        raise ImageError(
            f'{name}: image and depth should have one size, the image has {image}, depth {depth}: '
            'they do not belong together, or one of them was resized'
        )
    known = np.isfinite(target_m) & (target_m > 0)
    return DepthSample(name, rgb, np.where(known, target_m, np.float32(0)), intrinsics)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFrame:
    """
    An image and its depth map.

    Attributes
    ----------
    name : str
        How messages and reports call the frame.
    image, gt : Path
        The files.
    per_metre : float
        What ``gt`` stores for each metre, if it is a PNG.
    beside : tuple of Path
        Other files that decide the frame; some may be missing.
    camera : FolderCamera
        Gives the camera of the image by its size, where it is known.
    stamp_ns, recording, T_world_camera
        As in :class:`DepthSample`.
    rules : TruthRules
        What of ``gt`` counts as measured.
    max_pixels : int
        Larger files are refused.

    """

    name: str
    image: Path
    gt: Path
    per_metre: float = MM_PER_METRE
    beside: tuple[Path, ...] = ()
    camera: FolderCamera = field(default_factory=FolderCamera)
    stamp_ns: int | None = None
    recording: str = ''
    T_world_camera: Matrix4 | None = None
    rules: TruthRules = field(default_factory=TruthRules)
    max_pixels: int = MAX_IMAGE_PIXELS

    def read(self) -> DepthSample:
        """Read the files; DataError, naming them, if that cannot be done."""
        rgb = read_rgb(self.image, self.max_pixels)
        height, width = rgb.shape[:2]
        target_m, notes = self.truth(Size(height, width))
        camera, said = self.camera(width, height)
        return replace(
            sample_of(self.name, rgb, target_m, camera),
            stamp_ns=self.stamp_ns,
            recording=self.recording,
            T_world_camera=self.T_world_camera,
            notes={**said, **notes},
        )

    def truth(self, size: Size) -> Truth:
        """Return the depth of an image of a size that counts as measured, and what does not."""
        return self.rules.of_image(self.depth_m(size), per_metre=self.per_metre)

    def depth_m(self, size: Size) -> Depth:
        """Return the depth of an image of a size, float32 (H, W), metres; 0 where unknown."""
        return read_depth(self.gt, self.per_metre, self.max_pixels)


class FolderSource(Source):
    """
    The frames of a folder.

    Parameters
    ----------
    kind, name : str
        What kind of folder it is, and how messages call it.
    root : Path
        The folder.
    frames : sequence of FolderFrame
        All of them.
    facts : mapping of str to str
        What decides the frames, besides folder, split file and their number.
    split : Path, optional
        File that says which frames there are.
    lists : sequence of Path
        Other files that all frames depend on.
    gt_kind, problems
        As in :class:`Source`.
    matching : Matching, optional
        What became of the images; by default there is depth for all of them.

    """

    def __init__(
        self,
        kind: str,
        name: str,
        root: Path,
        frames: Sequence[FolderFrame],
        facts: Mapping[str, str],
        *,
        split: Path | None = None,
        lists: Sequence[Path] = (),
        gt_kind: str = 'depth-images',
        matching: Matching | None = None,
        problems: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.name, self.gt_kind, self.problems = name, gt_kind, list(problems)
        self.matching = matching or Matching(len(frames))
        self.names = [frame.name for frame in frames]
        self._frames, self._lists = frames, [*([split] if split else []), *lists]
        self._facts = {
            'source': kind, 'data_dir': str(root), **facts, **describe_split(split),
            'frames': str(len(frames)),
        }

    @property
    def files(self) -> list[Path]:
        """Return the files that the frames are read from, or would be if they were there."""
        of_frames = (
            path for frame in self._frames for path in (frame.image, frame.gt, *frame.beside)
        )
        return [*self._lists, *dict.fromkeys(of_frames)]

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        return replace(self._frames[index], max_pixels=self.max_image_pixels).read()

    def describe(self) -> Mapping[str, str]:
        """Return what decides the frames."""
        return self._facts


def given_per_metre(
    settings: SourceSettings, usual: float, gts: Collection[Path]
) -> float:
    """
    Return what depth maps store for each metre: what is usual, unless it is named.

    ConfigError if it is named and all of them are arrays, which hold metres.
    """
    if 'gt_per_metre' not in settings.given():
        return usual
    if gts and all(path.suffix == '.npy' for path in gts):
        settings.refuse('gt_per_metre', because='as all depth maps are .npy in metres')
    return settings.gt_per_metre


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
