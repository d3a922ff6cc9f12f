# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run keeps: logs, metrics, pictures, weights and the checkpoint it can resume from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
import json
import math
from pathlib import Path
import time
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.core.metrics import DepthMetrics, mean_metrics
from clip_depth_ros.errors import TrainingError
from clip_depth_ros.evaluation.score.baselines import fit_constant, fit_median_prior, prior_at
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.clip2depth_weights import (
    load_clip2depth,
    read_clip2depth,
    save_clip2depth,
)
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.installation import versions
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.training.checkpoint import Checkpoint, save_checkpoint
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.feed import BadFrames, Feeds
from clip_depth_ros.training.frames.frames import batch_of, FrameSet
from clip_depth_ros.training.frames.inputs import camera_facts, Inputs
from clip_depth_ros.training.learner import Learner, StepFacts
from clip_depth_ros.training.run import RunFolder, RunLog
from clip_depth_ros.training.validation import (
    caption,
    CHOSEN_BY,
    METRIC_NAMES,
    predict,
    score_one,
    SheetRow,
    validate,
    validation_protocol,
    write_sheet,
)
import numpy as np

_TEST: Final = 'test '
_NO_CAMERA: Final = (
    'the camera of these frames is not known: the weights answer in the metres of this very '
    'camera and will ignore others'
)


