# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether confidence is what it says, worked by hand and as people read it."""

from __future__ import annotations

import dataclasses

from clip_depth_ros.evaluation.results.reliability import reliability, reliability_table
from clip_depth_ros.evaluation.results.summary import summary_markdown, summary_text
from made_up_results import drive_result
import pytest


def with_sums(n, said, right):
    result = drive_result(3)
    name, found = next(iter(result.predictors.items()))
    pad = (0.0,) * 7
    sums = {
        'confidence/n': (*n, *pad), 'confidence/said': (*said, *pad),
        'confidence/delta1': (*right, *pad),
    }
    found = dataclasses.replace(found, sums={**found.sums, **sums})
    return dataclasses.replace(result, predictors={**result.predictors, name: found}), found


def test_the_error_by_hand():
    """300 pixels said 0.25 and were right by half; 100 said 0.15, and so it was."""
    result, found = with_sums((0, 100, 300), (0, 15, 75), (0, 15, 150))
    assert reliability(found).ece == pytest.approx(0.75 * 0.25)
    table = reliability_table(result)
    assert [row.name for row in table.rows] == ['0.1 to 0.2', '0.2 to 0.3', 'ECE']
    assert [str(cell) for cell in table.rows[1].cells[:3]] == ['75.0 %', '0.250', '0.500']
    assert str(table.rows[-1].cells[2]) == '0.188'


def test_it_is_in_the_terminal_and_in_markdown():
    result, _ = with_sums((0, 100, 300), (0, 15, 75), (0, 15, 150))
    assert 'Reliability of confidence' in summary_text(result)
    assert '| ECE |' in summary_markdown(result)


def test_older_results_do_not_say_what_was_said_and_have_no_table():
    _, found = with_sums((0, 100, 300), (0, 15, 75), (0, 15, 150))
    sums = {name: each for name, each in found.sums.items() if name != 'confidence/said'}
    assert reliability(dataclasses.replace(found, sums=sums)) is None
    assert reliability(dataclasses.replace(found, sums={})) is None
