# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training from end to end: it learns, leaves what it should, shares work, adapts."""

from __future__ import annotations

from contextlib import closing
import json
from pathlib import Path
import socket

from clip_depth_ros.core.metrics import mean_metrics
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluation.run.baselines import Constant, fit_constant, fit_prior
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.samples import Joined, SampleSource
from clip_depth_ros.training.leave_one_out import leave_one_out
from clip_depth_ros.training.loop import Progress
from clip_depth_ros.training.run import read_log
from clip_depth_ros.training.validation import validation_protocol
from clip_depth_ros.types import Intrinsics
import numpy as np
import pytest
from ramps import Ramps
from seen_cameras import Slope
from small_training import losses, small_settings, started, trained
import torch

WIDE = Intrinsics(60.0, 60.0, 65.0, 30.0, 128, 64)
LONG = Intrinsics(120.0, 120.0, 70.0, 55.0, 160, 120)
AUGMENTED = {'augment_window': 0.5, 'augment_zoom': 1.5, 'augment_noise': 4, 'augment_cutout': 2}


def two_cameras() -> tuple[SampleSource, SampleSource]:
    """Return frames of training and held-out frames behind two cameras."""
    return (
        Joined(Slope(WIDE, 5, name='wide'), Slope(LONG, 6, name='long')),
        Joined(Slope(WIDE, 2, name='wide'), Slope(LONG, 3, name='long')),
    )


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing has disturbed."""
    out_dir = tmp_path_factory.mktemp('run') / 'whole'
    trained(out_dir)
    return out_dir


def test_it_learns(tmp_path: Path):
    result = trained(tmp_path / 'run', steps=60, validation_interval=60, save_interval=60)
    assert result.last.abs_rel < 0.7 * result.before.abs_rel
    assert result.metrics.abs_rel <= result.last.abs_rel


def test_a_run_leaves_weights_logs_report_and_pictures(whole: Path):
    assert {path.name for path in whole.iterdir()} == {
        'run.json', 'checkpoint.safetensors', 'best.safetensors', 'last.safetensors',
        'report.json', 'train.csv', 'validation.csv', 'sheets',
    }
    assert [step for step, _ in losses(whole)] == list(range(1, 9))
    validations = read_log(whole / 'validation.csv')
    assert [int(row['step']) for row in validations] == [0, 4, 8]
    assert sorted(path.name for path in (whole / 'sheets').iterdir()) == [
        f'step_{step:07d}.png' for step in (0, 4, 8)
    ]


def test_weights_say_where_they_come_from_and_how_good_they_are(whole: Path):
    file = read_clip2depth(whole / 'best.safetensors')
    report = json.loads((whole / 'report.json').read_text())
    assert (file.settings.input_height_px, file.settings.input_width_px) == (32, 64)
    assert file.provenance['data'] == 'ramps 0, 10 frames'
    assert file.provenance['seed'] == 0
    assert file.provenance['settings']['learning_rate'] == 3e-3
    assert '5 held-out frames' in file.provenance['protocol']
    assert file.metrics['abs_rel'] == report['best']['abs_rel']
    assert report['protocol'] == file.provenance['protocol']


def test_the_same_seed_gives_the_same_weights_and_another_does_not(whole: Path, tmp_path: Path):
    trained(tmp_path / 'again')
    trained(tmp_path / 'other', seed=1)
    state = read_clip2depth(whole / 'last.safetensors').state
    again = read_clip2depth(tmp_path / 'again' / 'last.safetensors').state
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())
    assert losses(tmp_path / 'again') == losses(whole)
    assert losses(tmp_path / 'other') != losses(whole)


def test_workers_change_nothing(whole: Path, tmp_path: Path):
    trained(tmp_path / 'run', n_workers=2, validation_interval=8)
    assert losses(tmp_path / 'run') == losses(whole)


def test_accumulation_shows_the_same_frames_at_each_step(tmp_path: Path):
    trained(tmp_path / 'run', accumulate=2, steps=2, validation_interval=2)
    assert len(losses(tmp_path / 'run')) == 2


def test_cached_tokens_give_nearly_the_same_losses(whole: Path, tmp_path: Path):
    """Not flipped: random numbers are drawn differently for images and for tokens."""
    plain, cached = tmp_path / 'plain', tmp_path / 'cached'
    trained(plain, augment_flip=False)
    trained(cached, augment_flip=False, cache_tokens=True)
    for (_, one), (_, other) in zip(losses(plain), losses(cached), strict=True):
        assert other == pytest.approx(one, rel=1e-2)


def test_tokens_are_encoded_once(tmp_path: Path):
    told: list[Progress] = []
    options = {'on_progress': told.append}
    settings = {'cache_tokens': True, 'cache_dir': str(tmp_path / 'tokens'), 'steps': 1}
    trained(tmp_path / 'a', options=options, **settings)
    assert any(progress.stage == 'tokens' for progress in told)
    told.clear()
    trained(tmp_path / 'b', options=options, **settings, learning_rate=1e-4)
    assert not any(progress.stage == 'tokens' for progress in told)
    trained(tmp_path / 'c', options=options, **{**settings, 'taps': (0, 2)})
    assert any(progress.stage == 'tokens' for progress in told)


def test_two_processes_learn_what_one_learns(tmp_path: Path):
    """Their parts of a batch have different numbers of valid pixels."""
    changes = {'clip_norm': 0.0, 'compare_prior': True}
    trained(tmp_path / 'one', **changes)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    both = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    processes = [
        started(tmp_path / 'two', environment={**both, 'RANK': str(rank)}, **changes)
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    for (step, one), (other_step, two) in zip(
        losses(tmp_path / 'one'), losses(tmp_path / 'two'), strict=True
    ):
        assert step == other_step
        assert two == pytest.approx(one, rel=1e-4)
    one = read_clip2depth(tmp_path / 'one' / 'last.safetensors').state
    two = read_clip2depth(tmp_path / 'two' / 'last.safetensors').state
    for name, tensor in one.items():
        # A bias of keys changes nothing: AdamW makes steps out of the rounding of its gradient.
        if not name.endswith('in_proj_bias'):
            torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4)
    reports = [
        json.loads((tmp_path / name / 'report.json').read_text()) for name in ('one', 'two')
    ]
    for kind in ('before', 'prior', 'last'):
        assert reports[0][kind] == pytest.approx(reports[1][kind], rel=1e-3)


def test_adapting_starts_from_weights_and_their_model(whole: Path, tmp_path: Path):
    """Head and taps come with the weights, whatever the settings say."""
    result = trained(
        tmp_path / 'adapted', init_weights=str(whole / 'best.safetensors'), head='refined',
        taps=(3, 4), compare_prior=True, steps=1, validation_interval=1,
    )
    report = json.loads((whole / 'report.json').read_text())
    assert result.before.abs_rel == pytest.approx(report['best']['abs_rel'], rel=1e-6)
    assert read_clip2depth(result.last_path).settings.head == 'simple'
    assert result.prior is not None
    assert result.prior.abs_rel > 0


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on the frames of two cameras, that was told rays."""
    out_dir = tmp_path_factory.mktemp('run') / 'seen'
    trained(out_dir, sources=two_cameras(), rays=True, focal_px=60.0, **AUGMENTED)
    return out_dir


