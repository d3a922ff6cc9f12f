# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results as files: what is read is what was written."""

from __future__ import annotations

from array import array
from dataclasses import replace
import json
import math

from clip_depth_ros.errors import DataError, OutputError
from clip_depth_ros.evaluation.results.result import (
    Estimate,
    FORMAT,
    FrameTable,
    PredictorResult,
    Problem,
    read_result,
    Result,
    write_result,
)
from hypothesis import given, strategies as st
import pytest

numbers = st.floats(allow_nan=False, allow_infinity=False)


def result(value: float = 0.1, name: str = 'none/abs_rel') -> Result:
    ours = PredictorResult(
        describe={'method': 'ours'}, n_frames=2,
        estimates={name: Estimate(value, -value, 2.0, 2)}, scale_spread=value,
        sums={'depth/n': (value, 3.0)},
    )
    table = FrameTable(
        indices=array('q', [0, 2]), names=['a', name], recordings=['', 'drive'],
        stamps_ns=[None, 2**60], values={'ours': {name: array('d', [value, 0.3])}},
    )
    return Result(
        title='plain', protocol={'depth_cap_m': '80.0'}, source={'name': 'bag'}, settings={},
        versions={'numpy': '2'}, n_frames=3, problems=[Problem('frame 1', 'is black')],
        predictors={'ours': ours}, frames=table,
    )


def test_results_from_before_independent_frames_were_counted_are_read(tmp_path):
    path = tmp_path / 'result.json'
    write_result(result(), path)
    path.write_text(path.read_text().replace('[0.1, -0.1, 2.0, 2, null]', '[0.1, -0.1, 2.0, 2]'))
    assert read_result(path) == result()


@given(value=numbers, name=st.text(min_size=1))
def test_what_is_read_is_what_was_written(tmp_path_factory, value, name):
    path = tmp_path_factory.mktemp('result') / 'result.json'
    write_result(result(value, name), path)
    assert read_result(path) == result(value, name)


def test_what_is_no_number_is_null_and_reads_back_as_nan(tmp_path):
    write_result(result(math.nan), tmp_path / 'a.json')
    ours = json.loads((tmp_path / 'a.json').read_text())['predictors']['ours']
    assert ours['estimates'] == {'none/abs_rel': [None, None, 2.0, 2, None]}
    again = read_result(tmp_path / 'a.json')
    assert math.isnan(again.predictors['ours'].estimates['none/abs_rel'].mean)
    assert math.isnan(again.frames.values['ours']['none/abs_rel'][0])


def test_a_column_is_one_line(tmp_path):
    write_result(result(), tmp_path / 'a.json')
    lines = (tmp_path / 'a.json').read_text().splitlines()
    assert '        "none/abs_rel": [0.1, 0.3]' in lines


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nothing\.json': No such file"):
        read_result(tmp_path / 'nothing.json')


@pytest.mark.parametrize(('text', 'why'), [
    ('not JSON', 'it is no JSON'),
    ('\ufffd', 'it is no JSON'),
    ('[1, 2]', 'it is damaged'),
    ('{}', 'its format is None'),
    ('{"format": "clip_depth_ros evaluation 0"}', "its format is 'clip_depth_ros evaluation 0'"),
    (json.dumps({'format': FORMAT}), 'it is damaged .title: Field required'),
    ('[' * 100_000, 'it is no JSON'),
])
def test_foreign_files_are_refused_with_the_reason(tmp_path, text, why):
    (tmp_path / 'a.json').write_text(text, encoding='utf-8')
    with pytest.raises(DataError, match=f'is not a result of this version.*{why}'):
        read_result(tmp_path / 'a.json')


@pytest.mark.parametrize(('old', 'new', 'why'), [
    ('"title": "plain"', '"title": 3', 'title: .*string'),
    ('[0.1, 0.3]', '[0.1]', "'none/abs_rel' of 'ours' should have 2 entries.*has 1"),
    ('["a", "none/abs_rel"]', '["a"]', 'names should have 2 entries.*has 1'),
    ('[0.1, 0.3]', '[0.1, NaN]', 'frames.values.ours.none/abs_rel.1: .*finite'),
    ('[0.1, 0.3]', '[0.1, 1e999]', 'frames.values.ours.none/abs_rel.1: .*finite'),
    ('[0.1, 0.3]', f'[0.1, 1{"0" * 400}]', 'frames.values.ours.none/abs_rel.1: .*finite'),
    ('[0.1, 0.3]', '[0.1, "0.3"]', 'frames.values.ours.none/abs_rel.1: .*number'),
    ('[0.1, 0.3]', '[0.1, true]', 'frames.values.ours.none/abs_rel.1: .*number'),
    ('[0, 2]', f'[0, {2**63}]', 'frames.indices.1: .*less than'),
    ('"n_frames": 3', '"n_frames": "3"', 'n_frames: .*integer'),
    ('"scale_spread": 0.1', '"scale_spread": -Infinity', 'predictors.ours.scale_spread: .*finite'),
    ('"values": {', '"values": {"theirs": {}, ',
     r"predictors are .'ours'., frames have values of .'theirs', 'ours'."),
])
def test_a_damaged_result_is_refused_by_what_is_wrong_with_it(tmp_path, old, new, why):
    write_result(result(), tmp_path / 'a.json')
    text = (tmp_path / 'a.json').read_text()
    assert old in text
    (tmp_path / 'a.json').write_text(text.replace(old, new))
    with pytest.raises(DataError, match=f'a.json.*it is damaged .*{why}'):
        read_result(tmp_path / 'a.json')


def test_a_result_without_predictors_is_refused(tmp_path):
    table = replace(result().frames, values={})
    write_result(replace(result(), predictors={}, frames=table), tmp_path / 'a.json')
    with pytest.raises(DataError, match=r'a.json.*it has no predictors'):
        read_result(tmp_path / 'a.json')


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write_result(result(), tmp_path / 'a.json')
    with pytest.raises(OutputError, match='cannot write'):
        write_result(replace(result(), title='new'), tmp_path / 'a.json' / 'b.json')
    assert read_result(tmp_path / 'a.json') == result()
