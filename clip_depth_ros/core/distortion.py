# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How a lens bends what a camera without distortion would show, and back where there is a way back.

A distortion model is a polynomial that was fitted where the calibration pattern was seen. Farther
out it may turn around (fold): two directions then fall on one pixel, and pixels beyond the fold
are those of no direction at all. Up to the fold, seen from the axis, the model has one inverse;
that is the one that is used, and there is none elsewhere.

Sources: the models are those of OpenCV's calib3d (Brown, "Decentering Distortion of Lenses", 1966;
rational: Claus and Fitzgibbon, CVPR 2005; thin prism: Weng, Cohen, Herniou, PAMI 1992; tilted
sensor: Scheimpflug; equidistant: Kannala and Brandt, PAMI 2006), as REP 104 names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import functools
import math
from typing import Final

from clip_depth_ros.errors import CalibrationError
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FISHEYE: Final = 'equidistant'

_D_LENGTHS: Final = {
    '': (4, 5, 8, 12, 14),
    'plumb_bob': (4, 5, 8, 12, 14),
    'rational_polynomial': (4, 5, 8, 12, 14),
    FISHEYE: (4,),
}
"""Numbers that D may hold for each distortion model; '' is taken as plumb_bob."""

KNOWN_MODELS: Final = frozenset(_D_LENGTHS)

_SOLVED: Final = 1e-6
"""After a step of Newton's that is smaller, in units of the focal length, nothing remains that
float32 would show: what a step leaves goes with its square."""

_MAX_STEPS: Final = 15

_RADIUS_MAX: Final = 1e4
"""Where rays count as 90 degrees off axis, in units of the focal length."""

_CHUNK: Final = 1 << 14
"""Points that are solved together: their intermediate results stay within the cache."""


