# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera that depth is computed with: what is known of it when an image is to be answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.core.plain_text import brief
from clip_depth_ros.core.stamps import StampMatcher
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.ros.node.diagnostics import Statistics
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.types import Intrinsics, Rgb

_MAX_AWAITED: Final = 16
"""Sizes of images that are waited for; a broken driver may send any number of them."""

_LOG_PERIOD_S: Final = 5.0


class DepthCamera:
    """
    Finds the camera of an image before its depth is computed, and so it must not cost time.

    The first image of each size waits for a camera_info, but no longer than ``sync_wait_s`` after
    its arrival. From then on the best that is known serves at once, its own or the newest: cameras
    seldom change, and a change takes effect with the next image.

    Attributes
    ----------
    why_unknown : str
        Why the camera of the newest image is not known; empty if it is, or is not asked for.

    """

    def __init__(
        self, logger: Any, infos: StampMatcher[Calibration], statistics: Statistics
    ) -> None:
        self._logger = logger
        self._infos = infos
        self._statistics = statistics
        self._awaited: set[tuple[int, int]] = set()
        self._last: Intrinsics | None = None
        self.why_unknown = ''

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
        self.why_unknown = ''
        if settings.camera == 'ignore':
            return None
        height, width = rgb.shape[:2]
        deadline_s = received_s + settings.sync_wait_s if self._is_first(width, height) else 0.0
        match = self._infos.known(stamp_ns, deadline_s, fits(rgb))
        if match is None:
            self.why_unknown = why_none(self._infos.newest(), width, height)
            return None
        try:
            camera = match.item.camera(
                settings.intrinsics_source, width, height, image_topic=image_topic
            )
        except CalibrationError as error:
            self.why_unknown = brief(str(error))
            return None
        self._watch(camera.intrinsics)
        return camera

    def _is_first(self, width: int, height: int) -> bool:
        """Return whether an image of this size is the first one, and is to wait."""
        size = (width, height)
        if size in self._awaited or len(self._awaited) >= _MAX_AWAITED:
            return False
        self._awaited.add(size)
        return True

    def _watch(self, intrinsics: Intrinsics) -> None:
        last, self._last = self._last, intrinsics
        if last is None or last == intrinsics:
            return
        self._statistics.count('camera_changes')
        self._logger.info(
            f'another camera from this image on: {_text(intrinsics)}; it was {_text(last)}',
            throttle_duration_sec=_LOG_PERIOD_S,
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
