# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves for a person: words, table, pictures and page, from a recording by hand."""

from __future__ import annotations

from collections.abc import Collection
import io
from pathlib import Path
from typing import Any

from clip_depth_ros.demo.facts import gather_facts
from clip_depth_ros.demo.page import write_pages
from clip_depth_ros.demo.plan import BUNDLED_NOTE, NEXT_STEPS
from clip_depth_ros.demo.summary import (
    evaluate_recording,
    metric_lines,
    NO_TRUTH,
    sentence_of,
    summary_of,
)
from clip_depth_ros.evaluation.report.panels import PictureColors
from clip_depth_ros.settings.node import OUTPUTS
from demo_recording import Moment, plan_of, write_demo
from matplotlib.image import imread
import numpy as np
from PIL import Image, ImageSequence
import pytest

BOTH = ('clip2depth', 'depthclip')


def depth(value_m: float) -> np.ndarray:
    return np.full((12, 40), value_m, np.float32)


def shown(
    folder: Path, moments: list[Moment], *names: str, outputs: Collection[str] = tuple(OUTPUTS)
) -> tuple[dict[str, Any], list[Path], list[str]]:
    """Return the summary of a run that left these moments, the files, and the printed metrics."""
    plan = plan_of(folder, moments, *names)
    write_demo(plan, moments, outputs)
    facts = gather_facts(plan, {'player': 0, **{f'{name}_node': 0 for name in names}})
    evaluated = evaluate_recording(plan, facts)
    summary = summary_of(plan, facts, evaluated)
    return summary, write_pages(plan, summary, facts, evaluated), metric_lines(evaluated)


@pytest.fixture(scope='module')
def two_methods(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], list[Path], list[str]]:
    moments = [
        Moment(depth(10.0 + i), {'clip2depth': depth(11.0), 'depthclip': depth(20.0)})
        for i in range(4)
    ]
    return shown(tmp_path_factory.mktemp('two'), moments, *BOTH)


def test_both_methods_stand_beside_the_truth(two_methods):
    summary, paths, _ = two_methods
    assert summary['ok'], summary['problems']
    names = ['report.html', 'preview.png', 'cloud.ply', 'film.gif']
    assert [path.name for path in paths] == names
    page = paths[0].read_text()
    assert '<h1>CLIP2Depth and DepthCLIP beside the truth: synthetic drive seed 7</h1>' in page
    assert BUNDLED_NOTE in page
    for command in NEXT_STEPS.values():
        assert command.replace('"', '&#34;') in page
    for text in ('abs_rel', 'rmse (m)', 'best constant for these very images', 'mean over images'):
        assert text in page
    n_preview, n_shown, n_panels, n_clouds = 1, 3, 2 + 2 * 2, 1 + 2
    assert page.count('data:image/png;base64,') == n_preview + n_shown * n_panels + n_clouds
    for heading in ('How good is it?', 'Metrics', 'Where it fails', 'Counts and timing'):
        assert f'>{heading}</h2>' in page
    assert '://' not in page


def test_texts_from_outside_are_escaped(two_methods):
    page = two_methods[1][0].read_text()
    assert 'depthclip &lt;made by hand&gt;' in page
    assert '<made by hand>' not in page


def test_the_preview_is_wide_enough_for_all_columns(two_methods):
    pixels = imread(io.BytesIO(two_methods[1][1].read_bytes()))
    assert pixels.shape[1] > 3 * 400


def test_the_film_has_a_frame_for_each_image_at_their_pace(two_methods):
    """Ten a second; the last one stays a while. Near and far have the colours of the legend."""
    with Image.open(two_methods[1][3]) as film:
        frames = [(frame.info['duration'], frame.convert('RGB'))
                  for frame in ImageSequence.Iterator(film)]
        assert film.info['loop'] == 0, 'for ever'
    assert [duration for duration, _ in frames] == [100, 100, 100, 700]
    truth = [frame.getpixel((600, 80)) for _, frame in frames]
    assert len({*truth}) == 4, 'it goes from 10 to 13 m'
    for depth_m, pixel in zip((10.0, 11.0, 12.0, 13.0), truth, strict=True):
        wanted = PictureColors(1.0, 80.0).of_depth(depth(depth_m))[0, 0]
        assert np.abs(np.subtract(pixel, wanted, dtype=int)).max() < 16


