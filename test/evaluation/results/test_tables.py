# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A result as text and as Markdown: the protocol first, alignments apart, nothing made up."""

from __future__ import annotations

from dataclasses import replace
import math

from clip_depth_ros.evaluation.results.all_else import more_table
from clip_depth_ros.evaluation.results.result import Estimate, Problem, Result
from clip_depth_ros.evaluation.results.summary import summary_markdown, summary_text
from clip_depth_ros.evaluation.results.tables import (
    aligned,
    behaviour_table,
    estimate_cell,
    is_baseline,
    metric_tables,
    narrow_table,
    number,
    part_names,
    part_tables,
    table_lines,
    UNKNOWN,
)
from made_up_results import drive_result, hand_made_result, TITLE
import pytest

VERDICT = """\
ours is off by 6.0 % of the true distance on average, clearly better than the best constant depth,
which sees no image (25 %); the number is rough (5.4 % to 6.6 % with 95 % confidence), as 2 frames
are few.
"""

GOLDEN_TEXT = f"""\
{VERDICT}
{TITLE}
2 of 3 frames used

As answered, nothing fitted (alignment none)
                   abs_rel  sq_rel        rmse (m)  rmse_log  log10  silog              δ1  δ2  δ3
  ours               0.060       ?           2.798         ?      ?      ?           0.955   ?   ?
            [0.054, 0.066]          [2.518, 3.078]                          [0.950, 0.960]
  constant           0.250       ?           2.798         ?      ?      ?           0.955   ?   ?
            [0.225, 0.275]          [2.518, 3.078]                          [0.950, 0.960]
  [low, high]: 95 % interval of the mean, bootstrap over frames, as wide as for so many independent
  ones as they are worth.

Each image scaled to the median of its truth (alignment median): not this protocol
""".replace('?', UNKNOWN)

GOLDEN_RANGES = """
By true depth
                    ours        constant
          abs_rel     δ1  abs_rel     δ1  frames
  0-10 m    0.030  0.990    0.030  0.990       2

Not used (1):
  frame c: no ground truth counts
"""

GOLDEN_MARKDOWN = """
## By true depth

|  | ours abs_rel | ours δ1 | constant abs_rel | constant δ1 | frames |
| --- | ---: | ---: | ---: | ---: | ---: |
| 0-10 m | 0.030 | 0.990 | 0.030 | 0.990 | 2 |

## Not used (1):

- frame c: no ground truth counts
"""


def with_problems(n: int) -> Result:
    return hand_made_result(problems=[Problem(f'frame {i}', 'damaged') for i in range(n)])


def test_the_text_starts_with_the_verdict_then_the_protocol_and_the_table_to_quote():
    assert summary_text(hand_made_result()).startswith(GOLDEN_TEXT)


def test_the_text_ends_with_the_parts_and_what_was_not_used():
    assert summary_text(hand_made_result()).endswith(GOLDEN_RANGES)


def test_markdown_has_the_same_tables_below_the_protocol():
    text = summary_markdown(hand_made_result())
    assert text.startswith(
        f'{" ".join(VERDICT.split())}\n\n# {TITLE}\n\n2 of 3 frames used\n\n## As answered'
    )
    assert '| ours | 0.060 [0.054, 0.066] |' in text
    assert text.endswith(GOLDEN_MARKDOWN)


@pytest.mark.parametrize('show', [summary_text, summary_markdown])
def test_what_differs_from_the_protocol_stands_right_below_it(show):
    source = {'notes': '2 frames instead of 652; against raw LiDAR'}
    _, text = show(hand_made_result(source=source)).split('\n\n', 1)
    lines = [line for line in text.splitlines() if line]
    assert lines[1:3] == ['note: 2 frames instead of 652', 'note: against raw LiDAR']


def test_a_predictor_in_another_unit_is_noticed():
    """Millimetres for metres are a thousand times too far."""
    result = hand_made_result()
    name, found = next(iter(result.predictors.items()))
    estimates = {**found.estimates, 'scale': Estimate(0.001, 0.001, 0.001, 2)}
    wrong = replace(result, predictors={name: replace(found, estimates=estimates)})
    assert f'note: {name} is about 1000 times too far' in summary_text(wrong)


