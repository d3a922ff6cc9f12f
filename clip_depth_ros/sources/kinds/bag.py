# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as frames with depth: that of depth images, of a LiDAR, or of files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os.path
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.choice import choose_topics, recorded_per_metre
from clip_depth_ros.bags.clocks import note_on_clocks
from clip_depth_ros.bags.frames import (
    annotated_pairs,
    complete_frames,
    recorded_extrinsics,
    recorded_pairs,
)
from clip_depth_ros.bags.index import BagIndex, index_bag
from clip_depth_ros.bags.places import (
    depth_once,
    Matching,
    open_per_process,
    Pair,
    Place,
    stamp_gap_max_s,
)
from clip_depth_ros.bags.poses import plain_frame
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.storage import (
    files_of_recording,
    is_rosbag2_folder,
    RECORDING_SUFFIXES,
)
from clip_depth_ros.bags.topics import (
    BagTopics,
    first_message,
    TF,
    TOPIC_SETTINGS,
    TRUE_DEPTH,
    with_topic_set,
)
from clip_depth_ros.core.depth_images import MM_PER_METRE
from clip_depth_ros.core.images import encoding_of
from clip_depth_ros.core.stamps import n_repeated
from clip_depth_ros.core.transforms import check_rigid, Matrix4
from clip_depth_ros.errors import CalibrationError, ConfigError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.files import KITTI_PER_METRE
from clip_depth_ros.sources.frame_reader import FrameReader, named_in_errors
from clip_depth_ros.sources.kitti_calibration import read_raw_calibration
from clip_depth_ros.sources.registry import FrameRules, Kind, path_or_none, Source
from clip_depth_ros.sources.samples import DepthSample, numbered
from clip_depth_ros.sources.truth import TruthRules
import numpy as np


