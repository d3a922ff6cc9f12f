# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever the camera, frames reach the network at one focal length, labels in its metres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.predictor.views import TrainedAt, Views
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.samples import DepthSample, Joined, parts_of, Subset
from clip_depth_ros.training.frames.frames import FrameSet, in_chunks, load_batches
from clip_depth_ros.training.frames.inputs import (
    camera_facts,
    canonical_focal,
    Inputs,
    plan_inputs,
)
from clip_depth_ros.training.frames.order import Order
from clip_depth_ros.training.frames.tokens import open_tokens, TokenKey, TokenSet, write_tokens
from clip_depth_ros.types import Intrinsics
import numpy as np
from numpy.typing import NDArray
import pytest
from ramps import Ramps
from seen_cameras import Slope, slope_depth
from small_training import small_settings

STRIDE = Size(8, 16)
WIDE = Intrinsics(60.0, 60.0, 65.0, 30.0, 128, 64)
LONG = Intrinsics(120.0, 120.0, 70.0, 55.0, 160, 120)
FOCAL_PX = 60.0


def planned(source: Any, focal_px: float = FOCAL_PX, **changes: Any) -> FrameSet:
    settings = small_settings('', **{'augment_flip': False, **changes})
    inputs = plan_inputs(source, settings, STRIDE, focal_px)
    return FrameSet(source, inputs, settings)


def augmented(source: Any, *, focal_px: float = FOCAL_PX, **changes: Any) -> FrameSet:
    plain = planned(source, focal_px, **changes)
    order = Order(plain.inputs.groups(), 0, n_together=2)
    return FrameSet(source, plain.inputs, plain.settings, order)


