# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Between which ray parameters a ray is inside a convex solid.

Rays are given in the unit frame of their solid, where it is an intersection of slabs, half-spaces
or a quadric, so a ray is inside for one interval of t (Kay and Kajiya, "Ray Tracing Complex
Scenes", SIGGRAPH 1986, for slabs). An empty interval has enter > leave. Arrays are float32: the
frame is centred at the solid, which keeps the error of t near 1e-6 of the distance.
"""

from __future__ import annotations

import functools

from clip_depth_ros.world.things import Floats, Ints, Solid
import numpy as np

_TINY = np.float32(1e-20)  # keeps 1 / d finite for rays that run exactly along a face


def inside(solid: Ints, taper: Floats, o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """
    Give where each ray enters and leaves its solid.

    Parameters
    ----------
    solid : int (M,)
        :class:`Solid` of each ray, in ascending order.
    taper : float32 (2, M)
        How far the sides of a ``TAPER`` lean in; read for no other solid.
    o, d : float32 (3, M)
        Rays o + t d in the unit frame of their solid.

    Returns
    -------
    enter, leave : float32 (M,)

    """
    enter, leave = np.empty_like(o[0]), np.empty_like(o[0])
    ends = np.searchsorted(solid, np.arange(len(Solid) + 1)).tolist()
    for kind in range(len(Solid)):
        part = slice(ends[kind], ends[kind + 1])
        if part.start == part.stop:
            continue
        if kind == Solid.BOX:
            enter[part], leave[part] = in_box(o[:, part], d[:, part])
        elif kind == Solid.TAPER:
            enter[part], leave[part] = in_taper(o[:, part], d[:, part], taper[:, part])
        elif kind == Solid.ELLIPSOID:
            enter[part], leave[part] = in_ball(o[:, part], d[:, part])
        else:
            enter[part], leave[part] = in_cylinder(o[:, part], d[:, part])
    return enter, leave


def in_box(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet |x|, |y|, |z| <= 1 (as many axes as o and d have)."""
    pace = 1 / (d + _TINY)
    middle, reach = o * pace, np.abs(pace)
    enters, leaves = -middle - reach, reach - middle
    # A chain over two or three rows is several times faster than a reduction over that axis.
    return functools.reduce(np.maximum, enters), functools.reduce(np.minimum, leaves)


def in_taper(o: Floats, d: Floats, taper: Floats) -> tuple[Floats, Floats]:
    """Meet a box whose sides lean in by ``taper`` (2, M) at the top."""
    enter, leave = in_box(o[2:], d[2:])
    for axis in (0, 1):
        lean = taper[axis] / 2
        for sign in (-1, 1):
            facing = sign * d[axis] + lean * d[2] + _TINY
            t = (1 - lean - sign * o[axis] - lean * o[2]) / facing
            enters = facing < 0
            enter = np.maximum(enter, np.where(enters, t, -np.inf))
            leave = np.minimum(leave, np.where(enters, np.inf, t))
    return enter, leave


def in_ball(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet x^2 + y^2 + z^2 <= 1."""
    (x, y, z), (u, v, w) = o, d
    # The cross product tells how far off the ray passes; o.d and o.o would cancel at a distance.
    off = (y * w - z * v) ** 2 + (z * u - x * w) ** 2 + (x * v - y * u) ** 2
    squared = u * u + v * v + w * w
    return _quadric(squared, x * u + y * v + z * w, squared - off)


def in_cylinder(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Meet x^2 + y^2 <= 1, |z| <= 1."""
    (x, y), (u, v) = o[:2], d[:2]
    squared = u * u + v * v + _TINY
    side_in, side_out = _quadric(squared, x * u + y * v, squared - (x * v - y * u) ** 2)
    cap_in, cap_out = in_box(o[2:], d[2:])
    return np.maximum(side_in, cap_in), np.minimum(side_out, cap_out)


def _quadric(squared: Floats, along: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """Solve for t with direction^2, o.d and the quarter discriminant ``spare``."""
    root = np.sqrt(np.maximum(spare, 0))
    enter = np.where(spare >= 0, (-along - root) / squared, np.inf)
    return enter, (root - along) / squared
