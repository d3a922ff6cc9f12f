# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Flicker: 0 for who is always wrong by the same factor, |ln k| for who alternates by k.

And the temporal alignment error: whether both answers and the recorded motion go together.
"""

from __future__ import annotations

from dataclasses import replace
import math

from clip_depth_ros.evaluation.score.consistency import estimate_motion, flicker, follows
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics
from clip_depth_ros.world.drive import Drive
import numpy as np
import pytest

PLAIN = EvaluationProtocol()
MS = 1_000_000


def sample_of(drive: Drive, index: int) -> DepthSample:
    frame = drive.frame(index, lidar=False)
    return DepthSample(
        f'frame {index}',
        frame.rgb,
        np.where(np.isfinite(frame.depth_m), frame.depth_m, 0).astype(np.float32),
        frame.intrinsics,
        stamp_ns=frame.stamp_ns,
        recording='drive',
        T_world_camera=frame.T_world_cam,
    )


@pytest.fixture(scope='module')
def frames() -> list[DepthSample]:
    """Two frames 0.1 s apart, about a metre of driving."""
    drive = Drive(6, width=160, height=48)
    return [sample_of(drive, index) for index in (20, 21)]


def of(frames, *factors, **changes) -> dict[str, float]:
    """Give the flicker of answers that are wrong by a factor each."""
    pairs = [
        (replace(frame, **changes), DepthMap((factor * frame.target_m).astype(np.float32)))
        for frame, factor in zip(frames, factors, strict=True)
    ]
    return dict(flicker(*pairs, PLAIN))


UNKNOWN_MOTION = {'T_world_camera': None}


@pytest.mark.parametrize('changes', [{}, UNKNOWN_MOTION])
class TestLaws:
    """Whether the motion is known or has to be estimated from the images."""

    @pytest.mark.parametrize('factor', [1, 0.6, 2.5])
    def test_the_same_factor_all_the_time_does_not_flicker(self, frames, changes, factor):
        assert of(frames, factor, factor, **changes)['flicker'] < 1e-6

    @pytest.mark.parametrize('k', [1.1, 0.5])
    def test_a_scale_that_alternates_is_seen_as_it_is(self, frames, changes, k):
        assert of(frames, 1, k, **changes)['flicker'] == pytest.approx(abs(math.log(k)), rel=1e-5)

    def test_most_of_the_street_stands_still(self, frames, changes):
        n = of(frames, 1, 1, **changes)['flicker/n']
        known = (frames[1].target_m > 0) & (frames[1].target_m < 80)
        assert n > 0.8 * np.count_nonzero(known)

    def test_it_says_where_the_motion_is_from(self, frames, changes):
        assert of(frames, 1, 1, **changes)['flicker/estimated'] == bool(changes)


def test_estimated_motion_gives_the_flicker_of_known_motion(frames):
    """Of answers with 5 % noise in each pixel and frame: sqrt(2) * 5 % * sqrt(2 / pi)."""
    dice = np.random.default_rng(0)
    noise = [np.exp(dice.normal(0, 0.05, frame.target_m.shape)) for frame in frames]
    known, estimated = of(frames, *noise), of(frames, *noise, **UNKNOWN_MOTION)
    assert known['flicker'] == pytest.approx(0.05 * 2 / math.sqrt(math.pi), rel=0.03)
    assert estimated['flicker'] == pytest.approx(known['flicker'], rel=0.02)


def test_the_estimated_motion_is_about_right(frames):
    before, now = frames
    places = np.flatnonzero((now.target_m > 0) & (now.target_m < 80))
    estimated = estimate_motion(now, before, places)
    true = np.linalg.solve(before.T_world_camera, now.T_world_camera)
    assert np.linalg.norm(estimated[:3, 3] - true[:3, 3]) < 0.1 * np.linalg.norm(true[:3, 3])


def test_what_moves_by_itself_does_not_count(frames):
    """A thing whose true depth is another one than that of its place before is left out."""
    before, now = frames
    moved = now.target_m.copy()
    moved[20:40, 60:100] *= 0.7
    found = of([before, replace(now, target_m=moved)], 1, 1)
    n_left_out = of(frames, 1, 1)['flicker/n'] - found['flicker/n']
    assert n_left_out > 0.75 * 20 * 40
    assert found['flicker'] < 1e-6


def test_a_thing_as_fast_as_the_camera_does_not_count(frames):
    """Its depth stays the same, which that of a standing thing would not: 1 m of 25 m is 4 %."""
    ahead = np.zeros((48, 160), bool)
    ahead[20:30, 70:90] = True
    with_car = [replace(f, target_m=np.where(ahead, 25, f.target_m).astype(np.float32))
                for f in frames]
    standing = [replace(f, target_m=np.where(ahead, 0, f.target_m).astype(np.float32))
                for f in frames]

    n_car = of(with_car, 1, 1)['flicker/n'] - of(standing, 1, 1)['flicker/n']
    assert n_car < 0.25 * np.count_nonzero(ahead)  # only its edge, next to other depths


def test_unknown_answers_do_not_count(frames):
    half = np.ones(frames[0].target_m.shape)
    half[:, :80] = np.nan
    whole = of(frames, 1, 1)['flicker/n']
    found = of(frames, half, 1)
    assert found['flicker'] < 1e-6
    assert 0.3 * whole < found['flicker/n'] < 0.7 * whole


def test_many_points_are_thinned_out():
    """Every third of 57 600; the result is the same for anybody."""
    camera = Drive(0, width=320, height=180).intrinsics
    gt = np.full((180, 320), 10, np.float32)
    rgb = np.zeros((180, 320, 3), np.uint8)
    pair = [
        DepthSample('', rgb, gt, camera, stamp_ns=i * 100 * MS, T_world_camera=np.eye(4))
        for i in (0, 1)
    ]
    assert of(pair, 1, 1)['flicker/n'] == 19_200


@pytest.mark.parametrize('changes', [
    {'intrinsics': None},
    {'intrinsics': Drive(0, width=320, height=96).intrinsics},
    {'stamp_ns': None},
    {'target_m': np.zeros((48, 160), np.float32)},
])
def test_nothing_is_said_where_nobody_can_tell(frames, changes):
    """No intrinsics, those of another size, no stamps, no truth."""
    before, now = frames
    now = replace(now, **changes)
    answer = DepthMap(before.target_m)
    assert not {*flicker((before, answer), (now, answer), PLAIN)} - {'tae'}  # needs no truth


def test_motion_cannot_be_estimated_without_texture(frames):
    grey = [replace(frame, rgb=np.full_like(frame.rgb, 90)) for frame in frames]
    assert of(grey, 1, 1, **UNKNOWN_MOTION) == {}


@pytest.mark.parametrize(('after_ns', 'recording', 'is_next'), [
    (100 * MS, 'a', True), (500 * MS, 'a', True), (501 * MS, 'a', False), (0, 'a', False),
    (-100 * MS, 'a', False), (100 * MS, 'b', False),
])
def test_which_frames_follow_each_other(after_ns, recording, is_next):
    first = DepthSample('', np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32),
                        stamp_ns=10**18, recording='a')
    second = replace(first, stamp_ns=10**18 + after_ns, recording=recording)
    assert follows(first, second) == is_next


def wall(z_m: float, at_m: float, stamp_ns: int = 0) -> DepthSample:
    """Return what a camera sees that has driven some way towards a wall."""
    T = np.eye(4)
    T[2, 3] = at_m
    shape = (24, 32)
    return DepthSample(
        'wall', np.zeros((*shape, 3), np.uint8), np.full(shape, z_m - at_m, np.float32),
        Intrinsics(30, 30, 15.5, 11.5, 32, 24), stamp_ns=stamp_ns, T_world_camera=T,
    )


def tae(before: DepthSample, now: DepthSample, *preds: np.ndarray) -> float:
    """Return the temporal alignment error of two answers."""
    return flicker((before, DepthMap(preds[0])), (now, DepthMap(preds[1])), PLAIN)['tae']


def theirs(before, now, first, second) -> float:
    """Return it pixel by pixel, in the manner of Video Depth Anything's code."""
    T = np.linalg.inv(now.T_world_camera) @ before.T_world_camera
    ways = ((first, second, T), (second, first, np.linalg.inv(T)))
    return float(np.mean([one_way(*way, before.intrinsics.matrix()) for way in ways]))


