# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Independent frames: what the frames of a film are worth, and that single images lose nothing."""

from __future__ import annotations

from collections.abc import Sequence

from clip_depth_ros.evaluation.score.independence import films, independent_frames
from clip_depth_ros.evaluation.score.intervals import mean_intervals, over_pixels, Resampling
import numpy as np
import pytest

MS = 1_000_000


def remembering(phi: float, *shape: int, seed: int = 0) -> np.ndarray:
    """Give values, (frames, ...), of which each has phi of the one before; of deviation 1."""
    fresh = np.random.default_rng(seed).normal(size=shape)
    values = fresh.copy()
    for row in range(1, shape[0]):
        values[row] = phi * values[row - 1] + np.sqrt(1 - phi**2) * fresh[row]
    return values


def worth(
    values: np.ndarray,
    recordings: Sequence[str] | None = None,
    stamps_ns: Sequence[int | None] | None = None,
) -> np.ndarray:
    columns = values if values.ndim == 2 else values[:, np.newaxis]
    known = np.isfinite(columns)
    centred = columns - columns[:1]
    changes = np.where(known, centred - np.nansum(centred, axis=0) / known.sum(axis=0), 0.0)
    n_frames = len(columns)
    order = films(recordings or [''] * n_frames, stamps_ns or [None] * n_frames)
    return independent_frames(changes, known, [*order])


def placed(*films_of: tuple[Sequence[str], Sequence[int | None]]) -> list:
    return [
        [(film.rows.tolist(), film.places.tolist()) for film in films(*each)] for each in films_of
    ]


class TestFilms:
    """What follows what, and how far behind."""

    def test_frames_of_a_recording_follow_each_other_in_the_order_of_their_stamps(self):
        [found] = placed((['b', 'a', 'b', 'a'], [200, 700, 100, 600]))
        assert found == [([3, 1], [0, 1]), ([2, 0], [0, 1])]

    def test_without_all_stamps_in_the_order_of_their_rows(self):
        [found] = placed((['a', 'a', 'a'], [30, None, 10]))
        assert found == [([0, 1, 2], [0, 1, 2])]

    def test_missing_frames_leave_their_places_empty(self):
        stamps_ns = [100 * MS * at for at in (0, 1, 2, 5, 6)]
        assert placed((['a'] * 5, stamps_ns)) == [[([0, 1, 2, 3, 4], [0, 1, 2, 5, 6])]]

    def test_jitter_and_repeated_stamps_put_no_two_frames_in_one_place(self):
        stamps_ns = [0, 100, 140, 140, 300, 400]
        assert placed((['a'] * 6, stamps_ns)) == [[([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 5, 6])]]

    def test_after_a_pause_another_film_begins(self):
        stamps_ns = [100 * MS * at for at in (0, 1, 2, 36_000, 36_001)]
        assert placed((['a'] * 5, stamps_ns)) == [[([0, 1, 2], [0, 1, 2]), ([3, 4], [0, 1])]]

    def test_stamps_of_any_clock_are_counted_exactly(self):
        stamps_ns = [1_700_000_000_000_000_000 + 33_333_333 * at for at in range(4)]
        assert placed((['a'] * 4, stamps_ns)) == [[([0, 1, 2, 3], [0, 1, 2, 3])]]

    def test_no_frames_are_no_film(self):
        assert placed(([], [])) == [[]]


@pytest.mark.parametrize('phi', [0.0, 0.5, 0.9, 0.98])
def test_a_long_film_is_worth_what_theory_says(phi):
    """That is n (1 - phi) / (1 + phi)."""
    found = worth(remembering(phi, 20_000, 20))
    assert np.median(found) == pytest.approx(20_000 * (1 - phi) / (1 + phi), rel=0.15)


def test_white_noise_on_top_hides_nothing():
    """Half of the variance is of single frames, so n / (1 + 2 phi / (1 - phi) / 2)."""
    wander, single = remembering(0.9, 5_000, 20), np.random.default_rng(1).normal(size=(5_000, 20))
    assert np.median(worth(wander + single)) == pytest.approx(5_000 / 10, rel=0.2)


def test_a_scene_that_is_seen_ten_times_is_at_most_one():
    """What ends at once is taken to fade out: half as many are found, to be on the safe side."""
    scenes = np.random.default_rng(2).normal(size=(100, 50))
    assert 40 < np.median(worth(np.repeat(scenes, 10, axis=0))) < 110


def test_drives_that_each_have_a_level_of_their_own_are_worth_little_more_than_their_number():
    levels = np.random.default_rng(3).normal(size=(5, 200))
    values = np.repeat(levels, 80, axis=0) + remembering(0.0, 400, 200, seed=4) * 0.3
    drives = [f'drive {row // 80}' for row in range(400)]
    assert np.median(worth(values, drives)) < 8


