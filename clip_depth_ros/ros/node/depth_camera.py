# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera that depth is computed with: what is known of it when an image is to be answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.core.plain_text import brief
from clip_depth_ros.core.stamps import StampMatcher
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.ros.node.diagnostics import Statistics
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.types import Intrinsics, Rgb

_MAX_SIZES: Final = 16
"""Sizes of images that are waited for; a broken driver may send any number of them."""

_MAX_LOGGED: Final = 10
"""Changes that are logged; later ones are counted alone: lenses that focus change all the time."""


class DepthCamera:
    """
    Finds the camera of an image before its depth is computed, and so it must not cost time.

    The first image of each size waits for a camera_info, but no longer than ``sync_wait_s`` after
    its arrival. From then on the best that is known serves at once, its own or the newest: cameras
    seldom change, and a change takes effect with the next image. Where what comes cannot be, or is
    for other images, the camera is still the one that was known before.

    Attributes
    ----------
    problem : str
        Why the camera of the newest image is not known by what came for it; empty if it is, or is
        not asked for.

    """

    def __init__(
        self, logger: Any, infos: StampMatcher[Calibration], statistics: Statistics
    ) -> None:
        self._logger = logger
        self._infos = infos
        self._statistics = statistics
        self._good: dict[tuple[int, int], Calibration | None] = {}  # by size; None: awaited
        self._last: Intrinsics | None = None
        self._n_changes = 0
        self.problem = ''

    def of(
        self,
        rgb: Rgb,
        stamp_ns: int,
        received_s: float,
        *,
        image_topic: str,
        settings: NodeSettings,
    ) -> Camera | None:
        """
        Return the camera of an image; None if it is not known, or not asked for.

        Parameters
        ----------
        rgb : uint8 (H, W, 3)
            The image as it came.
        stamp_ns : int
            When it was taken, nanoseconds.
        received_s : float
            When it came, on ``time.monotonic``'s clock.
        image_topic : str
            Resolved name of its topic.
        settings : NodeSettings
            In force.

        """
        self.problem = ''
        if settings.camera == 'ignore':
            return None
        height, width = rgb.shape[:2]
        for calibration in self._candidates(rgb, stamp_ns, received_s + settings.sync_wait_s):
            try:
                camera = calibration.camera(
                    settings.intrinsics_source, width, height, image_topic=image_topic
                )
            except CalibrationError as error:
                self.problem = self.problem or brief(str(error))
                continue
            if (width, height) in self._good:
                self._good[width, height] = calibration
            self._watch(camera.intrinsics)
            return camera
        return None

    def _candidates(self, rgb: Rgb, stamp_ns: int, deadline_s: float) -> Iterator[Calibration]:
        """Yield what may be the camera of an image: what came for it, what was good before."""
        height, width = rgb.shape[:2]
        is_first = (width, height) not in self._good and len(self._good) < _MAX_SIZES
        if is_first:
            self._good[width, height] = None
        match = self._infos.known(stamp_ns, deadline_s if is_first else 0.0, fits(rgb))
        if match:
            yield match.item
        else:
            why = why_none(self._infos.newest(), width, height)
            self.problem = why or 'camera_info came too late'
        if good := self._good.get((width, height)):
            yield good

    def _watch(self, intrinsics: Intrinsics) -> None:
        """Count another camera than that of the image before, and log what matters."""
        last, self._last = self._last, intrinsics
        if last is None or last == intrinsics:
            return
        self._statistics.count('camera_changes')
        self._n_changes += 1
        if self._n_changes <= _MAX_LOGGED:
            last_one = '; further changes are only counted' * (self._n_changes == _MAX_LOGGED)
            self._logger.info(
                f'another camera from this image on: {_text(intrinsics)}; it was {_text(last)}'
                f'{last_one}'
            )


def fits(rgb: Rgb) -> Callable[[Calibration], bool]:
    """Return what says whether a camera_info can belong to an image."""
    height, width = rgb.shape[:2]
    return lambda calibration: calibration.fits(width, height)


def why_none(newest: Calibration | None, width: int, height: int) -> str:
    """Return why no camera_info can belong to an image of a size; empty if the newest can."""
    if newest is None:
        return 'no camera_info has come'
    return '' if newest.fits(width, height) else newest.misfit(width, height)


def _text(intrinsics: Intrinsics) -> str:
    return (
        f'{intrinsics.width}x{intrinsics.height}, fx={intrinsics.fx:g}, fy={intrinsics.fy:g}, '
        f'cx={intrinsics.cx:g}, cy={intrinsics.cy:g}'
    )