def test_weights_carry_their_camera(seen: Path):
    file = read_clip2depth(seen / 'best.safetensors')
    low, typical, high = file.provenance['cameras']['hfov_deg']
    assert (file.settings.focal_px, file.settings.rays) == (60.0, True)
    assert low <= typical < high
    assert file.settings.hfov_deg == typical
    # Images of many sizes: none is that of the training.
    assert (file.settings.input_height_px, file.settings.input_width_px) == (0, 0)
    assert 'camera used, at 60 px' in file.provenance['protocol']


def test_the_predictor_answers_as_the_validation_says(seen: Path):
    """Two cameras, their own sizes and focal lengths, rays told: the same metres."""
    file = read_clip2depth(seen / 'last.safetensors')
    settings = PredictorSettings.from_mapping({
        'method': 'clip2depth', 'backbone': 'tiny', 'pretrained': 'random', 'device': 'cpu',
        'clip2depth_weights': str(file.path), 'min_depth_m': 0.01, 'max_depth_m': 500.0,
        'flip': False,
    })
    with closing(build_predictor(settings)) as predictor:
        _, held_out = two_cameras()
        samples = [held_out[index] for index in range(len(held_out))]
        answers = predictor.predict_batch(
            [sample.rgb for sample in samples], [sample.intrinsics for sample in samples]
        )
    errors = [
        np.abs(answer.depth_m / sample.target_m - 1).mean()
        for answer, sample in zip(answers, samples, strict=True)
    ]
    report = json.loads((seen / 'report.json').read_text())
    assert {answer.camera for answer in answers} == {'used'}
    assert np.mean(errors) == pytest.approx(report['last']['abs_rel'], rel=1e-3)


