# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as frames with depth: that of depth images, of a LiDAR, or of files beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
import os.path
from pathlib import Path
from typing import Final, Literal

from clip_depth_ros.bags.frames import (
    annotated_pairs,
    complete_frames,
    recorded_pairs,
    static_extrinsics,
    unique_names,
)
from clip_depth_ros.bags.index import BagIndex, index_bag
from clip_depth_ros.bags.places import (
    depth_once,
    Matching,
    open_per_process,
    Pair,
    stamp_gap_max_s,
)
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.storage import (
    files_of_recording,
    is_rosbag2_folder,
    RECORDING_SUFFIXES,
)
from clip_depth_ros.bags.topics import choose_topics, TRUE_DEPTH, with_preset
from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.core.stamps import n_repeated
from clip_depth_ros.core.transforms import check_rigid, Matrix4
from clip_depth_ros.errors import CalibrationError, ConfigError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frame_reader import FrameReader, named_in_errors
from clip_depth_ros.sources.kitti_files import KittiCalibration, read_raw_calibration
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none
from clip_depth_ros.sources.samples import DepthSample
import numpy as np

GtKind = Literal['annotated', 'raw-lidar', 'depth-images', 'exact']
"""Where depth comes from; exact: the true depth of our own synthetic recordings."""


class BagSource:
    """
    The images of a recording for which there is depth at the same time.

    Parameters
    ----------
    path : Path
        Any recording that :class:`BagReader` reads.
    image_topic, camera_info_topic : str
        Camera; empty: the only colour camera, and the camera_info beside it.
    depth_topic : str
        Depth images (32FC1 metres or 16UC1 millimetres) registered to the camera; empty: LiDAR,
        or the only depth images if there is none.
    lidar_topic : str
        Clouds; empty: the only ones there are.
    class_topic : str
        Images of class ids (mono8) registered to the camera; empty: none.
    preset : str
        Names of the topics that are not named, see :func:`with_preset`.
    tolerance_s : float
        Largest difference of the header stamps of an image and what belongs to it.
    T_camera_lidar : float64 (4, 4), optional
        Takes LiDAR points to the camera; by default from the calibration, else from
        ``/tf_static``, as it was when the image was recorded, or where the chain was not complete
        then, as soon as it was.
    calibration : KittiCalibration, optional
        Stands for the camera_info and ``/tf_static`` of the recording.
    gt_dir : Path, optional
        Folder of annotated depth maps (KITTI's PNGs) that belong to the images, by number, see
        :func:`annotated_pairs`; then no depth is read from the recording.
    gt_first : int
        Number of the depth map of the first image.
    lidar_value, lidar_pixel : str
        What a point of the LiDAR counts as, and where; see :func:`sparse_depth`.
    fixed_frame : str
        Frame that does not move, for ``T_world_camera``; empty: the root of the camera's tree.
    image_may_be_depth : bool
        Whether depth images, in colours, may stand for the camera's.
    pred_topics : collection of str
        What other nodes have made of the camera's images: not the camera, if there is another.
    one_to_one : bool
        Whether a message of depth is the truth of its nearest image alone, or of all images that
        it is the nearest to.
    allow_damage : bool
        Whether to use what can be read of a damaged recording, and say what cannot.

    Attributes
    ----------
    topics : BagTopics
        The topics that are used.
    names : list of str
        Of the frames; no two are alike.
    n_matched, n_missed : int
        Images that have depth within the tolerance, of their own if it is one to one, and that
        do not.
    matching : Matching
        How that came about.
    problems : list of (str, str)
        What is damaged, and how.

    Raises
    ------
    ConfigError
        If a setting is out of its range.
    RecordingError
        If the recording cannot be read or no image has depth.
    TopicError
        If a topic is missing, of another type, or not to be found without its name.
    CalibrationError
        For a LiDAR, if there is no camera_info or no chain of static transforms.

    Notes
    -----
    The recording is read through once when this is built, and not kept in memory: a frame is read
    where it stands, which is fast where the recording has an index (all but cut-off ones).
    Distorted images can be used with depth images only.

    """

    def __init__(
        self,
        path: Path,
        *,
        image_topic: str = '',
        camera_info_topic: str = '',
        depth_topic: str = '',
        lidar_topic: str = '',
        class_topic: str = '',
        preset: str = 'none',
        tolerance_s: float = 0.05,
        T_camera_lidar: Matrix4 | None = None,
        calibration: KittiCalibration | None = None,
        gt_dir: Path | None = None,
        gt_first: int = 0,
        lidar_value: LidarValue = 'z',
        lidar_pixel: LidarPixel = 'nearest',
        fixed_frame: str = '',
        image_may_be_depth: bool = False,
        pred_topics: Collection[str] = (),
        one_to_one: bool = False,
        allow_damage: bool = False,
    ) -> None:
        _check(tolerance_s, gt_dir, depth_topic or lidar_topic)
        self.name = f'the recording {path.name}'
        self._path, self._calibration = path, calibration
        self._bag = open_per_process(path)
        named = {
            'image_topic': image_topic,
            'camera_info_topic': camera_info_topic,
            'depth_topic': depth_topic,
            'lidar_topic': lidar_topic,
            'class_topic': class_topic,
        }
        with BagReader(path) as bag:
            self.topics = choose_topics(
                bag,
                **with_preset(bag, preset, named),
                pred_topics=pred_topics,
                has_depth=gt_dir is None,
                image_may_be_depth=image_may_be_depth,
            )
            index = index_bag(bag, self.topics, allow_damage=allow_damage)
        with named_in_errors(repr(str(path))):
            found = (
                recorded_pairs(index, self.topics, tolerance_s)
                if gt_dir is None
                else annotated_pairs(index, gt_dir, gt_first)
            )
            pairs = depth_once(found) if one_to_one else found
            extrinsics = self._extrinsics(index, T_camera_lidar, pairs)
            self._frames = complete_frames(
                index, pairs, extrinsics, fixed_frame=fixed_frame, tolerance_s=tolerance_s
            )
        self.problems = index.damage.problems
        self.n_matched, self.n_missed = len(pairs), len(index.images) - len(pairs)
        self.matching = Matching(
            len(index.images),
            n_without_depth=len(index.images) - len(found),
            n_shared=len(found) - len(pairs),
            n_repeated=n_repeated(index.images),
            tolerance_s=tolerance_s if gt_dir is None else None,
            stamp_gap_max_s=stamp_gap_max_s(pairs) if one_to_one else None,
        )
        self.names = unique_names(path, self._frames)
        self._reader = FrameReader(
            self.topics, index.cameras, calibration, image_may_be_depth, lidar_value, lidar_pixel
        )
        self._chosen = _chosen(
            tolerance_s=f'{tolerance_s:g}',
            T_camera_lidar='' if T_camera_lidar is None else str(T_camera_lidar.tolist()),
            calibration='' if calibration is None else _text(calibration),
            gt_dir='' if gt_dir is None else f'{gt_dir} from {gt_first}',
            lidar_value='' if lidar_value == 'z' else lidar_value,
            lidar_pixel='' if lidar_pixel == 'nearest' else lidar_pixel,
            class_topic=self.topics.class_ids,
            fixed_frame=fixed_frame,
        )

    @property
    def gt_kind(self) -> GtKind:
        """Return where depth comes from."""
        if not self.topics.depth:
            return 'annotated'
        if self.topics.is_lidar:
            return 'raw-lidar'
        return 'exact' if self.topics.depth == TRUE_DEPTH else 'depth-images'

    @property
    def files(self) -> list[Path]:
        """Return the files that the frames are read from."""
        beside = [frame.depth for frame in self._frames if isinstance(frame.depth, Path)]
        return [*files_of_recording(self._path), *beside]

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        return self._reader.read(self._bag.get(), self._frames[index], self.names[index])

    def describe(self) -> Mapping[str, str]:
        """Return what decides the frames."""
        used = self.topics
        return {
            'source': 'bag',
            'bag': str(self._path),
            'image_topic': used.image,
            'camera_info_topic': used.camera_info,
            'lidar_topic' if used.is_lidar else 'depth_topic': used.depth,
            **self._chosen,
            'first': str(self._frames[0].image.stamp_ns),
            'last': str(self._frames[-1].image.stamp_ns),
            'frames': str(len(self)),
            'images_with_depth': str(self.n_matched),
            'images_without_depth': str(self.n_missed),
            **self.matching.describe(),
        }

    def close(self) -> None:
        """Close the recording; it is opened again when a frame is asked for."""
        self._bag.close()

    def _extrinsics(
        self, index: BagIndex, given: Matrix4 | None, pairs: Sequence[Pair]
    ) -> Sequence[Matrix4 | None]:
        """Return what takes LiDAR points to the camera, for each pair that needs it."""
        if not self.topics.is_lidar:
            return [None] * len(pairs)
        if self._calibration is None and not index.cameras.values:
            raise CalibrationError(
                f'there is no camera_info for {self.topics.image!r}: a LiDAR can only be used '
                'with the intrinsics of the camera; name camera_info_topic, or use a depth_topic'
            )
        if given is None and self._calibration is not None:
            given = self._calibration.T_cam2_velo
        return static_extrinsics(index, pairs) if given is None else [given] * len(pairs)


