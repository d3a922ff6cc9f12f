# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Distortion has an inverse up to its fold and within 90 degrees; OpenCV projects as we do."""

from __future__ import annotations

from itertools import combinations
import math
from typing import Any

from clip_depth_ros.core.distortion import Distortion
from clip_depth_ros.errors import CalibrationError
import cv2
from hypothesis import assume, given, settings, strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

WIDE = (-0.2535, 0.0924, -0.0006, 0.0007, -0.0191)
"""Of a lens of 110 degrees."""

MISS = 1e-5


def distortion(*d: float, model: str = 'plumb_bob') -> Distortion:
    lens = Distortion.of(model, d)
    assert lens is not None
    return lens


def projected(lens: Distortion, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where OpenCV shows points."""
    project = cv2.fisheye.projectPoints if lens.is_fisheye else cv2.projectPoints
    in_space = np.concatenate([points, np.ones((len(points), 1))], axis=1)[:, np.newaxis]
    still = np.zeros(3)
    shown: Any = project(in_space, still, still, np.eye(3), np.array(lens.d))[0]
    return np.asarray(shown.reshape(-1, 2), np.float64)


def places(half: float, n: int = 31) -> NDArray[np.float64]:
    """Return a square of places around the axis."""
    line = np.linspace(-half, half, n)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def small(bound: float) -> Any:
    return st.integers(-round(bound * 1e4), round(bound * 1e4)).map(lambda n: n / 1e4)


ROUND = st.tuples(small(0.5), small(0.3), st.just(0.0), st.just(0.0), small(0.1))
LENSES = st.one_of(
    st.tuples(st.just('plumb_bob'), ROUND),
    st.tuples(st.just('plumb_bob'), st.tuples(
        small(0.5), small(0.3), small(0.01), small(0.01), small(0.1)
    )),
    st.tuples(st.just('rational_polynomial'), st.tuples(
        small(0.5), small(0.5), small(0.01), small(0.01), *[small(0.3)] * 4,
        *[small(0.01)] * 4, small(0.03), small(0.03),
    )),
    st.tuples(st.just('equidistant'), st.tuples(*[small(0.1)] * 4)),
).filter(lambda lens: any(lens[1]))


@settings(max_examples=25, deadline=None)
@given(LENSES)
def test_law_what_has_a_ray_is_shown_where_it_is(lens: tuple[str, tuple[float, ...]]):
    model, d = lens
    bent, wanted = distortion(*d, model=model), places(2.0)
    points = bent.undistorted(wanted, MISS)
    is_found = np.isfinite(points).all(axis=1)
    assert is_found[len(wanted) // 2]  # the axis itself
    assert np.abs(projected(bent, points[is_found]) - wanted[is_found]).max() < 2 * MISS
    assert np.isnan(points[~is_found]).all()


@settings(max_examples=25, deadline=None)
@given(LENSES)
def test_law_what_is_shown_is_found_again(lens: tuple[str, tuple[float, ...]]):
    model, d = lens
    bent, points = distortion(*d, model=model), places(1.5)
    shown = bent.distorted(points)
    is_shown = np.isfinite(shown).all(axis=1)
    np.testing.assert_allclose(
        shown[is_shown], projected(bent, points[is_shown]), rtol=1e-9, atol=1e-12
    )
    # At the fold itself the inverse is steep without end.
    nearly = np.isfinite(bent.distorted(points * 1.05)).all(axis=1) & is_shown
    found = bent.undistorted(shown[nearly], MISS)
    np.testing.assert_allclose(found, points[nearly], atol=2e-3)


@settings(deadline=None)
@given(ROUND.filter(any))
def test_law_the_fold_is_where_the_derivative_is_zero(d: tuple[float, ...]):
    """The roots of (r + k1 r^3 + k2 r^5 + k3 r^7)' are found another way: as eigenvalues."""
    k1, k2, _, _, k3 = d
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0]).astype(complex)
    apart = [abs(a**0.5 - b**0.5) for a, b in combinations(roots, 2)]
    assume(min(apart, default=1) > 0.05)  # else it hardly turns before it goes on
    real = roots[np.abs(roots.imag) < 1e-9].real
    folds = np.sqrt(real[real > 0])
    fold = folds.min() if folds.size else math.inf
    assume(not 8 < fold < math.inf)  # those of no lens
    bent = distortion(*d)
    radii = np.linspace(0.01, min(1.2 * fold, 10), 200)
    radii = radii[np.abs(radii - fold) > 1e-3]
    directions = np.stack([np.cos(7 * radii), np.sin(7 * radii)], axis=1)
    shown = bent.distorted(radii[:, np.newaxis] * directions)
    np.testing.assert_array_equal(np.isfinite(shown).all(axis=1), radii < fold)
    if fold < math.inf:
        farthest = fold * (1 + k1 * fold**2 + k2 * fold**4 + k3 * fold**6)
        for share, has_ray in ((0.999, True), (1.001, False)):
            point = bent.undistorted(np.array([[0.0, share * farthest]]), 1e-7)[0]
            assert np.isfinite(point).all() == has_ray
            assert not point[1] > fold


