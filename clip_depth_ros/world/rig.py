# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Cameras and how they are mounted: KITTI's, and those of other robots, drawn by seed.

Our choice throughout: horizontal fields of view of 45 to 100 degrees, the shapes that cameras
have, mounted 0.3 to 2.2 m over the ground, pitched by up to 12 and rolled by up to 3 degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import math
from typing import Final, Literal

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.types import Intrinsics
import numpy as np

KITTI_HEIGHT_M: Final = 1.65
"""Height of KITTI's cameras above the road (Geiger et al., IJRR 2013, figure 3)."""

SHAPES: Final = (1.0, 4 / 3, 1.5, 1.6, 16 / 9, 2.0, 3.3)
"""Width by height of the cameras that are drawn."""

CANONICAL_FOCAL_PX: Final = 186.0
"""Focal length of windows: that of KITTI's camera at a width of 320 pixels, nearly."""

Cameras = Literal['kitti', 'varied', 'corners', 'windows']
"""
Which cameras see the streets.

kitti: KITTI's. varied: another by seed. corners: by seed too, of kinds that ``varied`` and
``windows`` never draw (see :func:`is_corner`). windows: parts of what varied cameras see, all of
one size and focal length, their principal points anywhere; some look aside.
"""

_HFOV_DEG: Final = (45.0, 100.0)
_HEIGHT_M: Final = (0.3, 2.2)
_TALL_M: Final = (1.1, 2.0)  # those of cars and vans
_TALL: Final = 0.65  # their share
_PITCH_DEG: Final = 12.0
_ROLL_DEG: Final = 3.0
_OFF_CENTRE: Final = 0.04
_SIDEWALK_BELOW_M: Final = 1.2  # robots lower than this may go on the sidewalk
_ASIDE, _YAW_DEG = 0.35, 25.0  # share of windows that look aside, and up to how far
_WHOLE: Final = 0.4  # share of windows that are whole images
# The widest lens at the focal length of windows; the tallest image is as high as wide.
_LARGEST_WINDOW: Final = int(2 * CANONICAL_FOCAL_PX * math.tan(math.radians(_HFOV_DEG[1] / 2)))
_KITTI_FOCAL, _KITTI_CX, _KITTI_CY, _KITTI_W, _KITTI_H = 721.5377, 609.5593, 172.854, 1242, 375


@dataclass(frozen=True, slots=True)
class Rig:
    """
    A camera on its mount.

    Attributes
    ----------
    intrinsics : Intrinsics
    height_m : float
        Of the optical centre above the ground that it goes on.
    pitch_rad, roll_rad : float
        Of the mount, besides the small ones of each drive; down and clockwise are positive.
    yaw_rad : float
        Of the mount, to the left: it does not look where it goes.
    on_sidewalk : bool
        Whether it goes on the sidewalk beside the right kerb, not in the right lane.

    """

    intrinsics: Intrinsics
    height_m: float = KITTI_HEIGHT_M
    pitch_rad: float = 0.0
    roll_rad: float = 0.0
    yaw_rad: float = 0.0
    on_sidewalk: bool = False

    def with_lens(self, factor: float) -> Rig:
        """Return the same behind a lens that is longer by a factor; the image keeps its size."""
        k = self.intrinsics
        return replace(self, intrinsics=replace(k, fx=k.fx * factor, fy=k.fy * factor))


def kitti_like(width: int, height: int) -> Intrinsics:
    """
    Return KITTI's camera (fx / width = 721.5 / 1242) with square pixels at another size.

    The principal point keeps its share of the width and height, so other aspect ratios see more
    or less above and below, and the horizon stays at the same share of the height.
    """
    focal = _KITTI_FOCAL * width / _KITTI_W
    return Intrinsics(
        fx=focal,
        fy=focal,
        cx=(_KITTI_CX + 0.5) * width / _KITTI_W - 0.5,
        cy=(_KITTI_CY + 0.5) * height / _KITTI_H - 0.5,
        width=width,
        height=height,
    )


