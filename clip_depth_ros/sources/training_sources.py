# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of training and the held-out ones that settings name."""

from __future__ import annotations

from collections.abc import Callable
import math
from pathlib import Path
from typing import Final

from clip_depth_ros.core.transforms import check_rigid, Matrix4
from clip_depth_ros.errors import CalibrationError, ConfigError, DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.bag import BagSource
from clip_depth_ros.sources.kitti_raw import KittiSource
from clip_depth_ros.sources.nyu import open_nyu
from clip_depth_ros.sources.rendered import WorldSource
from clip_depth_ros.sources.samples import SampleSource, Subset
from clip_depth_ros.world.rendered_streets import render_streets, Streets
import numpy as np

Sources = tuple[SampleSource, SampleSource]
"""Frames of training, and held-out frames."""


def open_source(settings: TrainSettings) -> Sources:
    """
    Open the frames of training and the held-out ones.

    Raises
    ------
    ConfigError
        If a path is needed that is not set.
    DataError
        If files, topics or calibration are missing, or there are too few frames to hold some out.
    OutputError
        If rendered frames cannot be kept.

    """
    return _OPENERS[settings.source](settings)


def held_out(source: SampleSource, share: float) -> Sources:
    """
    Hold out the last part of a source, in one piece: neighbours in time look alike.

    Parameters
    ----------
    source : SampleSource
        All frames.
    share : float
        Part that is held out, between 0 and 1; at least one frame.

    Raises
    ------
    DataError
        If that leaves no frame to train on.

    """
    n_train = len(source) - max(1, round(share * len(source)))
    if n_train < 1:
        raise DataError(
            f'{source.name} has {len(source)} frames, too few to hold out {share:g} of them: use '
            'more frames, or name held-out ones in a list'
        )
    return (
        Subset(source, tuple(range(n_train))),
        Subset(source, tuple(range(n_train, len(source)))),
    )


def read_extrinsics(path: Path) -> Matrix4:
    """
    Read a 4 x 4 that takes LiDAR points to the camera: 16 numbers, row by row; # starts a comment.

    Raises
    ------
    CalibrationError
        If the file cannot be read or is no rigid transform.

    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
        numbers = [float(word) for line in lines for word in line.partition('#')[0].split()]
    except (OSError, ValueError) as error:
        raise CalibrationError(f'{str(path)!r} should hold 16 numbers: {error}') from error
    T = np.array(numbers).reshape(4, 4) if len(numbers) == 16 else np.zeros((4, 4))
    try:
        check_rigid(T)
    except CalibrationError as error:
        raise CalibrationError(
            f'{str(path)!r} should hold a rigid 4 x 4, a rotation beside a translation in metres '
            f'above 0 0 0 1, got {len(numbers)} numbers: {numbers}'
        ) from error
    return T


def _open_kitti(settings: TrainSettings) -> Sources:
    data_dir = _path(settings.data_dir)
    depth_dir = _path(settings.depth_dir) if settings.depth_dir else None
    if not settings.train_list:
        raise ConfigError(
            "source='kitti' needs train_list: a split file with lines 'image depth [focal]' (as "
            "BTS has them) or 'date/drive frame side' (monodepth2)"
        )

    def opened(split: str) -> SampleSource:
        return KittiSource(data_dir, _path(split), depth_dir=depth_dir)

    return _with_held_out(settings, opened)


def _open_nyu(settings: TrainSettings) -> Sources:
    data = _path(settings.data_dir)
    return _with_held_out(settings, lambda split: open_nyu(data, _path(split) if split else None))


def _with_held_out(
    settings: TrainSettings, opened: Callable[[str], SampleSource]
) -> Sources:
    train = opened(settings.train_list)
    if settings.validation_list:
        return train, opened(settings.validation_list)
    return held_out(train, settings.validation_share)


def _open_bag(settings: TrainSettings) -> Sources:
    given = settings.lidar_extrinsics
    source = BagSource(
        _path(settings.bag),
        image_topic=settings.image_topic,
        camera_info_topic=settings.camera_info_topic,
        depth_topic=settings.depth_topic,
        lidar_topic=settings.lidar_topic,
        tolerance_s=settings.sync_tolerance_s,
        stride=settings.frame_stride,
        T_camera_lidar=read_extrinsics(_path(given)) if given else None,
    )
    return held_out(source, settings.validation_share)


def _open_synthetic(settings: TrainSettings) -> Sources:
    size = (settings.world_frames_per_seed, settings.world_width_px, settings.world_height_px)
    train = Streets(settings.world_first_seed, _n_streets(settings), *size)
    validation = Streets(
        settings.world_validation_first_seed, settings.world_validation_n_seeds, *size
    )
    if max(train.seeds[0], validation.seeds[0]) <= min(train.seeds[-1], validation.seeds[-1]):
        raise ConfigError(
            f'held-out streets must not be among those of training, got seeds {train.seeds} and '
            f'{validation.seeds}: move world_validation_first_seed'
        )
    return (
        _world(settings, 'train', train, settings.sky_depth_m),
        # Nobody knows how far the sky is: it does not count where it is scored.
        _world(settings, 'validation', validation, 0.0),
    )


def _n_streets(settings: TrainSettings) -> int:
    """Give how many streets training has; where none are asked for, so many that none returns."""
    n_frames = settings.steps * settings.batch_size
    return settings.world_n_seeds or math.ceil(n_frames / settings.world_frames_per_seed)


def _world(
    settings: TrainSettings, part: str, streets: Streets, sky_depth_m: float
) -> WorldSource:
    rendered = _path(settings.rendered_dir) / part if settings.rendered_dir else None
    if rendered is not None:
        render_streets(streets, rendered, n_workers=settings.n_workers)
    return WorldSource(streets, rendered=rendered, sky_depth_m=sky_depth_m)


def _path(text: str) -> Path:
    return Path(text).expanduser()


_OPENERS: Final = {
    'bag': _open_bag,
    'kitti': _open_kitti,
    'nyu': _open_nyu,
    'synthetic': _open_synthetic,
}
