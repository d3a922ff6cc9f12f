# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera the images of a folder are of: what settings say, else what its authors publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from clip_depth_ros.errors import CalibrationError, ConfigError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.types import Intrinsics

CameraOf = Callable[[int, int], Intrinsics]
"""Gives the camera of images of a width and a height, pixels."""


@dataclass(frozen=True, slots=True)
class FolderCamera:
    """
    How the camera of a folder's images is found.

    Attributes
    ----------
    of_size : callable, optional
        Gives the camera of images of a size, or raises CalibrationError; None: it is not known.
    is_needed : bool
        Whether an image of which it gives none is refused: not where the camera is that of a data
        set, and the images of this folder may have become others.

    """

    of_size: CameraOf | None = None
    is_needed: bool = True

    def __call__(self, width: int, height: int) -> tuple[Intrinsics | None, Mapping[str, int]]:
        """
        Return the camera of images of a size, pixels, and what must be said, as in samples' notes.

        CalibrationError if it is needed, and is that of other images.
        """
        if self.of_size is None:
            return None, {}
        try:
            camera = self.of_size(width, height)
        except CalibrationError as error:
            if self.is_needed:
                raise
            return None, {f'the camera is taken as unknown: {error}': 0}
        return camera, dict.fromkeys(camera.doubts(), 0)


def folder_camera(
    settings: SourceSettings, published: Intrinsics | None = None, whose: str = ''
) -> FolderCamera:
    """
    Return the camera of a folder whose images are all of one: that of ``intrinsics``.

    Parameters
    ----------
    settings : SourceSettings
        Its ``intrinsics`` and ``calibration_scaling`` are used.
    published : Intrinsics, optional
        What the authors of the data set say, where ``intrinsics`` names nothing.
    whose : str
        What messages call it.

    Raises
    ------
    ConfigError
        If ``intrinsics`` are not four or six numbers, or there is nothing to scale.
    CalibrationError
        If they are those of no camera.

    """
    numbers, is_scaled = settings.intrinsics, settings.calibration_scaling
    if numbers and len(numbers) not in (4, 6):
        raise ConfigError(
            'intrinsics should be fx fy cx cy, or fx fy cx cy width height (the size of the '
            f'images that they are for), got {[*numbers]}'
        )
    if len(numbers) == 4:
        because = 'as intrinsics say no size: write fx fy cx cy width height, or'
        settings.refuse('calibration_scaling', because=because)
        return FolderCamera(partial(_given, *numbers))
    if numbers:
        fx, fy, cx, cy, *size = numbers
        if any(side != int(side) for side in size):
            raise ConfigError(f'width and height of intrinsics should be whole, got {size}')
        published, whose = _given(fx, fy, cx, cy, *map(int, size)), 'intrinsics'
    if published is None:
        settings.refuse('calibration_scaling', because='as no calibration is known')
        return FolderCamera()
    return camera_as_said(published, whose, is_scaled=is_scaled, is_needed=bool(numbers))


def camera_as_said(
    camera: Intrinsics | None, whose: str, *, is_scaled: bool, is_needed: bool = False
) -> FolderCamera:
    """Return a camera that messages call ``whose`` as that of a folder's images; of None, none."""
    if camera is None:
        return FolderCamera()
    of_size = partial(fitted, camera, whose=whose, is_scaled=is_scaled)
    return FolderCamera(of_size, is_needed=is_needed)


def camera_facts(settings: SourceSettings, published: str = '') -> Mapping[str, str]:
    """Return, for descriptions, what decides cameras: settings, else whose is the published."""
    intrinsics = ' '.join(map(str, settings.intrinsics)) or published
    return {
        **({'intrinsics': intrinsics} if intrinsics else {}),
        **({'calibration_scaling': 'allowed'} if settings.calibration_scaling else {}),
    }


def fitted(
    camera: Intrinsics, width: int, height: int, *, whose: str, is_scaled: bool
) -> Intrinsics:
    """
    Return a camera as that of images of ``width`` x ``height``.

    CalibrationError if it is for another size, and images may not have been resized
    (``is_scaled``).
    """
    if not is_scaled and (camera.width, camera.height) != (width, height):
        raise CalibrationError(
            f'{whose} is for images of {camera.width}x{camera.height}, got {width}x{height}: use '
            'the images as they are in the data set, or set calibration_scaling if they were '
            'resized (not cropped)'
        )
    return camera.scaled_to(width, height)


def _given(fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> Intrinsics:
    return Intrinsics(fx, fy, cx, cy, width, height).checked('intrinsics')
