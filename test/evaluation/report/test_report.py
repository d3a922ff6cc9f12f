# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report: one file that holds everything, escapes everything, and shows the right frames."""

from __future__ import annotations

from dataclasses import replace
import html
from html.parser import HTMLParser
import math
from pathlib import Path
import re

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.report.clouds import extent_of, frame_clouds
from clip_depth_ros.evaluation.report.drawing import line_styles
from clip_depth_ros.evaluation.report.findings import findings, region_tiles, tile_colors
from clip_depth_ros.evaluation.report.frames import (
    frame_caption,
    report_frames,
    ReportFrame,
)
from clip_depth_ros.evaluation.report.page import report_html, write_report
from clip_depth_ros.evaluation.report.panels import PictureColors, shown_frame
from clip_depth_ros.evaluation.report.timelines import running_median
from clip_depth_ros.evaluation.results.result import (
    Estimate,
    FrameTable,
    PredictorResult,
    Problem,
    Result,
)
from clip_depth_ros.evaluation.results.tables import UNKNOWN
from clip_depth_ros.evaluation.results.verdict import verdict
from clip_depth_ros.types import Intrinsics
from made_up_results import drive_frames, drive_result, hand_made_result
import numpy as np
import pytest

SIZE = Size(48, 160)
NASTY = '<b>"&\'$x$深</b>'


@pytest.fixture(scope='module')
def drive() -> Result:
    return drive_result(30)


@pytest.fixture(scope='module')
def page(drive: Result) -> str:
    return report_html(drive, drive_frames(drive, SIZE), near_m=1e-3, far_m=80.0)


def by_abs_rel(*values: float) -> Result:
    """Return a result whose frames 10, 11, ... have these errors."""
    n = len(values)
    frames = FrameTable(
        indices=range(10, 10 + n), names=[f'f{i}' for i in range(n)], recordings=['r'] * n,
        stamps_ns=[None] * n, values={'ours': {'none/abs_rel': values}},
    )
    return hand_made_result(frames=frames)


def flat_frame(gt_m: np.ndarray, **preds: np.ndarray) -> ReportFrame:
    return ReportFrame(
        caption='a frame', rgb=np.full((*gt_m.shape, 3), 128, np.uint8), gt_m=gt_m, preds=preds,
    )


def test_the_page_holds_everything_and_asks_for_nothing(page: str):
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {source.partition(',')[0] for source in sources} == {
        'data:image/png;base64', 'data:image/svg+xml;base64', '#problems',
    }
    assert '<script' not in page
    assert '://' not in page


def test_every_section_is_there(page: str, drive: Result):
    headings = re.findall(r'<h2[^>]*>(.*?)</h2>', page)
    assert headings == [
        drive.title, 'Metrics', 'Where it fails', 'Frame by frame', 'Is it right when it is sure?',
        'Best, typical and worst frames', 'The worst frame as a cloud', 'How it was made',
        'Not used, and why',
    ]
    assert '5f' * 32 in page, 'the hash of the weights'


def test_verdict_and_pictures_come_before_the_name_of_any_protocol(page: str, drive: Result):
    h1 = page.index(f'<h1>{html.escape(verdict(drive))}</h1>')
    pictures = [found.start() for found in re.finditer('<img ', page)]
    assert h1 < pictures[0] < pictures[12] < page.index(drive.title)


def test_the_command_that_made_it_is_on_the_page():
    command = "clip-depth evaluate 'my drive.mcap' --out x"
    page = report_html(replace(hand_made_result(), command=command), [], near_m=1.0, far_m=80.0)
    assert f'<code>{html.escape(command)}</code>'.replace('&#x27;', '&#39;') in page
    assert 'Made by' not in report_html(hand_made_result(), [], near_m=1.0, far_m=80.0)


def test_every_picture_says_in_words_what_is_to_be_seen(page: str):
    pictures = re.findall(r'<img ([^>]*)>', page)
    n_frames, n_panels, n_curves, n_bars, n_clouds = 3, 4 + 2 + 2 * 3, 6, 2, 1 + 3
    assert len(pictures) == n_curves + n_bars + n_frames * n_panels + n_clouds
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)


def test_every_text_from_outside_is_escaped():
    predictor = replace(hand_made_result().predictors['ours'], describe={NASTY: NASTY})
    frames = replace(
        hand_made_result().frames, names=(NASTY, NASTY), recordings=(NASTY, 'b'),
        values={NASTY: {'none/abs_rel': (0.1, 0.2)}},
    )
    facts = {NASTY: NASTY}
    result = hand_made_result(
        title=NASTY, source={**facts, 'name': NASTY, 'notes': NASTY}, settings=facts,
        versions=facts, protocol=facts, problems=[Problem(NASTY, NASTY)], frames=frames,
        predictors={NASTY: predictor, 'b': predictor},
    )
    caption = frame_caption(result, 'worst', 2)
    gt = np.full(SIZE, 9, np.float32)
    frame = ReportFrame(
        caption=caption, rgb=np.zeros((*SIZE, 3), np.uint8), gt_m=gt, preds={NASTY: gt},
        intrinsics=Intrinsics(100, 100, 80, 24, 160, 48),
    )
    page = report_html(result, [frame], near_m=1.0, far_m=80.0)
    assert '<b>"' not in page
    assert page.count('&lt;b&gt;&#34;&amp;&#39;$x$深&lt;/b&gt;') > 20


