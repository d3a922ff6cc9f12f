# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
RGB-D recordings as folders in the manner of TUM: images, depth maps, and where the camera was.

::

    rgb.txt, depth.txt   lines 'stamp path': seconds, and a file below the folder
    groundtruth.txt      lines 'stamp tx ty tz qx qy qz qw': pose of the optical frame in the world

Depth maps are 16-bit PNGs, 5000 for each metre if nothing else is named, 0 for none. Source: the
data set's page on file formats (Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM
Systems", IROS 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.stamps import ByStamp, gap_max_s, n_repeated, once_each
from clip_depth_ros.core.transforms import check_rigid, Matrix4, rigid
from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import camera_facts, folder_camera, FolderCamera
from clip_depth_ros.sources.files import path_below, read_split, SplitLine
from clip_depth_ros.sources.folders import FolderFrame, FolderSource, given_per_metre
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.sources.truth import TruthRules
from clip_depth_ros.types import Intrinsics

_PER_METRE: Final = 5000
_TOLERANCE_S: Final = 0.02
"""Largest difference of stamps in the data set's own tool, associate.py."""

_LISTS: Final = ('rgb.txt', 'depth.txt', 'groundtruth.txt')
_NUMBERS_OF_A_POSE: Final = 7

_CAMERAS: Final = {
    'freiburg1': Intrinsics(517.3, 516.5, 318.6, 255.3, 640, 480),
    'freiburg2': Intrinsics(520.9, 521.0, 325.1, 249.7, 640, 480),
    'freiburg3': Intrinsics(535.4, 539.2, 320.1, 247.6, 640, 480),
}
"""As the data set's page has them, by a part of the folder's name."""


@dataclass(frozen=True, slots=True)
class _Stamped:
    """A line of one of the lists: its time and the words behind."""

    stamp_ns: int
    line: SplitLine

    @property
    def time_ns(self) -> int:
        return self.stamp_ns

    @property
    def received_ns(self) -> int:
        return 0  # a list does not say

    @property
    def words(self) -> tuple[str, ...]:
        return self.line.words[1:]


