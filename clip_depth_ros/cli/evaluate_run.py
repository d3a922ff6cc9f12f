# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth evaluate``: open, evaluate, write all outputs, print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path
import shutil
import sys
from typing import NoReturn

from clip_depth_ros.cli.evaluate import FILES
from clip_depth_ros.cli.evaluate_inputs import Evaluated, open_answers, open_evaluated
from clip_depth_ros.core.files import atomic_path, atomic_write_bytes, check_free, make_folder
from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.report.frames import color_range_m, read_frames_again
from clip_depth_ros.evaluation.report.page import write_report
from clip_depth_ros.evaluation.results.result import frames_csv, Result, write_result
from clip_depth_ros.evaluation.results.tables import summary_markdown, summary_text
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


Outputs = Mapping[str, list[Path]]
"""The files of each kind: that of the output folder first, then its copies."""


def output_files(args: argparse.Namespace) -> Outputs:
    """Return the files that are to be written."""
    copies = {kind: getattr(args, kind) for kind in FILES}
    return {
        kind: [args.out / name, *([copies[kind]] if copies[kind] else [])]
        for kind, name in FILES.items()
    }


def check_outputs(outputs: Outputs, *, force: bool, is_unfinished: bool) -> None:
    """
    Refuse what would overwrite something, or could not be written after all the work.

    Parameters
    ----------
    outputs : mapping of str to list of Path
        Files of each kind.
    force : bool
        Whether files may be replaced.
    is_unfinished : bool
        Whether the output folder is that of an evaluation that was interrupted: what it has
        written there already is written again. Copies elsewhere could be anybody's.

    Raises
    ------
    OutputError
        If a file is there and must not be replaced or is named twice, or its folder cannot be
        made.

    """
    files = [path.resolve() for paths in outputs.values() for path in paths]
    if len({*files}) < len(files):
        raise OutputError(f'each output needs a file of its own, got {[*map(str, files)]}')
    own = {paths[0].resolve() for paths in outputs.values()} if is_unfinished else set()
    check_free((file for file in files if file not in own), force=force)
    for folder in {file.parent for file in files}:
        make_folder(folder)


def check_not_evaluated(outputs: Outputs, files: Iterable[Path]) -> None:
    """
    Refuse to replace what is evaluated, whatever is asked for.

    Raises
    ------
    OutputError
        Naming the file.

    """
    inputs = {path.resolve() for path in files}
    for path in (path for paths in outputs.values() for path in paths):
        if path.resolve() in inputs:
            raise OutputError(f'{str(path)!r} is what is evaluated: name another place')


def write_outputs(
    result: Result,
    evaluated: Evaluated,
    answers: Mapping[str, Answers],
    outputs: Mapping[str, Sequence[Path]],
) -> None:
    """Write every file, and its copies."""
    write_result(result, outputs['json'][0])
    with (
        atomic_path(outputs['csv'][0]) as temporary,
        temporary.open('w', encoding='utf-8', newline='') as file,
    ):
        file.writelines(frames_csv(result))
    atomic_write_bytes(outputs['markdown'][0], summary_markdown(result).encode())
    asks = {name: each.answer for name, each in answers.items()}
    pictures = read_frames_again(result, evaluated.frames, asks, evaluated.protocol)
    near_m, far_m = color_range_m(pictures, evaluated.protocol)
    write_report(result, pictures, outputs['html'][0], near_m=near_m, far_m=far_m)
    for first, *copies in outputs.values():
        for copy in copies:
            with atomic_path(copy) as temporary:
                shutil.copyfile(first, temporary)
