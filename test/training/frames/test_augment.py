# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Augmented frames are what another camera would have seen: pixels, depth, intrinsics agree."""

from __future__ import annotations

import pickle
from typing import Any

from clip_depth_ros.core.image_plan import Window
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.training.frames.augment import augment
from clip_depth_ros.training.frames.geometry import (
    cropped,
    flipped,
    rotated,
    rotation_of_pixels,
    used_part,
)
from clip_depth_ros.training.frames.looks import recolored
from clip_depth_ros.types import Intrinsics
from hypothesis import given, strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from small_training import small_settings


def changes(**named: Any) -> TrainSettings:
    """Return settings with nothing augmented but what is named."""
    return small_settings('', **{'augment_flip': False, **named})


KITTI = changes(
    crop='kitti_benchmark', augment_rotate_deg=1, augment_crop_height_px=352,
    augment_crop_width_px=704, augment_flip=True, augment_gamma=0.1, augment_brightness=0.1,
    augment_color=0.1,
)
CAMERA = Intrinsics(60.0, 66.0, 33.0, 21.0, 64, 48)


def sample(height: int = 48, width: int = 64, *, intrinsics: Intrinsics | None = CAMERA):
    """Return a frame whose pixels tell where they were: red is the column, green the row."""
    v, u = np.mgrid[:height, :width]
    rgb = np.stack([u % 256, v % 256, (u + v) % 256], axis=-1).astype(np.uint8)
    return DepthSample('a', rgb, (1 + u + 100 * v).astype(np.float32), intrinsics)


def changed(frame: DepthSample, settings: TrainSettings, seed: int = 0) -> DepthSample:
    """Return a frame cropped and augmented."""
    part = used_part(frame, settings.crop)
    return augment(part, settings, np.random.default_rng(seed))


