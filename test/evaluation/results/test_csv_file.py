# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers by frame as CSV: what a spreadsheet or pandas reads back."""

from __future__ import annotations

import csv

from clip_depth_ros.evaluation.results.csv_file import frames_csv
from made_up_results import hand_made_result, TITLE


def rows_of(**changes: object) -> list[dict[str, str]]:
    """Read the CSV back, as a reader that passes over comments does."""
    comment, *lines = frames_csv(hand_made_result(**changes))
    assert comment.startswith('# ')
    return list(csv.DictReader(lines))


def test_the_protocol_is_the_first_line():
    assert next(frames_csv(hand_made_result())) == f'# {TITLE}\n'


def test_a_title_of_several_lines_stays_a_comment():
    assert next(frames_csv(hand_made_result(title='a\nb'))) == '# a b\n'


def test_columns_are_the_frame_the_predictor_and_every_value_that_any_has():
    assert [*rows_of()[0]] == [
        'index', 'recording', 'name', 'stamp_ns', 'predictor', 'none/abs_rel', 'coverage', 'scale',
    ]


def test_there_is_a_line_for_each_frame_and_predictor():
    rows = rows_of()
    assert [(row['index'], row['predictor']) for row in rows] == [
        ('0', 'ours'), ('0', 'constant'), ('2', 'ours'), ('2', 'constant'),
    ]
    assert [row['none/abs_rel'] for row in rows] == ['0.05', '0.25', '0.07', '']


def test_what_is_not_known_is_empty():
    first, second, third, _ = rows_of()
    assert (first['scale'], second['coverage'], third['stamp_ns']) == ('', '', '')
    assert first['stamp_ns'] == '1000'


def test_names_with_commas_and_quotes_come_back_as_they_were():
    assert rows_of()[2]['name'] == 'b,"x"'