def test_a_single_frame_without_pictures_or_sums_is_a_page_too():
    """No interval, no histogram, no clouds: what is not known is left out."""
    once = Estimate(0.0, math.nan, math.nan, 1)
    result = hand_made_result(
        predictors={'ours': PredictorResult(
            describe={}, n_frames=1, estimates={'none/abs_rel': once}, scale_spread=math.nan,
            sums={},
        )},
        problems=(), frames=by_abs_rel(0.0).frames,
    )
    page = report_html(result, [], near_m=1.0, far_m=80.0)
    assert 'no interval' in page
    assert 'Where it fails' not in page
    assert 'Not used' not in page


def test_where_nothing_was_scored_the_page_says_why():
    nothing = PredictorResult(
        describe={}, n_frames=0, estimates={}, scale_spread=math.nan, sums={},
    )
    frames = FrameTable(indices=(), names=(), recordings=(), stamps_ns=(), values={'ours': {}})
    result = hand_made_result(predictors={'ours': nothing}, frames=frames)
    assert report_frames(result) == []
    page = report_html(result, [], near_m=1.0, far_m=80.0)
    assert '0 of 3 frames used' in page
    assert 'no ground truth counts' in page


def test_a_perfect_predictor_has_a_page():
    """No error can be drawn on a logarithmic axis."""
    drive = drive_result(4)
    zeros = {name: 4 * [0.0] for name in drive.frames.values['ours']}
    sums = {name: tuple(np.multiply(v, 'n' in name)) for name, v in
            drive.predictors['ours'].sums.items()}
    perfect = replace(
        drive, predictors={'ours': replace(drive.predictors['ours'], sums=sums)},
        frames=replace(drive.frames, values={'ours': zeros}),
    )
    assert 'Frame by frame' in report_html(perfect, [], near_m=1.0, far_m=80.0)


def test_many_problems_are_folded():
    problems = [Problem(f'frame {i}', 'cannot be read') for i in range(25)]
    page = report_html(hand_made_result(problems=problems), [], near_m=1.0, far_m=80.0)
    assert '<summary>5 more</summary>' in page
    assert page.count(': cannot be read</li>') == 25


def test_the_same_result_gives_the_same_bytes():
    first, second = (report_html(drive_result(5), [], near_m=1.0, far_m=80.0) for _ in range(2))
    assert first == second


def test_the_page_is_written_wholly_or_not_at_all(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='name another place'):
        write_report(hand_made_result(), [], tmp_path / 'file' / 'x', near_m=1.0, far_m=9.0)
    write_report(hand_made_result(), [], tmp_path / 'report.html', near_m=1.0, far_m=9.0)
    assert (tmp_path / 'report.html').read_text().endswith('</html>')


@pytest.mark.parametrize(('values', 'shown'), [
    ((0.3, 0.1, 0.2, math.nan, 0.4), [('best', 11), ('median', 12), ('worst', 14)]),
    ((0.3, 0.1, 0.2), [('best', 11), ('median', 12), ('worst', 10)]),
    ((0.3, 0.1), [('best', 11), ('worst', 10)]),
    ((0.3,), [('worst', 10)]),
    ((math.nan,), []),
])
def test_frames_are_the_best_the_median_and_the_worst(values, shown):
    assert report_frames(by_abs_rel(*values)) == shown


def test_a_caption_says_which_frame_and_how_good():
    assert frame_caption(by_abs_rel(0.3, 0.1), 'best', 11) == (
        'Best frame: f1 of r (ours: abs_rel 0.100)'
    )


def test_errors_are_signed_and_unknown_where_the_truth_is():
    error = relative_error(np.array([[8, 8, np.nan]]), np.array([[10, np.nan, 10]]))
    np.testing.assert_allclose(error, [[-0.2, np.nan, np.nan]], rtol=1e-6)


def test_panels_are_image_truth_and_for_each_predictor_depth_and_error():
    gt = np.full((8, 8), 10, np.float32)
    panels = shown_frame(flat_frame(gt, ours=1.1 * gt), PictureColors(1, 80)).pictures
    assert [panel.title for panel in panels] == [
        'image', 'ground truth', 'ours: prediction', 'ours: error, abs_rel 0.100',
    ]


@pytest.mark.parametrize(('shape', 'is_wide'), [((375, 1242), True), ((480, 640), False)])
def test_wide_images_are_shown_two_in_a_row(shape, is_wide):
    frame = flat_frame(np.full(shape, 9, np.float32))
    assert shown_frame(frame, PictureColors(1, 80)).is_wide is is_wide


