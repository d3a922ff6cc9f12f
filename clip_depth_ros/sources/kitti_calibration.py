# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI's calibration files: intrinsics of the rectified left colour camera, and where the LiDAR is.

Source: Geiger, Lenz, Stiller, Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013,
section IV, and the development kits' readme files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clip_depth_ros.core.transforms import Matrix4
from clip_depth_ros.errors import CalibrationError, RecordingError
from clip_depth_ros.sources.cameras import camera_as_said, fitted, FolderCamera
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray

WHOSE: Final = "KITTI's calibration"
"""What messages call it."""

RAW_CAMERA_FILE: Final = 'calib_cam_to_cam.txt'
RAW_LIDAR_FILE: Final = 'calib_velo_to_cam.txt'

DATES: Final = {
    '2011_09_26': Intrinsics(721.5377, 721.5377, 609.5593, 172.854, 1242, 375),
    '2011_09_28': Intrinsics(707.0493, 707.0493, 604.0814, 180.5066, 1224, 370),
    '2011_09_29': Intrinsics(718.3351, 718.3351, 600.3891, 181.5122, 1238, 374),
    '2011_09_30': Intrinsics(707.0912, 707.0912, 601.8873, 183.1104, 1226, 370),
    '2011_10_03': Intrinsics(718.856, 718.856, 607.1928, 185.2157, 1241, 376),
}
"""
The rectified colour cameras of each recording date, P_rect_02 of its calib_cam_to_cam.txt.

They are those of the object and odometry data too, whose files say no size: the focal length does.
"""

_SELECTION_SIZE: Final = (1216, 352)
"""Of the depth benchmark's selected images, whose intrinsics are in files of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class KittiCalibration:
    """
    Rectified left colour camera and LiDAR.

    Attributes
    ----------
    K : float64 (3, 3)
        Intrinsics of the rectified images: the left part of P2.
    T_cam2_velo : float64 (4, 4)
        Takes LiDAR points to cam2's own optical frame (cam3's where that was asked for). P2's
        fourth column, the offset from cam0, is in here, so K without it is the whole projection.
    size, unrectified_size : (int, int), optional
        Width and height in pixels of the images before and after rectifying, where known.

    """

    K: NDArray[np.float64]
    T_cam2_velo: Matrix4
    size: tuple[int, int] | None = None
    unrectified_size: tuple[int, int] | None = None

    def intrinsics(self, width: int, height: int, *, is_scaled: bool = False) -> Intrinsics:
        """
        Return the intrinsics of a rectified image of this size in pixels.

        ``is_scaled``: images may have been resized. CalibrationError if the calibration is for
        images of another size, or for others than these.
        """
        if (width, height) == self.unrectified_size != self.size:
            raise CalibrationError(
                f"KITTI's calibration is for rectified images of {_text(self.size)}, got "
                f'{width}x{height}, the size before rectifying: use the images of the _sync drive '
                'rather than those of _extract'
            )
        return fitted_matrix(self.K, self.size, width, height, is_scaled=is_scaled)


def fitted_matrix(
    K: NDArray[np.float64], size: tuple[int, int] | None, width: int, height: int, *,
    is_scaled: bool,
) -> Intrinsics:
    """
    Return a matrix, float64 (3, 3), as the intrinsics of images of ``width`` x ``height``.

    ``size`` is the width and height that it belongs to, theirs if that is not known.
    CalibrationError if no camera can be like that, or as :func:`fitted` says.
    """
    camera = Intrinsics(
        float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]), *(size or (width, height))
    )
    return fitted(camera.checked(WHOSE), width, height, whose=WHOSE, is_scaled=is_scaled)


def camera_of_date(date: str, *, is_scaled: bool) -> FolderCamera:
    """Return the rectified camera of a recording date by its name; of another one, none."""
    return camera_as_said(DATES.get(date), WHOSE, is_scaled=is_scaled)


def selection_camera(date: str, *, is_scaled: bool) -> FolderCamera:
    """Return the camera of the depth benchmark's selected images of a date, which are cropped."""
    whole, (width, height) = DATES.get(date), _SELECTION_SIZE
    if whole is None:
        return FolderCamera()
    left, top = (whole.width - width) // 2, whole.height - height
    return camera_as_said(whole.cropped(left, top, width, height), WHOSE, is_scaled=is_scaled)


def selection_size(fx: float) -> tuple[int, int] | None:
    """Return the size that the depth benchmark's selected images have, of KITTI's cameras."""
    return None if _size_of(fx) is None else _SELECTION_SIZE


def read_object_calibration(path: Path) -> KittiCalibration:
    """
    Read ``calib/NNNNNN.txt`` of the object data set.

    Raises
    ------
    RecordingError
        If the file cannot be read or lacks an entry, naming it.
    CalibrationError
        If its numbers are no calibration of rectified images.

    """
    entries = _read_entries(path)
    T_cam0_velo = _with_last_row(_numbers(path, entries, 'Tr_velo_to_cam', (3, 4)))
    R_rect = _numbers(path, entries, 'R0_rect', (3, 3))
    return _calibration(path, _numbers(path, entries, 'P2', (3, 4)), R_rect, T_cam0_velo)


