# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What files say of the camera of a picture: camera_info YAML, numbers as text, EXIF in itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
import math
from pathlib import Path
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.camera import Calibration
from clip_depth_ros.core.compressed import FILE_KINDS, metadata_in
from clip_depth_ros.core.files import check_regular
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.settings.plain_yaml import read_yaml
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.cameras import fitted, folder_camera, FolderCamera
from clip_depth_ros.sources.files import read_bytes
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray
import yaml

_WANTED: Final = (
    'a camera_info YAML is wanted, as camera_calibration and camera_info_manager write it'
)
_IDENTITY: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

# Tags of EXIF 2.32 (CIPA DC-008), section 4.6.5.
_FOCAL_LENGTH_MM: Final = 0x920A
_FOCAL_LENGTH_35_MM: Final = 0xA405
_WIDTH_PX: Final = 0xA002
_HEIGHT_PX: Final = 0xA003
_PLANE_RESOLUTION: Final = 0xA20E
_PLANE_UNIT: Final = 0xA210

_UNIT_MM: Final[Mapping[int, float]] = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM: Final = math.hypot(36.0, 24.0)
_SAME_SHAPE: Final = 0.02
"""Relative: a picture that was resized has the shape of the sensor within rounding."""


def read_camera_info(path: Path) -> Calibration:
    """
    Read a ``camera_info`` YAML, as camera_calibration and camera_info_manager write it.

    Without projection matrix, distortion or distortion model these are zero, none and plumb_bob,
    as camera_info_manager takes it.

    Raises
    ------
    CalibrationError
        If the file cannot be read or is no such YAML, naming it and what is wrong.

    """
    try:
        check_regular(path)
        found = read_yaml(path)
    except OSError as error:
        raise CalibrationError(
            f'cannot read camera_info {str(path)!r}: {error.strerror or error}'
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CalibrationError(
            f'{str(path)!r} is no YAML ({" ".join(str(error).split())}): {_WANTED}'
        ) from error
    if not isinstance(found, dict) or 'camera_matrix' not in found:
        raise CalibrationError(f'{str(path)!r} has no camera_matrix: {_WANTED}')
    model = found.get('distortion_model', 'plumb_bob')
    if not isinstance(model, str):
        raise CalibrationError(f'{str(path)!r}: distortion_model should be a name: {_WANTED}')
    return Calibration(
        width=_pixels(path, found, 'image_width'),
        height=_pixels(path, found, 'image_height'),
        distortion_model=model,
        d=_matrix(path, found, 'distortion_coefficients', ()),
        k=_matrix(path, found, 'camera_matrix', (0.0,) * 9),
        r=_matrix(path, found, 'rectification_matrix', _IDENTITY),
        p=_matrix(path, found, 'projection_matrix', (0.0,) * 12),
    )


def _pixels(path: Path, found: Mapping[Any, Any], name: str) -> int:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise CalibrationError(
            f'{str(path)!r}: {name} should be pixels, a whole number above 0, is {value!r:.40}: '
            f'{_WANTED}'
        )
    return value


def _matrix(
    path: Path, found: Mapping[Any, Any], name: str, default: tuple[float, ...]
) -> tuple[float, ...]:
    """Return the numbers of an entry, as many as its default has, if it has any."""
    if name not in found:
        return default
    entry = found[name]
    try:
        # YAML 1.1 takes 1e-05, as yaml-cpp writes it, for text.
        numbers = tuple(float(each) for each in entry['data'])
    except (TypeError, ValueError, KeyError, OverflowError):
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)) or len(numbers) != (len(default) or len(numbers)):
        wanted = f'{len(default)} ' if default else ''
        raise CalibrationError(
            f'{str(path)!r}: {name} should have data: [...] of {wanted}finite numbers: {_WANTED}'
        )
    return numbers


def read_matrix(path: Path, *shapes: tuple[int, int]) -> NDArray[np.float64]:
    """
    Read the numbers of a text file, between spaces, commas or lines, as the one shape that fits.

    CalibrationError, naming the file, if none does, or something is no finite number.
    """
    counts = {rows * columns: (rows, columns) for rows, columns in shapes}
    numbers = _numbers(path, counts.__contains__, ' or '.join(map(str, counts)))
    return numbers.reshape(counts[len(numbers)])


def read_rows(path: Path, n_columns: int) -> NDArray[np.float64]:
    """Read a text file of numbers as rows of so many, (n, n_columns); errors are as above."""
    numbers = _numbers(path, lambda n: n % n_columns == 0, f'rows of {n_columns}')
    return numbers.reshape(-1, n_columns)


def _numbers(path: Path, fits: Callable[[int], bool], wanted: str) -> NDArray[np.float64]:
    try:
        words = read_bytes(path).decode('ascii').replace(',', ' ').split()
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise CalibrationError(f'{str(path)!r} should hold numbers alone: {error}') from error
    if not fits(len(numbers)) or not np.isfinite(numbers).all():
        raise CalibrationError(
            f'{str(path)!r} should hold {wanted} finite numbers, holds {len(numbers)}: '
            f'{" ".join(words)!r:.80}'
        )
    return numbers