def test_a_ray_near_the_fold_is_exact():
    """Five iterations of OpenCV's give 1.386; by hand r (1 + k1 r^2 + k2 r^4 + k3 r^6)."""
    k1, k2, _, _, k3 = WIDE
    x, y = distortion(k1, k2, 0, 0, k3).undistorted(np.array([[1.0011, 0.0]]), MISS)[0]
    assert x * (1 + k1 * x**2 + k2 * x**4 + k3 * x**6) == pytest.approx(1.0011, abs=1e-9)
    assert (x, y) == (pytest.approx(1.404, abs=5e-4), 0)
    assert np.isnan(distortion(k1, k2, 0, 0, k3).undistorted(np.array([[1.03, 0]]), MISS)).all()


def test_a_pole_of_a_rational_model_ends_it():
    """At sqrt(2), x / (1 - 0.5 x^2) is beyond all bounds, and comes back from the other side."""
    lens = distortion(0, 0, 0, 0, 0, -0.5, 0, 0, model='rational_polynomial')
    shown = lens.distorted(np.array([[1.41, 0.0], [1.42, 0.0], [3.0, 0.0]]))
    assert np.isfinite(shown).all(axis=1).tolist() == [True, False, False]
    found = lens.undistorted(np.array([[1.0, 0.0], [50.0, 0.0], [-0.75, 0.0]]), MISS)
    wanted = [(math.sqrt(1 + 2 * u**2) - 1) / u for u in (1.0, 50.0, -0.75)]
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-6)


def test_a_fisheye_ends_at_90_degrees():
    """Equidistant: an angle a from the axis is a from the centre; the ray is tan(a)."""
    lens = distortion(0, 0, 0, 0, model='equidistant')
    angles = np.radians([0, 45, 89.5, 90, 90.5, 179])
    points = lens.undistorted(np.stack([np.zeros(6), -angles], axis=1), MISS)
    np.testing.assert_allclose(points[:3, 1], -np.tan(angles[:3]), rtol=1e-9)
    assert np.isnan(points[3:]).all()


def test_a_fisheye_that_folds_before():
    """Here, a - 0.2 a^3 turns at sqrt(1 / 0.6), 74 degrees."""
    lens = distortion(-0.2, 0, 0, 0, model='equidistant')
    fold = math.sqrt(1 / 0.6)
    points = np.tan([[0.99 * fold, 0.0], [1.01 * fold, 0.0]])
    assert np.isfinite(lens.distorted(points)).all(axis=1).tolist() == [True, False]


def test_a_tilted_sensor_has_a_horizon():
    lens = distortion(*[0.0] * 12, 0.0, 0.5)
    points = lens.undistorted(lens.distorted(places(0.8)), MISS)
    np.testing.assert_allclose(points, places(0.8), atol=1e-9)
    assert np.isnan(lens.distorted(np.array([[-10.0, 0.0], [10.0, 0.0]]))).any()


@pytest.mark.parametrize(('model', 'd', 'padded'), [
    ('equidistant', (0.1, 0.2, 0.3, 0.4), 5),
    ('equidistant', (0.1, 0.0, 0.0, 0.0), 14),
    ('plumb_bob', WIDE, 8), ('plumb_bob', WIDE, 14), ('plumb_bob', WIDE, 6), ('', WIDE, 20),
    ('plumb_bob', WIDE[:4], 5), ('rational_polynomial', WIDE, 12),
])
def test_zeros_behind_the_numbers_are_filling(model: str, d: tuple[float, ...], padded: int):
    assert Distortion.of(model, (*d, *[0.0] * (padded - len(d)))) == Distortion.of(model, d)


@pytest.mark.parametrize(('model', 'd'), [
    ('equidistant', (0.1,) * 5), ('equidistant', (0.1,) * 3), ('plumb_bob', (0.1,) * 6),
    ('plumb_bob', (0.1, 0.2)), ('plumb_bob', (0.1, math.nan, 0, 0, 0)), ('made_up', (0.1,) * 4),
    ('omnidirectional', (0.1,) * 5), ('plumb_bob', (0.1,) * 15),
])
def test_what_is_of_no_known_model_is_refused(model: str, d: tuple[float, ...]):
    wanted = rf"distortion model '{model}' with D=\[.*equidistant of 4 numbers.*intrinsics_source"
    with pytest.raises(CalibrationError, match=wanted):
        Distortion.of(model, d)


@pytest.mark.parametrize('model', ['plumb_bob', '', 'made_up'])
@pytest.mark.parametrize('n', [0, 3, 5])
def test_zeros_alone_bend_nothing(model: str, n: int):
    assert Distortion.of(model, (0.0,) * n) is None