def test_tokens_of_two_cameras_are_kept_with_their_rays(seen: Path, tmp_path: Path):
    changes = {'rays': True, 'focal_px': 60.0, 'augment_flip': False}
    trained(tmp_path / 'plain', sources=two_cameras(), **changes)
    trained(tmp_path / 'kept', sources=two_cameras(), cache_tokens=True, **changes)
    # One for each size, of training and of held-out frames.
    assert len([*(tmp_path / 'kept' / 'tokens').iterdir()]) == 4
    for (_, one), (_, other) in zip(
        losses(tmp_path / 'plain'), losses(tmp_path / 'kept'), strict=True
    ):
        assert other == pytest.approx(one, rel=1e-2)


def test_adapting_to_a_known_camera_keeps_the_focal_length_of_the_weights(
    seen: Path, tmp_path: Path
):
    settings = {'init_weights': str(seen / 'last.safetensors'), 'steps': 1}
    adapted = trained(tmp_path / 'run', sources=(Slope(LONG, 4), Slope(LONG, 2)), **settings)
    file = read_clip2depth(adapted.last_path)
    assert (file.settings.focal_px, file.settings.rays) == (60.0, True)
    assert file.settings.hfov_deg == pytest.approx(LONG.hfov_deg, abs=0.01)
    assert (file.settings.input_height_px, file.settings.input_width_px) == (64, 80)


def test_weights_at_a_longer_focal_length_say_what_they_said(seen: Path, tmp_path: Path):
    """Twice as many pixels, metres right from the first step on; what is scored stays."""
    model = {'init_weights': str(seen / 'last.safetensors'), 'steps': 1}
    sources = (Slope(LONG, 4), Slope(LONG, 2))
    finer = trained(tmp_path / 'finer', sources=sources, focal_px=120.0, **model)
    asked = trained(
        tmp_path / 'asked', sources=sources, input_height_px=120, input_width_px=160, **model
    )
    assert finer.before == asked.before
    file = read_clip2depth(finer.last_path)
    assert file.settings.focal_px == 120
    assert (file.settings.min_depth_m, file.settings.max_depth_m) == (2.0, 160.0)
    assert '1 to 80 m' in finer.protocol


def test_weights_of_another_output_stay_at_their_focal_length(tmp_path: Path):
    first = trained(
        tmp_path / 'first', sources=(Slope(LONG, 4), Slope(LONG, 2)), output='softplus', steps=1
    )
    with pytest.raises(ConfigError, match='cannot be brought from a focal length of 120 px'):
        trained(tmp_path / 'run', init_weights=str(first.last_path), focal_px=60.0)