def summary_of_one_that_says(**more: str) -> tuple[str, str]:
    """Return the name of the first predictor, which describes itself by more, and the text."""
    result = hand_made_result()
    name, found = next(iter(result.predictors.items()))
    said = replace(found, describe={**found.describe, **more})
    return name, summary_text(replace(result, predictors={**result.predictors, name: said}))


def test_what_a_predictor_says_to_whoever_uses_its_numbers_stands_above_them():
    name, text = summary_of_one_that_says(notes='bins of rooms; too small')
    assert f'note: {name}: bins of rooms\nnote: {name}: too small\n' in text


def test_a_method_that_flips_by_itself_is_told_under_a_protocol_that_does_not():
    name, text = summary_of_one_that_says(flip='on')
    assert f'note: {name}: averages each answer with that of the mirrored image by itself' in text
    assert 'by itself' not in summary_text(hand_made_result())


def test_a_predictor_with_fewer_frames_is_named_above_the_tables():
    result = hand_made_result()
    (first, found), *others = result.predictors.items()
    fewer = replace(found, n_frames=1)
    partial = replace(result, predictors={**dict(others), first: fewer, 'whole': found})
    assert f'note: {first} has answered 1 of 2 frames' in summary_text(partial)


@pytest.mark.parametrize('show', [summary_text, summary_markdown])
def test_of_many_problems_ten_are_named_and_the_rest_counted(show):
    text = show(with_problems(12))
    assert 'Not used (12):' in text
    assert 'frame 9: damaged' in text
    assert 'frame 10' not in text
    assert text.rstrip().endswith('and 2 more')


def test_ten_problems_are_all_there_are():
    assert 'more' not in summary_text(with_problems(10)).split('Not used')[1]


def test_alignments_are_never_in_one_table_and_the_protocol_s_own_is_first():
    result = hand_made_result(protocol={'alignment': 'median'})
    first, second = metric_tables(result)
    assert first.title.endswith('(alignment median)')
    assert second.title.endswith('(alignment none): not this protocol')
    assert [row.cells[0].text for row in first.rows] == ['0.030', '0.125']


def test_parts_stand_in_the_order_of_the_image_and_of_depth_whatever_was_found_first():
    result = drive_result(5)
    backwards = replace(result, predictors={
        name: replace(found, estimates=dict(reversed(found.estimates.items())))
        for name, found in result.predictors.items()
    })
    for kind in ('depth', 'region'):
        assert part_names(backwards, kind) == part_names(result, kind)
    assert part_names(backwards, 'region')[0] == 'region top left'


def test_the_text_fits_a_terminal():
    assert max(map(len, summary_text(drive_result(20)).splitlines())) <= 100


def test_the_narrow_table_has_the_protocol_s_own_metrics_and_no_intervals():
    lines = table_lines(narrow_table(drive_result(20)))
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ['abs_rel', 'rmse', '(m)', 'δ1', 'δ2', 'δ3', 'frames']
    own = narrow_table(hand_made_result(protocol={'alignment': 'median'}))
    assert own.title.endswith('(alignment median)')
    assert [str(row.cells[0]) for row in own.rows] == ['0.030', '0.125']


def test_bias_is_the_typical_error_in_percent():
    """A mean of ln pred - ln gt of 0.1 is 10.5 % too far."""
    table = behaviour_table(hand_made_result())
    bias = [heading for _, heading in table.columns].index('bias')
    assert [row.cells[bias].text for row in table.rows] == ['+10.5 %', '+10.5 %']


def test_parts_keep_their_order():
    rows = {kind: table.rows for kind, table in part_tables(drive_result(5)).items()}
    assert [row.name for row in rows['depth']] == ['0-10 m', '10-20 m', '20-40 m', '40-80 m']
    assert [row.name for row in rows['class']] == ['road', 'car', 'person']
    assert rows['region'][4].name == 'middle centre'


