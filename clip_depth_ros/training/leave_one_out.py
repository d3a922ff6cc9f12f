# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each frame of a small recording held out once, the model trained on all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.core.metrics import DepthMetrics, mean_metrics
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.held_out import open_for_training, Sources
from clip_depth_ros.sources.samples import Joined, Subset
from clip_depth_ros.training.loop import OnProgress, train
from clip_depth_ros.training.run import RunFolder

MOST_FRAMES = 200
"""With more, a part that is held out says as much for less."""


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """
    One row for each frame.

    Attributes
    ----------
    names : sequence of str
        Of the frames.
    before, after, prior : sequence of DepthMetrics
        Of the weights that training started from, of the last step (not the best: the held-out
        frame would have chosen it), and of the prior of the evaluation on the other frames.
    protocol : str
        What these numbers mean.

    """

    names: Sequence[str]
    before: Sequence[DepthMetrics]
    after: Sequence[DepthMetrics]
    prior: Sequence[DepthMetrics]
    protocol: str

    def means(self) -> dict[str, DepthMetrics]:
        """Return the mean over frames of each."""
        return {
            'before': mean_metrics(self.before),
            'after': mean_metrics(self.after),
            'prior': mean_metrics(self.prior),
        }


def leave_one_out(
    settings: TrainSettings,
    *,
    resume: bool = False,
    force: bool = False,
    sources: Sources | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> LeaveOneOut:
    """
    Train once for each frame, and score that frame.

    Parameters
    ----------
    settings : TrainSettings
        Of each training; all frames are put together again.
    resume, force, sources, on_progress
        As for :func:`clip_depth_ros.training.loop.train`; a run that is done is not done again.

    Returns
    -------
    LeaveOneOut
        Also written as ``leave_one_out.json`` into ``out_dir``.

    Raises
    ------
    ConfigError
        If there are fewer than 2 or more than 200 frames.
    ClipDepthError
        As :func:`clip_depth_ros.training.loop.train` does.

    """
    folder = RunFolder(settings).path
    whole = settings.changed(validation_gap_s=0.0, test_share=0.0)
    every = Joined(*(sources or open_for_training(whole)))
    if not 2 <= len(every) <= MOST_FRAMES:
        raise ConfigError(
            f'leaving each frame out once is for 2 to {MOST_FRAMES} frames, got {len(every)}: '
            'train without --leave-one-out, which holds out validation_share of them'
        )
    # One cache of all frames serves every training.
    cache_dir = settings.cache_dir or str(folder / 'tokens')
    results = []
    for held_out in range(len(every)):
        fold = settings.changed(
            out_dir=str(folder / f'without_{held_out:03d}'), cache_dir=cache_dir,
            compare_prior=True, validation_interval=settings.steps, test_share=0.0,
        )
        others = tuple(index for index in range(len(every)) if index != held_out)
        is_begun = (user_path(fold.out_dir) / 'run.json').is_file()
        results.append(train(
            fold,
            resume=resume and is_begun,
            force=force,
            sources=(Subset(every, others), Subset(every, (held_out,))),
            on_progress=on_progress,
        ))
    table = LeaveOneOut(
        names=[every[index].name for index in range(len(every))],
        before=[result.before for result in results],
        after=[result.last for result in results],
        prior=[result.prior for result in results if result.prior],
        protocol=f'each of {len(every)} frames held out once; {results[0].protocol}',
    )
    text = json.dumps(asdict(table), indent=2) + '\n'
    atomic_write_bytes(folder / 'leave_one_out.json', text.encode())
    return table