def test_parts_of_the_model_have_learning_rates_of_their_own(tmp_path: Path):
    first = trained(tmp_path / 'first', steps=1)
    still = trained(
        tmp_path / 'still', init_weights=str(first.last_path), head_rate=0.0, mirror_rate=0.0,
        ema_decay=0.0, weight_decay=0.0, steps=2,
    )
    before, after = (read_clip2depth(r.last_path).state for r in (first, still))
    same = {name for name, tensor in before.items() if torch.equal(after[name], tensor)}
    parts = ('decoder.head.', 'mirror', 'film_')
    assert {name for name in before if name.startswith(parts)} <= same
    assert 'decoder.reduces.0.weight' not in same


def test_frames_without_a_camera_are_trained_on_as_they_are_and_that_is_said(whole: Path):
    report = json.loads((whole / 'report.json').read_text())
    (note,) = report['notes']
    assert 'camera of these frames is not known' in note
    assert read_clip2depth(whole / 'last.safetensors').settings.focal_px == 0
    assert 'camera ignored' in report['protocol']


def test_a_test_part_chooses_nothing_and_is_scored_with_the_best_weights(tmp_path: Path):
    sources = (Ramps(10), Ramps(4, seed=1), Ramps(6, seed=2))
    told: list[Progress] = []
    result = trained(
        tmp_path / 'run', sources=sources, compare_prior=True,
        options={'on_progress': told.append},
    )
    report = json.loads((tmp_path / 'run' / 'report.json').read_text())
    assert {*report['test']} == {*result.test} == {'before', 'best', 'constant', 'prior'}
    # It is what that source is worth as held-out frames.
    model = {'init_weights': str(result.best_path), 'steps': 1, 'compare_prior': True}
    alone = trained(tmp_path / 'alone', sources=(Ramps(10), Ramps(6, seed=2)), **model)
    assert result.test['best'].abs_rel == pytest.approx(alone.before.abs_rel, rel=1e-6)
    assert result.test['prior'] == alone.prior
    assert result.test['constant'] == alone.constant
    # Without the test, the same weights are the best.
    other = trained(tmp_path / 'other', sources=sources[:2])
    assert other.test == {}
    assert (other.best_step, other.metrics) == (result.best_step, result.metrics)


def test_constant_and_prior_are_those_of_the_evaluation(tmp_path: Path):
    settings = small_settings(tmp_path)
    held_out, protocol = Ramps(4, seed=1), validation_protocol(settings)
    result = trained(tmp_path / 'run', sources=(Ramps(10), held_out), compare_prior=True, steps=1)
    answers = {
        'prior': fit_prior(Ramps(10), protocol, 1),
        'constant': Constant(fit_constant(held_out, protocol, 1)),
    }
    for name, answer in answers.items():
        metrics = mean_metrics([
            score_frame(answer.answer([held_out[i]])[0], held_out[i], protocol).metrics()
            for i in range(4)
        ])
        assert getattr(result, name).abs_rel == pytest.approx(metrics.abs_rel, rel=1e-6)


def test_each_frame_is_left_out_once(whole: Path, tmp_path: Path):
    settings = small_settings(
        tmp_path, init_weights=str(whole / 'last.safetensors'), steps=2, cache_tokens=True,
    )
    told: list[Progress] = []
    sources = (Ramps(3), Ramps(1, seed=5))
    table = leave_one_out(settings, sources=sources, on_progress=told.append)
    assert len(table.names) == len(table.before) == len(table.after) == len(table.prior) == 4
    assert table.names[-1] == 'ramps 5 frame 0'
    assert table.means()['after'].abs_rel == pytest.approx(
        np.mean([metrics.abs_rel for metrics in table.after])
    )
    # One cache of images and one of full targets serve all four trainings.
    assert sum(progress.stage == 'tokens' for progress in told) == 2
    written = json.loads((tmp_path / 'leave_one_out.json').read_text())
    assert written['names'] == list(table.names)