class BagSource(Source):
    """
    The images of a recording for which there is depth at the same time.

    Parameters
    ----------
    path : Path
        Any recording that :class:`BagReader` reads.
    settings : SourceSettings
        Topics, and what stands for some. Empty names: the only colour camera and the camera_info
        beside it, the LiDAR, or the only depth images if there is none; no classes. Extrinsics
        come from their file, else from KITTI's calibration, else from ``/tf_static``, as it was
        when the image was recorded, or where the chain was not complete then, as soon as it was.
        With ``gt_dir``, no depth is read from the recording; see :func:`annotated_pairs`.
    rules : FrameRules
        What a point of a LiDAR counts as, whether depth images, in colours, may stand for the
        camera's, and what becomes of damage.

    Attributes
    ----------
    topics : BagTopics
        The topics that are used.
    n_matched, n_missed : int
        Images that have depth within the tolerance, of their own if it is one to one, and that
        do not.

    Raises
    ------
    ConfigError
        If depth is to come both from files and from a topic.
    RecordingError
        If the recording cannot be read or no image has depth.
    TopicError
        If a topic is missing, of another type, or not to be found without its name.
    CalibrationError
        For a LiDAR, if there is no camera_info or no chain of static transforms; or if a file of
        calibration is damaged.

    Notes
    -----
    The recording is read through once when this is built, and not kept in memory: a frame is read
    where it stands, which is fast where the recording has an index (all but cut-off ones).
    Points of a LiDAR fall where the lens shows them, through its distortion if it has one.

    """

    matching: Matching

    def __init__(self, path: Path, settings: SourceSettings, rules: FrameRules) -> None:
        gt_dir, tolerance_s = path_or_none(settings.gt_dir), settings.sync_tolerance_s
        if gt_dir is not None and (gt_topic := settings.depth_topic or settings.lidar_topic):
            raise ConfigError(
                f'depth comes from gt_dir or from a topic, got {str(gt_dir)!r} and {gt_topic!r}: '
                'name one of them'
            )
        extrinsics_path = path_or_none(settings.lidar_extrinsics)
        calib_dir = path_or_none(settings.calib_dir)
        T_camera_lidar = read_extrinsics(extrinsics_path) if extrinsics_path else None
        calibration = read_raw_calibration(calib_dir) if calib_dir else None
        self.name = f'the recording {path.name}'
        self._path, self._calibration = path, calibration
        self._bag = open_per_process(path)
        named = {name: getattr(settings, name) for name in TOPIC_SETTINGS}
        with BagReader(path) as bag:
            self.topics = choose_topics(
                bag,
                **with_topic_set(bag, settings.topics, named),
                pred_topics=rules.pred_topics,
                depth='needed' if gt_dir is None else 'none',
                image_may_be_depth=not rules.images_needed,
            )
            _check_all_used(settings, self.topics, bag)
            recorded_units = recorded_per_metre(bag, self.topics.depth)
            index = index_bag(
                bag, self.topics, allow_damage=rules.allow_missing, pair_by=settings.pair_by
            )
        with named_in_errors(repr(str(path))):
            found = (
                recorded_pairs(index, self.topics, tolerance_s)
                if gt_dir is None
                else annotated_pairs(index, gt_dir, settings.gt_first)
            )
            pairs = depth_once(found) if rules.one_to_one else found
            extrinsics = self._extrinsics(index, T_camera_lidar, pairs, tolerance_s)
            pairs, extrinsics = self._placed(index, pairs, extrinsics, rules)
            self._frames = complete_frames(
                index, pairs, extrinsics, fixed_frame=settings.fixed_frame, tolerance_s=tolerance_s
            )
        self.problems = index.damage.problems
        self.notes = [*filter(None, [note_on_clocks(pairs), _note_on_frames(index)])]
        self.n_matched, self.n_missed = len(pairs), len(index.images) - len(pairs)
        self.matching = Matching(
            len(index.images),
            n_without_depth=len(index.images) - len(found),
            n_shared=len(found) - len(pairs),
            n_repeated=n_repeated(index.images),
            tolerance_s=tolerance_s if gt_dir is None else None,
            stamp_gap_max_s=stamp_gap_max_s(pairs) if rules.one_to_one else None,
        )
        self.gt_kind = _gt_kind(self.topics)
        self.names = numbered([_name(path, frame.image) for frame in self._frames])
        usual = recorded_units or (MM_PER_METRE if gt_dir is None else KITTI_PER_METRE)
        is_named = 'gt_per_metre' in settings.given()
        per_metre = settings.gt_per_metre if is_named else usual
        gt_kind = self.gt_kind if settings.gt_kind == 'auto' else settings.gt_kind
        truth = TruthRules(
            lidar_value=rules.lidar_value,
            lidar_pixel=rules.lidar_pixel,
            lidar_min_range_m=settings.lidar_min_range_m,
            max_range_m=settings.gt_max_range_m,
            is_measured=gt_kind == 'depth-images',
        )
        self._reader = FrameReader(
            self.topics, index.cameras, index.depth_cameras, calibration,
            not rules.images_needed, truth, settings.max_image_pixels, per_metre,
            settings.intrinsics_source, settings.calibration_scaling,
        )
        self._chosen = _chosen(
            tolerance_s=f'{tolerance_s:g}',
            pair_by='' if settings.pair_by == 'header' else settings.pair_by,
            T_camera_lidar='' if T_camera_lidar is None else str(T_camera_lidar.tolist()),
            calibration='' if calibration is None else (
                f'K {calibration.K.tolist()}, T_cam2_velo {calibration.T_cam2_velo.tolist()}'
            ),
            intrinsics_source=(
                '' if settings.intrinsics_source == 'auto' else settings.intrinsics_source
            ),
            calibration_scaling='allowed' if settings.calibration_scaling else '',
            gt_dir='' if gt_dir is None else f'{gt_dir} from {settings.gt_first}',
            lidar_value='' if rules.lidar_value == 'z' else rules.lidar_value,
            lidar_pixel='' if rules.lidar_pixel == 'nearest' else rules.lidar_pixel,
            gt_per_metre=f'{per_metre:g}' if is_named or recorded_units else '',
            class_topic=self.topics.class_ids,
            depth_camera_info_topic=self.topics.depth_info,
            fixed_frame=settings.fixed_frame,
            **truth.describe(),
        )

    @property
    def files(self) -> list[Path]:
        """Return the files that the frames are read from."""
        beside = [frame.depth for frame in self._frames if isinstance(frame.depth, Path)]
        return [*files_of_recording(self._path), *beside]

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
        self,
        index: BagIndex,
        given: Matrix4 | None,
        pairs: Sequence[Pair],
        tolerance_s: float,
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
        if given is not None:
            return [given] * len(pairs)
        return recorded_extrinsics(index, pairs, tolerance_s)

    def _placed(
        self,
        index: BagIndex,
        pairs: Sequence[Pair],
        extrinsics: Sequence[Matrix4 | None],
        rules: FrameRules,
    ) -> tuple[list[Pair], list[Matrix4 | None]]:
        """Return the pairs where it is known where the LiDAR was; the others are a problem."""
        kept = [
            (pair, T) for pair, T in zip(pairs, extrinsics, strict=True)
            if T is not None or not self.topics.is_lidar
        ]
        if n_lost := len(pairs) - len(kept):
            why = (
                f'of {n_lost} of {len(pairs)} images it is not known where the LiDAR was: no '
                f'transform of {TF} is near enough in time, and they change'
            )
            if not rules.allow_missing:
                raise CalibrationError(why)
            index.damage.add(f'{self._path.name} {TF}', why, since_ns=None)
        return [pair for pair, _ in kept], [T for _, T in kept]