def seen(intrinsics: Intrinsics, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixel of a point in the camera's frame."""
    projected = intrinsics.matrix() @ point
    return projected[:2] / projected[2]


def point_at(u: int, v: int, depth_m: float) -> NDArray[np.float64]:
    """Return the point that CAMERA sees at a pixel."""
    return depth_m * np.linalg.solve(CAMERA.matrix(), [u, v, 1.0])


def one_known(u: int, v: int, depth_m: float) -> DepthSample:
    """Return a frame with the depth of one 3 x 3 spot known."""
    target_m = np.zeros((48, 64), np.float32)
    target_m[v - 1:v + 2, u - 1:u + 2] = depth_m
    return DepthSample('a', sample().rgb, target_m, CAMERA)


spots = st.tuples(st.integers(20, 44), st.integers(16, 32), st.floats(1, 80))


class TestGeometry:
    @given(spots, st.integers(0, 10), st.integers(0, 8))
    def test_a_crop_moves_pixels_and_the_principal_point(self, spot, x: int, y: int):
        u, v, depth_m = spot
        result = cropped(sample(), Window(x, y, 50, 36))
        np.testing.assert_allclose(
            seen(result.intrinsics, point_at(u, v, depth_m)), [u - x, v - y], atol=1e-9
        )
        assert result.target_m[v - y, u - x] == 1 + u + 100 * v
        assert (result.intrinsics.width, result.intrinsics.height) == (50, 36)

    @given(spots)
    def test_a_flip_mirrors_the_world(self, spot):
        u, v, depth_m = spot
        result = flipped(sample())
        mirrored = point_at(u, v, depth_m) * [-1, 1, 1]
        np.testing.assert_allclose(seen(result.intrinsics, mirrored), [63 - u, v], atol=1e-9)
        assert result.target_m[v, 63 - u] == 1 + u + 100 * v
        assert result.rgb[v, 63 - u, 0] == u

    def test_flipping_twice_is_nothing(self):
        again = flipped(flipped(sample()))
        np.testing.assert_array_equal(again.rgb, sample().rgb)
        np.testing.assert_array_equal(again.target_m, sample().target_m)
        assert again.intrinsics == CAMERA

    @given(spots, st.floats(-10, 10))
    def test_a_rotation_rolls_the_camera(self, spot, angle_deg: float):
        """A point of the turned world falls on the turned pixel; its depth is what it was."""
        u, v, depth_m = spot
        angle = np.deg2rad(angle_deg)
        turn = np.array([
            [np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1],
        ])
        turned = turn @ point_at(u, v, depth_m)
        assert turned[2] == pytest.approx(depth_m)
        result = rotated(one_known(u, v, depth_m), angle_deg)
        pixel = seen(result.intrinsics, turned)
        np.testing.assert_allclose(
            rotation_of_pixels(CAMERA, angle_deg) @ [u, v, 1], pixel, atol=1e-9
        )
        column, row = np.rint(pixel).astype(int)
        assert result.target_m[row, column] == np.float32(depth_m)
        rows, columns = np.nonzero(result.target_m)
        assert abs(columns.mean() - pixel[0]) < 0.5
        assert abs(rows.mean() - pixel[1]) < 0.5

    def test_a_rotation_mixes_no_depths(self):
        result = rotated(sample(), 7)
        assert set(np.unique(result.target_m)) <= {0.0, *np.unique(sample().target_m)}

    def test_colours_turn_as_depth_does(self):
        """A bright spot lies where its depth lies."""
        known = one_known(40, 30, 5.0)
        rgb = np.where(known.target_m[..., np.newaxis] > 0, 255, 0).repeat(3, 2).astype(np.uint8)
        result = rotated(DepthSample('a', rgb, known.target_m, CAMERA), -6)
        bright = np.argwhere(result.rgb[..., 0] > 127).mean(0)
        deep = np.argwhere(result.target_m > 0).mean(0)
        np.testing.assert_allclose(bright, deep, atol=0.4)

    def test_no_turn_is_nothing(self):
        result = rotated(sample(), 0)
        np.testing.assert_array_equal(result.rgb, sample().rgb)
        np.testing.assert_array_equal(result.target_m, sample().target_m)

    def test_without_intrinsics_it_turns_about_the_middle(self):
        unknown = sample(49, 65, intrinsics=None)
        result = rotated(unknown, 90)
        assert result.intrinsics is None
        assert result.target_m[24, 32] == unknown.target_m[24, 32]
        # x goes to y: what was right of the middle is now below it.
        assert result.target_m[30, 32] == unknown.target_m[24, 38]

    def test_what_was_not_seen_is_unknown(self):
        result = rotated(sample(), 45)
        assert result.target_m[0, 0] == 0
        assert not result.rgb[0, 0].any()


class TestColours:
    def test_worked_by_hand(self):
        rgb = np.full((1, 1, 3), 102, np.uint8)  # 0.4
        result = recolored(rgb, 2.0, np.array([1.0, 0.5, 10.0]))
        assert result.tolist() == [[[41, 20, 255]]]  # 0.16, 0.08 and 1.6 cut at 1

    def test_ones_change_nothing(self):
        np.testing.assert_array_equal(recolored(sample().rgb, 1.0, np.ones(3)), sample().rgb)

    @pytest.mark.parametrize('name', ['gamma', 'brightness', 'color'])
    def test_values_stay_within_their_spread(self, name: str):
        settings = changes(**{f'augment_{name}': 0.25})
        grey = DepthSample('a', np.full((1, 1, 3), 128, np.uint8), np.ones((1, 1), np.float32))
        values = np.array([changed(grey, settings, seed).rgb[0, 0] for seed in range(400)])
        level = 128 / 255
        low, high = (level**1.25, level**0.75) if name == 'gamma' else (0.75, 1.25)
        scale = 255 if name == 'gamma' else 128
        assert values.min() >= np.floor(low * scale)
        assert values.max() <= np.ceil(high * scale)
        assert values.max() - values.min() > 0.7 * (high - low) * scale
        is_grey = (values == values[:, :1]).all()
        assert is_grey == (name != 'color')

    def test_half_of_the_frames_keep_their_colours(self):
        settings = changes(augment_brightness=0.5)
        kept = sum(
            np.array_equal(changed(sample(), settings, seed).rgb, sample().rgb)
            for seed in range(200)
        )
        assert 70 < kept < 130


class TestRecipe:
    def test_kitti(self):
        frame = sample(375, 1242, intrinsics=Intrinsics(721.5, 721.5, 609.6, 172.9, 1242, 375))
        result = changed(frame, KITTI)
        assert result.rgb.shape == (352, 704, 3)
        assert result.target_m.shape == (352, 704)
        assert (result.intrinsics.width, result.intrinsics.height) == (704, 352)

    def test_the_benchmark_crop_is_at_the_bottom_in_the_middle(self):
        """375 x 1242: 23 rows from the top, 13 columns from the left."""
        frame = sample(375, 1242, intrinsics=None)
        result = changed(frame, changes(crop='kitti_benchmark'))
        np.testing.assert_array_equal(result.target_m, frame.target_m[23:, 13:1229])

    def test_nyu(self):
        frame = sample(480, 640, intrinsics=None)
        result = changed(frame, changes(crop='nyu_border'))
        np.testing.assert_array_equal(result.target_m, frame.target_m[45:472, 43:608])

    def test_nothing_asked_nothing_done(self):
        frame = sample()
        same = changed(frame, changes())
        assert np.shares_memory(same.rgb, frame.rgb)
        assert np.shares_memory(same.target_m, frame.target_m)

    def test_equal_generators_give_equal_frames(self):
        frame = sample(375, 1242, intrinsics=None)
        one, two, other = (changed(frame, KITTI, seed) for seed in (5, 5, 6))
        np.testing.assert_array_equal(one.rgb, two.rgb)
        np.testing.assert_array_equal(one.target_m, two.target_m)
        assert not np.array_equal(one.target_m, other.target_m)

    def test_the_frame_given_stays_as_it_is(self):
        frame, same = sample(375, 1242, intrinsics=None), sample(375, 1242, intrinsics=None)
        changed(frame, KITTI, 1)
        np.testing.assert_array_equal(frame.rgb, same.rgb)
        np.testing.assert_array_equal(frame.target_m, same.target_m)

    def test_windows_reach_every_corner(self):
        settings = changes(augment_crop_height_px=47, augment_crop_width_px=62)
        firsts = {
            float(changed(sample(), settings, seed).target_m[0, 0]) for seed in range(100)
        }
        assert firsts == {1.0, 2.0, 3.0, 101.0, 102.0, 103.0}

    def test_half_of_the_frames_are_flipped(self):
        settings = changes(augment_flip=True)
        n_flipped = sum(
            changed(sample(), settings, seed).target_m[0, 0] == 64 for seed in range(200)
        )
        assert 70 < n_flipped < 130

    @pytest.mark.parametrize('named', [
        {'crop': 'kitti_benchmark'}, {'crop': 'nyu_border'},
        {'augment_crop_width_px': 65, 'augment_crop_height_px': 48},
    ])
    def test_a_frame_that_is_too_small_is_named(self, named: dict[str, Any]):
        with pytest.raises(DataError, match=r'a: a window of .* into a frame of 64x48: choose'):
            changed(sample(), changes(**named))

    @pytest.mark.parametrize(('name', 'wrong'), [
        ('rotate_deg', -1), ('rotate_deg', 90), ('gamma', 1.0), ('color', -0.1),
        ('crop_width_px', -3),
    ])
    def test_settings_out_of_range_are_refused(self, name: str, wrong: float):
        with pytest.raises(ConfigError, match=f'augment_{name}'):
            changes(**{f'augment_{name}': wrong})

    def test_it_can_be_sent_to_a_worker(self):
        assert pickle.loads(pickle.dumps(KITTI)) == KITTI