@pytest.mark.parametrize(('value', 'text'), [
    (0.06, '0.060'), (2.7984, '2.798'), (99.9994, '99.999'), (241.94, '241.9'), (0.0, '0.000'),
    (-0.5, '-0.500'), (math.nan, UNKNOWN), (math.inf, UNKNOWN),
])
def test_numbers_are_as_the_field_prints_them(value: float, text: str):
    assert number(value) == text


def test_an_interval_that_is_not_known_is_not_shown():
    one_frame = Estimate(0.06, math.nan, math.nan, 1)
    assert str(estimate_cell(one_frame, has_interval=True)) == '0.060'
    assert str(estimate_cell(None, has_interval=True)) == UNKNOWN


def test_the_first_predictor_is_in_question_even_if_it_is_a_baseline():
    result = hand_made_result()
    assert [is_baseline(result, name) for name in result.predictors] == [False, True]
    swapped = dict(reversed(result.predictors.items()))
    assert not is_baseline(hand_made_result(predictors=swapped), 'constant')


def test_texts_from_outside_do_not_break_a_markdown_table():
    result = hand_made_result()
    predictors = {'a|b<i>\nc': result.predictors['ours']}
    assert '| a\\|b&lt;i> c | 0.060' in summary_markdown(hand_made_result(predictors=predictors))


def test_columns_are_as_wide_as_their_widest_text():
    assert aligned([['', 'n'], ['ab', '10']]) == ['     n', 'ab  10']


@pytest.mark.parametrize(('sizes', 'said'), [
    ('640x192', '2 of 3 frames used; images of 640x192\n'),
    ('640x192, 320x96', '2 of 3 frames used; images of 640x192 and 320x96\n'),
    ('1x2, 3x4, 5x6, 7x8', '2 of 3 frames used; images of 1x2 and 3 other sizes\n'),
])
def test_the_size_of_the_images_stands_beside_the_numbers(sizes: str, said: str):
    result = hand_made_result(source={'name': 'two frames', 'image_sizes': sizes})
    assert said in summary_text(result)
    assert said in summary_markdown(result)


class TestAllElse:
    """What has no column of its own is a row of one table; the terminal has what was asked for."""

    @staticmethod
    def result() -> Result:
        result = hand_made_result()
        more = {
            name: Estimate(0.5, 0.4, 0.6, 2)
            for name in ('none/mae', 'none/delta_1.05', 'median/mae', 'sky/worst_error', 'none/n')
        }
        return replace(result, predictors={
            name: replace(found, estimates={**found.estimates, **more})
            for name, found in result.predictors.items()
        })

    def test_its_rows(self):
        table = more_table(self.result())
        assert table is not None
        assert [row.name for row in table.rows] == ['mae (m)', 'δ<1.05', 'sky worst error']
        assert str(table.rows[0].cells[0]) == '0.500 [0.400, 0.600]'

    def test_the_terminal_has_what_was_asked_for(self):
        text = summary_text(self.result())
        assert 'What was asked for besides' in text
        assert 'δ<1.05' in text
        assert 'mae (m)' not in text

    def test_markdown_has_all(self):
        assert '| mae (m) | 0.500 [0.400, 0.600] |' in summary_markdown(self.result())

    def test_where_nothing_else_is_known_there_is_no_table(self):
        assert more_table(hand_made_result()) is None


def test_ranges_of_depth_of_the_users_stand_from_near_to_far():
    result = hand_made_result()
    name, found = next(iter(result.predictors.items()))
    estimates = {
        f'depth {part} m/abs_rel': Estimate(0.1, 0.1, 0.1, 2)
        for part in ('20-40', '2.5-10', '0-2.5')
    }
    changed = replace(result, predictors={name: replace(found, estimates=estimates)})
    assert part_names(changed, 'depth') == [
        'depth 0-2.5 m', 'depth 2.5-10 m', 'depth 20-40 m'
    ]