def camera_in(
    path: Path, *, is_scaled: bool = False, size: tuple[int, int] | None = None, first: float = 0
) -> FolderCamera:
    """
    Return the camera that a text file states, which is read when an image of it is.

    K or P row by row, fx fy cx cy, or these and the width and height of its images; of others,
    ``size`` is what they are for, where it is known. Images may have been resized if
    ``is_scaled``. ``first`` is where cx and cy take the centre of the first pixel to be.
    """
    return FolderCamera(partial(_camera_in, path, is_scaled=is_scaled, size=size, first=first))


def camera_beside(
    path: Path,
    settings: SourceSettings,
    *,
    size: tuple[int, int] | None = None,
    first: float = 0,
) -> FolderCamera:
    """Return the camera that ``intrinsics`` names, else that of :func:`camera_in`."""
    if settings.intrinsics:
        return folder_camera(settings)
    return camera_in(path, is_scaled=settings.calibration_scaling, size=size, first=first)


def _camera_in(
    path: Path,
    width: int,
    height: int,
    *,
    is_scaled: bool,
    size: tuple[int, int] | None,
    first: float,
) -> Intrinsics:
    found = read_matrix(path, (1, 4), (1, 6), (3, 3), (3, 4), (4, 4))
    if len(found) == 1:
        fx, fy, cx, cy, *stated = found[0]
        size = (int(stated[0]), int(stated[1])) if stated else size
    else:
        fx, fy, cx, cy = found[0, 0], found[1, 1], found[0, 2], found[1, 2]
        if found[2, 2] != 1 or found[2, :2].any():
            raise CalibrationError(f'{str(path)!r} should have a third row 0 0 1, is {found}')
    fx, fy, cx, cy = map(float, (fx, fy, cx - first, cy - first))
    camera = Intrinsics(fx, fy, cx, cy, *(size or (width, height))).checked(repr(str(path)))
    return fitted(camera, width, height, whose=repr(str(path)), is_scaled=is_scaled)


class ExifCamera(NamedTuple):
    """
    What a picture says of its camera.

    ``intrinsics`` is None where nothing is said that could be used; ``said`` is what stands there,
    empty if nothing does.
    """

    intrinsics: Intrinsics | None
    said: str


def exif_camera(path: Path, width: int, height: int) -> ExifCamera:
    """
    Return what the EXIF data of a picture says of its camera.

    Parameters
    ----------
    path : Path
        Of the picture.
    width, height : int
        Its size as it is shown, pixels.

    Raises
    ------
    RecordingError
        If the file cannot be read.

    Notes
    -----
    The focal length in 35 mm film comes first: it is that of the picture's diagonal (CIPA
    DCG-001), however it was resized. Else that in millimetres, with the resolution on the focal
    plane, which belongs to the size that the camera has stored. A picture of another shape than
    that was cropped, nobody knows where. Pixels count as square, the axis as through the centre.

    """
    exif = metadata_in(read_bytes(path), FILE_KINDS)
    film_mm, lens_mm = (_number(exif, tag) for tag in (_FOCAL_LENGTH_35_MM, _FOCAL_LENGTH_MM))
    unit_mm = _UNIT_MM.get(int(_number(exif, _PLANE_UNIT) or 2), 0.0)
    pixels_a_mm = _number(exif, _PLANE_RESOLUTION) / unit_mm if unit_mm else 0.0
    own = sorted((_number(exif, _WIDTH_PX), _number(exif, _HEIGHT_PX)))
    shown = sorted((width, height))
    if film_mm:
        said = f'{film_mm:g} mm in 35 mm film'
        focal = film_mm * math.hypot(width, height) / _FILM_DIAGONAL_MM
    elif lens_mm and pixels_a_mm:
        said = f'{lens_mm:g} mm at {pixels_a_mm:g} pixels per mm'
        focal = lens_mm * pixels_a_mm * (shown[1] / own[1] if own[1] else 1.0)
    else:
        return ExifCamera(None, '')
    if own[0] and abs(own[1] / own[0] * shown[0] / shown[1] - 1) > _SAME_SHAPE:
        size = f'{own[1]:g}x{own[0]:g}'
        return ExifCamera(None, f'{said}, of {size} pixels before the picture was cropped')
    try:
        return ExifCamera(Intrinsics.straight(focal, focal, width, height).checked('EXIF'), said)
    except CalibrationError:
        return ExifCamera(None, f'{said}, which cannot be')


def _number(exif: Mapping[int, Any], tag: int) -> float:
    """Return a number above 0; 0 where there is none."""
    try:
        number = float(exif.get(tag, 0))
    except (TypeError, ValueError, ArithmeticError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
