# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth evaluate``: open, evaluate, collect, write, print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path
import sys
from typing import Any

from clip_depth_ros.cli.evaluate import FILES
from clip_depth_ros.cli.evaluate_answers import Evaluated, open_answers
from clip_depth_ros.cli.evaluate_outputs import write_outputs
from clip_depth_ros.cli.evaluate_plan import (
    check_not_evaluated,
    check_outputs,
    open_evaluated,
    output_files,
)
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.text import summary_text
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.run.collect import collect
from clip_depth_ros.evaluation.run.identity import identity_of
from clip_depth_ros.evaluation.run.journal import forget_journal, has_journal
from clip_depth_ros.evaluation.run.run import evaluate_frames
from clip_depth_ros.evaluation.run.run_lock import run_lock
from clip_depth_ros.evaluation.run.shards import Shard, shard_from, wait_for_all
from clip_depth_ros.evaluation.score.intervals import ENOUGH_FRAMES, Resampling
from clip_depth_ros.evaluation.score.protocols import differences, protocol_title
from clip_depth_ros.settings.installation import versions
from tqdm import tqdm


def run_evaluation(args: argparse.Namespace) -> int:
    """
    Evaluate, write the results, print the table.

    Returns
    -------
    int
        0 if all frames and answers were used, or ``--allow-missing`` is given; else 1.

    """
    outputs, shard = output_files(args), shard_from(os.environ)
    with ExitStack() as closing:
        closing.enter_context(_saying_how_to_go_on())
        closing.enter_context(run_lock(args.out, shard.rank))
        if shard.is_first:
            check_outputs(outputs, force=args.force, is_unfinished=has_journal(args.out))
        elif outputs['json'][0].exists() and not args.force:
            return 0  # the others were so fast that all is done
        evaluated = open_evaluated(args)
        check_not_evaluated(outputs, evaluated.frames.files)
        closing.callback(evaluated.frames.close)
        answers = open_answers(evaluated, closing)
        identity = _identity(evaluated, answers)
        _evaluate(evaluated, answers, args.out, shard, identity, force=args.force)
        if not shard.is_first:
            return 0
        wait_for_all(args.out, len(evaluated.frames), identity, on_progress=_say_waiting())
        result = _collected(evaluated, answers, args.out, identity)
        write_outputs(result, evaluated, answers, outputs)
        forget_journal(args.out)
    print(summary_text(result))
    print(f'report: {args.out / FILES["html"]}')
    return _exit_code(result, allow_missing=args.allow_missing)


def _evaluate(
    evaluated: Evaluated,
    answers: Mapping[str, Answers],
    out_dir: Path,
    shard: Shard,
    identity: Mapping[str, Any],
    *,
    force: bool,
) -> None:
    bar = tqdm(
        desc='evaluate', total=0, unit='frame', disable=None if shard.is_first else True
    )

    def show(done: int, total: int) -> None:
        if bar.total != total:
            # What an earlier run has done says nothing of the time that is left.
            bar.reset(total)
            bar.initial = bar.n = done
        bar.update(done - bar.n)

    with bar:
        evaluate_frames(
            evaluated.frames,
            answers,
            evaluated.protocol,
            out_dir=out_dir,
            identity=identity,
            batch_size=evaluated.settings.batch_size,
            n_workers=evaluated.settings.n_workers,
            rank=shard.rank,
            world_size=shard.world_size,
            force=force,
            on_progress=show,
        )


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print('interrupted: the same command goes on from there', file=sys.stderr)
        raise


def _say_waiting() -> Callable[[int, int], None]:
    """Give what says, once, that other processes are still at work."""
    said: list[int] = []

    def say(done: int, total: int) -> None:
        if done < total and not said:
            said.append(done)
            print(
                f'waiting for other processes: {done} of {total} frames are there',
                file=sys.stderr,
            )

    return say


def _identity(evaluated: Evaluated, answers: Mapping[str, Answers]) -> dict[str, Any]:
    """Give all that decides the numbers of a frame."""
    described = {name: each.describe() for name, each in answers.items()}
    batch_size = evaluated.settings.batch_size
    return {
        **identity_of(evaluated.frames, described, evaluated.protocol, batch_size),
        'predictor_settings': evaluated.predictor.model_dump(mode='json'),
    }


def _collected(
    evaluated: Evaluated,
    answers: Mapping[str, Answers],
    out_dir: Path,
    identity: Mapping[str, Any],
) -> Result:
    frames, settings = evaluated.frames, evaluated.settings
    given = {**settings.model_dump(mode='json'), **evaluated.predictor.model_dump(mode='json')}
    return collect(
        out_dir,
        identity=identity,
        predictors={name: each.describe() for name, each in answers.items()},
        title=protocol_title(evaluated.protocol, gt_kind=frames.gt_kind),
        protocol=evaluated.protocol,
        # The files as they were at the beginning, so that a comparison notices when those of the
        # same names are not the same.
        source={
            **_source_facts(evaluated, answers),
            **{name: identity[name] for name in ('files',) if name in identity},
        },
        settings={name: str(value) for name, value in given.items()},
        versions=versions(),
        n_frames=len(frames),
        source_problems=frames.problems,
        resampling=Resampling(
            n_samples=settings.bootstrap_samples,
            block=settings.bootstrap_block,
            seed=settings.seed,
        ),
    )


def _source_facts(evaluated: Evaluated, answers: Mapping[str, Answers]) -> dict[str, str]:
    """Give what the frames are, and what must be said of them."""
    frames = evaluated.frames
    notes = '; '.join(_notes(evaluated, answers))
    return {'name': frames.name, **frames.describe(), 'notes': notes}


def _notes(evaluated: Evaluated, answers: Mapping[str, Answers]) -> Iterator[str]:
    """Say what a reader must know beside the numbers."""
    frames = evaluated.frames
    yield from differences(evaluated.protocol, gt_kind=frames.gt_kind, n_frames=len(frames))
    described = frames.describe().items()
    truths = {value for key, value in described if key.endswith(('depth_topic', 'lidar_topic'))}
    if truths := truths - {''}:
        yield f'the truth is {", ".join(sorted(truths))}'
    yield from frames.notes
    for name, each in answers.items():
        if each.describe().get('found_by') == 'order':
            yield f'{name}: no file has the name of a frame, they are taken in order'
    if len(frames) < ENOUGH_FRAMES:
        yield f'intervals over fewer than {ENOUGH_FRAMES} frames are too narrow'


def _exit_code(result: Result, *, allow_missing: bool) -> int:
    if not result.problems or allow_missing:
        return 0
    what, why = result.problems[0].what, result.problems[0].why
    more = f', and {len(result.problems) - 1} more' if len(result.problems) > 1 else ''
    print(
        f'clip-depth evaluate: not everything could be used: {what}: {why}{more}; the report '
        'names all, --allow-missing accepts that',
        file=sys.stderr,
    )
    return 1
