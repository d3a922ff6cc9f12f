# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth evaluate``: open, evaluate, collect, write, print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
import os
import sys
from typing import NoReturn

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
from clip_depth_ros.evaluation.run.evaluate import Evaluation
from clip_depth_ros.evaluation.run.folder import evaluate_in_folder, run_lock, shard_from
from clip_depth_ros.evaluation.run.journal import forget_journal, has_journal
from clip_depth_ros.evaluation.score.intervals import Resampling
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
        evaluation = _evaluation(evaluated, open_answers(evaluated, closing))
        identity = {
            **evaluation.identity(),
            'predictor_settings': evaluated.predictor.model_dump(mode='json'),
        }
        with tqdm(
            desc='evaluate', total=0, unit='frame', disable=None if shard.is_first else True
        ) as bar:
            result = evaluate_in_folder(
                evaluation, args.out, identity, shard, force=args.force,
                on_progress=_shown_on(bar), on_waiting=_say_waiting(),
            )
        if result is None:
            return 0
        write_outputs(result, evaluated, evaluation.answers, outputs)
        forget_journal(args.out)
    print(summary_text(result))
    print(f'report: {args.out / FILES["html"]}')
    return _exit_code(result, allow_missing=args.allow_missing)


def _evaluation(evaluated: Evaluated, answers: Mapping[str, Answers]) -> Evaluation:
    settings = evaluated.settings
    given = {**settings.model_dump(mode='json'), **evaluated.predictor.model_dump(mode='json')}
    return Evaluation(
        source=evaluated.frames,
        answers=answers,
        protocol=evaluated.protocol,
        batch_size=settings.batch_size,
        n_workers=settings.n_workers,
        resampling=Resampling(
            n_samples=settings.bootstrap_samples,
            block=settings.bootstrap_block,
            seed=settings.seed,
        ),
        settings={name: str(value) for name, value in given.items()},
    )


def _shown_on(bar: tqdm[NoReturn]) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        if bar.total != total:
            # What an earlier run has done says nothing of the time that is left.
            bar.reset(total)
            bar.initial = bar.n = done
        bar.update(done - bar.n)

    return show


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print('interrupted: the same command goes on from there', file=sys.stderr)
        raise


def _say_waiting() -> Callable[[int, int], None]:
    """Return what says, once, that other processes are still at work."""
    said: list[int] = []

    def say(done: int, total: int) -> None:
        if done < total and not said:
            said.append(done)
            print(
                f'waiting for other processes: {done} of {total} frames are there',
                file=sys.stderr,
            )

    return say


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
