# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth, classes, calibration and pose belong to each image of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Final

from clip_depth_ros.bags.clocks import why_unpaired
from clip_depth_ros.bags.index import BagIndex
from clip_depth_ros.bags.places import Pair, paired, Place
from clip_depth_ros.bags.poses import plain_frame
from clip_depth_ros.bags.topics import BagTopics, TF, TF_STATIC
from clip_depth_ros.core.stamps import ByStamp
from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import CalibrationError, RecordingError
import numpy as np

REGISTERED: Final = re.compile(r'(?<![a-z])(aligned|registered)(?![a-z])|depth_to_[a-z]')
"""Names of topics of depth images that were brought to the camera's, whatever their frame."""

_BELOW_DRIVE: Final = Path('proj_depth/groundtruth/image_02')
"""Where KITTI's annotated depth is below the folder of a drive."""


@dataclass(frozen=True, slots=True, eq=False)
class BagFrame:
    """
    An image and what belongs to it.

    Attributes
    ----------
    image : Place
    depth : Place or Path
        A depth image, a cloud, or an annotated PNG beside the recording.
    class_ids : Place, optional
    T_camera_lidar : float64 (4, 4), optional
        Where depth is a cloud.
    T_camera_depth : float64 (4, 4), optional
        Where depth is an image of another camera, and it is known.
    T_world_camera : float64 (4, 4), optional
        Where known.

    """

    image: Place
    depth: Place | Path
    class_ids: Place | None = None
    T_camera_lidar: Matrix4 | None = None
    T_world_camera: Matrix4 | None = None
    T_camera_depth: Matrix4 | None = None

    @property
    def is_foreign(self) -> bool:
        """
        Return whether depth is an image of another camera than the picture.

        Their frames tell; where these are one, that there is something to register by.
        """
        if isinstance(self.depth, Path) or self.T_camera_lidar is not None:
            return False
        if REGISTERED.search(self.depth.topic):
            return False
        image, depth = (plain_frame(place.frame_id) for place in (self.image, self.depth))
        return bool(image and depth) if image != depth else self.T_camera_depth is not None


def recorded_pairs(index: BagIndex, used: BagTopics, tolerance_s: float) -> list[Pair]:
    """
    Return the images with the depth that was recorded nearest to each.

    Raises
    ------
    RecordingError
        If there are none.

    """
    pairs = paired(index.images, index.depths, round(tolerance_s * 1e9))
    if pairs:
        return pairs
    text = (
        f'no image with depth: {len(index.images)} images on {used.image!r}, '
        f'{len(index.depths)} messages on {used.depth!r}'
    )
    if index.damage.problems:
        raise RecordingError(f'{text}; first of all, {index.damage.problems[0][1]}')
    if not (index.images and index.depths):
        raise RecordingError(f'{text}; name topics that hold some')
    raise RecordingError(f'{text}, {why_unpaired(index.images, index.depths, tolerance_s)}')


def annotated_pairs(index: BagIndex, gt_dir: Path, first: int) -> list[Pair]:
    """
    Return the images that have an annotated depth map beside the recording.

    The first image in time has the number ``first``, each later time one more; images of
    one stamp (a recording that loops) have one number, and those whose stamp a driver has left 0
    count by when they were received. Where images are lost to damage, those
    after it cannot be numbered and are left out, which the damage then says.

    Parameters
    ----------
    index : BagIndex
        Images in it and, maybe, damage.
    gt_dir : Path
        Folder of PNGs whose names are numbers, or of a KITTI drive that has them below it.
    first : int
        Number of the first image.

    Raises
    ------
    RecordingError
        If the folder holds no such files, or none for these images.

    """
    files = _numbered_pngs(gt_dir) or _numbered_pngs(gt_dir / _BELOW_DRIVE)
    if not files:
        raise RecordingError(
            f'{str(gt_dir)!r} should hold annotated depth as <number>.png, or below it in '
            f'{str(_BELOW_DRIVE)!r}: there is none'
        )
    images = _without_gaps(index, gt_dir)
    times_ns = [image.time_ns or image.received_ns for image in images]
    numbers = {time_ns: number for number, time_ns in enumerate(sorted({*times_ns}), first)}
    pairs = [
        Pair(image, files[numbers[time_ns]])
        for image, time_ns in zip(images, times_ns, strict=True)
        if numbers[time_ns] in files
    ]
    if not pairs:
        raise RecordingError(
            f'no image with depth: images {first} to {first + len(numbers) - 1}, depth maps '
            f'{min(files)} to {max(files)} in {str(gt_dir)!r}; set gt_first to the number of the '
            'first image'
        )
    return pairs


