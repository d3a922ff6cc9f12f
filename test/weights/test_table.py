# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the numbers of the tables of the bundled weights mean."""

from __future__ import annotations

from clip_depth_ros.evaluation.run.baselines import Constant
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics
from clip_depth_ros.world.rendered_streets import Frames
from clip_depth_ros.world.rig import Rig
import numpy as np
import pytest
from weights.table import (
    Bucket,
    buckets_of,
    camera_buckets,
    Oracle,
    PROTOCOL,
    rows_of,
    seam_ratios,
)

CAMERA = Intrinsics(100.0, 100.0, 31.5, 15.5, 64, 32)


def _sample(depth_m, camera: Intrinsics | None = CAMERA, name: str = 'frame') -> DepthSample:
    depth_m = np.asarray(depth_m, np.float32)
    return DepthSample(name, np.zeros((*depth_m.shape, 3), np.uint8), depth_m, camera)


class Walls:
    """Four frames of walls at 2, 4, 10 and 20 metres, as a source."""

    name = 'walls'
    DEPTHS_M = (2.0, 4.0, 10.0, 20.0)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> DepthSample:
        if index > 3:
            raise IndexError(index)
        return _sample(np.full((32, 64), self.DEPTHS_M[index]), name=str(index))

    def describe(self) -> dict[str, str]:
        return {}


class TestRows:
    @pytest.fixture
    def result(self):
        return evaluate(Walls(), {'five': Constant(5.0)}, PROTOCOL)

    def test_they_are_means_over_frames(self, result):
        row = rows_of(result)['five']
        assert row['abs_rel'] == pytest.approx((1.5 + 0.25 + 0.5 + 0.75) / 4)
        assert row['frames'] == 4
        assert row['low'] <= row['abs_rel'] <= row['high']

    def test_the_scale_is_the_median_over_frames_of_how_much_too_far_they_are(self, result):
        assert rows_of(result)['five']['scale'] == pytest.approx((0.5 + 1.25) / 2)

    def test_buckets_are_in_the_order_of_their_numbers_and_count_their_frames(self, result):
        near, far = Bucket(0, 'near'), Bucket(1, 'far')
        buckets = buckets_of(result, [far, near, far, far])
        assert [*buckets] == ['near', 'far']
        assert buckets['near']['five'] == {
            **buckets['near']['five'], 'abs_rel': 0.25, 'scale': 1.25, 'frames': 1,
        }
        assert buckets['far']['five']['abs_rel'] == pytest.approx((1.5 + 0.5 + 0.75) / 3, abs=1e-4)
        assert buckets['far']['five']['frames'] == 3


@pytest.mark.parametrize(('rig', 'names'), [
    (Rig(Intrinsics(320.0, 320.0, 319.5, 239.5, 640, 480), 0.3, 0.0),
     ('90 to 100 deg', '4:3', '0.3 to 0.6 m', '-2 to 2 deg')),
    (Rig(Intrinsics(721.5, 721.5, 620.5, 187.0, 1242, 375), 1.65, np.radians(-7)),
     ('75 to 90 deg', '3.3:1', '1.2 to 1.7 m', '-12 to -6 deg')),
    (Rig(Intrinsics(500.0, 500.0, 199.5, 199.5, 400, 400), 2.2, np.radians(12)),
     ('45 to 60 deg', '1:1', '1.7 to 2.2 m', '6 to 12 deg')),
])
def test_cameras_are_sorted_by_what_they_see_their_shape_and_their_mount(rig, names):
    buckets = camera_buckets([rig])
    assert tuple(each[0].name for each in buckets.values()) == names


class TestOracle:
    def test_it_mixes_the_nearest_words_of_each_patch(self):
        depth_m = np.full((16, 32), 2.0)
        depth_m[:, 16:] = np.inf
        depth_m[:8, 16:] = 20.0  # half a patch far, half sky: sky has no say
        depth_m[:4, :4] = 30.0
        [answer] = Oracle((2.0, 20.0), 100.0).answer([_sample(depth_m)])
        assert answer.depth_m[0, 0] == pytest.approx(2 + 18 / 16)
        assert answer.depth_m[-1, -1] == pytest.approx(20)

    def test_patches_and_words_are_those_of_the_network_behind_another_lens(self):
        camera = Intrinsics(200.0, 200.0, 31.5, 31.5, 64, 64)
        sample = _sample(np.full((64, 64), 4.0), camera)
        [answer] = Oracle((2.0, 20.0), 100.0).answer([sample])
        # 32 x 32 pixels at the focal length of the network, where 4 m are 4 m again.
        assert answer.depth_m == pytest.approx(np.full((64, 64), 2.0))

    def test_where_there_is_sky_alone_it_answers_the_farthest(self):
        [answer] = Oracle((2.0, 20.0), 100.0).answer([_sample(np.zeros((16, 16)))])
        assert (answer.depth_m == 20).all()
        assert isinstance(answer, DepthMap)


def test_seams_show_as_a_ratio_above_one():
    rows = np.linspace(0, 1, 32)
    smooth = np.exp(0.3 * (rows[None, :, None] + rows[None, None, :])).astype(np.float32)
    seams = smooth * np.exp(0.05 * (np.arange(32) // 8 % 2))[None, :, None].astype(np.float32)
    frames = Frames(
        np.zeros((1, 32, 32, 3), np.uint8), np.full((1, 32, 32), 10.0, np.float32),
        np.zeros((1, 32, 32), np.uint8),
    )
    assert seam_ratios(smooth, frames, (8, 8))[0] == pytest.approx(1, rel=1e-3)
    assert seam_ratios(seams, frames, (8, 8))[0] > 3
