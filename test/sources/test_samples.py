# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of samples: parts of them, and what is noticed before a training starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import pickle

from clip_depth_ros.errors import DataError
from clip_depth_ros.sources.samples import check_source, DepthSample, reasons_text, Subset
from hypothesis import given, strategies as st
import numpy as np
import pytest


@dataclass
class Numbers:
    """Frames whose depth is a function of their number; None: it cannot be read."""

    depth_of: Callable[[int], float | None]
    n_frames: int = 100
    name: str = 'the numbers'
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, index: int) -> DepthSample:
        self.asked.append(index)
        depth_m = self.depth_of(index)
        if depth_m is None:
            raise DataError(f'frame {index} is truncated')
        target_m = np.full((2, 3), depth_m, np.float32)
        return DepthSample(f'frame {index}', np.zeros((2, 3, 3), np.uint8), target_m)

    def describe(self) -> Mapping[str, str]:
        return {'source': 'numbers'}


def ten(index: int) -> float:
    """Give a plausible depth."""
    return 10.0


class TestSubset:
    def test_it_renumbers_the_whole(self):
        source = Numbers(float)
        part = Subset(source, (7, 3))
        assert (len(part), part.name) == (2, 'the numbers')
        assert [part[index].name for index in range(2)] == ['frame 7', 'frame 3']

    def test_it_ends(self):
        """Iterating stops, as IndexError says that there is no more."""
        names = [sample.name for sample in Subset(Numbers(float), (1, 2))]
        assert names == ['frame 1', 'frame 2']

    def test_it_can_be_sent_to_another_process(self):
        part = pickle.loads(pickle.dumps(Subset(Numbers(ten), (7, 3))))
        assert part[0].name == 'frame 7'

    @pytest.mark.parametrize(('indices', 'part'), [
        ((), ''),
        ((4,), '4'),
        ((0, 1, 2), '0-2'),
        ((0, 1, 5, 7, 8), '0-1 5 7-8'),
        ((2, 1, 0), '2 1 0'),
        (tuple(range(23_158)), '0-23157'),
    ])
    def test_it_describes_which_part(self, indices, part):
        described = Subset(Numbers(ten, 30_000), indices).describe()
        assert described == {'source': 'numbers', 'part': part}

    def test_a_long_description_is_a_hash_that_tells_parts_apart(self):
        even, odd = (
            Subset(Numbers(ten), tuple(range(first, 1000, 2))).describe()['part']
            for first in (0, 1)
        )
        assert even.startswith('500 frames, sha256 ')
        assert len(even) == len('500 frames, sha256 ') + 64
        assert even != odd

    @given(st.lists(st.integers(0, 50), max_size=20), st.lists(st.integers(0, 50), max_size=20))
    def test_equal_descriptions_mean_equal_parts(self, one, other):
        """They are keys of caches: frames of another part must never be taken for these."""
        parts = [Subset(Numbers(ten), tuple(indices)).describe() for indices in (one, other)]
        assert (parts[0] == parts[1]) == (one == other)


class TestCheck:
    def test_a_good_source_passes_and_few_frames_are_read(self):
        """First and last among them: that is where lists and recordings go wrong."""
        source = Numbers(ten, 20_000)
        check_source(source)
        assert len(source.asked) == 16
        assert source.asked[0] == 0
        assert source.asked[-1] == 19_999

    @pytest.mark.parametrize('n_frames', [1, 2, 15, 16, 17])
    def test_no_frame_of_a_small_source_is_read_twice(self, n_frames):
        source = Numbers(ten, n_frames)
        check_source(source)
        assert source.asked == sorted(set(source.asked))
        assert len(source.asked) == min(n_frames, 16)

    def test_frames_that_do_not_decode_are_left_to_the_training(self):
        """It knows how many of them are tolerated."""
        check_source(Numbers(lambda index: None if index == 0 else 10.0))

    def test_frames_without_depth_are_no_fault_as_long_as_some_have_it(self):
        check_source(Numbers(lambda index: 10.0 if index == 99 else 0.0))

    def test_an_empty_source(self):
        with pytest.raises(DataError) as error:
            check_source(Numbers(ten, 0))
        assert str(error.value) == (
            'the numbers has no frames: check its list, folder or topics'
        )

    def test_no_frame_can_be_read(self):
        with pytest.raises(DataError) as error:
            check_source(Numbers(lambda index: None, 3))
        assert str(error.value) == (
            'none of 3 frames of the numbers could be read: 3 x frame 0 is truncated'
        )

    @pytest.mark.parametrize('depth_m', [0.0, np.nan, np.inf, -3.0])
    def test_no_frame_has_depth(self, depth_m):
        with pytest.raises(DataError) as error:
            check_source(Numbers(lambda index: depth_m))
        assert str(error.value) == (
            'none of the frames of the numbers that were looked at has any depth: check that '
            'images and depth belong together'
        )

    def test_frames_that_cannot_be_read_are_named_beside_those_without_depth(self):
        with pytest.raises(DataError, match=r'belong together \(2 x frame 0 is truncated\)$'):
            check_source(Numbers(lambda index: None if index < 2 else 0.0, 3))

    @pytest.mark.parametrize('depth_m', [0.05, 2.5, 30.0, 500.0])
    def test_plausible_depths(self, depth_m):
        check_source(Numbers(lambda index: float(np.float32(depth_m))))

    @pytest.mark.parametrize(('depth_m', 'given'), [(5120.0, '5120'), (0.01, '0.01')])
    def test_another_unit_than_metres(self, depth_m, given):
        """20 m of KITTI is 5120 as stored."""
        with pytest.raises(DataError) as error:
            check_source(Numbers(lambda index: depth_m))
        assert str(error.value) == (
            f'the median depth of the numbers is {given} m, outside of 0.05 to 500: its unit is '
            'not metres (millimetres want / 1000, KITTI PNGs / 256)'
        )


class TestReasons:
    def test_those_that_differ_in_numbers_alone_are_one(self):
        """Frames, stamps and files have numbers; what is wrong with them is the same."""
        reasons = ['b 7: cut off', 'a 1: needs 3 bytes, has 2', 'b 8: cut off', 'b 19: cut off']
        assert reasons_text(reasons) == '3 x b 7: cut off; 1 x a 1: needs 3 bytes, has 2'

    def test_the_rarest_of_many_are_counted(self):
        reasons = [letter for place, letter in enumerate('abcdefg', 1) for _ in range(place)]
        assert reasons_text(reasons) == '7 x g; 6 x f; 5 x e; 4 x d; 3 x c; and 2 other reasons'