def test_the_table_says_what_needs_no_image(two_methods):
    lines = two_methods[2]
    assert lines[0].startswith('CLIP2Depth is off by ')
    heading = lines[lines.index('') + 1]
    assert heading.startswith('plain, min_depth_m=1: exact rendered gt')
    assert '1 to 80 m' in heading
    start = lines.index('As answered, nothing fitted (alignment none)')
    assert lines[start + 1].split() == [
        'abs_rel', 'rmse', '(m)', 'δ1', 'δ2', 'δ3', 'frames',
    ]
    assert [line[2:].partition('  ')[0] for line in lines[start + 2:]] == [
        'CLIP2Depth', 'DepthCLIP', 'constant', 'shuffled CLIP2Depth', 'shuffled DepthCLIP',
    ]
    assert all(line.endswith(' 4') for line in lines[start + 2:])
    assert max(map(len, lines)) <= 80


def test_the_sentence_says_who_answered_how_often_and_how_fast(two_methods):
    assert sentence_of(two_methods[0]) == (
        '4 camera images went through 2 real nodes over DDS on cpu. '
        'CLIP2Depth: 4 answered (each exactly once), 0 dropped, depth in 50 ms (median; 95 %: '
        '50 ms), '
        'camera used for 3 images, assumed (60 degrees wide) for 1 images. '
        'DepthCLIP: 4 answered (each exactly once), 0 dropped, depth in 50 ms (median; 95 %: '
        '50 ms), '
        'camera used for 3 images, assumed (60 degrees wide) for 1 images.'
    )


def test_images_that_were_dropped_are_said_beside_the_metrics(tmp_path):
    moments = [
        Moment(depth(10.0), {'clip2depth': depth(11.0), 'depthclip': depth(20.0)}),
        Moment(depth(10.0), {'depthclip': depth(20.0)}),
    ]
    summary, _, lines = shown(tmp_path, moments, *BOTH)
    assert summary['ok'], 'dropping is no error: the node says so'
    assert summary['methods']['clip2depth']['every_frame_answered_once'] is False
    assert 'note: CLIP2Depth has answered 1 of 2 frames' in lines
    assert '1 dropped (the machine is slower than that' in sentence_of(summary)


def test_without_a_truth_that_is_one_sentence(tmp_path):
    summary, paths, lines = shown(tmp_path, [Moment(None, {'depthclip': depth(9.0)})], 'depthclip')
    assert summary['metrics'] is None
    assert lines == [NO_TRUTH]
    page = paths[0].read_text()
    assert NO_TRUTH in page
    assert 'abs_rel' not in page
    assert '<h1>DepthCLIP: synthetic drive seed 7</h1>' in page


def test_without_a_camera_to_go_by_there_is_no_cloud_and_nothing_is_wrong(tmp_path):
    moments = [Moment(depth(9.0), {'depthclip': depth(9.0)})]
    outputs = ('depth', 'color')
    summary, paths, _ = shown(tmp_path, moments, 'depthclip', outputs=outputs)
    assert summary['ok'], summary['problems']
    assert summary['methods']['depthclip']['every_frame_answered_once']
    assert [path.name for path in paths] == ['report.html', 'preview.png']
    assert 'that was published for it, decoded from depth.mcap, below them' in paths[0].read_text()


def test_a_run_without_any_answer_still_has_a_page_that_says_so(tmp_path):
    summary, paths, _ = shown(tmp_path, [Moment(depth(9.0), {})], 'depthclip')
    assert not summary['ok']
    assert [path.name for path in paths] == ['report.html']
    assert 'PROBLEM: DepthCLIP: no image was answered' in paths[0].read_text()


def test_depth_of_a_wrong_size_is_a_problem(tmp_path):
    """The image has the size of the truth and of the first answer; the second is smaller."""
    answers = {'clip2depth': depth(9.0), 'depthclip': depth(9.0)[:6]}
    summary, _, _ = shown(tmp_path, [Moment(depth(9.0), answers)], *BOTH)
    assert len(summary['problems']) == 1
    assert summary['problems'][0].startswith('DepthCLIP: depth is (40, 6,')


def test_the_summary_and_the_page_say_what_became_of_the_camera(two_methods):
    summary, paths, _ = two_methods
    assert summary['methods']['clip2depth']['camera'] == {
        'images': {'used': 3, 'assumed': 1, 'ignored': 0}, 'assumed_hfov_deg': '60',
        'image_fx_px': '8.00', 'network_fx_px': '186.00',
    }
    page = paths[0].read_text()
    assert 'used for 3 images, assumed (60 degrees wide) for 1 images' in page
    assert '8.00 px -&gt; 186.00 px' in page
