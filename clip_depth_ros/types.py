# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nouns that every layer shares: values without behaviour beyond their own geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Final, Literal, Protocol

from clip_depth_ros.errors import CalibrationError
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""An image: uint8 (H, W, 3), red first."""

Depth = NDArray[np.float32]
"""
Depth: float32 (H, W), metres along the optical axis z (REP 118).

NaN is unknown, +Inf beyond range, -Inf too near (REP 117).
"""

MAX_IMAGE_PIXELS: Final = 50_000_000
"""Pixels of an image that nobody is asked about: more than those of cameras on robots."""


MAX_FOV_DEG: Final = 170.0
"""Of a picture through a pinhole: beyond it, metres along the axis mean little (our choice)."""

MIN_FOV_DEG: Final = 0.1
"""Less has no lens on a robot: then the focal length is in another unit (our choice)."""


_OFF_CENTRE: Final = 0.25  # of a side: no lens has its principal point so far from the middle
_SQUEEZED: Final = 1.25  # fx / fy: rectified images of wide lenses, and DIODE's, have some
_NARROW_DEG: Final = 5.0


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """
    A pinhole camera without distortion, together with the image size it belongs to.

    Attributes
    ----------
    fx, fy, cx, cy : float
        Focal lengths and principal point in pixels.
    width, height : int
        Image size in pixels that the four numbers belong to.

    Raises
    ------
    CalibrationError
        If a number is not finite, or a focal length or a size is not positive.

    Notes
    -----
    Convention: the centre of pixel (0, 0) is at (0, 0), u to the right, v down; optical frame
    x right, y down, z forward (REP 103).

    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if not all(map(math.isfinite, numbers)) or min(self.fx, self.fy) <= 0:
            raise CalibrationError(
                f'intrinsics must be finite with fx, fy > 0, got fx={self.fx}, fy={self.fy}, '
                f'cx={self.cx}, cy={self.cy}: calibrate the camera or fix its camera_info'
            )
        if min(self.width, self.height) <= 0:
            raise CalibrationError(
                f'intrinsics need a positive image size, got {self.width}x{self.height}'
            )

    def checked(self, whose: str) -> Intrinsics:
        """
        Return itself, if a calibrated camera can be like that.

        For calibrations as they come in. A window of an image may look anywhere.

        Raises
        ------
        CalibrationError
            If a field of view is above 170 or below 0.1 degrees, or the principal point is out of
            the image by more than its size; the message begins with ``whose`` numbers they are.

        """
        for side, size, focal, centre in (
            ('across', self.width, self.fx, self.cx), ('down', self.height, self.fy, self.cy)
        ):
            # As if it looked straight: off centre it is less, without bound where it looks aside.
            fov_deg = 2 * math.degrees(math.atan2(size / 2, focal))
            is_far_out = not -size <= centre < 2 * size
            if is_far_out or not MIN_FOV_DEG <= fov_deg <= MAX_FOV_DEG:
                wrong = (
                    f'a principal point at {centre:g}' if is_far_out
                    else f'a field of view of {fov_deg:.4g} degrees'
                )
                raise CalibrationError(
                    f'{whose} cannot be that of {self.width}x{self.height} pixels: '
                    f'fx={self.fx:g}, fy={self.fy:g}, cx={self.cx:g}, cy={self.cy:g} make {wrong} '
                    f'{side}; calibrate the camera, or name the right calibration'
                )
        return self

    def doubts(self) -> tuple[str, ...]:
        """Return what speaks against this being the camera of its images: sentences, for notes."""
        width, height = self.width, self.height
        off_x = abs(self.cx - (width - 1) / 2) / width
        off_y = abs(self.cy - (height - 1) / 2) / height
        found = []
        if max(off_x, off_y) > _OFF_CENTRE:
            found.append(
                f'the principal point ({self.cx:.0f}, {self.cy:.0f}) is far from the middle of '
                f'images of {width}x{height}: if these were not cropped, the calibration is for '
                'images of another size, and metres are wrong by their ratio'
            )
        if max(self.fx, self.fy) > _SQUEEZED * min(self.fx, self.fy):
            found.append(
                f'pixels are not square (fx={self.fx:.0f}, fy={self.fy:.0f}): images were '
                'squeezed, or this is not their camera'
            )
        if self.hfov_deg < _NARROW_DEG:
            found.append(
                f'the field of view is {self.hfov_deg:.2g} degrees: are the focal lengths in '
                'pixels?'
            )
        return tuple(found)

    def scaled_to(self, width: int, height: int) -> Intrinsics:
        """Return the intrinsics of the same picture resampled to ``width`` x ``height``."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            width=width,
            height=height,
        )

    def cropped(self, x: int, y: int, width: int, height: int) -> Intrinsics:
        """Return the intrinsics of the window whose top left pixel is (x, y)."""
        return Intrinsics(self.fx, self.fy, self.cx - x, self.cy - y, width, height)

    def flipped(self) -> Intrinsics:
        """Return the intrinsics of the left-right flipped picture."""
        return Intrinsics(
            self.fx, self.fy, self.width - 1 - self.cx, self.cy, self.width, self.height
        )

    @classmethod
    def of_hfov(cls, hfov_deg: float, width: int, height: int) -> Intrinsics:
        """Return the camera with this horizontal field of view, degrees, that looks straight."""
        focal = width / (2 * math.tan(math.radians(hfov_deg) / 2))
        return cls.straight(focal, focal, width, height)

    @classmethod
    def straight(cls, fx: float, fy: float, width: int, height: int) -> Intrinsics:
        """Return the camera with these focal lengths, pixels, whose axis is through the middle."""
        return cls(fx, fy, (width - 1) / 2, (height - 1) / 2, width, height)

    @property
    def hfov_deg(self) -> float:
        """Horizontal field of view in degrees, from edge to edge."""
        left, right = self.cx + 0.5, self.width - 0.5 - self.cx
        return math.degrees(math.atan2(left, self.fx) + math.atan2(right, self.fx))

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: the geometric mean of fx and fy."""
        return math.sqrt(self.fx * self.fy)

    def matrix(self) -> NDArray[np.float64]:
        """Return K, float64 (3, 3)."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)


CameraUse = Literal['used', 'assumed', 'ignored']
"""
Whether depth is metric by the camera of the image, or by an assumed field of view.