class Keeper:
    """
    Writes what a run leaves; of several processes only the first writes.

    ``sources`` are the frames of training, those held out, and those of a test, if there is one;
    ``inputs`` say how they go into the network; ``checkpoint`` is what the run resumes from, if
    it does.
    """

    def __init__(
        self,
        run: RunFolder,
        settings: TrainSettings,
        inputs: Sequence[Inputs],
        clip: FrozenClip,
        sources: Sequence[SampleSource],
        ranks: Ranks,
        checkpoint: Checkpoint | None,
    ) -> None:
        self._run, self._settings, self._clip, self._ranks = run, settings, clip, ranks
        self._inputs = inputs[0]
        self._train_source, self._held_out_source = sources[:2]
        self._has_test = len(sources) > 2
        self._bad_test = BadFrames(sum(map(len, sources[2:])), settings.bad_frame_share)
        self._bad_held_out = BadFrames(len(self._held_out_source), settings.bad_frame_share)
        self._protocol = validation_protocol(settings)
        self._cameras, assumed = (
            camera_facts(self._train_source, self._inputs) if ranks.is_first else ({}, [])
        )
        self._notes = [*([] if self._inputs.focal_px else [_NO_CAMERA]), *assumed]
        self._caption = caption(settings, self._held_out_source)
        nothing: dict[str, Any] = {'step': 0, 'best_step': 0, 'scores': {}}
        facts = checkpoint.facts if checkpoint else nothing
        step, self._best_step = int(facts['step']), int(facts['best_step'])
        self._scores: dict[str, dict[str, float]] = dict(facts['scores'])
        self._log = RunLog(
            run.path,
            METRIC_NAMES,
            up_to_step=step if checkpoint else -1,
            tensorboard=settings.tensorboard,
        ) if ranks.is_first else None
        self._since_s, self._since_step = time.perf_counter(), step

    def log(self, step: int, facts: StepFacts) -> None:
        """Write down a step."""
        now_s = time.perf_counter()
        n_images = (step - self._since_step) * self._settings.batch_size
        speed = n_images / max(now_s - self._since_s, 1e-9)
        self._since_s, self._since_step = now_s, step
        if self._log:
            row = {'step': step, **facts._asdict(), 'images_per_s': round(speed, 1)}
            self._log.add('train', row)

    def validate(self, learner: Learner, feeds: Feeds, step: int) -> dict[str, float]:
        """Score the running mean of the weights, keep it if it is the best so far."""
        batches = self._bad_held_out.counted(feeds.held_out_batches())
        metrics = asdict(validate(learner.mean, self._clip, batches, self._protocol, self._ranks))
        if step == 0:
            self._scores['before'] = metrics
            self._score_test(learner.mean, feeds, 'before')
        self._scores['last'] = metrics
        best = self._scores.get('best', {}).get(CHOSEN_BY, math.inf)
        is_best = metrics[CHOSEN_BY] < best
        if is_best:
            self._scores['best'], self._best_step = metrics, step
        if self._log:
            self._log.add('validation', {'step': step, **metrics})
            if is_best:
                self._save_weights(self._run.best, learner, step, metrics)
            self._write_sheet(learner, feeds.truths[1], step)
        # Validation does not count as time spent training.
        self._since_s, self._since_step = time.perf_counter(), step
        return metrics

    def has_given_up(self, step: int) -> bool:
        """Return whether validations up to a step have not been better for too long."""
        longest = self._settings.patience * self._settings.validation_interval
        return longest > 0 and step - self._best_step >= longest

    def score_without_images(self, feeds: Feeds) -> None:
        """Score the best constant, and the prior of the training frames, as an evaluation does."""
        train, *others = feeds.truths
        prior_m = fit_median_prior(
            feeds.true_depth(train), self._protocol, self._train_source.name
        )
        for prefix, frames in zip(('', _TEST), others, strict=False):
            metrics: dict[str, list[DepthMetrics]] = {'constant': [], 'prior': []}
            constant_m = fit_constant(feeds.true_depth(frames), self._protocol)
            for gt in feeds.true_depth(frames):
                answers = {
                    'constant': np.full(gt.shape, constant_m, np.float32),
                    'prior': prior_at(prior_m, gt.shape),
                }
                for name, answer in answers.items():
                    metrics[name] += score_one(answer, gt, self._protocol)
            for name, each in metrics.items():
                self._scores[prefix + name] = asdict(mean_metrics(each))

    def save(self, learner: Learner, bad_frames: BadFrames, step: int) -> None:
        """Write the checkpoint, and beside it its weights alone."""
        if not self._ranks.is_first:
            return
        facts = {
            'step': step,
            'best_step': self._best_step,
            'scores': self._scores,
            'bad_frames': bad_frames.problems,
            'scaler': learner.scaler_facts(),
        }
        self._save_weights(self._run.last, learner, step, {})
        save_checkpoint(self._run.checkpoint, learner.parts(), facts)

    def finish(self, learner: Learner, feeds: Feeds, bad_frames: BadFrames) -> TrainResult:
        """Score the test, close the logs, write the report and say what came out."""
        if self._has_test:
            self._ranks.wait()  # until the first process has written the best weights
            best = load_clip2depth(read_clip2depth(self._run.best), self._clip.backbone)
            self._score_test(best, feeds, 'best')
        held_out = self._bad_held_out.problems
        problems = {
            **bad_frames.problems,
            **{f'held-out {name}': why for name, why in held_out.items()},
            **{f'test {name}': why for name, why in self._bad_test.problems.items()},
        }
        if self._log:
            self._log.close()
            report = {
                'protocol': self._caption, 'best_step': self._best_step, **self._scores_of(''),
                **({'test': self._scores_of(_TEST)} if self._has_test else {}),
                'bad_frames': problems, 'cameras': self._cameras, 'notes': self._notes,
            }
            text = json.dumps(report, indent=2) + '\n'
            atomic_write_bytes(self._run.report, text.encode())
        metrics, test = (
            {kind: metrics_of(values) for kind, values in self._scores_of(part).items()}
            for part in ('', _TEST)
        )
        return TrainResult(
            out_dir=self._run.path,
            best_path=self._run.best,
            last_path=self._run.last,
            best_step=self._best_step,
            before=metrics['before'],
            metrics=metrics['best'],
            last=metrics['last'],
            prior=metrics.get('prior'),
            constant=metrics.get('constant'),
            test=test,
            protocol=self._caption,
            bad_frames=problems,
            notes=self._notes,
        )

    def _score_test(self, model: Clip2Depth, feeds: Feeds, name: str) -> None:
        if not self._has_test:
            return
        batches = self._bad_test.counted(feeds.test_batches())
        metrics = validate(model, self._clip, batches, self._protocol, self._ranks)
        self._scores[_TEST + name] = asdict(metrics)

    def _scores_of(self, prefix: str) -> dict[str, dict[str, float]]:
        """Return the scores of the held-out frames, or with the prefix of the test those of it."""
        return {
            name.removeprefix(prefix): values
            for name, values in self._scores.items()
            if name.startswith(_TEST) == bool(prefix)
        }

    def _save_weights(
        self, path: Path, learner: Learner, step: int, metrics: Mapping[str, float]
    ) -> None:
        source = self._train_source
        save_clip2depth(
            path,
            learner.mean,
            self._model_settings(),
            backbone=self._clip.backbone.name,
            backbone_hash=self._clip.hash,
            provenance={
                'settings': self._settings.model_dump(mode='json'),
                'data': f'{source.name}, {len(source)} frames',
                'source': source.describe(),
                'cameras': self._cameras,
                'steps': step,
                'seed': self._settings.seed,
                'versions': versions(),
                'protocol': self._caption,
            },
            metrics=metrics,
        )

    def _model_settings(self) -> Clip2DepthSettings:
        """Return the model's settings with the size that it has seen, for the predictor to use."""
        # Whole images are larger than what was seen of them.
        is_known = self._settings.crop == 'none' and len(self._inputs.sizes) == 1
        height, width = self._inputs.sizes[0] if is_known else (0, 0)
        hfov_deg = self._cameras['hfov_deg'][1] if self._cameras else 0.0
        seen: Clip2DepthSettings = self._settings.model_settings().changed(
            input_height_px=height or self._settings.input_height_px,
            input_width_px=width or self._settings.input_width_px,
            hfov_deg=self._settings.hfov_deg or hfov_deg,
        )
        return seen

    def _write_sheet(self, learner: Learner, frames: FrameSet, step: int) -> None:
        count = min(self._settings.n_sheet_frames, len(frames))
        picks = np.linspace(0, len(frames) - 1, count).round().astype(int)
        shown = [frame for pick in picks if not (frame := frames[int(pick)]).problem]
        if not shown:
            return
        preds_m = [predict(learner.mean, self._clip, batch_of([frame]))[0] for frame in shown]
        rows = [
            SheetRow(frame.rgb, frame.target_m, pred_m)
            for frame, pred_m in zip(shown, preds_m, strict=True)
        ]
        settings = self._settings
        write_sheet(
            self._run.sheet(step), rows,
            min_depth_m=settings.min_depth_m, max_depth_m=settings.max_depth_m,
        )