def test_what_is_in_another_recording_does_not_follow():
    values = remembering(0.5, 100, 50)
    as_film, as_images = worth(values), worth(values, [f'image {row}' for row in range(100)])
    assert np.median(as_film) < 50
    assert (as_images == 100).all()


def test_rows_in_any_order_are_put_in_that_of_their_stamps():
    values, mixed = remembering(0.9, 400), np.random.default_rng(6).permutation(400)
    stamps_ns = [100 * MS * at for at in range(400)]
    again = worth(values[mixed], None, [stamps_ns[row] for row in mixed])
    assert again == pytest.approx(worth(values, None, stamps_ns))
    assert again < 0.2 * worth(values[mixed])


def test_frames_that_are_further_apart_are_worth_more():
    """Every tenth frame, and its stamps say so or the rows do: nine tenths to the tenth."""
    values = remembering(0.9, 4_000, 20)
    kept = np.arange(0, 4_000, 10)
    assert np.median(worth(values[kept])) > 4 * np.median(worth(values[:400]))


def test_a_gap_is_not_taken_for_a_step():
    """Of ten frames, nine are missing now and then; without stamps they would seem next."""
    values = remembering(0.9, 4_000, 20)
    kept = np.flatnonzero(np.arange(4_000) % 12 < 2)  # two in a row, then ten missing
    with_stamps = worth(values[kept], None, [100 * MS * int(at) for at in kept])
    assert np.median(with_stamps) == pytest.approx(_worth_by_theory(0.9, kept), rel=0.2)


def _worth_by_theory(phi: float, places: np.ndarray) -> float:
    return len(places) ** 2 / (phi ** np.abs(places[:, np.newaxis] - places)).sum()


def test_frames_without_a_value_are_gaps():
    values = remembering(0.9, 4_000, 20)
    kept = np.flatnonzero(np.arange(4_000) % 12 < 2)
    gappy = np.full_like(values, np.nan)
    gappy[kept] = values[kept]
    by_stamps = worth(values[kept], None, [100 * MS * int(at) for at in kept])
    assert worth(gappy) == pytest.approx(by_stamps, rel=1e-6)


@pytest.mark.parametrize('n_frames', [1, 2, 9])
def test_of_few_frames_nothing_is_told(n_frames):
    assert worth(np.arange(float(n_frames))[:, np.newaxis]) == n_frames


def test_equal_values_say_nothing_of_each_other():
    assert worth(np.full(100, 0.1)) == 100


def test_neighbours_that_differ_are_not_worth_more_than_they_are():
    assert worth(np.arange(100) % 2 * 1.0) == 100


def test_no_frame_is_worth_less_than_one_and_none_more_than_all():
    found = worth(np.hstack([remembering(phi, 60, 100) for phi in (0.0, 0.5, 0.99)]))
    assert (found >= 1).all()
    assert (found <= 60).all()


class TestIntervals:
    """As wide as those of so many independent frames."""

    @pytest.mark.parametrize(('phi', 'least'), [(0.0, 0.92), (0.5, 0.92), (0.9, 0.90)])
    def test_they_hold_the_truth_on_films_as_often_as_on_images(self, phi: float, least: float):
        of = mean_intervals(remembering(phi, 100, 400), Resampling(300))
        is_told = np.isfinite(of.low)
        held = (of.low <= 0) & (of.high >= 0)
        assert is_told.mean() > 0.9
        assert held[is_told].mean() > least

    def test_those_of_independent_frames_are_hardly_wider(self):
        values = remembering(0.0, 100, 400)
        of = mean_intervals(values, Resampling(300))
        own = mean_intervals(values, Resampling(300), recordings=[str(row) for row in range(100)])
        wider = (of.high - of.low) / (own.high - own.low)
        assert np.median(wider) == 1.0
        assert wider.mean() < 1.06

    def test_a_film_that_is_one_scene_has_none(self):
        of = mean_intervals(np.linspace(0, 1, 50)[:, np.newaxis], Resampling(100))
        assert np.isfinite(of.mean[0])
        assert np.isnan([of.low[0], of.high[0]]).all()
        assert of.n_effective[0] < 2

    def test_over_all_pixels_roots_are_of_the_same_frames(self):
        """Of equal weights, rmse over pixels is the root of the mean square, and as sure."""
        squares = np.square(1 + 0.1 * remembering(0.9, 400))
        columns = np.stack([np.sqrt(squares), np.ones(400), np.zeros(400)], axis=1)
        names = ['none/rmse', 'none/n', 'none/log_bias']
        of = over_pixels(columns, names, Resampling(100))
        plain = mean_intervals(squares[:, np.newaxis], Resampling(100))
        assert of.n_effective[0] == pytest.approx(plain.n_effective[0], rel=0.02)
        assert of.low[0] == pytest.approx(np.sqrt(plain.low[0]), rel=0.01)
