# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a source of each kind is opened with the settings of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.evaluation import SourceSettings
from clip_depth_ros.sources.bag import BagSource
from clip_depth_ros.sources.kinds import seeds_of
from clip_depth_ros.sources.kitti_calibration import read_raw_calibration
from clip_depth_ros.sources.kitti_lidar import KittiLidarSource
from clip_depth_ros.sources.kitti_raw import KittiSource
from clip_depth_ros.sources.kitti_selection import KittiSelectionSource
from clip_depth_ros.sources.nyu import open_nyu
from clip_depth_ros.sources.pattern import PatternSource
from clip_depth_ros.sources.rendered import WorldSource
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.sources.training_sources import read_extrinsics
from clip_depth_ros.sources.tum import TUM_TOLERANCE_S, TumSource
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rendered_streets import Streets


class NamedSource(SampleSource, Protocol):
    """A source that knows, without reading them, the names of its frames and their files."""

    @property
    def names(self) -> Sequence[str]:
        """Give the names of all frames, by their numbers."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """Give the files that frames are read from; some may be missing, where they may be."""
        ...


@dataclass(frozen=True, slots=True)
class FrameRules:
    """
    What frames are made for.

    Attributes
    ----------
    lidar_value, lidar_pixel : str
        What a point of a LiDAR stands for, and where it falls; see :func:`sparse_depth`.
    images_needed : bool
        Whether anyone looks at the images; if not, a recording need not have any.
    pred_topics : collection of str
        Depth that is evaluated: no camera.

    """

    lidar_value: LidarValue = 'z'
    lidar_pixel: LidarPixel = 'nearest'
    images_needed: bool = True
    pred_topics: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """
    A source that could be opened.

    Attributes
    ----------
    source : NamedSource
        Its frames.
    gt_kind : str
        annotated, raw-lidar, depth-images or exact.
    problems : sequence of (str, str)
        What of it cannot be used, and why.
    matching : Matching, optional
        What became of its images, where some may be without depth.

    """

    source: NamedSource
    gt_kind: str
    problems: Sequence[tuple[str, str]] = ()
    matching: Matching | None = None


def open_one(kind: str, source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    """
    Open a source of a kind.

    Raises
    ------
    ConfigError
        If a setting is missing, out of its range, or not for this kind.
    DataError
        If it cannot be opened or has no frames.

    """
    _check_used(kind, settings)
    opened = _OPENERS[kind](source, settings, rules)
    return opened if settings.gt_kind == 'auto' else replace(opened, gt_kind=settings.gt_kind)


def _open_bag(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    extrinsics, calib_dir = settings.lidar_extrinsics, settings.calib_dir
    bag = BagSource(
        _path(source),
        image_topic=settings.image_topic,
        camera_info_topic=settings.camera_info_topic,
        depth_topic=settings.depth_topic,
        lidar_topic=settings.lidar_topic,
        class_topic=settings.class_topic,
        preset=settings.preset,
        tolerance_s=settings.sync_tolerance_s,
        T_camera_lidar=read_extrinsics(_path(extrinsics)) if extrinsics else None,
        calibration=read_raw_calibration(_path(calib_dir)) if calib_dir else None,
        gt_dir=_path_or_none(settings.gt_dir),
        gt_first=settings.gt_first,
        lidar_value=rules.lidar_value,
        lidar_pixel=rules.lidar_pixel,
        fixed_frame=settings.fixed_frame,
        image_may_be_depth=not rules.images_needed,
        pred_topics=rules.pred_topics,
        one_to_one=True,
        allow_damage=True,
    )
    return Opened(bag, bag.gt_kind, bag.problems, bag.matching)


def _open_kitti(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    root, split_path = _path(source), _path_or_none(settings.split)
    gt_dir = _path_or_none(settings.gt_dir)
    if split_path is None:
        if gt_dir is not None:
            raise ConfigError(
                "KITTI's annotated depth (gt_dir) needs split: a file with lines 'image depth "
                "[focal]' (as BTS has them) or 'date/drive frame side' (monodepth2)"
            )
        return _open_kitti_lidar(source, settings, rules)
    frames = KittiSource(
        root,
        split_path,
        depth_dir=gt_dir,
        gt='raw-lidar' if gt_dir is None else 'annotated',
        lidar_value=rules.lidar_value,
        lidar_pixel=rules.lidar_pixel,
        allow_missing=True,
    )
    matching = _by_name(frames, frames.n_without_depth)
    return Opened(frames, frames.gt_kind, frames.problems, matching)


def _open_kitti_lidar(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    frames = KittiLidarSource(
        _path(source),
        split_path=_path_or_none(settings.split),
        value=rules.lidar_value,
        pixel=rules.lidar_pixel,
    )
    return Opened(frames, 'raw-lidar', matching=_by_name(frames, frames.n_without_scan))


def _open_selection(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    frames = KittiSelectionSource(_path(source), split_path=_path_or_none(settings.split))
    return Opened(frames, 'annotated', frames.problems)


def _open_nyu(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    frames = open_nyu(
        _path(source), _path_or_none(settings.split), allow_missing=True, as_measured=True
    )
    matching = _by_name(frames, frames.n_without_depth)
    return Opened(frames, 'depth-images', frames.problems, matching)


def _open_tum(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    # The usual tolerance is for recordings at 10 Hz; who names one means it.
    is_named = 'sync_tolerance_s' in settings.model_fields_set
    tolerance_s = settings.sync_tolerance_s if is_named else TUM_TOLERANCE_S
    frames = TumSource(_path(source), tolerance_s=tolerance_s)
    return Opened(frames, 'depth-images', matching=frames.matching)


def _open_pattern(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    if not (settings.images and settings.gt_images):
        raise ConfigError(
            'kind pattern needs images and gt_images, such as rgb/*.png and depth/*.png, got '
            f'{settings.images!r} and {settings.gt_images!r}'
        )
    frames = PatternSource(
        _path(source),
        settings.images,
        settings.gt_images,
        settings.gt_per_metre,
        settings.intrinsics,
    )
    return Opened(frames, 'depth-images', matching=_by_name(frames, frames.n_missed))


def _open_synthetic(source: str, settings: SourceSettings, rules: FrameRules) -> Opened:
    seeds = seeds_of(source)
    width, height = settings.width_px, settings.height_px
    Drive(seeds.start, width=width, height=height)  # refuses sizes that it cannot render
    streets = Streets(
        seeds.start, len(seeds), settings.frames_per_seed, width, height, settings.frame_step
    )
    return Opened(WorldSource(streets), 'exact')


def _by_name(frames: SampleSource, n_without_depth: int) -> Matching:
    return Matching(len(frames) + n_without_depth, n_without_depth)


def _check_used(kind: str, settings: SourceSettings) -> None:
    """Refuse settings that say which frames or which truth, and would not be heard."""
    for name in sorted(set().union(*_USED.values()) - _USED[kind]):
        if getattr(settings, name) != SourceSettings.model_fields[name].default:
            kinds = ', '.join(other for other, used in _USED.items() if name in used)
            raise ConfigError(
                f'{name} is not for kind {kind}, it is for {kinds}: leave it out, or name the kind'
            )


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _path_or_none(text: str) -> Path | None:
    return _path(text) if text else None


_TOPICS: Final = {
    'image_topic', 'camera_info_topic', 'depth_topic', 'lidar_topic', 'class_topic',
    'fixed_frame', 'lidar_extrinsics', 'calib_dir',
}

_USED: Final[Mapping[str, set[str]]] = {
    'bag': {*_TOPICS, 'gt_dir', 'gt_kind'},
    'kitti': {'gt_dir', 'split'},
    'kitti-selection': {'split'},
    'kitti-object': {'split'},
    'nyu': {'split'},
    'tum': set(),
    'pattern': {'images', 'gt_images', 'intrinsics', 'gt_kind'},
    'synthetic': set(),
}
"""Settings that only some kinds use."""

_OPENERS: Final[Mapping[str, Callable[[str, SourceSettings, FrameRules], Opened]]] = {
    'bag': _open_bag,
    'kitti': _open_kitti,
    'kitti-selection': _open_selection,
    'kitti-object': _open_kitti_lidar,
    'nyu': _open_nyu,
    'tum': _open_tum,
    'pattern': _open_pattern,
    'synthetic': _open_synthetic,
}