@dataclass(frozen=True, slots=True)
class TrainResult:
    """
    What a run has led to.

    Attributes
    ----------
    out_dir, best_path, last_path : Path
        The run's folder; weights of the best validation and of the end.
    best_step : int
        Steps after which the best weights were there.
    before, metrics, last : DepthMetrics
        On the held-out frames: before the first step, of the best weights, and of the last.
        ``metrics`` is flattered a little: the held-out frames have chosen those weights.
    prior : DepthMetrics or None
        Of the prior of the evaluation, fitted on the training frames, with ``compare_prior``.
    protocol : str
        What these numbers mean.
    bad_frames : mapping of str by str
        Why frames could not be read, by name.
    constant : DepthMetrics or None
        Of the best constant for the held-out frames, with ``compare_prior``.
    test : mapping of str to DepthMetrics
        On the frames of the test, which have chosen nothing: ``before``, ``best``, and, with
        ``compare_prior``, ``constant`` and ``prior``. Empty without a test.
    notes : sequence of str
        What a user should know of the weights.

    """

    out_dir: Path
    best_path: Path
    last_path: Path
    best_step: int
    before: DepthMetrics
    metrics: DepthMetrics
    last: DepthMetrics
    prior: DepthMetrics | None
    protocol: str
    bad_frames: Mapping[str, str]
    constant: DepthMetrics | None = None
    test: Mapping[str, DepthMetrics] = field(default_factory=dict)
    notes: Sequence[str] = ()


def metrics_of(values: Mapping[str, Any]) -> DepthMetrics:
    """Return metrics as a checkpoint holds them; TrainingError if another release's differ."""
    try:
        return DepthMetrics(**values)
    except TypeError as error:
        raise TrainingError(
            f'the checkpoint has other metrics than this release ({error}): begin another run'
        ) from error
