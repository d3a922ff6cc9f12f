# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The training of CLIP2Depth, from top to bottom: frames, frozen CLIP, model, optimiser, loop.

    clip-depth train --recipe synthetic --out runs/street         one process
    torchrun --nproc-per-node 4 -m clip_depth_ros train ...           four, with the same result

"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from itertools import islice

from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.devices import explain_out_of_memory, this_machine
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.held_out import open_for_training, Sources
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.training.clip import FrozenClip
from clip_depth_ros.training.distributed import device_of_rank, process_group, Ranks
from clip_depth_ros.training.feed import BadFrames, open_feeds
from clip_depth_ros.training.frames.inputs import canonical_focal, check_windows, plan_inputs
from clip_depth_ros.training.keeper import Keeper, TrainResult
from clip_depth_ros.training.learner import Learner, MEMORY_ADVICE
from clip_depth_ros.training.run import RunFolder
from clip_depth_ros.training.start import resolve_settings, start_model
import torch


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a run is.

    Attributes
    ----------
    stage : str
        ``tokens`` (caching), ``train`` or ``validation``.
    done, total : int
        Frames or steps.
    facts : mapping
        Loss, learning rate, metrics: what there is to tell.

    """

    stage: str
    done: int
    total: int
    facts: Mapping[str, float]


OnProgress = Callable[[Progress], None]


def train(
    settings: TrainSettings,
    *,
    resume: bool = False,
    force: bool = False,
    sources: Sources | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> TrainResult:
    """
    Train CLIP2Depth.

    Parameters
    ----------
    settings : TrainSettings
        All that decides the result.
    resume : bool
        Go on with the run in ``out_dir`` as if it had not been stopped.
    force : bool
        Overwrite a run in ``out_dir``.
    sources : sequence of SampleSource, optional
        Frames of training, held-out frames, and those of a test, if there is one; by default those
        that the settings name.
    on_progress : callable
        Called after each step.

    Raises
    ------
    ConfigError
        If settings do not go together, or differ from those of the run to resume.
    DataError
        If frames are missing, cannot be right, or too many cannot be read.
    WeightsError
        If weights are missing, damaged or those of another model.
    DeviceError
        If the device is not there or its memory too small.
    TrainingError
        If the loss is no longer finite; the last checkpoint is as it was.
    OutputError
        If results cannot be written; the last checkpoint is as it was.

    """
    with process_group(settings.device) as ranks:
        if settings.n_threads:
            torch.set_num_threads(settings.n_threads)
        return _train(resolve_settings(settings), ranks, resume, force, sources, on_progress)


def _train(
    settings: TrainSettings,
    ranks: Ranks,
    resume: bool,
    force: bool,
    sources: Sources | None,
    on_progress: OnProgress,
) -> TrainResult:
    def tell(stage: str, step: int, facts: Mapping[str, float]) -> None:
        on_progress(Progress(stage, step, settings.steps, facts))

    # The folder: refused before anything is computed if it is that of another run.
    run = RunFolder(settings)
    checkpoint = run.resume() if resume else None
    if not resume and ranks.is_first:
        run.check_free(force=force)
    ranks.wait()

    # The frames: refused before the first step if they cannot be right.
    sources = sources or ranks.in_turn(lambda: open_for_training(settings))
    for source in sources:
        check_source(source)
    bad_frames = BadFrames(len(sources[0]), settings.bad_frame_share)

    # The frozen CLIP, and the tokens of all frames if they are to be kept.
    device, _ = this_machine(device_of_rank(settings.device, ranks), 'fp32')
    backbone = build_backbone(settings.backbone_settings(), device, 'fp32')
    stride = backbone.tower.stride
    focal_px = canonical_focal(sources[0], settings, stride)
    settings = settings.changed(focal_px=focal_px)
    inputs = [plan_inputs(source, settings, stride, focal_px) for source in sources]
    check_windows(settings, inputs[0].sizes, stride)
    clip = FrozenClip(backbone, settings)
    with ExitStack() as begun:
        if not resume and ranks.is_first:
            begun.enter_context(_begun(run))
        with explain_out_of_memory(device, 'the tokens of a batch', MEMORY_ADVICE):
            feeds = open_feeds(
                settings, sources, inputs, clip, ranks, bad_frames,
                lambda done, total: on_progress(Progress('tokens', done, total, {})),
            )

        # What learns, and where it stands: at the start, or at the last checkpoint.
        learner = Learner(start_model(settings, clip), clip, settings, ranks)
        keeper = Keeper(run, settings, inputs, clip, sources, ranks, checkpoint)
        first_step = 0
        if checkpoint:
            learner.restore(checkpoint)
            bad_frames.add(checkpoint.facts['bad_frames'])
            first_step = int(checkpoint.facts['step'])
        else:
            if settings.compare_prior:
                keeper.score_without_images(feeds)
            tell('validation', 0, keeper.validate(learner, feeds, 0))

    # The loop.
    batches = feeds.train_batches(range(first_step, settings.steps))
    for step in range(first_step, settings.steps):
        if keeper.has_given_up(step):
            break
        parts = bad_frames.counted(islice(batches, settings.accumulate))
        facts = learner.step(step, parts)
        done, is_last = step + 1, step + 1 == settings.steps
        if done % settings.log_interval == 0:
            keeper.log(done, facts)
        tell('train', done, facts._asdict())
        if done % settings.validation_interval == 0 or is_last:
            tell('validation', done, keeper.validate(learner, feeds, done))
        if done % settings.save_interval == 0 or is_last or keeper.has_given_up(done):
            keeper.save(learner, bad_frames, done)
    return keeper.finish(learner, feeds, bad_frames)


@contextmanager
def _begun(run: RunFolder) -> Iterator[None]:
    """Begin a run in its folder; if it is refused before its first step, nothing stays there."""
    run.begin()
    try:
        yield
    except ClipDepthError:
        run.clear()
        raise