def rig_of(cameras: Cameras, seed: int, width: int, height: int) -> Rig:
    """
    Return the camera that sees the street of a seed.

    ``width`` and ``height`` are the size of its images, pixels. Those of varied and corner cameras
    have a shape of their own: ``width`` x ``height`` says how many pixels they have, about.
    ConfigError if the seed is negative, or if windows of that size fit into no camera's view.
    """
    if cameras == 'kitti':
        return Rig(kitti_like(width, height))
    if seed < 0:
        raise ConfigError(f'a camera needs a seed of 0 or more, got {seed}')
    rng = np.random.default_rng((seed, 14))
    if cameras == 'windows':
        if max(width, height) > _LARGEST_WINDOW:
            raise ConfigError(
                f'windows are at most {_LARGEST_WINDOW} pixels wide and high, got {width} x '
                f'{height}: choose a smaller size or other cameras'
            )
        rig = _window(rng, width, height)
        yaw = math.radians(_YAW_DEG) * float(rng.uniform(-1, 1))
        return replace(rig, yaw_rad=yaw) if rng.random() < _ASIDE else rig
    drawn = _drawn(rng, lambda drawn: is_corner(drawn) == (cameras == 'corners'))
    k, n_pixels = drawn.intrinsics, width * height
    wide = max(16, round(math.sqrt(n_pixels * k.width / k.height)))
    return replace(drawn, intrinsics=k.scaled_to(wide, max(16, round(wide * k.height / k.width))))


def is_corner(rig: Rig) -> bool:
    """
    Return whether a camera is of a kind that is kept for tests.

    High with a wide lens; low with a narrow one; low and pitched far down or up.
    """
    is_low, is_tilted = rig.height_m < 0.5, abs(rig.pitch_rad) > math.radians(8)
    hfov_deg = rig.intrinsics.hfov_deg
    return (
        (rig.height_m > 1.7 and hfov_deg > 85)
        or (is_low and hfov_deg < 58)
        or (is_low and is_tilted)
    )


def _drawn(rng: np.random.Generator, is_wanted: Callable[[Rig], bool]) -> Rig:
    """Draw cameras until one is wanted; 1000 pixels wide."""
    while True:
        width, hfov_deg = 1000, rng.uniform(*_HFOV_DEG)
        height = round(width / SHAPES[int(rng.integers(len(SHAPES)))])
        straight = Intrinsics.of_hfov(hfov_deg, width, height)
        shift_x, shift_y = rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, 2)
        low, tall = float(np.exp(rng.uniform(*np.log(_HEIGHT_M)))), float(rng.uniform(*_TALL_M))
        height_m = low if rng.random() > _TALL else tall
        pitch = math.radians(_PITCH_DEG) * float(rng.uniform(-1, 1))
        rig = Rig(
            replace(
                straight,
                cx=straight.cx + float(shift_x) * width,
                cy=straight.cy + float(shift_y) * height,
            ),
            height_m=height_m,
            pitch_rad=pitch if rng.random() < 0.7 else pitch / 4,
            roll_rad=math.radians(_ROLL_DEG) * float(rng.uniform(-1, 1)),
            on_sidewalk=bool(rng.random() < 0.5) and height_m < _SIDEWALK_BELOW_M,
        )
        if is_wanted(rig):
            return rig


def _window(rng: np.random.Generator, width: int, height: int) -> Rig:
    """Draw a window of what a camera sees at the canonical focal length, or a whole image."""
    focal = CANONICAL_FOCAL_PX
    if rng.random() < _WHOLE:
        shift = rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, 2) * (width, height)
        centre_x, centre_y = (np.array([width, height]) - 1) / 2 + shift

        def at_focal(rig: Rig) -> Rig:
            whole = Intrinsics(focal, focal, float(centre_x), float(centre_y), width, height)
            return replace(rig, intrinsics=whole)

        return at_focal(_drawn(rng, lambda rig: not is_corner(at_focal(rig))))

    def size(rig: Rig) -> tuple[int, int]:
        k = rig.intrinsics
        return int(k.width * focal / k.fx), int(k.height * focal / k.fy)

    def fits(rig: Rig) -> bool:
        wide, high = size(rig)
        return wide >= width and high >= height and not is_corner(rig)

    while True:
        rig = _drawn(rng, fits)
        wide, high = size(rig)
        x, y = int(rng.integers(wide - width + 1)), int(rng.integers(high - height + 1))
        seen = replace(rig.intrinsics.scaled_to(wide, high), fx=focal, fy=focal)
        window = replace(rig, intrinsics=seen.cropped(x, y, width, height))
        if not is_corner(window) and _shows_horizon(window):
            return window


def _shows_horizon(rig: Rig) -> bool:
    """Return whether the horizon is in the image or close by: not sky or ground alone."""
    k = rig.intrinsics
    row = k.cy - k.fy * math.tan(rig.pitch_rad)
    return -0.3 * k.height <= row <= 0.95 * k.height