def one_way(one, other, T, K) -> float:
    height, width = one.shape
    moved = np.zeros(one.shape)
    for y in range(height):
        for x in range(width):
            point = np.linalg.inv(K) @ [x, y, 1] * float(one[y, x])
            point = T[:3, :3] @ point + T[:3, 3]
            u, v, w = K @ point
            column, row = round(u / w), round(v / w)
            if 0 <= column < width and 0 <= row < height:
                moved[row, column] = point[2]
    both = (moved > 0) & (other > 0)
    return float(np.mean(np.abs(other[both] - moved[both]) / other[both]))


class TestAlignmentError:
    @pytest.mark.parametrize('factor', [1, 1.5, 0.8])
    def test_by_hand(self, factor):
        """
        A wall at 10 m, seen from 2 m nearer next, answered k times as far.

        Moved there, 10 k - 2 against 8 k; moved back, 8 k + 2 against 10 k: 0 for k = 1 alone.
        """
        before, now = wall(10, 0), wall(10, 2, 100 * MS)
        preds = [(factor * each.target_m).astype(np.float32) for each in (before, now)]
        there = abs(10 * factor - 2 - 8 * factor) / (8 * factor)
        back = abs(8 * factor + 2 - 10 * factor) / (10 * factor)
        assert tae(before, now, *preds) == pytest.approx((there + back) / 2, abs=1e-6)

    def test_a_camera_at_rest_sees_no_scale(self):
        """Unlike a film with motion in it: there, and here, flicker is 0."""
        before, now = wall(10, 0), wall(10, 0, 100 * MS)
        preds = [3 * each.target_m for each in (before, now)]
        assert tae(before, now, *preds) == 0

    def test_it_is_that_of_the_code_of_video_papers(self, frames):
        """A smooth answer, so that no two points that fall on one pixel differ by much."""
        before, now = frames
        rows = np.arange(48, dtype=np.float32)[:, np.newaxis]
        first = np.broadcast_to(40 / (1 + 0.1 * rows), (48, 160)).astype(np.float32)
        second = (first * 1.07 + 0.5).astype(np.float32)
        assert tae(before, now, first, second) == pytest.approx(
            theirs(before, now, first, second), rel=1e-4
        )

    def test_even_the_truth_has_some(self, frames):
        """Behind what is near, things come into view and go; vehicles drive."""
        before, now = frames
        of_truth = tae(before, now, before.target_m, now.target_m)
        assert 0 < of_truth < 0.05
        noise = np.random.default_rng(0).lognormal(0, 0.1, now.target_m.shape).astype(np.float32)
        assert tae(before, now, before.target_m, now.target_m * noise) > of_truth + 0.05

    def test_it_needs_recorded_motion(self, frames):
        assert 'tae' not in of(frames, 1, 1, **UNKNOWN_MOTION)

    def test_where_nothing_is_answered_there_is_none(self, frames):
        before, now = frames
        nothing = DepthMap(np.full(now.target_m.shape, np.nan, np.float32))
        assert flicker((before, DepthMap(before.target_m)), (now, nothing), PLAIN) == {}
