# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves for a person: words, table, pictures and page, from a recording by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.demo.facts import gather_facts
from clip_depth_ros.demo.methods import BUNDLED_NOTE, NEXT_STEPS
from clip_depth_ros.demo.pages import spread, write_pages
from clip_depth_ros.demo.plan import DemoResult
from clip_depth_ros.demo.scores import score_recording
from clip_depth_ros.demo.summary import summary_of
from clip_depth_ros.demo.words import metric_lines, NO_TRUTH, sentence_of
from demo_recording import Moment, plan_of, write_demo
from matplotlib.image import imread
import numpy as np
import pytest

BOTH = ('clip2depth', 'depthclip')


def depth(value_m: float) -> np.ndarray:
    return np.full((12, 40), value_m, np.float32)


def shown(folder: Path, moments: list[Moment], *names: str) -> tuple[dict[str, Any], list[Path]]:
    """Give the summary of a run that left these moments, and the files for a person."""
    plan = plan_of(folder, moments, *names)
    recording = write_demo(plan, moments)
    facts = gather_facts(recording, plan)
    topics = {method.name: method.topic('depth') for method in plan.methods}
    scores = score_recording(recording, topics, TRUE_DEPTH, min_depth_m=1.0, depth_cap_m=80.0)
    exit_codes = {'player': 0, **{f'{name}_node': 0 for name in names}}
    summary = summary_of(plan, DemoResult(recording, exit_codes), facts, scores)
    return summary, write_pages(plan, summary, facts.complete_stamps())


@pytest.fixture
def two_methods(tmp_path) -> tuple[dict[str, Any], list[Path]]:
    moments = [
        Moment(depth(10.0 + i), {'clip2depth': depth(11.0), 'depthclip': depth(20.0)})
        for i in range(4)
    ]
    return shown(tmp_path, moments, *BOTH)


def test_both_methods_stand_beside_the_truth(two_methods):
    summary, paths = two_methods
    assert summary['ok'], summary['problems']
    assert [path.name for path in paths] == ['report.html', 'preview.png', 'cloud.ply']
    page = paths[0].read_text()
    assert '<h1>CLIP2Depth and DepthCLIP beside the truth: synthetic drive seed 7</h1>' in page
    assert BUNDLED_NOTE in page
    for command in NEXT_STEPS.values():
        assert command.replace('"', '&#34;') in page
    for text in ('abs_rel', 'rmse (m)', 'best constant for these images', 'mean over images'):
        assert text in page
    assert page.count('data:image/png;base64,') == 2
    assert '://' not in page


def test_texts_from_outside_are_escaped(two_methods):
    page = two_methods[1][0].read_text()
    assert 'depthclip &lt;made by hand&gt;' in page
    assert '<made by hand>' not in page


def test_the_preview_is_wide_enough_for_all_columns(two_methods):
    pixels = imread(io.BytesIO(two_methods[1][1].read_bytes()))
    assert pixels.shape[1] > 3 * 400


def test_the_table_says_what_needs_no_image(two_methods):
    lines = metric_lines(two_methods[0]['metrics'])
    assert lines[0].split() == ['abs_rel', 'rmse', '(m)', 'δ1', 'δ2', 'δ3', 'images']
    assert [line.split()[0] for line in lines[1:6]] == [
        'CLIP2Depth', 'DepthCLIP', 'best', 'CLIP2Depth,', 'DepthCLIP,',
    ]
    assert lines[-1].startswith('  (synthetic drive seed 7, 4 images, true depth 1 to 80 m')


def test_the_sentence_says_who_answered_how_often_and_how_fast(two_methods):
    assert sentence_of(two_methods[0]) == (
        '4 camera images went through 2 real nodes over DDS on cpu. '
        'CLIP2Depth: 4 answered (exactly once), 0 dropped, depth in 50 ms (median; 95 %: 50 ms). '
        'DepthCLIP: 4 answered (exactly once), 0 dropped, depth in 50 ms (median; 95 %: 50 ms).'
    )


def test_images_that_were_dropped_are_said_beside_the_metrics(tmp_path):
    moments = [
        Moment(depth(10.0), {'clip2depth': depth(11.0), 'depthclip': depth(20.0)}),
        Moment(depth(10.0), {'depthclip': depth(20.0)}),
    ]
    summary, _ = shown(tmp_path, moments, *BOTH)
    assert summary['ok'], 'dropping is no error: the node says so'
    assert summary['methods']['clip2depth']['every_frame_answered_once'] is False
    assert 'CLIP2Depth did not answer 1 of them' in metric_lines(summary['metrics'])[-1]
    assert '1 dropped (the machine is slower than that' in sentence_of(summary)


def test_without_a_truth_that_is_one_sentence(tmp_path):
    summary, paths = shown(tmp_path, [Moment(None, {'depthclip': depth(9.0)})], 'depthclip')
    assert summary['metrics'] is None
    assert metric_lines(summary['metrics']) == [NO_TRUTH]
    page = paths[0].read_text()
    assert NO_TRUTH in page
    assert 'abs_rel' not in page
    assert '<h1>DepthCLIP: synthetic drive seed 7</h1>' in page


def test_a_run_without_any_answer_still_has_a_page_that_says_so(tmp_path):
    summary, paths = shown(tmp_path, [Moment(depth(9.0), {})], 'depthclip')
    assert not summary['ok']
    assert [path.name for path in paths] == ['report.html']
    assert 'PROBLEM: DepthCLIP: no image was answered' in paths[0].read_text()


def test_depth_of_a_wrong_size_is_a_problem(tmp_path):
    """The image takes the size of the first answer; the second node's is another."""
    answers = {'clip2depth': depth(9.0), 'depthclip': depth(9.0)[:6]}
    summary, _ = shown(tmp_path, [Moment(depth(9.0), answers)], *BOTH)
    assert len(summary['problems']) == 1
    assert summary['problems'][0].startswith('DepthCLIP: depth is (40, 6,')


@pytest.mark.parametrize(('n', 'picked'), [(0, []), (1, [0]), (2, [0, 1]), (9, [1, 4, 7])])
def test_frames_are_picked_evenly_with_the_middle_among_them(n, picked):
    assert spread(range(n), 3) == picked