Or whether the camera was ignored, as by methods that do not know the camera of their metres.
"""


PredKind = Literal['depth', 'disparity', 'inverse-depth', 'relative']
"""What predictions of others hold: metres, pixels, 1 / m, or any affine function of 1 / m."""


@dataclass(frozen=True, slots=True)
class DepthMap:
    """
    What a predictor answers for one image.

    Attributes
    ----------
    depth_m : float32 (h, w)
        Metres along z; h x w is the image size, or the image size times ``depth_scale``.
    grid_depth_m : float32 (grid_h, grid_w), optional
        Depth per patch before upsampling, where the method has one.
    confidence : float32 (h, w), optional
        In [0, 1]. Calibrated, the share of such pixels that are within a factor of 1.25 of the
        truth; otherwise a raw measure of the method. ``describe()`` says which.
    scene : str, optional
        Name of the recognised scene, where the method recognises one.
    camera : {'used', 'assumed', 'ignored'}
        What became of the camera.
    seen_by : Intrinsics, optional
        The camera of the network's input, where one was used or assumed and the method says.
    is_relative : bool
        Evaluations alone meet this: ``depth_m`` is inverse depth up to an unknown scale and shift,
        any numbers, that has no metres until both are fitted to the truth.
    input_px : (width, height), optional
        Size of the network's input, where there is one.

    """

    depth_m: Depth
    grid_depth_m: Depth | None = None
    confidence: Depth | None = None
    scene: str | None = None
    camera: CameraUse = 'ignored'
    seen_by: Intrinsics | None = None
    is_relative: bool = False
    input_px: tuple[int, int] | None = None


NOTES: Final = 'notes'
"""What a predictor's ``describe()`` says to whoever uses its numbers, if it must: sentences."""

PRED_KIND: Final = 'pred_kind'
"""What ``describe()`` calls what predictions of others hold, where that is not depth in metres."""

RELATIVE_KINDS: Final = ('relative', 'disparity')
"""Those of it that have no metres; disparity of which these are known is called otherwise."""


class DepthPredictor(Protocol):
    """
    Anything that turns images into metric depth: ours, a constant, a rival's.

    ``predict`` is ``predict_batch`` of one image. A batch may hold images of several sizes and
    cameras; equal ones share one forward pass. A camera is the pinhole camera of that very image,
    after whatever was done to it; None is an unknown one. One thread at a time may call it.
    """

    @property
    def likes_batches(self) -> bool:
        """Return whether a batch takes less time than its images one by one."""
        ...

    def predict(self, rgb: Rgb, camera: Intrinsics | None = None) -> DepthMap:
        """Return the depth of one image, uint8 (H, W, 3) RGB."""
        ...

    def predict_batch(
        self, rgbs: Sequence[Rgb], cameras: Sequence[Intrinsics | None] | None = None
    ) -> list[DepthMap]:
        """Return the depth of several images, in their order; no cameras are unknown ones."""
        ...

    def reset(self) -> None:
        """Forget what earlier images left behind: another recording starts, time jumped back."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Return what an operator or a report should know: method, backbone, weights, device."""
        ...

    def close(self) -> None:
        """Give memory back, on the device too; the predictor is not used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """
    One message of a recording, still serialised.

    Attributes
    ----------
    topic : str
        Topic name as recorded.
    msgtype : str
        Type as ROS 2 names it, ``sensor_msgs/msg/Image``.
    cdr : bytes
        The message in ROS 2's wire format (CDR with its 4-byte header).
    bag_time_ns : int
        When it was received, nanoseconds; the capture time is in the message's header.

    """

    topic: str
    msgtype: str
    cdr: bytes
    bag_time_ns: int
