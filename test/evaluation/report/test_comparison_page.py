# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a comparison: the conclusion first, when, where, and the frames that differ most."""

from __future__ import annotations

from dataclasses import replace
import html
import re

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.evaluation.compare.conclusion import conclusion
from clip_depth_ros.evaluation.compare.paired import compare, Contender
from clip_depth_ros.evaluation.report.comparison import comparison_html
from clip_depth_ros.evaluation.report.kept import kept_pictures
from clip_depth_ros.evaluation.results.pictures import FramePictures
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.score.intervals import Resampling
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
from made_up_results import drive_result
import numpy as np
import pytest

NASTY = '<b>"&x</b>'


def page(
    contenders: list[Contender], kept: list[list[FramePictures]] | None = None, command: str = ''
) -> str:
    comparison = compare(*contenders, resampling=Resampling(100))
    return comparison_html(comparison, contenders, kept or [[]] * len(contenders), command)


@pytest.fixture(scope='module')
def drive() -> Result:
    return drive_result(40)


@pytest.fixture(scope='module')
def pair(drive: Result) -> list[Contender]:
    return [Contender(name, drive, name) for name in ('ours', 'constant')]


@pytest.fixture(scope='module')
def of_pair(pair: list[Contender]) -> str:
    return page(pair)


def test_the_conclusion_comes_first_and_the_page_asks_for_nothing(pair, of_pair):
    said = conclusion(compare(*pair, resampling=Resampling(100)))
    text = of_pair
    assert said.startswith('ours is better than constant')
    assert f'<h1>{html.escape(said)}</h1>' in text
    assert text.index('<h1>') < text.index('<img') < text.index(pair[0].result.title)
    assert '<script' not in text
    assert '://' not in text


def test_it_shows_when_and_where_each_wins(of_pair):
    headings = re.findall(r'<h3>(.*?)</h3>', of_pair)
    assert headings[:3] == [
        'Frame by frame', 'Where each wins', 'Frames with the largest differences',
    ]
    assert 'abs_rel in parts of the image' in headings


def test_regions_stand_in_their_places_even_where_one_is_empty(pair):
    columns = pair[0].result.frames.values
    some = {
        name: {of: each for of, each in values.items() if 'region top left' not in of}
        for name, values in columns.items()
    }
    less = replace(pair[0].result, frames=replace(pair[0].result.frames, values=some))
    tiles = re.findall(r'<td title="([^"]*)"[^>]*>([^<]*)<', page(
        [one._replace(result=less) for one in pair]
    ))
    assert [name for name, _ in tiles] == [
        f'{row} {column}'
        for row in ('top', 'middle', 'bottom') for column in ('left', 'centre', 'right')
    ]
    assert [winner for _, winner in tiles] == ['\u2013', *['A'] * 8]


def test_frames_that_differ_most_are_listed_for_each_side(of_pair, drive):
    a, b = (np.array(drive.frames.values[name]['none/abs_rel']) for name in ('ours', 'constant'))
    rows = re.findall(r'<tr><th>(frame \d+) of [^<]*</th><td>', of_pair)
    assert rows == [f'frame {i}' for i in np.argsort(a - b)[:5]]


class Flat:
    """Frames of the drive, all at 10 m."""

    name = 'flat'

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> DepthSample:
        size = Size(8, 24)
        return DepthSample(
            f'frame {index}', np.zeros((*size, 3), np.uint8), np.full(size, 10, np.float32)
        )

    def describe(self) -> dict[str, str]:
        return {}


def test_pictures_are_those_of_frames_that_the_runs_keep(drive):
    asks = {
        name: lambda samples, factor=factor: [
            DepthMap(factor * sample.target_m) for sample in samples
        ]
        for name, factor in (('ours', 1.1), ('theirs', 1.5))
    }
    values = drive.frames.values
    named = {'ours': values['ours'], 'theirs': values['constant']}
    both = replace(
        drive, predictors=dict.fromkeys(asks, drive.predictors['ours']),
        frames=replace(drive.frames, values=named),
    )
    kept = [*kept_pictures(both, Flat(), asks, EvaluationProtocol())]
    assert 12 <= len(kept) <= 15
    assert {*kept[0].of} == {*asks}

    contenders = [Contender(name, both, name) for name in asks]
    text = page(contenders, [kept, kept])
    titles = re.findall(r'<figure><figcaption>([^<]*)</figcaption>', text)
    assert titles == 2 * [
        'image', 'ground truth', 'A: prediction', 'A: error', 'B: prediction', 'B: error',
    ]
    assert 'data:image/jpeg;base64,' in text
    one_sided = page(contenders, [kept, []])
    assert 'A: error' in one_sided
    assert 'B: error' not in one_sided
    assert 'Neither run has kept pictures' in page(contenders)


def test_every_text_from_outside_is_escaped(pair):
    nasty = [one._replace(label=NASTY, short=NASTY) for one in pair]
    results = [replace(one.result, title=NASTY, command=NASTY) for one in nasty]
    text = page(
        [one._replace(result=result) for one, result in zip(nasty, results, strict=True)],
        command=NASTY,
    )
    assert NASTY not in text
    assert text.count('&lt;b&gt;') > 5


def test_what_has_no_value_in_common_is_a_page_too(pair):
    frames = pair[0].result.frames
    empty = replace(frames, values={name: {} for name in frames.values})
    nothing = [one._replace(result=replace(one.result, frames=empty)) for one in pair]
    assert 'have no value in common' in page(nothing)


def test_of_several_each_has_its_part(drive):
    contenders = [Contender(name, drive, name) for name in drive.predictors]
    headings = re.findall(r'<h2>(.*?)</h2>', page(contenders))
    assert [heading.split(':')[0] for heading in headings] == [
        'ours is better than constant', 'Too few frames to tell ours and random apart',
        'How it was made',
    ]