def open_tum(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the images of a folder for which there is depth at the same time.

    An image is left out if no depth is near enough in time, or that is nearer to another image.
    Poses come from ``groundtruth.txt`` where it is there: the nearest within the tolerance.
    Intrinsics are the published ones where the folder's name says freiburg1 to 3, and apply to
    images of 640 x 480; the lens distortion of freiburg1 and 2 stays in their images.

    Raises
    ------
    RecordingError
        If a list cannot be read, a line is of another kind or leads out of the folder, or no
        image has depth.
    CalibrationError
        If a pose has no rotation.

    """
    # The usual tolerance is for recordings at 10 Hz; a tolerance that is named is meant.
    is_named = 'sync_tolerance_s' in settings.given()
    tolerance_s = settings.sync_tolerance_s if is_named else _TOLERANCE_S
    images = _read_list(root / 'rgb.txt')
    found = _with_depth(root, images, round(tolerance_s * 1e9))
    pairs = once_each(found)
    if not pairs:
        raise RecordingError(
            f'none of the {len(images)} images of {str(root)!r} has depth within '
            f'{tolerance_s:g} s: raise sync_tolerance_s, or correct rgb.txt and depth.txt'
        )
    gts = [path_below(root, depth.words[0], depth.line) for _, depth in pairs]
    per_metre = given_per_metre(settings, _PER_METRE, gts)
    truth = TruthRules(max_range_m=settings.gt_max_range_m, is_measured=True)
    published, whose = _published(root.resolve().name)
    camera = folder_camera(settings, published, whose)
    frames = _frames(root, pairs, gts, round(tolerance_s * 1e9), per_metre, truth, camera)
    matching = Matching(
        len(images),
        n_without_depth=len(images) - len(found),
        n_shared=len(found) - len(pairs),
        n_repeated=n_repeated(images),
        tolerance_s=tolerance_s,
        stamp_gap_max_s=gap_max_s(pairs),
    )
    facts = {
        'tolerance_s': f'{tolerance_s:g}',
        'gt_per_metre': f'{per_metre:g}',
        **truth.describe(),
        **camera_facts(settings, whose),
        'images_without_depth': str(len(images) - len(pairs)),
        'frames_with_pose': str(sum(frame.T_world_camera is not None for frame in frames)),
        **matching.describe(),
    }
    return FolderSource(
        'tum', f'TUM ({root.resolve().name})', root, frames, facts,
        lists=[root / name for name in _LISTS], matching=matching,
    )


def _is_tum(folder: Path) -> bool:
    return (folder / 'rgb.txt').is_file() and (folder / 'depth.txt').is_file()


KIND: Final = Kind(
    looks_like='rgb.txt and depth.txt', recognises=_is_tum,
    uses={
        'sync_tolerance_s', 'gt_per_metre', 'gt_max_range_m', 'intrinsics', 'calibration_scaling',
        'max_image_pixels',
    },
    opened=open_tum,
)


def _with_depth(
    root: Path, images: Sequence[_Stamped], tolerance_ns: int
) -> list[tuple[_Stamped, _Stamped]]:
    depths = ByStamp(_read_list(root / 'depth.txt'))
    found = ((image, depths.within(image.stamp_ns, tolerance_ns)) for image in images)
    return [(image, depth) for image, depth in found if depth is not None]


def _frames(
    root: Path,
    pairs: Sequence[tuple[_Stamped, _Stamped]],
    gts: Sequence[Path],
    tolerance_ns: int,
    per_metre: float,
    truth: TruthRules,
    camera: FolderCamera,
) -> list[FolderFrame]:
    poses_path = root / 'groundtruth.txt'
    is_there = poses_path.is_file()
    poses = ByStamp(_read_list(poses_path, _NUMBERS_OF_A_POSE) if is_there else [])
    folder = root.resolve().name
    frames = []
    for (image, _), gt in zip(pairs, gts, strict=True):
        pose = poses.within(image.stamp_ns, tolerance_ns)
        path = path_below(root, image.words[0], image.line)
        frames.append(FolderFrame(
            name=path.relative_to(root).as_posix(),
            image=path,
            gt=gt,
            per_metre=per_metre,
            camera=camera,
            stamp_ns=image.stamp_ns,
            recording=folder,
            T_world_camera=None if pose is None else _matrix(pose),
            rules=truth,
        ))
    return frames


def _read_list(path: Path, n_words: int = 1) -> list[_Stamped]:
    """Read lines with a stamp and so many words, in the order of their stamps."""
    lines = []
    for line in read_split(path):
        stamp_ns = _stamp_ns(line.words[0])
        if stamp_ns is None or len(line.words) != 1 + n_words:
            raise RecordingError(
                f'{line.where}: a line should be a time in seconds and {n_words} word(s), got '
                f'{" ".join(line.words)!r}'
            )
        lines.append(_Stamped(stamp_ns, line))
    return sorted(lines, key=lambda line: line.stamp_ns)


def _stamp_ns(text: str) -> int | None:
    """Parse seconds without going through float, which cannot tell nanoseconds of today."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        return None
    is_time = seconds.is_finite() and 0 <= seconds < 2**63 // 10**9
    return int((seconds * 10**9).to_integral_value()) if is_time else None


def _matrix(pose: _Stamped) -> Matrix4:
    try:
        tx, ty, tz, qx, qy, qz, qw = (float(word) for word in pose.words)
        matrix = rigid((tx, ty, tz), (qx, qy, qz, qw))
        check_rigid(matrix)
    except ValueError as error:  # of the numbers, or CalibrationError
        raise CalibrationError(
            f'{pose.line.where}: a pose should be stamp tx ty tz qx qy qz qw: {error}'
        ) from error
    return matrix


def _published(folder: str) -> tuple[Intrinsics | None, str]:
    """Return a Kinect of the data set and its name, where that of the folder says which."""
    found = ((camera, f"TUM's {name}") for name, camera in _CAMERAS.items() if name in folder)
    return next(found, (None, ''))