def read_odometry_calibration(path: Path) -> tuple[KittiCalibration, Matrix4]:
    """
    Read ``calib.txt`` of a sequence of the odometry data set.

    Returns
    -------
    KittiCalibration
        Of cam2, the left colour camera.
    T_cam0_cam2 : float64 (4, 4)
        Takes points of cam2 to cam0, whose poses are published; both are rectified.

    Raises
    ------
    RecordingError
        If the file cannot be read or lacks an entry, naming it.
    CalibrationError
        If its numbers are no calibration of rectified images.

    """
    entries = _read_entries(path)
    T_cam0_velo = _with_last_row(_numbers(path, entries, 'Tr', (3, 4)))
    calibration = _calibration(
        path, _numbers(path, entries, 'P2', (3, 4)), np.eye(3), T_cam0_velo
    )
    return calibration, T_cam0_velo @ np.linalg.inv(calibration.T_cam2_velo)


def read_raw_calibration(date_dir: Path, *, camera: int = 2) -> KittiCalibration:
    """
    Read ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` of a recording date.

    Parameters
    ----------
    date_dir : Path
        The folder they are in.
    camera : int
        2: the left colour camera; 3: the right one.

    Raises
    ------
    RecordingError
        If a file cannot be read or lacks an entry, naming it.
    CalibrationError
        If their numbers are no calibration of rectified images.

    """
    camera_path, lidar_path = date_dir / RAW_CAMERA_FILE, date_dir / RAW_LIDAR_FILE
    cameras, lidar = _read_entries(camera_path), _read_entries(lidar_path)
    rotation = _numbers(lidar_path, lidar, 'R', (3, 3))
    translation = _numbers(lidar_path, lidar, 'T', (3, 1))
    T_cam0_velo = _with_last_row(np.hstack([rotation, translation]))
    P_rect = _numbers(camera_path, cameras, f'P_rect_{camera:02}', (3, 4))
    R_rect_00 = _numbers(camera_path, cameras, 'R_rect_00', (3, 3))
    calibration = _calibration(camera_path, P_rect, R_rect_00, T_cam0_velo)
    return replace(
        calibration,
        size=_size(camera_path, cameras, f'S_rect_{camera:02}') or calibration.size,
        unrectified_size=_size(camera_path, cameras, f'S_{camera:02}'),
    )


def _size(path: Path, entries: dict[str, str], name: str) -> tuple[int, int] | None:
    """Return a width and a height, pixels; None where the file does not say."""
    if name not in entries:
        return None
    width, height = _numbers(path, entries, name, (1, 2))[0]
    return int(width), int(height)


def _calibration(
    path: Path,
    P_rect: NDArray[np.float64],
    R_rect: NDArray[np.float64],
    T_cam0_velo: Matrix4,
) -> KittiCalibration:
    K = P_rect[:, :3]
    is_upright = np.array_equal(K[2], [0, 0, 1]) and K[0, 1] == K[1, 0] == 0
    if not (is_upright and K[0, 0] > 0 and K[1, 1] > 0):
        raise CalibrationError(
            f'{str(path)!r}: P2 should start with [fx 0 cx; 0 fy cy; 0 0 1], got {K.tolist()}'
        )
    T_rect_cam0 = np.eye(4)
    T_rect_cam0[:3, :3] = R_rect
    T_cam2_rect = np.eye(4)
    T_cam2_rect[:3, 3] = np.linalg.solve(K, P_rect[:, 3])  # K^-1 p: cam2 as seen from cam0
    size = _size_of(float(K[0, 0]))
    return KittiCalibration(K, T_cam2_rect @ T_rect_cam0 @ T_cam0_velo, size)


def _size_of(fx: float) -> tuple[int, int] | None:
    """Return the size of rectified images where the focal length is one of KITTI's cameras."""
    known = (camera for camera in DATES.values() if abs(fx - camera.fx) < 1e-3)
    return next(((camera.width, camera.height) for camera in known), None)


def _text(size: tuple[int, int] | None) -> str:
    return 'x'.join(map(str, size)) if size else 'another size'


def _read_entries(path: Path) -> dict[str, str]:
    """Return the text behind each ``name:`` of a calibration file."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f'KITTI calibration {str(path)!r} cannot be read: {error}') from error
    return {name.strip(): text for name, _, text in (line.partition(':') for line in lines)}


def _numbers(
    path: Path, entries: dict[str, str], name: str, shape: tuple[int, int]
) -> NDArray[np.float64]:
    text = entries.get(name)
    if text is None:
        raise RecordingError(
            f'KITTI calibration {str(path)!r} should have an entry {name!r}, has {[*entries]}'
        )
    try:
        numbers = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise RecordingError(f'{str(path)!r}: {name} should be numbers, {error}') from error
    if numbers.size != shape[0] * shape[1] or not np.isfinite(numbers).all():
        raise RecordingError(
            f'{str(path)!r}: {name} should be {shape[0] * shape[1]} finite numbers, got {text!r}'
        )
    return numbers.reshape(shape)


def _with_last_row(top: NDArray[np.float64]) -> Matrix4:
    return np.vstack([top, [0.0, 0.0, 0.0, 1.0]])
