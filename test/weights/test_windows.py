# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is done to frames before the small CLIP sees them, and in which order it sees them."""

from __future__ import annotations

from collections import Counter

from clip_depth_ros.world.rendered_streets import Frames
from hypothesis import given, strategies as st
import numpy as np
import pytest
import torch
from weights.augment import draw_windows, look_through, relit, Windows, ZOOM
from weights.captions import Vocabulary
from weights.feed import Feed

WORDS = Vocabulary(('sky', 'wall'), ('close', 'far'), (2.0, 20.0))
PATCH = (8, 16)


def _frames(n: int, height: int, width: int, seed: int = 0) -> Frames:
    rng = np.random.default_rng(seed)
    return Frames(
        rng.integers(0, 256, (n, height, width, 3), np.uint8),
        rng.uniform(1, 40, (n, height, width)).astype(np.float16),
        rng.integers(0, 2, (n, height, width), np.uint8),
    )


def _seen(frames: Frames, windows: Windows):
    parts = (torch.from_numpy(each) for each in (frames.rgb, frames.depth_m, frames.class_ids))
    return look_through(windows, *parts)


def _window(height, width, *, zoom=1.0, top=0.0, left=0.0, is_flipped=False) -> Windows:
    numbers = (np.array([each]) for each in (zoom, top, left, is_flipped))
    return Windows(height, width, *numbers)


class TestWindows:
    def test_one_that_is_not_zoomed_is_a_part_of_the_frame_as_it_is(self):
        frames = _frames(1, 32, 64)
        seen = _seen(frames, _window(16, 48, top=3, left=7))
        part = (slice(None), slice(3, 19), slice(7, 55))
        np.testing.assert_array_equal((seen.rgb * 255).round().byte(), frames.rgb[part])
        np.testing.assert_array_equal(seen.depth_m, frames.depth_m[part])
        np.testing.assert_array_equal(seen.class_ids, frames.class_ids[part])

    def test_a_mirrored_one_has_left_and_right_exchanged(self):
        frames = _frames(1, 32, 64)
        plain = _seen(frames, _window(16, 48, top=3, left=7))
        mirrored = _seen(frames, _window(16, 48, top=3, left=7, is_flipped=True))
        for one, other in zip(plain, mirrored, strict=True):
            assert torch.equal(one.flip(2), other)

    def test_what_is_seen_twice_as_large_is_half_as_far(self):
        frames = _frames(1, 8, 16)
        seen = _seen(frames, _window(8, 16, zoom=2.0, top=2.0, left=4.0))
        part = frames.depth_m[:, 2:6, 4:12]
        np.testing.assert_array_equal(
            seen.depth_m, part.repeat(2, axis=1).repeat(2, axis=2).astype(np.float32) / 2
        )

    def test_colours_are_interpolated_between_the_centres_of_pixels(self):
        rgb = np.zeros((1, 1, 4, 3), np.uint8)
        rgb[0, 0, 2:] = 200
        frames = Frames(rgb, np.ones((1, 1, 4), np.float32), np.zeros((1, 1, 4), np.uint8))
        seen = _seen(frames, _window(2, 8, zoom=2.0))
        np.testing.assert_allclose(
            255 * seen.rgb[0, 0, :, 0], [0, 0, 0, 50, 150, 200, 200, 200], atol=1e-3
        )

    def test_sky_stays_beyond_all(self):
        frames = _frames(1, 8, 16)
        frames.depth_m[:] = np.inf
        assert torch.isinf(_seen(frames, _window(8, 16, zoom=1.3)).depth_m).all()

    @given(seed=st.integers(0, 2**32), rows=st.integers(1, 12), columns=st.integers(1, 20))
    def test_all_are_whole_patches_within_the_frame(self, seed, rows, columns):
        size = (8 * rows, 16 * columns)
        windows = draw_windows(np.random.default_rng(seed), 8, size, PATCH)
        assert (windows.height % 8, windows.width % 16) == (0, 0)
        for begins, side, whole in (
            (windows.tops, windows.height, size[0]), (windows.lefts, windows.width, size[1])
        ):
            assert (begins >= -1e-9).all()
            assert (begins + side / windows.zoom <= whole + 1e-9).all()
        assert (windows.zoom <= ZOOM + 1e-9).all()
        assert (windows.zoom >= 1 / ZOOM - 1e-9).all()


class TestLight:
    def test_it_stays_a_picture_and_follows_from_its_generators(self):
        rgb = torch.rand(6, 24, 40, 3, generator=torch.Generator().manual_seed(0))

        def again():
            return relit(rgb, np.random.default_rng(3), torch.Generator().manual_seed(4))

        lit = again()
        assert lit.shape == rgb.shape
        assert lit.min() >= 0
        assert lit.max() <= 1
        assert torch.equal(lit, again())
        assert (lit - rgb).abs().mean(dim=(1, 2, 3)).min() > 0.01  # none as it was


class TestFeed:
    FRAMES = (_frames(8, 96, 320), _frames(9, 64, 160))

    def feed(self, seed: int = 0) -> Feed:
        return Feed(self.FRAMES, WORDS, batch=2, patch=PATCH, seed=seed, device='cpu')

    def test_a_step_sees_frames_of_one_size_and_of_small_ones_more(self):
        sizes = Counter(
            (which, len(indices)) for which, indices in map(self.feed().frames_of, range(5))
        )
        assert sizes == {(0, 2): 4, (1, 6): 1}

    def test_every_frame_comes_once_before_any_comes_again(self):
        feed = self.feed()
        seen = [index for step in range(5) for which, index in [feed.frames_of(step)] if not which]
        assert sorted(np.concatenate(seen)) == list(range(8))

    def test_epochs_are_not_alike(self):
        feed = self.feed()
        orders = [[tuple(feed.frames_of(step)[1]) for step in range(n, n + 5)] for n in (0, 5)]
        assert orders[0] != orders[1]

    def test_what_a_step_sees_follows_from_seed_and_number_alone(self):
        feed, other = self.feed(), self.feed()
        first = [feed.batch(step) for step in range(4)]
        late = other.batch(3)
        assert torch.equal(first[3].rgb, late.rgb)
        assert torch.equal(first[3].shares, late.shares)
        assert first[3].rng.random() == late.rng.random()
        assert not torch.equal(self.feed(seed=1).batch(3).shares, late.shares)

    @pytest.mark.parametrize('step', range(5))
    def test_of_each_patch_is_said_what_its_kind_is_and_that_it_is_an_object(self, step):
        rgb, shares, _ = self.feed().batch(step)
        assert shares.shape == (len(rgb), rgb.shape[1] // 8, rgb.shape[2] // 16, 3 * 2)
        torch.testing.assert_close(shares.sum(dim=-1), torch.ones(shares.shape[:3]))
        torch.testing.assert_close(shares[..., 4:], shares[..., 0:2] + shares[..., 2:4])
