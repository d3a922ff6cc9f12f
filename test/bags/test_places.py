# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a user must know of how images and depth were brought together."""

from __future__ import annotations

from clip_depth_ros.bags.places import Matching, notes_on
import pytest


@pytest.mark.parametrize(('matching', 'notes'), [
    (Matching(10), []),
    (Matching(10, tolerance_s=0.05, stamp_gap_max_s=0.01), []),
    (
        Matching(10, n_without_depth=8, tolerance_s=0.05),
        ['8 of 10 images have no depth within 0.05 s'],
    ),
    (Matching(10, n_without_depth=1), ['1 of 10 images has no depth']),
    (
        Matching(10, n_shared=4, tolerance_s=0.05),
        ['4 of 10 images are left out: the depth nearest to each is nearer to another image'],
    ),
    (
        Matching(10, n_repeated=4, tolerance_s=0.05),
        ['4 images have a stamp that another one has, too: matched by receive time'],
    ),
    (
        Matching(10, n_repeated=4),
        ['4 images have a stamp that another one has, too: those of one stamp share a depth map, '
         'unless it is 0'],
    ),
    (
        Matching(10, tolerance_s=0.05, stamp_gap_max_s=0.0432),
        ['images and their depth are up to 0.0432 s apart'],
    ),
])
def test_each_is_a_sentence(matching: Matching, notes: list[str]) -> None:
    assert notes_on([matching]) == notes


def test_several_are_summed_up() -> None:
    one = Matching(10, 2, 1, tolerance_s=0.05, n_repeated=2, stamp_gap_max_s=0.02)
    other = Matching(5, 1, 0, tolerance_s=0.05, n_repeated=2, stamp_gap_max_s=0.03)
    notes = notes_on([one, Matching(0, tolerance_s=0.05), other])
    assert [note.partition(' ')[0] for note in notes] == ['3', '1', '4', 'images']
    assert '3 of 15 images' in notes[0]
    assert notes[-1].endswith('up to 0.03 s apart')
