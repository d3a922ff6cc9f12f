# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison in one sentence: who is better, by how much, on how many frames."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from clip_depth_ros.evaluation.compare.conclusion import conclusion
from clip_depth_ros.evaluation.compare.paired import compare, Comparison, Contender
from clip_depth_ros.evaluation.results.result import FrameTable, PredictorResult, Result
from clip_depth_ros.evaluation.score.intervals import frames_needed, Resampling
from made_up_results import drive_result
import numpy as np
import pytest
from scipy.special import stdtrit


def result(n_frames: int = 40, **values: float) -> Result:
    """Return a result whose frames, single images, all have these values but for a ripple."""
    ripple = 1 + 0.01 * np.random.default_rng(0).permutation(np.linspace(-1, 1, n_frames))
    columns = {f'none/{name}': (value * ripple).tolist() for name, value in values.items()}
    ours = PredictorResult(
        describe={}, n_frames=n_frames, estimates={}, scale_spread=0.0, sums={}
    )
    return Result(
        title='plain', protocol={}, source={}, settings={}, versions={}, n_frames=n_frames,
        problems=[], predictors={'ours': ours},
        frames=FrameTable(
            indices=range(n_frames), names=[f'{i}' for i in range(n_frames)],
            recordings=[f'{i}' for i in range(n_frames)], stamps_ns=[None] * n_frames,
            values={'ours': columns},
        ),
    )


def compared(a: Result, *others: Result) -> Comparison:
    names = iter(('old', 'new', 'third', 'fourth'))
    contenders = [Contender('path', each, 'ours', next(names)) for each in (a, *others)]
    return compare(*contenders, resampling=Resampling(200))


def test_the_better_one_comes_first_whichever_it_is():
    said = 'off by 10 % of the true distance instead of 20 %, and better on 100% of 40 frames.'
    better, worse = result(abs_rel=0.1), result(abs_rel=0.2)
    assert conclusion(compared(better, worse)) == f'old is better than new: {said}'
    assert conclusion(compared(worse, better)) == f'new is better than old: {said}'


def test_equals_show_no_difference():
    assert conclusion(compared(result(abs_rel=0.1), result(abs_rel=0.1))) == (
        'No difference is shown between old and new: off by 10 % of the true distance and 10 %, '
        'on 40 frames; not even 100 times as many frames would show a difference so small.'
    )


def test_few_frames_tell_nothing():
    assert conclusion(compared(result(3, abs_rel=0.1), result(3, abs_rel=0.2))) == (
        'Too few frames to tell old and new apart: off by 10 % of the true distance and 20 %, '
        'on 3 frames; about 7 more frames would show a difference of this size.'
    )


class TestWhatIsMissing:
    """How much more there would have to be, in the unit that a person records in."""

    def noisy(self, *, offset: float, recordings: int, stamps: bool = True) -> Result:
        """Return 120 frames at 10 Hz that scatter by 0.05, some recordings of them."""
        made, rng = result(120, abs_rel=0.2), np.random.default_rng(int(1e6 * offset))
        made.frames.values['ours']['none/abs_rel'] = [*(
            0.2 + offset + 0.05 * rng.standard_normal(120)
        )]
        per = 120 // recordings
        frames = dataclasses.replace(
            made.frames, recordings=[f'{i // per}' for i in range(120)],
            stamps_ns=[10**8 * i if stamps else None for i in range(120)],
        )
        return dataclasses.replace(made, frames=frames)

    def said(self, **kind: Any) -> str:
        a, b = self.noisy(offset=0.0, **kind), self.noisy(offset=0.005, **kind)
        text = conclusion(compared(a, b))
        assert text.startswith('No difference is shown between old and new')
        return text.rpartition('; ')[2]

    @pytest.mark.parametrize(('kind', 'wanted'), [
        ({'recordings': 1}, r'about \d\d more seconds would show a difference of this size\.'),
        ({'recordings': 6}, r'about \d+ more recordings like these would show a .*'),
        ({'recordings': 1, 'stamps': False}, r'about \d\d\d more frames would show a .*'),
    ])
    def test_it_is_said(self, kind: dict[str, Any], wanted: str):
        assert re.fullmatch(wanted, self.said(**kind))

    def test_so_many_do_show_it(self):
        """By the law that it is made of: an interval is as wide as that of so many frames."""
        mean, half = 0.01, 0.03
        n_frames = frames_needed(mean, mean - half, mean + half, 20.0)
        wider = half * np.sqrt(19 / (n_frames - 1)) * stdtrit(n_frames - 1, 0.975) / stdtrit(
            19, 0.975
        )
        assert 0.97 * mean < wider < mean


def test_a_metric_that_says_the_opposite_is_named():
    a, b = result(abs_rel=0.1, rmse=5.0, delta1=0.7), result(abs_rel=0.2, rmse=4.0, delta1=0.8)
    assert conclusion(compared(a, b)).endswith('; by rmse and δ1, though, new is better.')


def test_of_several_all_are_in_one_sentence():
    comparison = compared(*(result(abs_rel=error) for error in (0.2, 0.3, 0.1, 0.4)))
    assert conclusion(comparison) == (
        'old is better than new and fourth; it is worse than third.'
    )


def test_without_abs_rel_the_first_value_decides():
    assert conclusion(compared(result(rmse=4.0), result(rmse=5.0))).startswith(
        'old is better than new: none/rmse 4 instead of 5'
    )


def test_without_a_value_in_common_nothing_is_claimed():
    assert conclusion(compared(result(rmse=4.0), result(log10=5.0))) == (
        'old and new have no value in common to judge them by.'
    )


def test_two_of_one_name_are_told_apart_by_their_letters():
    pair = compare(drive_result(5), drive_result(5), resampling=Resampling(100)).pairs[0]
    assert (pair.short_a, pair.short_b) == ('A (ours)', 'B (ours)')