@dataclass(frozen=True, slots=True)
class Distortion:
    """
    The distortion of a lens.

    Points are of the image plane at focal length 1: x/z and y/z of the optical frame where there
    is no distortion, and where such a point is shown where there is.

    Attributes
    ----------
    d : tuple of float
        As OpenCV orders it: k1, k2, p1, p2, k3 to k6, s1 to s4, tau_x, tau_y; or, of a fisheye, k1
        to k4.
    is_fisheye : bool
        Whether the model is the equidistant one.

    """

    d: tuple[float, ...]
    is_fisheye: bool = False

    @classmethod
    def of(cls, model: str, d: tuple[float, ...]) -> Distortion | None:
        """
        Read D of a camera_info; None if it bends nothing. A fisheye of zeros is still no pinhole.

        Zeros behind the numbers of a model are filling.

        Raises
        ------
        CalibrationError
            If the model is not known, has another number of coefficients, or one is not finite.

        """
        if not any(d) and model != FISHEYE:
            return None
        lengths = _D_LENGTHS.get(model, ())
        n_used = max((place for place, number in enumerate(d, start=1) if number), default=0)
        fitting = [n for n in lengths if n == len(d) or n_used <= n < len(d)]
        if not (fitting or (lengths and not any(d))) or not np.isfinite(d).all():
            known = ', '.join(
                f'{name} of {" or ".join(map(str, allowed))} numbers'
                for name, allowed in _D_LENGTHS.items() if name
            )
            more = f' and {len(d) - 14} more' if len(d) > 14 else ''
            raise CalibrationError(
                f'camera_info has distortion model {model!r} with D={list(d[:14])}{more}; known '
                f'are {known}, '
                'all finite: calibrate the camera with one of them, or give rectified images and '
                'set intrinsics_source: P'
            )
        n_all = 4 if model == FISHEYE else 14
        return cls((*d[:n_all], *[0.0] * (n_all - len(d))), model == FISHEYE)

    def distorted(self, points: Floats) -> Floats:
        """
        Return where points are shown, float64 (N, 2); NaN from the fold (or 90 degrees) on.

        Parameters
        ----------
        points : float64 (N, 2)
            x/z and y/z in the optical frame, of what is before the camera.

        """
        x, y = points.T
        if self.is_fisheye:
            radius = np.hypot(x, y)
            with np.errstate(invalid='ignore'):
                shrunk = np.where(radius > 0, np.arctan(radius) / radius, 1.0)
            x, y = x * shrunk, y * shrunk
        with np.errstate(invalid='ignore', over='ignore', divide='ignore'):
            u, v, *jacobian = self._bent(x, y)
            is_shown = self._is_before_fold(x, y, jacobian)
            shown = _moved(self._tilt(), np.stack([u, v], axis=1))
        shown[~is_shown] = np.nan
        return shown

    def undistorted(self, shown: Floats, tolerance: float) -> Floats:
        """
        Return the points that are shown at places, float64 (N, 2): x/z and y/z.

        Parameters
        ----------
        shown : float64 (N, 2)
            Places on the image plane.
        tolerance : float
            A point that is shown farther from its place is NaN: there is no inverse.

        """
        points = np.full_like(shown, np.nan)
        upright = np.asarray(np.linalg.inv(self._tilt()), np.float64)
        for start in range(0, len(shown), _CHUNK):
            chunk = shown[start:start + _CHUNK]
            found = self._solved(_moved(upright, chunk))
            with np.errstate(invalid='ignore'):
                is_hit = np.hypot(*(self.distorted(found) - chunk).T) <= tolerance
            points[start:start + _CHUNK][is_hit] = found[is_hit]
        return points

    def _solved(self, shown: Floats) -> Floats:
        """Return the points that are shown at places, the sensor's tilt removed, by Newton."""
        u, v = shown.T
        reached, radii = _radial_table(self)
        radius = np.hypot(u, v)
        # Near its fold the model is concave: from farther in, Newton's steps go outwards without
        # passing what they look for. Beyond, they lead nowhere.
        start = np.interp(np.minimum(radius, 0.97 * reached[-1]), reached, radii)
        with np.errstate(invalid='ignore', over='ignore', divide='ignore'):
            start = np.where(radius > 0, start / radius, 1.0)
            x, y = u * start, v * start
            active = np.flatnonzero(radius <= _reach(self))
            for _ in range(_MAX_STEPS):
                now = active if active.size < len(x) else slice(None)
                x[now], y[now], is_solved = self._step(x[now], y[now], u[now], v[now])
                active = active[~is_solved]
                if not active.size:
                    break
            if self.is_fisheye:
                angle = np.hypot(x, y)
                grown = np.where(angle > 0, np.tan(angle) / angle, 1.0)
                grown[~(angle < math.pi / 2)] = np.nan
                x, y = x * grown, y * grown
        return np.stack([x, y], axis=1)

    def _step(
        self, x: Floats, y: Floats, u: Floats, v: Floats
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return points nearer to those that are shown at u, v, and which need no step more."""
        bent_u, bent_v, xx, xy, yx, yy = self._bent(x, y)
        du, dv = u - bent_u, v - bent_v
        determinant = xx * yy - xy * yx
        dx, dy = (yy * du - xy * dv) / determinant, (xx * dv - yx * du) / determinant
        size, radius = np.hypot(dx, dy), np.hypot(x, y)
        # Where there is no way back steps grow without end: bounded, they stay harmless.
        bound = 0.5 * (0.1 + radius)
        shorter = np.where(size > bound, bound / size, 1.0)
        return x + dx * shorter, y + dy * shorter, size <= _SOLVED * (1 + radius)

    def _bent(self, x: Floats, y: Floats) -> tuple[Floats, ...]:
        """Return where points (a fisheye's: by angle) are shown, and the four derivatives."""
        if self.is_fisheye:
            k, below = self.d, self.d[4:]
            p1 = p2 = s1 = s2 = s3 = s4 = 0.0
        else:
            k, below = (*self.d[:2], self.d[4]), self.d[5:8]
            p1, p2, s1, s2, s3, s4 = (*self.d[2:4], *self.d[8:12])
        squared = x * x + y * y
        scale, slope = _ratio(k, below, squared)
        across = 2 * x * y * slope
        u, v = x * scale, y * scale
        xx, yy = scale + 2 * x * x * slope, scale + 2 * y * y * slope
        xy, yx = across, across
        if p1 or p2:
            u = u + 2 * p1 * x * y + p2 * (squared + 2 * x * x)
            v = v + p1 * (squared + 2 * y * y) + 2 * p2 * x * y
            turned = 2 * (p1 * x + p2 * y)
            xx, yy = xx + 2 * p1 * y + 6 * p2 * x, yy + 6 * p1 * y + 2 * p2 * x
            xy, yx = xy + turned, yx + turned
        if s1 or s2 or s3 or s4:
            u = u + squared * (s1 + s2 * squared)
            v = v + squared * (s3 + s4 * squared)
            s_u, s_v = 2 * (s1 + 2 * s2 * squared), 2 * (s3 + 2 * s4 * squared)
            xx, xy = xx + x * s_u, xy + y * s_u
            yx, yy = yx + x * s_v, yy + y * s_v
        return u, v, xx, xy, yx, yy

    def _is_before_fold(self, x: Floats, y: Floats, jacobian: list[Floats]) -> NDArray[np.bool_]:
        """Return whether the model does not turn around between the axis and points."""
        xx, xy, yx, yy = jacobian
        folds, radius = _fold_radii(self), np.hypot(x, y)
        is_before = radius < folds.min()
        (unsure,) = np.nonzero(~is_before & (radius < 1.001 * folds.max()))
        turn = np.arctan2(y[unsure], x[unsure]) / (2 * math.pi) % 1
        fold = np.interp(turn, np.linspace(0, 1, len(folds)), folds)
        # The fold is known for some directions; close to it, the point itself says on which side.
        is_before[unsure] = radius[unsure] < 1.001 * fold
        return np.asarray(is_before & (xx * yy - xy * yx > 0), np.bool_)

    def _tilt(self) -> Floats:
        """Return the homography, float64 (3, 3), of a sensor that is tilted against the lens."""
        tau_x, tau_y = (0.0, 0.0) if self.is_fisheye else self.d[-2:]
        sin_x, cos_x = math.sin(tau_x), math.cos(tau_x)
        sin_y, cos_y = math.sin(tau_y), math.cos(tau_y)
        about_x = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
        about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
        R = about_y @ about_x
        seen = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1]])
        return np.asarray(seen @ R, np.float64)


