# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as training data: camera images with depth images, or with what a LiDAR measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from clip_depth_ros.core.depth_encoding import decode_depth
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import ImageBuffer
from clip_depth_ros.core.projection import projection_matrix, sparse_depth
from clip_depth_ros.data.bag_index import BagIndex, index_bag, Pair, paired, Place
from clip_depth_ros.data.bag_topics import BagTopics, choose_topics
from clip_depth_ros.data.bags import BagReader
from clip_depth_ros.data.depth_files import sample_of
from clip_depth_ros.data.per_process import PerProcess
from clip_depth_ros.data.recorded_data import points_of, rgb_of
from clip_depth_ros.data.samples import DepthSample
from clip_depth_ros.data.topics import TF_STATIC
from clip_depth_ros.data.transforms import Matrix4
from clip_depth_ros.errors import CalibrationError, ConfigError, DataError, RecordingError
from clip_depth_ros.types import Intrinsics, Rgb


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
    tolerance_s : float
        Largest difference of the header stamps of an image and its depth.
    stride : int
        Use every n-th of the frames that have depth.
    T_camera_lidar : float64 (4, 4), optional
        Takes LiDAR points to the camera; by default from ``/tf_static``, as it was when the image
        was recorded, or where the chain was not complete then, as soon as it was.

    Attributes
    ----------
    n_matched, n_missed : int
        Images that have depth within the tolerance, and that do not.

    Raises
    ------
    ConfigError
        If tolerance or stride are out of their range.
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
        tolerance_s: float = 0.05,
        stride: int = 1,
        T_camera_lidar: Matrix4 | None = None,
    ) -> None:
        if not tolerance_s >= 0 or stride < 1:
            raise ConfigError(
                f'a recording needs tolerance_s >= 0 and stride >= 1, got {tolerance_s} and '
                f'{stride}'
            )
        self.name = f'the recording {path.name}'
        self._path, self._tolerance_s, self._stride = path, tolerance_s, stride
        self._given_T = T_camera_lidar
        self._bag: PerProcess[BagReader] = PerProcess(partial(_open_bag, path), _close_bag)
        with BagReader(path) as bag:
            self.topics = choose_topics(
                bag,
                image=image_topic,
                camera_info=camera_info_topic,
                depth=depth_topic,
                lidar=lidar_topic,
            )
            index = index_bag(bag, self.topics)
        pairs = paired(index.images, index.depths, round(tolerance_s * 1e9))
        self.n_matched, self.n_missed = len(pairs), len(index.images) - len(pairs)
        if not pairs:
            raise RecordingError(_no_pairs(path, self.topics, index, tolerance_s))
        self._pairs = pairs[::stride]
        self._cameras = index.cameras
        self._Ts_camera_lidar = self._extrinsics(index) if self.topics.is_lidar else []

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        pair = self._pairs[index]
        name = f'{self._path.name} {pair.image.topic} at {_seconds(pair.image.stamp_ns)}'
        with _named(name):
            rgb = rgb_of(self._message(pair.image))
            depth = self._message(pair.depth)
            if not self.topics.is_lidar:
                target_m = decode_depth(ImageBuffer.of(depth))
                return sample_of(name, rgb, target_m, self._intrinsics_if_known(pair, rgb))
            intrinsics = self._intrinsics(pair, rgb)
            P = projection_matrix(intrinsics, self._Ts_camera_lidar[index])
            target_m = sparse_depth(points_of(depth), P, Size(*rgb.shape[:2]))
            return DepthSample(name, rgb, target_m, intrinsics)

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        given = {} if self._given_T is None else {'T_camera_lidar': str(self._given_T.tolist())}
        return {
            'source': 'bag',
            'bag': str(self._path),
            'image_topic': self.topics.image,
            'camera_info_topic': self.topics.camera_info,
            'lidar_topic' if self.topics.is_lidar else 'depth_topic': self.topics.depth,
            'tolerance_s': f'{self._tolerance_s:g}',
            'stride': str(self._stride),
            **given,
            'first': str(self._pairs[0].image.stamp_ns),
            'last': str(self._pairs[-1].image.stamp_ns),
            'frames': str(len(self)),
            'images_with_depth': str(self.n_matched),
            'images_without_depth': str(self.n_missed),
        }

    def close(self) -> None:
        """Close the recording; it is opened again when a frame is asked for."""
        self._bag.close()

    def _message(self, place: Place) -> Any:
        bag, time_ns = self._bag.get(), place.bag_time_ns
        for message in bag.messages([place.topic], start_ns=time_ns, stop_ns=time_ns + 1):
            decoded: Any = bag.decode(message)
            stamp = decoded.header.stamp
            if stamp.sec * 10**9 + stamp.nanosec == place.stamp_ns:
                return decoded
        raise RecordingError(f'the message of {place.topic!r} is gone: did the recording change?')

    def _intrinsics(self, pair: Pair, rgb: Rgb) -> Intrinsics:
        height, width = rgb.shape[:2]
        return self._cameras.at(pair.image.stamp_ns).intrinsics(width, height)

    def _intrinsics_if_known(self, pair: Pair, rgb: Rgb) -> Intrinsics | None:
        """Give what depth images do not need: None rather than an error."""
        if not self._cameras.values:
            return None
        try:
            return self._intrinsics(pair, rgb)
        except CalibrationError:
            return None

    def _extrinsics(self, index: BagIndex) -> list[Matrix4]:
        """Give what takes LiDAR points to the camera, for each frame."""
        if not index.cameras.values:
            raise CalibrationError(
                f'{str(self._path)!r} has no camera_info for {self.topics.image!r}: a LiDAR can '
                'only be used with the intrinsics of the camera; name camera_info_topic, or use a '
                'depth_topic'
            )
        if self._given_T is not None:
            return [self._given_T] * len(self._pairs)
        if not index.transforms.values:
            raise CalibrationError(
                f'{str(self._path)!r} has no {TF_STATIC}, so where its LiDAR is, is not known: '
                'give the 4 x 4 that takes LiDAR points to the camera'
            )
        try:
            return [_looked_up(index, pair) for pair in self._pairs]
        except CalibrationError as error:
            raise CalibrationError(f'{str(self._path)!r}: {error}') from error