def recorded_extrinsics(
    index: BagIndex, pairs: Sequence[Pair], tolerance_s: float
) -> list[Matrix4 | None]:
    """
    Return the transforms from LiDAR to camera, from the transforms of the recording.

    For each pair it is the static transform in force when both were received, or the first after
    it; without a chain of static ones, that of all transforms at the time of the image, None where
    it is not known within the tolerance.

    Raises
    ------
    CalibrationError
        If it is known for no pair.

    """
    tolerance_ns = round(tolerance_s * 1e9)
    found = [_looked_up(index, pair.image, pair.depth, tolerance_ns) for pair in pairs]
    if any(T_camera_lidar is not None for T_camera_lidar in found):
        return found
    image, cloud = pairs[0].image, pairs[0].depth
    if index.transforms.values and isinstance(cloud, Place):
        index.transforms.values[-1].transform(image.frame_id, cloud.frame_id)  # says what is not
    raise CalibrationError(
        f'the recording has no {TF_STATIC}, and {TF} does not lead from its LiDAR to the camera, '
        'so where its LiDAR is, is not known: give the 4 x 4 that takes LiDAR points to the camera'
    )


def complete_frames(
    index: BagIndex,
    pairs: Sequence[Pair],
    extrinsics: Sequence[Matrix4 | None],
    *,
    fixed_frame: str,
    tolerance_s: float,
) -> list[BagFrame]:
    """
    Return the pairs together with their classes, extrinsics and poses.

    Parameters
    ----------
    index : BagIndex
        Classes and poses are looked up in it, each within the tolerance.
    pairs : sequence of Pair
        Images with depth.
    extrinsics : sequence of float64 (4, 4), optional
        ``T_camera_lidar`` of each pair.
    fixed_frame : str
        See :meth:`PoseTree.pose`.
    tolerance_s : float
        Largest difference in time.

    Raises
    ------
    CalibrationError
        If the fixed frame is none of the frames that have transforms.

    """
    tolerance_ns = round(tolerance_s * 1e9)
    class_ids = ByStamp(index.class_ids)
    return [
        BagFrame(
            pair.image,
            pair.depth,
            class_ids.within(pair.image.time_ns, tolerance_ns, pair.image.received_ns),
            T_camera_lidar,
            index.poses.pose(pair.image, fixed_frame=fixed_frame, tolerance_ns=tolerance_ns),
            _to_camera(index, pair, tolerance_ns) if T_camera_lidar is None else None,
        )
        for pair, T_camera_lidar in zip(pairs, extrinsics, strict=True)
    ]


def _to_camera(index: BagIndex, pair: Pair, tolerance_ns: int) -> Matrix4 | None:
    """
    Return what takes points of a depth image to the camera, where these are two.

    That is the identity where both have a camera_info and their frames say nothing of where they
    are: millimetres apart in one housing, and unknown.
    """
    if isinstance(pair.depth, Path):
        return None
    if plain_frame(pair.depth.frame_id) == plain_frame(pair.image.frame_id):
        return np.eye(4) if index.depth_cameras.values else None
    return index.poses.transform(pair.image, pair.depth.frame_id, tolerance_ns=tolerance_ns)


def _without_gaps(index: BagIndex, gt_dir: Path) -> list[Place]:
    """Return the images up to where some may be missing: later ones have no certain number."""
    since_ns = index.damage.since_ns
    if since_ns is None:
        return index.images
    images = [image for image in index.images if image.received_ns < since_ns]
    index.damage.add(
        str(gt_dir),
        f'{len(index.images) - len(images)} images behind the damage are left out: which depth '
        'map is theirs is not known',
        since_ns=since_ns,
    )
    return images


def _numbered_pngs(folder: Path) -> dict[int, Path]:
    return {int(path.stem): path for path in folder.glob('*.png') if path.stem.isdecimal()}


def _looked_up(
    index: BagIndex, image: Place, cloud: Place | Path, tolerance_ns: int
) -> Matrix4 | None:
    assert isinstance(cloud, Place)
    # A recording often starts before all of its publishers of static transforms were found: what
    # came later and is static was so before.
    for tree in index.transforms.since(max(image.received_ns, cloud.received_ns)):
        with suppress(CalibrationError):
            return tree.transform(image.frame_id, cloud.frame_id)
    return index.poses.transform(image, cloud.frame_id, tolerance_ns=tolerance_ns)
