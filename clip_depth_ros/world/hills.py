# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Ups and downs: a height that depends on x alone, and where rays first meet it.

The height is a quadratic spline with knots ``KNOT_M`` apart, drawn through a sum of sines, so a
ray meets each of its pieces where a quadratic says. What stands on it is sheared, not turned:
walls stay upright.
"""

from __future__ import annotations

from dataclasses import replace

from clip_depth_ros.world.things import Floats, Ints, Shapes
import numpy as np

KNOT_M = 40.0
"""Distance of the spline's knots along x."""

Climbs = tuple[tuple[float, float, float], ...]
"""Sines that the height follows: (amplitude m, wave number rad/m, phase rad); none for a plane."""

STEEPEST = 0.12
"""No street is steeper than this."""

_PIECES = 6  # on either side of the eye: further than anything is seen
_ASIDE = np.float32(1e-6)


def drawn_climbs(rng: np.random.Generator) -> Climbs:
    """Draw hills of up to 12 % whose crests have radii from 300 m on."""
    climbs = []
    for sharpest_m, steepest in ((300.0, 0.08), (500.0, 0.04)):
        k = 2 * np.pi / rng.uniform(110, 600)
        amplitude = min(1 / (sharpest_m * k * k), steepest / k) * float(rng.uniform(0.2, 1))
        climbs.append((float(amplitude), float(k), float(rng.uniform(0, 2 * np.pi))))
    return tuple(climbs)


def rise(climbs: Climbs, x: Floats) -> tuple[Floats, Floats]:
    """Return height and slope dz/dx at x, float64 as x."""
    knot = np.floor(x / KNOT_M).astype(np.int64)
    a, b, c = _piece(climbs, knot)
    along = x - knot * KNOT_M
    return a + along * (b + along * c), b + 2 * along * c


def first_meeting(
    climbs: Climbs, origin_m: Floats, ray: tuple[Floats, Floats, Floats], level_m: float
) -> Floats:
    """
    Return t at which rays first come down to ``level_m`` above the ground, float32 (M,).

    ``origin_m``, float64 (3,), is above it; ``ray`` are directions x, y, z, float32 (M,) each.
    +Inf where they never do.
    """
    if not climbs:
        with np.errstate(divide='ignore'):
            t = np.float32(level_m - origin_m[2]) / ray[2]
        return np.asarray(np.where(ray[2] < -1e-6, t, np.inf), np.float32)
    x = np.where(np.abs(ray[0]) < _ASIDE, _ASIDE, ray[0])
    t = np.full(x.shape, np.inf, np.float32)
    for sign in (1, -1):
        which = np.flatnonzero(x * sign > 0)
        for number in range(_PIECES + 1):
            if not len(which):
                break
            part = x[which], ray[2][which]
            t[which] = _on_piece(climbs, origin_m, part, sign * number, level_m)
            which = which[np.isinf(t[which])]
    return t


def raised(climbs: Climbs, shapes: Shapes, x: Floats) -> Shapes:
    """Lift solids onto the ground; ``x``, float64 (things,), is where their things stand."""
    if not climbs or not len(shapes):
        return shapes
    height, slope = (values[shapes.placed] for values in rise(climbs, x))
    foot = height - slope * x[shapes.placed]
    from_unit, to_unit = shapes.from_unit.copy(), shapes.to_unit.copy()
    from_unit[:, 2] += slope[:, None] * from_unit[:, 0]
    from_unit[:, 2, 3] += foot
    # The inverse of z' = z + slope x + foot, before the old inverse.
    to_unit[:, :, 0] -= slope[:, None] * shapes.to_unit[:, :, 2]
    to_unit[:, :, 3] -= foot[:, None] * shapes.to_unit[:, :, 2]
    return replace(shapes, from_unit=from_unit, to_unit=to_unit)


def shadow_levels(
    climbs: Climbs, bodies: Shapes, to_light: Floats, kerb_m: float
) -> tuple[Floats, Floats]:
    """Return between which heights the shadows of N bodies meet the ground, float64 (N,) each."""
    if not climbs:
        return np.zeros(len(bodies)), np.full(len(bodies), kerb_m)
    corners = bodies.corners()
    here = rise(climbs, corners[:, :, 0].mean(1))[0]
    fall = float(np.hypot(*to_light[:2]) / to_light[2])
    size = np.ptp(corners[:, :, 0], axis=1) / 2
    tall = np.maximum(corners[:, :, 2].max(1) - here, 0) + STEEPEST * size
    spare = STEEPEST * (size + tall * fall / max(1 - STEEPEST * fall, 0.2))
    return here - spare, here + kerb_m + spare


def _piece(climbs: Climbs, knot: Ints | int) -> tuple[Floats, Floats, Floats]:
    """Return the polynomial of the piece after a knot: a + b u + c u^2, u metres from the knot."""
    before, here, after = (_control(climbs, np.asarray(knot) + i) for i in (-1, 0, 1))
    return (
        (before + here) / 2,
        (here - before) / KNOT_M,
        (after - 2 * here + before) / (2 * KNOT_M * KNOT_M),
    )


def _control(climbs: Climbs, knot: Ints) -> Floats:
    heights = [a * np.sin(np.mod(k * KNOT_M * knot + phase, 2 * np.pi)) for a, k, phase in climbs]
    total: Floats = np.sum(heights, axis=0)
    return total


def _on_piece(
    climbs: Climbs, origin_m: Floats, ray: tuple[Floats, Floats], number: int, level_m: float
) -> Floats:
    """
    Return t at which rays come down on the piece ``number`` further along x, +Inf if not.

    All of them go the same way along x.
    """
    x, z = ray
    knot = int(np.floor(origin_m[0] / KNOT_M)) + number
    a, b, c = (np.float32(value) for value in _piece(climbs, knot))
    begin = knot * KNOT_M - origin_m[0]
    near, far = np.float32(begin), np.float32(begin + KNOT_M)
    if x[0] > 0:
        enter, leave = np.maximum(near / x, 0), far / x
    else:
        enter, leave = np.maximum(far / x, 0), near / x
    u = enter * x - near
    # Height over the ground, from the piece's begin on: over + fall tau + bend tau^2.
    over = np.maximum(np.float32(origin_m[2] - level_m) + enter * z - (a + u * (b + u * c)), 0)
    fall, bend = z - x * (b + 2 * c * u), -c * x * x
    spare = fall * fall - 4 * bend * over
    with np.errstate(divide='ignore', invalid='ignore'):
        tau = 2 * over / (np.sqrt(np.maximum(spare, 0)) - fall)
    meets = (spare >= 0) & (tau >= 0) & (enter + tau <= leave) & (enter <= 1e4)
    t: Floats = np.where(meets, enter + tau, np.float32(np.inf))
    return t
