# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of data sets kept as files, and sources made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.depth_images import MM_PER_METRE
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.projection import projection_matrix
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import CalibrationError, ImageError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import FolderCamera
from clip_depth_ros.sources.files import describe_split, IN_METRES, read_depth, read_mask, read_rgb
from clip_depth_ros.sources.registry import Source
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.sources.truth import Truth, TruthRules
from clip_depth_ros.types import Depth, Intrinsics, MAX_IMAGE_PIXELS, Rgb
import numpy as np
from numpy.typing import NDArray


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
    masks : tuple of Path
        Pixels of ``gt`` that are 0 in any of them do not count.
    beside : tuple of Path
        Other files that decide the frame; some may be missing.
    camera : FolderCamera
        Gives the camera of the image by its size, where it is known.
    stamp_ns, recording, T_world_camera, is_bent
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
    masks: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    camera: FolderCamera = field(default_factory=FolderCamera)
    stamp_ns: int | None = None
    recording: str = ''
    T_world_camera: Matrix4 | None = None
    is_bent: bool = False
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
            is_bent=self.is_bent,
            notes={**said, **notes},
        )

    def truth(self, size: Size) -> Truth:
        """Return the depth of an image of a size that counts as measured, and what does not."""
        depth_m, notes = self.rules.of_image(self.depth_m(size), per_metre=self.per_metre)
        return self._counted(depth_m), notes

    def depth_m(self, size: Size) -> Depth:
        """Return the depth of an image of a size, float32 (H, W), metres; 0 where unknown."""
        return read_depth(self.gt, self.per_metre, self.max_pixels)

    def _counted(self, depth_m: Depth) -> Depth:
        """Return depth that is unknown where a mask says so."""
        for path in self.masks:
            mask = read_mask(path, self.max_pixels)
            if mask.shape != depth_m.shape:
                raise ImageError(
                    f'{str(self.gt)!r} should be of the size of its mask {str(path)!r}, is '
                    f'{depth_m.shape} beside {mask.shape}'
                )
            depth_m = np.where(mask, depth_m, np.float32(0))
        return depth_m


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsFrame(FolderFrame):
    """
    An image and the scan of a LiDAR, ``gt``; see :func:`sparse_depth` for its points.

    Attributes
    ----------
    T_camera_points : float64 (4, 4)
        Takes points to the camera's optical frame.
    read_points : callable
        Reads them from ``gt``, float (N, 3 or more), metres.

    """

    T_camera_points: Matrix4
    read_points: Callable[[Path], NDArray[Any]]

    def truth(self, size: Size) -> Truth:
        """Return the sparse depth of the scan, 0 where no point falls, and what is no return."""
        camera, _ = self.camera(size.width, size.height)
        if camera is None:
            raise CalibrationError(f'{self.name}: points need a camera, and it is not known')
        P = projection_matrix(camera, self.T_camera_points)
        return self.rules.of_points(self.read_points(self.gt), P, size)


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
            path
            for frame in self._frames
            for path in (frame.image, frame.gt, *frame.masks, *frame.beside)
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

    ConfigError if it is named and all of them hold metres.
    """
    if 'gt_per_metre' not in settings.given():
        return usual
    if gts and all(path.suffix in IN_METRES for path in gts):
        settings.refuse('gt_per_metre', because='as all depth maps hold metres')
    return settings.gt_per_metre