def _looked_up(index: BagIndex, pair: Pair) -> Matrix4:
    """Give the transform in force when image and cloud were received, or the first after it."""
    received_ns = max(pair.image.bag_time_ns, pair.depth.bag_time_ns)
    *trees, newest = index.transforms.since(received_ns)
    # A recording often starts before all of its publishers of static transforms were found: what
    # came later and is static was so before.
    for tree in trees:
        with suppress(CalibrationError):
            return tree.transform(pair.image.frame_id, pair.depth.frame_id)
    return newest.transform(pair.image.frame_id, pair.depth.frame_id)


def _open_bag(path: Path) -> BagReader:
    return BagReader(path).__enter__()


def _close_bag(bag: BagReader) -> None:
    bag.__exit__(None, None, None)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the frame in errors about it."""
    try:
        yield
    except DataError as error:
        if name in str(error):
            raise
        raise RecordingError(f'{name}: {error}') from error


def _seconds(stamp_ns: int) -> str:
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    return f'{seconds}.{nanoseconds:09} s'


def _no_pairs(path: Path, used: BagTopics, index: BagIndex, tolerance_s: float) -> str:
    """Say why no image has depth."""
    text = (
        f'{str(path)!r} has no image with depth: {len(index.images)} images on {used.image!r}, '
        f'{len(index.depths)} messages on {used.depth!r}'
    )
    if not (index.images and index.depths):
        return f'{text}; name topics that hold some'
    apart_s = (index.depths[0].stamp_ns - index.images[0].stamp_ns) / 1e9
    return (
        f'{text}, none within sync_tolerance_s={tolerance_s:g} of each other by header stamp (the '
        f'first are {apart_s:.3f} s apart): raise it, or correct the clocks'
    )