def test_near_is_red_far_is_blue_unknown_is_grey():
    (near, far, unknown), = PictureColors(1, 80).of_depth(np.array([[1, 80, np.nan]])).astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert np.ptp(unknown) < 20


def test_clouds_are_the_truth_and_the_answers_in_metres(drive: Result):
    frame = drive_frames(drive, SIZE)[-1]
    clouds = frame_clouds(frame)
    assert [*clouds] == ['ground truth', 'ours', 'constant', 'random']
    np.testing.assert_allclose(clouds['constant'][0][:, 2], 12)
    extent = extent_of(clouds['ground truth'])
    assert 5 < extent.aside_m < extent.far_m < 90
    assert frame_clouds(replace(frame, intrinsics=None)) == {}


def test_the_strongest_tile_is_the_largest_error_of_the_method_in_question(drive: Result):
    tiles = region_tiles(drive)
    assert [tile.name for tile in tiles['ours'][0]] == ['top left', 'top centre', 'top right']
    worst = tiles['ours'][2][0]
    assert worst.color == tile_colors(1.0)[0] == tiles['random'][0][0].color


class Tiles(HTMLParser):
    """Reads from a page where on the grid of each predictor which region stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, str]]] = []
        self._is_inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._is_inside |= values.get('class') == 'tiles'
        if self._is_inside and tag == 'tr':
            self.rows.append([])
        if self._is_inside and tag == 'td':
            self.rows[-1].append((str(values['title']), ''))

    def handle_data(self, data: str) -> None:
        if self._is_inside and self.rows and self.rows[-1] and not self.rows[-1][-1][1]:
            name, _ = self.rows[-1].pop()
            self.rows[-1].append((name, data.strip()))

    def handle_endtag(self, tag: str) -> None:
        self._is_inside &= tag != 'div'


PLACES = [
    [f'{row} {column}' for column in ('left', 'centre', 'right')]
    for row in ('top', 'middle', 'bottom')
]


def without(drive: Result, *regions: str) -> Result:
    """
    Return a result that has nothing of some regions, as where the truth does not reach.

    It has no curves either, which would be drawn for each page.
    """
    gone = {f'region {region}' for region in regions}
    predictors = {
        name: replace(found, sums={}, estimates={
            of: each for of, each in found.estimates.items() if of.rpartition('/')[0] not in gone
        })
        for name, found in drive.predictors.items()
    }
    frames = replace(drive.frames, values={name: {} for name in drive.frames.values})
    return replace(drive, predictors=predictors, frames=frames)


@pytest.mark.parametrize('empty', [
    (), ('top left',), ('top left', 'top centre'), ('top left', 'middle left', 'bottom left'),
    ('top left', 'top centre', 'top right'), ('middle centre',),
])
def test_on_the_page_every_region_stands_in_its_place_whichever_are_empty(drive, empty):
    page = report_html(without(drive, *empty), [], near_m=1.0, far_m=80.0)
    rows = Tiles(page).rows
    grids = [rows[first:first + 3] for first in range(0, len(rows), 3)]
    assert [[[name for name, _ in row] for row in grid] for grid in grids] == [PLACES] * 3
    dashes = [name for row in rows for name, number in row if number == UNKNOWN]
    assert dashes == [*empty] * 3


def test_where_no_region_is_known_no_grid_is_shown(drive: Result):
    nothing = without(drive, *(place for row in PLACES for place in row))
    assert region_tiles(nothing) == {}
    assert Tiles(report_html(nothing, [], near_m=1.0, far_m=80.0)).rows == []


def test_the_first_predictor_is_the_strongest_line_and_baselines_are_dashed(drive: Result):
    ours, constant, random = line_styles(drive).values()
    assert ours.width > max(constant.width, random.width)
    assert ours.dashes == '-'
    assert len({constant.dashes, random.dashes, '-'}) == 3


def test_findings_say_by_how_much_and_where():
    assert findings(hand_made_result())[0] == 'abs_rel 0.060: 76 % less than constant (0.250).'
    assert 'Largest abs_rel: 40-80 m' in ' '.join(findings(drive_result(30)))


def test_where_intervals_meet_no_difference_is_claimed():
    predictors = dict.fromkeys(('a', 'b'), hand_made_result().predictors['ours'])
    assert 'no difference shown' in findings(hand_made_result(predictors=predictors))[0]


def test_one_frame_tells_no_difference():
    result = hand_made_result()
    unsure = {
        name: replace(each, estimates={'none/abs_rel': Estimate(0.1, math.nan, math.nan, 1)})
        for name, each in result.predictors.items()
    }
    found = findings(replace(result, predictors=unsure))
    assert found[0] == 'abs_rel 0.100: too few frames to tell it from constant (0.100).'


def test_the_running_median_passes_over_what_stands_alone():
    np.testing.assert_array_equal(running_median(np.array([1.0, 1, 9, 1, 1]), 3), [1, 1, 1, 1, 1])
