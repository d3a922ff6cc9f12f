# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An image of a recording and what belongs to it, read into a sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.frames import BagFrame
from clip_depth_ros.bags.index import History
from clip_depth_ros.bags.places import message_at, Place
from clip_depth_ros.bags.poses import plain_frame
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import BagTopics, TRUE_CLASS_IDS
from clip_depth_ros.core.camera import Calibration, Camera, IntrinsicsSource
from clip_depth_ros.core.clouds import points_of
from clip_depth_ros.core.depth_images import decode_depth, picture_of
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import class_ids_of, rgb_of
from clip_depth_ros.core.projection import projection_matrix
from clip_depth_ros.errors import CalibrationError, DataError, RecordingError
from clip_depth_ros.sources.files import read_depth_png
from clip_depth_ros.sources.folders import sample_of
from clip_depth_ros.sources.kitti_calibration import KittiCalibration
from clip_depth_ros.sources.samples import Classes, DepthSample
from clip_depth_ros.sources.truth import registered, Truth, TruthRules
from clip_depth_ros.types import Depth, Rgb
from clip_depth_ros.world.things import CLASS_NAMES

_NUMBERED_CLASSES: Final = {number: f'class {number}' for number in range(256)}
"""What classes are called in recordings that are not ours."""

_BENT: Final = (
    'the lens bends the images: predictors are told the camera that they would be of without '
    'distortion, which holds in the middle'
)


@dataclass(frozen=True, slots=True)
class FrameReader:
    """
    How frames of a recording become samples.

    Attributes
    ----------
    topics : BagTopics
    cameras : History of Calibration
        By the times that images are paired by.
    depth_cameras : History of Calibration
        The same of depth images of another frame.
    calibration : KittiCalibration, optional
        Stands for the cameras where it is given.
    image_may_be_depth : bool
        Whether depth images, in colours, may stand for the camera's.
    truth : TruthRules
        What counts as measured.
    max_pixels : int
        Larger images are refused.
    per_metre : float
        What depth in 16 bits stores for each metre.
    intrinsics_source, is_scaled
        See :meth:`Calibration.camera`.

    """

    topics: BagTopics
    cameras: History[Calibration]
    depth_cameras: History[Calibration]
    calibration: KittiCalibration | None
    image_may_be_depth: bool
    truth: TruthRules
    max_pixels: int
    per_metre: float
    intrinsics_source: IntrinsicsSource
    is_scaled: bool

    def read(self, bag: BagReader, frame: BagFrame, name: str) -> DepthSample:
        """
        Read a frame.

        Raises
        ------
        DataError
            If something of it cannot be read or does not fit together; it names the frame.

        """
        with named_in_errors(name):
            image = message_at(bag, frame.image)
            rgb = (picture_of if self.image_may_be_depth else rgb_of)(image, self.max_pixels)
            camera, assumed = self._camera(frame, rgb)
            target_m, left_out = self._target_m(bag, frame, rgb, camera)
            is_bent = camera is not None and camera.distortion is not None
            return replace(
                sample_of(name, rgb, target_m, camera.intrinsics if camera else None),
                is_bent=is_bent,
                stamp_ns=frame.image.stamp_ns,
                recording=bag.path.name,
                classes=self._classes(bag, frame, rgb),
                T_world_camera=frame.T_world_camera,
                received_ns=frame.image.received_ns,
                notes={**dict.fromkeys([*assumed, *([_BENT] if is_bent else [])], 0), **left_out},
            )

    def _camera(self, frame: BagFrame, rgb: Rgb) -> tuple[Camera | None, tuple[str, ...]]:
        """Return the camera, and notes; without a LiDAR, which needs one, None for an error."""
        height, width = rgb.shape[:2]
        if self.calibration is not None:
            given = self.calibration.intrinsics(width, height, is_scaled=self.is_scaled)
            return Camera(given, None, 'P'), given.doubts()
        if not self.cameras.values:
            return None, ()
        calibration = self.cameras.at(frame.image.time_ns)
        try:
            camera = calibration.camera(
                self.intrinsics_source, width, height,
                image_topic=frame.image.topic, is_scaled=self.is_scaled,
            )
        except CalibrationError as error:
            if self.topics.is_lidar:
                raise
            return None, (f'the camera is taken as unknown: {error}',)
        return camera, camera.notes

    def _target_m(
        self, bag: BagReader, frame: BagFrame, rgb: Rgb, camera: Camera | None
    ) -> Truth:
        if isinstance(frame.depth, Path):
            depth_m = read_depth_png(frame.depth, self.per_metre, self.max_pixels)
            return self.truth.of_image(depth_m, per_metre=self.per_metre)
        message = message_at(bag, frame.depth)
        if frame.T_camera_lidar is None or camera is None:
            depth_m = decode_depth(message, self.max_pixels, self.per_metre)
            depth_m, notes = self.truth.of_image(depth_m, per_metre=self.per_metre)
            if not frame.is_foreign:
                return depth_m, notes
            depth_m, more = self._registered(depth_m, frame, camera)
            return depth_m, {**notes, **dict.fromkeys(more, 0)}
        P = projection_matrix(camera.intrinsics, frame.T_camera_lidar)
        size = Size(*rgb.shape[:2])
        return self.truth.of_points(points_of(message), P, size, shown_at=camera.shown_at)

    def _registered(
        self, depth_m: Depth, frame: BagFrame, camera: Camera | None
    ) -> tuple[Depth, tuple[str, ...]]:
        """Return depth of another frame as the camera sees it, and what is to be said of it."""
        assert isinstance(frame.depth, Place)
        theirs, own = frame.depth.frame_id, frame.image.frame_id
        frames = f'depth is of frame {theirs!r}, images are of {own!r}'
        try:
            if frame.T_camera_depth is None:
                raise CalibrationError('no transforms lead from one to the other')
            if not self.depth_cameras.values:
                raise CalibrationError(f'there is no camera_info for {frame.depth.topic!r}')
            if camera is None:
                raise CalibrationError('the intrinsics of the images are not known')
            height, width = depth_m.shape
            calibration = self.depth_cameras.at(frame.depth.time_ns)
            depth_camera = calibration.camera('auto', width, height, is_scaled=self.is_scaled)
        except CalibrationError as error:
            return depth_m, (
                f'{frames}, and {error}: depth is taken pixel for pixel, as if it were registered '
                'to the images; name a depth_topic that is',
            )
        assumed = (f'of depth images: {note}' for note in depth_camera.notes)
        how = f'{frames}: registered by their transform and both camera_infos'
        if plain_frame(theirs) == plain_frame(own):
            how = (
                f'depth and images have frame {own!r} and a camera_info each: registered by '
                'these, as if both looked from one place'
            )
        return registered(depth_m, depth_camera, frame.T_camera_depth, camera), (how, *assumed)

    def _classes(self, bag: BagReader, frame: BagFrame, rgb: Rgb) -> Classes | None:
        if frame.class_ids is None:
            return None
        message = message_at(bag, frame.class_ids)
        ids = class_ids_of(message, Size(*rgb.shape[:2]), self.max_pixels)
        is_ours = frame.class_ids.topic == TRUE_CLASS_IDS
        return Classes(ids, CLASS_NAMES if is_ours else _NUMBERED_CLASSES)


@contextmanager
def named_in_errors(name: str) -> Iterator[None]:
    """Name a frame or a recording in the errors about it."""
    try:
        yield
    except DataError as error:
        if name in str(error):
            raise
        kind = CalibrationError if isinstance(error, CalibrationError) else RecordingError
        raise kind(f'{name}: {error}') from error