def _open(source: str, settings: SourceSettings, rules: FrameRules) -> BagSource:
    extrinsics = path_or_none(settings.lidar_extrinsics)
    calib_dir = path_or_none(settings.calib_dir)
    return BagSource(
        Path(source).expanduser(),
        image_topic=settings.image_topic,
        camera_info_topic=settings.camera_info_topic,
        depth_topic=settings.depth_topic,
        lidar_topic=settings.lidar_topic,
        class_topic=settings.class_topic,
        preset=settings.topic_preset,
        tolerance_s=settings.sync_tolerance_s,
        T_camera_lidar=read_extrinsics(extrinsics) if extrinsics else None,
        calibration=read_raw_calibration(calib_dir) if calib_dir else None,
        gt_dir=path_or_none(settings.gt_dir),
        gt_first=settings.gt_first,
        lidar_value=rules.lidar_value,
        lidar_pixel=rules.lidar_pixel,
        fixed_frame=settings.fixed_frame,
        image_may_be_depth=not rules.images_needed,
        pred_topics=rules.pred_topics,
        one_to_one=rules.one_to_one,
        allow_damage=rules.allow_missing,
    )


def _is_recording(path: Path) -> bool:
    return is_rosbag2_folder(path) or (path.suffix in RECORDING_SUFFIXES and path.is_file())


