# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How the network sees an image: at which size, and through which camera.

A thing of a size at a distance covers pixels in proportion to the focal length, and so what a
network answers goes with that. Images are resized until their focal length at network input is
that of training; what rounding to whole patches, or a size that was asked for, leaves of the
difference is put right in metres (Metric3D, arXiv 2307.10984, whose canonical camera this is).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from clip_depth_ros.core.image_plan import (
    ImagePlan,
    is_within_limit,
    MOST_PATCHES,
    MOST_PIXELS,
    plan_patches,
    Size,
)
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.settings.predictor import ASSUMED_HFOV_DEG, PredictorSettings
from clip_depth_ros.types import CameraUse, Intrinsics


class TrainedAt(NamedTuple):
    """
    What a method's numbers belong to.

    Attributes
    ----------
    size : Size
        Of the network's input, pixels; a side of 0 is any.
    focal_px : float
        Focal length at the network's input; 0: not known, so that no camera can be used.
    hfov_deg : float
        Horizontal field of view to assume for an unknown camera; 0: not known.

    """

    size: Size = Size(0, 0)
    focal_px: float = 0.0
    hfov_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """
    How images of one size and camera are seen.

    Attributes
    ----------
    plan : ImagePlan
        From the image to the network's input.
    camera : Intrinsics, optional
        Of the network's input; one of the training's where the camera is ignored, and None where
        that is not known either.
    focal_ratio : float
        What metres go with: focal length at network input / that of training.
    use : {'used', 'assumed', 'ignored'}
        What became of the camera.

    """

    plan: ImagePlan
    camera: Intrinsics | None
    focal_ratio: float
    use: CameraUse


class Views:
    """Decides how the network sees images, by settings and by what its method was trained at."""

    def __init__(self, settings: PredictorSettings, trained: TrainedAt, stride: Size) -> None:
        self.trained, self._stride = trained, stride
        self._settings = settings
        self._shrunk = ''
        self.uses_camera = settings.camera != 'ignore' and trained.focal_px > 0
        asked = Size(settings.input_height_px, settings.input_width_px)
        sides = zip(asked, trained.size, strict=True)
        self.requested = asked if self.uses_camera else Size(*(own or its for own, its in sides))
        self.assumed_hfov_deg = (
            settings.assumed_hfov_deg or trained.hfov_deg or ASSUMED_HFOV_DEG
        )

    def of(self, size: Size, camera: Intrinsics | None) -> View:
        """
        Return how images of a size, pixels, are seen that this camera has taken, if it is known.

        CalibrationError if the camera is used, and is that of images of another size.
        """
        if not self.uses_camera:
            plan = self._plan(size, self.requested)
            return View(plan, self.own_camera(plan.size), 1.0, 'ignored')
        use: CameraUse = 'used'
        if camera is None:
            use = 'assumed'
            camera = Intrinsics.of_hfov(self.assumed_hfov_deg, size.width, size.height)
        if (camera.height, camera.width) != size:
            raise CalibrationError(
                f'this camera is for images of {camera.width}x{camera.height} pixels, got '
                f'{size.text}: pass the intrinsics of this very image (Intrinsics.scaled_to, '
                'cropped)'
            )
        plan = self._plan(size, self._wanted(camera))
        seen = camera.scaled_to(plan.size.width, plan.size.height)
        return View(plan, seen, seen.focal_px / self.trained.focal_px, use)

    def own_camera(self, size: Size) -> Intrinsics | None:
        """Return a camera of the training for a network's input, if there is one, for rays."""
        focal = self.trained.focal_px
        if not focal:
            return None
        return Intrinsics.straight(focal, focal, size.width, size.height)

    def describe(self) -> dict[str, str]:
        """Return what becomes of cameras, for operators and reports."""
        if not self.uses_camera:
            is_set = self._settings.camera == 'ignore'
            why = 'as set' if is_set else 'the focal length of the training is not known'
            return {'camera': f'ignored ({why})'}
        return {
            'camera': 'used',
            'focal_px': f'{self.trained.focal_px:g}',
            'assumed_hfov_deg': f'{self.assumed_hfov_deg:g}',
        }

    def notes(self) -> list[str]:
        """Return what a user should know of how images were seen so far."""
        return [self._shrunk] if self._shrunk else []

    def _plan(self, size: Size, wanted: Size) -> ImagePlan:
        plan = plan_patches(size, wanted, self._stride)
        if not is_within_limit(size, wanted, self._stride):
            self._shrunk = (
                f'images of {size.text} pixels are seen at {plan.size.text}: a network sees '
                f'{MOST_PATCHES} patches and {MOST_PIXELS} pixels at most'
            )
        return plan

    def _wanted(self, camera: Intrinsics) -> Size:
        """Return the input size, before rounding, of the trained focal length or as asked for."""
        height, width = self.requested
        # One side that is asked for sets the focal length, and the other follows: no squeezing.
        focal = self.trained.focal_px
        if width and not height:
            focal = camera.fx * width / camera.width
        elif height and not width:
            focal = camera.fy * height / camera.height
        return Size(
            height or _pixels(camera.height * focal / camera.fy),
            width or _pixels(camera.width * focal / camera.fx),
        )


def _pixels(side: float) -> int:
    """Return a side as a whole number; one without bound, of a tiny focal length, is cut."""
    return max(1, round(min(side, 1e9)))