def _is_recording(path: Path) -> bool:
    return is_rosbag2_folder(path) or (path.suffix in RECORDING_SUFFIXES and path.is_file())


def _parts(source: str) -> list[str]:
    return [os.path.realpath(file) for file in files_of_recording(user_path(source))]


KIND: Final = Kind(
    looks_like='.bag, .mcap, .db3, a folder with metadata.yaml',
    recognises=_is_recording,
    uses={
        *TOPIC_SETTINGS, 'topics', 'fixed_frame', 'lidar_extrinsics', 'lidar_min_range_m',
        'calib_dir', 'intrinsics_source', 'calibration_scaling', 'sync_tolerance_s', 'pair_by',
        'gt_dir', 'gt_first', 'gt_kind', 'gt_max_range_m', 'gt_per_metre', 'max_image_pixels',
    },
    opened=BagSource,
    parts=_parts,
)


def _check_all_used(settings: SourceSettings, used: BagTopics, bag: BagReader) -> None:
    """Refuse, with ConfigError, what is named and would be dropped in favour of something else."""
    refuse, named = settings.refuse, settings.given()
    if settings.depth_topic:
        refuse('lidar_topic', because='as depth_topic is the truth: name one of them')
    if settings.calib_dir:
        of_info = ('camera_info_topic', 'intrinsics_source')
        refuse(*of_info, because='as calib_dir has the intrinsics: name one of them')
    elif not used.camera_info:
        nothing = 'as there is no camera_info'
        refuse('intrinsics_source', 'calibration_scaling', because=nothing)
    if not settings.gt_dir:
        refuse('gt_first', because='as it numbers the depth maps of gt_dir, and none is named')
    if used.is_lidar:
        because = f'as the truth is the LiDAR on {used.depth!r}'
        refuse('gt_per_metre', 'gt_max_range_m', because=because)
    else:
        refuse('lidar_extrinsics', 'lidar_min_range_m', because='as the truth is no LiDAR')
    if 'gt_per_metre' in named and used.depth and not used.is_lidar:
        image = first_message(bag, used.depth)
        if image is not None and encoding_of(image) == '32FC1':
            refuse('gt_per_metre', because=f'as {used.depth!r} is 32FC1, which is metres')


def _note_on_frames(index: BagIndex) -> str:
    """Return what must be said if no camera_info is of the frame of the images."""
    images = {plain_frame(place.frame_id) for place in index.images}
    if not index.camera_frames or index.camera_frames & images:
        return ''
    theirs, own = (' and '.join(map(repr, sorted(each))) for each in (index.camera_frames, images))
    return f'camera_info is of frame {theirs}, images are of {own}: it may be of another camera'


def _name(path: Path, image: Place) -> str:
    seconds, nanoseconds = divmod(image.stamp_ns, 10**9)
    return f'{path.name} {image.topic} at {seconds}.{nanoseconds:09} s'


def _gt_kind(topics: BagTopics) -> str:
    """Return where depth comes from; exact: the true depth of our own synthetic recordings."""
    if not topics.depth:
        return 'annotated'
    if topics.is_lidar:
        return 'raw-lidar'
    return 'exact' if topics.depth == TRUE_DEPTH else 'depth-images'


def read_extrinsics(path: Path) -> Matrix4:
    """
    Read a 4 x 4 that takes LiDAR points to the camera: 16 numbers, row by row; # starts a comment.

    CalibrationError if the file cannot be read or is no rigid transform.
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