def _ratio(
    k: tuple[float, ...], below: Sequence[float], squared: Floats
) -> tuple[Floats, Floats]:
    """Return the radial scale at squared radii, and its derivative by these."""
    scale, slope = _polynomial(k, squared)
    if not any(below):
        return scale, slope
    divisor, divisor_slope = _polynomial(below, squared)
    return scale / divisor, (slope * divisor - scale * divisor_slope) / (divisor * divisor)


def _polynomial(k: Sequence[float], s: Floats) -> tuple[Floats, Floats]:
    """Return 1 + k1 s + k2 s^2 ... and its derivative, by Horner's rule."""
    value, slope = np.full_like(s, k[-1]), np.zeros_like(s)
    for number in (*k[-2::-1], 1.0):
        slope = slope * s + value
        value = value * s + number
    return value, slope


def _moved(homography: Floats, points: Floats) -> Floats:
    """Return points as a homography shows them, NaN from its horizon on."""
    if np.array_equal(homography, np.eye(3)):
        return points
    moved = points @ homography[:, :2].T + homography[:, 2]
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(moved[:, 2:] > 0, moved[:, :2] / moved[:, 2:], np.nan)


@functools.lru_cache(maxsize=16)
def _fold_radii(lens: Distortion) -> Floats:
    """
    Return how far out each direction may go before the model turns around.

    Radii (a fisheye's: angles) for directions that are evenly spread over the whole circle, the
    first again at the end. The model turns around where the determinant of its derivatives is no
    longer positive; a pole of a rational model is such a place as well.
    """
    is_round = lens.is_fisheye or not any((*lens.d[2:4], *lens.d[8:12]))
    n_directions, n_radii = (1, 1 << 14) if is_round else (128, 1 << 10)
    end = math.pi / 2 if lens.is_fisheye else math.atan(_RADIUS_MAX)
    angles = np.linspace(0, end, n_radii + 1)
    radii = angles if lens.is_fisheye else np.tan(angles)
    turns = np.linspace(0, 2 * math.pi, n_directions + 1)[:, np.newaxis]

    def is_bent_back(radius: Floats) -> NDArray[np.bool_]:
        with np.errstate(invalid='ignore', over='ignore', divide='ignore'):
            _, _, xx, xy, yx, yy = lens._bent(np.cos(turns) * radius, np.sin(turns) * radius)
            return ~(xx * yy - xy * yx > 0)

    is_back = is_bent_back(radii[np.newaxis])
    first = np.where(is_back.any(axis=1), is_back.argmax(axis=1), n_radii)
    near, far = radii[first - 1][:, np.newaxis], radii[first][:, np.newaxis]
    for _ in range(50):
        middle = (near + far) / 2
        is_far = is_bent_back(middle)
        near, far = np.where(is_far, near, middle), np.where(is_far, middle, far)
    folds: Floats = near[:, 0]
    return folds


@functools.lru_cache(maxsize=16)
def _reach(lens: Distortion) -> float:
    """Return how far from the axis, at most, anything is shown before the sensor's tilt."""
    folds = _fold_radii(lens)
    turns = np.linspace(0, 2 * math.pi, len(folds))
    with np.errstate(invalid='ignore', over='ignore', divide='ignore'):
        u, v, *_ = lens._bent(np.cos(turns) * folds, np.sin(turns) * folds)
        # Between two of the directions it may be a little farther.
        return 1.001 * float(np.nan_to_num(np.hypot(u, v), nan=np.inf).max())


@functools.lru_cache(maxsize=16)
def _radial_table(lens: Distortion) -> tuple[Floats, Floats]:
    """Return at which radius what is at a radius (a fisheye's: at an angle) is shown."""
    radial = lens.d if lens.is_fisheye else (*lens.d[:2], 0.0, 0.0, *lens.d[4:8], *[0.0] * 6)
    lens = Distortion(radial, lens.is_fisheye)
    end = (1 - 1e-9) * float(_fold_radii(lens)[0])  # a pole of a rational model may be there
    radii = np.tan(np.linspace(0, math.atan(end), 1 << 12))
    return lens._bent(radii, np.zeros_like(radii))[0], radii