def _parts(source: str) -> list[str]:
    return [os.path.realpath(file) for file in files_of_recording(Path(source).expanduser())]


KIND: Final = Kind(
    looks_like='.bag, .mcap, .db3, a folder with metadata.yaml',
    recognises=_is_recording,
    uses={
        'topic_preset', 'image_topic', 'camera_info_topic', 'depth_topic', 'lidar_topic',
        'class_topic', 'fixed_frame', 'lidar_extrinsics', 'calib_dir', 'sync_tolerance_s',
        'gt_dir', 'gt_first', 'gt_kind',
    },
    opened=_open,
    parts=_parts,
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


def _chosen(**texts: str) -> dict[str, str]:
    """Return what was chosen, without what is as usual."""
    return {name: text for name, text in texts.items() if text}


def _text(calibration: KittiCalibration) -> str:
    return f'K {calibration.K.tolist()}, T_cam2_velo {calibration.T_cam2_velo.tolist()}'


def _check(tolerance_s: float, gt_dir: Path | None, gt_topic: str) -> None:
    if not tolerance_s >= 0:
        raise ConfigError(f'a recording needs tolerance_s >= 0, got {tolerance_s}')
    if gt_dir is not None and gt_topic:
        raise ConfigError(
            f'depth comes from gt_dir or from a topic, got {str(gt_dir)!r} and {gt_topic!r}: name '
            'one of them'
        )
