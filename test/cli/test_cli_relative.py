# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers that are no metres: a relative model's a / depth + b, as a folder and as a topic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bag_drives import disparity, image
from bag_files import write_ros2
from clip_depth_ros.cli.main import main
from clip_depth_ros.evaluation.results.result import read_result, Result
import cv2
import numpy as np
import pytest

SIZE = (40, 60)
QUICK = ('--n-workers', '1', '--bootstrap-samples', '100', '--predict')


def scene(index: int) -> tuple[Any, Any]:
    """Give true depth between 2 and 70 m, and what a model makes of it that is 8 % unsure."""
    rng = np.random.default_rng(index)
    gt = np.exp(rng.uniform(np.log(2), np.log(70), SIZE)).astype(np.float32)
    return gt, gt * np.exp(rng.normal(0, 0.08, SIZE)).astype(np.float32)


def relative(depth: Any) -> Any:
    """Give what MiDaS would: inverse depth, of some scale and shift."""
    return (900 / depth + 40).astype(np.float32)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('scenes')
    for name in ('rgb', 'gt', 'relative', 'inverse'):
        (root / name).mkdir()
    for index in range(3):
        gt, seen = scene(index)
        cv2.imwrite(str(root / f'rgb/{index}.png'), np.zeros((*SIZE, 3), np.uint8))
        np.save(root / f'gt/{index}.npy', gt)
        np.save(root / f'relative/{index}.npy', relative(seen))
        np.save(root / f'inverse/{index}.npy', 1 / seen)
    return root


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    messages = []
    for index in range(3):
        gt, seen = scene(index)
        messages += [
            image(index, np.zeros((*SIZE, 3), np.uint8)), image(index, gt, '32FC1', '/cam/depth'),
            image(index, relative(seen), '32FC1', '/rival'), disparity(index, 50 / seen, 500, 0.1),
        ]
    return write_ros2(tmp_path_factory.mktemp('drive') / 'bag', messages)


def of_folder(root: Path, predictions: str, *words: str) -> Result:
    command = [
        'evaluate', root, '--kind', 'pattern', '--images', 'rgb/*.png', '--gt-images', 'gt/*.npy',
        '--pred-dir', root / predictions, '--out', root / 'out', '--force', *QUICK, 'dir', *words,
    ]
    assert main([*map(str, command)]) == 0
    return read_result(root / 'out/result.json')


def of_drive(bag: Path, topic: str, *words: str) -> Result:
    out = bag.parent / 'out'
    command = [
        'evaluate', bag, '--depth-topic', '/cam/depth', '--pred-topic', topic, '--out', out,
        '--force', *QUICK, 'topic', *words,
    ]
    assert main([*map(str, command)]) == 0
    return read_result(out / 'result.json')


def means(result: Result) -> dict[str, float]:
    [found] = result.predictors.values()
    return {name: estimate.mean for name, estimate in found.estimates.items()}


def text_of(capsys: pytest.CaptureFixture[str]) -> str:
    return ' '.join(capsys.readouterr().out.split())


def test_taken_for_depth_they_fit_nowhere_and_a_note_says_what_they_look_like(folder, capsys):
    found = means(of_folder(folder, 'relative'))
    assert found['scale-shift/abs_rel'] > 0.3
    assert found['rank_correlation'] < -0.95
    text = text_of(capsys)
    assert 'but its answers fall where depth grows, as inverse depth does' in text
    assert (
        'relative: rank correlation of answers and depth -1.00: they fall where depth grows and '
        'look like inverse depth or disparity: add --pred-kind relative, disparity or inverse-'
    ) in text
    assert 'the fitted slope is negative (scale-shift in 3 of 3 frames' in text


@pytest.mark.parametrize('alignment', ['disparity-scale-shift', 'disparity-scale-shift-l1'])
def test_said_to_be_relative_they_are_as_good_as_they_are(folder, capsys, alignment):
    """8 % of lognormal noise: 6.4 % on average."""
    words = () if alignment.endswith('shift') else ('--override', f'alignment={alignment}')
    result = of_folder(folder, 'relative', '--pred-kind', 'relative', *words)
    assert result.title.startswith(f'plain, alignment={alignment}: ')
    found = means(result)
    assert found[f'{alignment}/abs_rel'] == pytest.approx(0.066, abs=0.004)
    assert found['rank_correlation'] > 0.95
    assert not {'none/abs_rel', 'median/abs_rel', 'scale-shift/abs_rel', 'scale'} & found.keys()
    text = text_of(capsys)
    assert 'taken as inverse depth up to scale and shift' in text
    assert 'negative' not in text


def test_an_alignment_of_depth_is_refused(folder, capsys):
    command = [
        'evaluate', folder, '--kind', 'pattern', '--images', 'rgb/*.png', '--gt-images',
        'gt/*.npy', '--pred-dir', folder / 'relative', '--pred-kind', 'relative', '--override',
        'alignment=median', '--out', folder / 'refused',
    ]
    assert main([*map(str, command)]) != 0
    assert 'no metres with alignment=median: choose one of' in capsys.readouterr().err


def test_a_kind_of_nothing_is_refused(folder, capsys):
    command = ['evaluate', folder, '--predict', 'constant', '--pred-kind', 'relative']
    assert main([*map(str, command)]) != 0
    wanted = '--pred-kind would not be used, as there is no --pred-topic and no --pred-dir'
    assert wanted in capsys.readouterr().err


def test_inverse_depth_of_known_scale_is_metres(folder):
    found = means(of_folder(folder, 'inverse', '--pred-kind', 'inverse-depth'))
    assert found['none/abs_rel'] == pytest.approx(0.064, abs=0.004)


def test_relative_answers_of_a_topic(drive):
    """The same folder's numbers: a topic is but another place."""
    as_depth = means(of_drive(drive, '/rival'))
    assert as_depth['scale-shift/abs_rel'] > 0.3
    found = means(of_drive(drive, '/rival', '--pred-kind', 'relative'))
    assert found['disparity-scale-shift/abs_rel'] == pytest.approx(0.066, abs=0.004)


def test_disparity_with_its_camera_needs_no_flag_and_no_fit(drive, capsys):
    found = means(of_drive(drive, '/stereo/disparity'))
    assert found['none/abs_rel'] == pytest.approx(0.064, abs=0.004)
    assert 'taken as disparity with focal length and baseline' in text_of(capsys)


def test_depth_said_to_be_relative_is_noticed(folder, capsys):
    found = means(of_folder(folder, 'gt', '--pred-kind', 'relative'))
    assert found['rank_correlation'] < -0.99
    assert 'they grow with depth and look like depth: leave --pred-kind out' in text_of(capsys)