def patch_depths(frame: Any, grid: Size) -> NDArray[np.floating]:
    """Return the label at the centre of each patch."""
    height, width = frame.target_m.shape
    patch = Size(height // grid.height, width // grid.width)
    return frame.target_m[patch.height // 2::patch.height, patch.width // 2::patch.width].ravel()


class TestSize:
    def test_it_is_that_of_the_canonical_focal_length_and_of_prediction(self):
        """160 x 120 behind 120 px is 80 x 60 at 60 px: 5 by 8 patches of 16 x 8, nearly."""
        assert planned(Slope(LONG)).inputs.sizes == [Size(64, 80)]
        views = Views(PredictorSettings(), TrainedAt(focal_px=FOCAL_PX), STRIDE)
        assert views.of(Size(120, 160), LONG).plan.size == Size(64, 80)

    def test_a_size_that_is_asked_for_overrules(self):
        frames = planned(Slope(LONG), input_height_px=32, input_width_px=160)
        assert frames.inputs.sizes == [Size(32, 160)]
        # fx 120, fy 32: the geometric mean is 61.97.
        assert frames[0].focal_ratio == pytest.approx(np.sqrt(120 * 32) / 60)

    def test_without_a_camera_it_is_that_of_the_frame(self):
        frames = planned(Ramps(2), 0.0)
        assert frames.inputs.sizes == [Size(32, 64)]
        assert (frames[0].focal_ratio, frames[0].rays) == (1.0, None)

    def test_frames_of_another_shape_are_not_squeezed(self):
        frames = planned(Slope(WIDE))
        squeezed = FrameSet(Slope(LONG), frames.inputs, frames.settings)
        assert 'has 160x120 pixels, of another shape' in squeezed[1].problem
        assert 'sources of their own' in squeezed[1].problem

    def test_frames_without_intrinsics_among_others_are_named(self):
        frames = planned(Joined(Slope(WIDE), Ramps(2)))
        assert 'has no intrinsics' in frames[6].problem
        assert frames[0].problem == ''


class TestFocal:
    def test_it_is_what_the_settings_say(self):
        settings = small_settings('', focal_px=93.0)
        assert canonical_focal(Slope(LONG), settings, STRIDE) == 93.0

    def test_else_that_of_the_first_frame_at_the_size_of_the_training(self):
        assert canonical_focal(Slope(WIDE), small_settings(''), STRIDE) == pytest.approx(60.0)
        asked = small_settings('', input_height_px=32, input_width_px=64)
        assert canonical_focal(Slope(WIDE), asked, STRIDE) == pytest.approx(30.0)

    def test_without_a_camera_there_is_none(self):
        assert canonical_focal(Ramps(2), small_settings('', focal_px=93.0), STRIDE) == 0.0

    def test_rays_need_one(self):
        with pytest.raises(ConfigError, match='rays need the camera of each frame'):
            canonical_focal(Ramps(2), small_settings('', rays=True), STRIDE)

    def test_what_cameras_were_seen_is_told(self):
        source = Joined(Slope(WIDE), Slope(LONG))
        facts, assumed = camera_facts(source, planned(source).inputs)
        assert assumed == []
        low, typical, high = facts['hfov_deg']
        assert low == pytest.approx(LONG.hfov_deg, abs=0.01)
        assert high == pytest.approx(WIDE.hfov_deg, abs=0.01)
        assert low <= typical <= high
        assert facts['input_sizes'] == ['128x64', '80x64']
        assert camera_facts(Ramps(2), planned(Ramps(2), 0.0).inputs) == ({}, [])

    def test_what_was_assumed_of_frames_is_told_once(self):
        """Counts of pixels are no assumptions about cameras."""
        class Doubtful(Ramps):
            def __getitem__(self, index: int) -> DepthSample:
                return replace(super().__getitem__(index), notes={'its camera': 0, 'pixels': 3})

        assert camera_facts(Doubtful(2), planned(Doubtful(2), 0.0).inputs)[1] == ['its camera']


class TestLabels:
    @pytest.mark.parametrize('camera', [WIDE, LONG])
    def test_depth_is_in_the_metres_of_the_network(self, camera: Intrinsics):
        """Twice the focal length, half the label: LONG at 80 x 64 has 60 and 64 px."""
        frame = planned(Slope(camera))[0]
        size = Size(*frame.target_m.shape)
        own = camera.scaled_to(size.width, size.height)
        assert frame.focal_ratio == pytest.approx(own.focal_px / FOCAL_PX)
        grid = Size(size.height // 8, size.width // 16)
        true_m = slope_depth(*frame.rays.T)
        np.testing.assert_allclose(
            patch_depths(frame, grid) * frame.focal_ratio, true_m, rtol=0.02
        )

    def test_held_out_targets_stay_true(self):
        frames = planned(Slope(LONG))
        held_out = FrameSet(frames.source, frames.inputs, frames.settings, keep_target_size=True)
        np.testing.assert_array_equal(held_out[0].target_m, Slope(LONG)[0].target_m)
        assert held_out[0].focal_ratio == frames[0].focal_ratio

    def test_the_sky_is_as_far_however_much_it_is_enlarged(self):
        frames = augmented(Slope(WIDE), augment_zoom=2.0, sky_depth_m=7.0)
        for position in range(6):
            frame = frames[position]
            far = slope_depth(*frame.rays.T) >= 7.1
            grid = Size(8, 8)
            assert (patch_depths(frame, grid)[far] == 7.0).all()


class TestAugmentation:
    """A pixel shows what its ray says, in the metres of its focal length."""

    @pytest.mark.parametrize('changes', [
        {'augment_zoom': 2.0}, {'augment_window': 0.5}, {'augment_flip': True},
        {'augment_crop_width_px': 48, 'augment_crop_height_px': 32},
        {'augment_zoom': 1.5, 'augment_window': 0.4, 'augment_flip': True},
    ])
    @pytest.mark.parametrize('camera', [WIDE, LONG])
    def test_rays_and_labels_agree(self, camera: Intrinsics, changes: dict[str, Any]):
        is_flipped = 'augment_flip' in changes
        frames, ratios, corners = augmented(Slope(camera), **changes), set(), set()
        for position in range(24):
            frame = frames[position]
            assert frame.problem == ''
            size = Size(*frame.target_m.shape)
            grid = Size(size.height // 8, size.width // 16)
            assert size == (grid.height * 8, grid.width * 16)
            assert frame.rays.shape == (grid.height * grid.width, 2)
            said = patch_depths(frame, grid) * frame.focal_ratio
            x, y = frame.rays.T
            errors = [np.abs(said / slope_depth(side * x, y) - 1).max() for side in (1, -1)]
            assert min(errors[:1 + is_flipped]) < 0.02
            ratios.add(round(frame.focal_ratio, 3))
            corners.add(tuple(np.round(frame.rays[0], 3)))
        assert len(corners) > 1
        if 'augment_zoom' in changes:
            assert max(ratios) > 1.2

    def test_colours_move_with_depth(self):
        """Of the plane, red is 20 times the depth."""
        frames = augmented(Slope(WIDE), augment_zoom=1.8, augment_window=0.3)
        for position in range(8):
            frame = frames[position]
            true_m = frame.target_m * frame.focal_ratio
            np.testing.assert_allclose(frame.rgb[..., 0] / 20, true_m, atol=0.15)

    def test_a_window_leaves_room_to_make_smaller(self):
        ratios = [
            augmented(Slope(WIDE), augment_zoom=2.0, augment_window=0.6)[i].focal_ratio
            for i in range(0, 40, 2)
        ]
        assert min(ratios) < 0.9
        # Without one, half of them stay as they are.
        plain = [augmented(Slope(WIDE), augment_zoom=2.0)[i].focal_ratio for i in range(40)]
        assert min(plain) == 1.0

    def test_without_a_camera_a_zoom_is_that_of_a_longer_lens(self):
        frames = augmented(Ramps(2), focal_px=0.0, augment_zoom=2.0)
        plain = planned(Ramps(2), 0.0)
        shrunk = [
            frames[i].target_m[frames[i].target_m > 0].max() / plain[n].target_m.max()
            for i in range(10) for n in [frames.order.frame_at(i)]
        ]
        assert min(shrunk) < 0.8
        assert all(frames[i].rays is None for i in range(3))

    def test_windows_of_a_batch_have_one_size_and_batches_several(self):
        frames = augmented(Slope(WIDE), augment_window=0.6)
        batches = list(load_batches(frames, in_chunks(range(20), 2), 0))
        assert len({batch.size for batch in batches}) > 3
        assert all(batch.size.height % 8 == batch.size.width % 16 == 0 for batch in batches)


class TestSeveralCameras:
    SOURCE = Joined(Slope(WIDE, 7, name='wide'), Slope(LONG, 5, name='long'))

    def test_parts_are_those_of_the_sources(self):
        assert parts_of(self.SOURCE).tolist() == [0] * 7 + [1] * 5
        assert parts_of(Subset(self.SOURCE, (11, 0, 8))).tolist() == [1, 0, 1]
        both = Joined(self.SOURCE, self.SOURCE)
        assert parts_of(both).tolist() == [0] * 7 + [1] * 5 + [2] * 7 + [3] * 5
        assert parts_of(Ramps(2)).tolist() == [0, 0]

    def test_a_batch_is_of_one_size_and_all_frames_come(self):
        frames = planned(self.SOURCE)
        order = Order(frames.inputs.groups(), 3, n_together=4)
        numbers = [order.frame_at(position) for position in range(4 * 60)]
        for chunk in in_chunks(numbers, 4):
            assert len({frames.inputs.of(number).size for number in chunk}) == 1
        counts = np.bincount(numbers, minlength=12)
        # 7 and 5 frames by four: two turns to one.
        assert counts[:7].sum() == 2 * counts[7:].sum()
        assert counts[:7].max() - counts[:7].min() <= 1
        again = Order(frames.inputs.groups(), 3, n_together=4)
        assert again.frame_at(101) == numbers[101]
        other = Order(frames.inputs.groups(), 4, n_together=4)
        assert [other.frame_at(i) for i in range(240)] != numbers

    def test_frames_that_can_go_together_are_one_group(self):
        source = Joined(Slope(WIDE, 3), Slope(LONG, 2), Slope(WIDE, 2))
        groups = planned(source).inputs.groups()
        assert [group.tolist() for group in groups] == [[0, 1, 2, 5, 6], [3, 4]]
        assert [group.tolist() for group in planned(source).inputs.groups(one_size=True)] == [
            [*range(7)]
        ]

    def test_tokens_keep_rays_and_focal_lengths_and_a_flip_mirrors_them(self, tmp_path: Path):
        frames = planned(Slope(LONG, 3), augment_flip=True)
        key = TokenKey({}, 3, has_flipped=True)
        batches = load_batches(frames, [[0, 1, 2]], 0)
        write_tokens(
            tmp_path, key, batches, lambda rgbs: np.zeros((len(rgbs), 1, 41, 2), np.float16),
            stride=STRIDE, target_dtype=np.float32,
        )
        cache = open_tokens(tmp_path, key)
        assert cache is not None
        tokens = TokenSet(
            [cache], np.array([(0, frame) for frame in range(3)]),
            Order(frames.inputs.groups(), 0), may_flip=True,
        )
        views = set()
        for position in range(12):
            batch, (_, frame, view) = tokens.batch([position]), tokens._pick(position)
            views.add(view)
            assert batch.focal_ratios[0] == pytest.approx(frames[frame].focal_ratio)
            seen = LONG.scaled_to(80, 64)
            rays = frames.inputs.rays(seen.flipped() if view else seen)
            np.testing.assert_allclose(batch.rays[0], rays, atol=1e-6)
        assert views == {0, 1}


def test_inputs_can_be_sent_to_a_worker():
    frames = augmented(Joined(Slope(WIDE), Slope(LONG)), augment_window=0.3, rays=True)
    alone, shared = (list(load_batches(frames, [[0, 1], [2, 3]], n)) for n in (0, 1))
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.rgbs, other.rgbs)
        np.testing.assert_array_equal(one.rays, other.rays)


def test_inputs_of_no_parts_have_no_sizes():
    assert Inputs(np.zeros(0, np.intp), (), 0.0, STRIDE).sizes == []


def test_none_that_can_be_read_says_why():
    with pytest.raises(DataError, match=r'none of the first 20 .* is truncated'):
        planned(Ramps(2, bad=(0, 1)), 0.0)
