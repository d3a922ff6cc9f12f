# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth evaluate``: open, evaluate, write all outputs, print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
import os
from pathlib import Path
import shutil
import sys
from typing import Any, Final

from clip_depth_ros.cli.flags import given_settings, predictor_settings, settings_of
from clip_depth_ros.cli.progress import progress
from clip_depth_ros.core.depth_images import MM_PER_METRE
from clip_depth_ros.core.files import atomic_path, atomic_write_bytes, check_free, make_folder
from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.evaluation.report.frames import color_range_m, read_frames_again
from clip_depth_ros.evaluation.report.kept import kept_pictures
from clip_depth_ros.evaluation.report.page import write_report
from clip_depth_ros.evaluation.results.csv_file import frames_csv
from clip_depth_ros.evaluation.results.pictures import write_pictures
from clip_depth_ros.evaluation.results.result import Result, write_result
from clip_depth_ros.evaluation.results.summary import summary_markdown, summary_text
from clip_depth_ros.evaluation.run.answers import (
    Answers,
    check_scale,
    folder_answers,
    ImageAnswers,
    is_relative,
    topic_answers,
)
from clip_depth_ros.evaluation.run.baselines import (
    Constant,
    fit_constant,
    fit_mean_prior,
    fit_prior,
    UniformRandom,
)
from clip_depth_ros.evaluation.run.evaluate import Evaluation
from clip_depth_ros.evaluation.run.folder import evaluate_in_folder, run_lock, shard_from
from clip_depth_ros.evaluation.run.journal import forget_journal, has_journal
from clip_depth_ros.evaluation.score.intervals import Resampling
from clip_depth_ros.evaluation.score.protocols import (
    EvaluationProtocol,
    for_relative,
    load_protocol,
)
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.choice import choose_method
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames

_LOOK_AT_IMAGES: Final = {'ours', 'clip2depth', 'depthclip'}


Outputs = Mapping[str, Sequence[Path]]
"""The files of each kind: that of the output folder first, then its copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluated:
    """What is evaluated, and by which protocol."""

    settings: EvaluateSettings
    predictor: PredictorSettings
    frames: SourceFrames
    protocol: EvaluationProtocol


def run_evaluation(args: argparse.Namespace, outputs: Outputs) -> int:
    """
    Evaluate, write the results to ``outputs``, print the table.

    Returns
    -------
    int
        0 if all frames and answers were used, or ``--allow-missing`` is given; else 1.

    """
    shard = shard_from(os.environ)
    with ExitStack() as closing:
        closing.enter_context(_saying_how_to_go_on())
        closing.enter_context(run_lock(args.out, shard.rank))
        if shard.is_first:
            _check_outputs(outputs, force=args.force, is_unfinished=has_journal(args.out))
        elif outputs['json'][0].exists() and not args.force:
            return 0  # the others were so fast that all is done
        evaluated = _open_evaluated(args)
        _check_not_evaluated(outputs, evaluated.frames.files)
        closing.callback(evaluated.frames.close)
        answers = _open_answers(evaluated, closing)
        if relative := [name for name, each in answers.items() if is_relative(each)]:
            is_named = 'alignment' in _overrides(args.override)
            protocol = for_relative(evaluated.protocol, relative[0], is_named=is_named)
            evaluated = replace(evaluated, protocol=protocol)
        evaluation = _evaluation(evaluated, answers)
        identity = evaluation.identity()
        # Only the first differences are named: what predictors say follows from their settings.
        described = identity.pop('predictors')
        identity['predictor_settings'] = evaluated.predictor.model_dump(mode='json')
        identity['predictors'] = described
        with progress('evaluate', total=0, unit='frame', is_shown=shard.is_first) as bar:
            result = evaluate_in_folder(
                evaluation, args.out, identity, shard, force=args.force,
                on_progress=_shown_on(bar), on_waiting=_say_waiting(),
            )
        if result is None:
            return 0
        result = replace(result, command=args.command_line)
        _write_outputs(result, evaluated, evaluation.answers, outputs)
        forget_journal(args.out)
    print(summary_text(result))
    print(f'report: {outputs["html"][0]}')
    return _exit_code(result, allow_missing=args.allow_missing)


def _check_outputs(outputs: Outputs, *, force: bool, is_unfinished: bool) -> None:
    """
    Refuse, with OutputError, what would overwrite something or could not be written after all.

    An output folder that is unfinished is that of an evaluation that was interrupted: what it has
    written there already is written again. Copies elsewhere could be anybody's. Folders are made.
    """
    files = [path.resolve() for paths in outputs.values() for path in paths]
    if len({*files}) < len(files):
        raise OutputError(f'each output needs a file of its own, got {[*map(str, files)]}')
    own = {paths[0].resolve() for paths in outputs.values()} if is_unfinished else set()
    check_free((file for file in files if file not in own), force=force)
    for folder in {file.parent for file in files}:
        make_folder(folder)


def _check_not_evaluated(outputs: Outputs, files: Iterable[Path]) -> None:
    """Refuse, with OutputError, to replace what is evaluated, whatever is asked for."""
    inputs = {path.resolve() for path in files}
    for path in (path for paths in outputs.values() for path in paths):
        if path.resolve() in inputs:
            raise OutputError(f'{str(path)!r} is what is evaluated: name another place')


def _evaluation(evaluated: _Evaluated, answers: Mapping[str, Answers]) -> Evaluation:
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


def _shown_on(bar: Any) -> Callable[[int, int], None]:
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


def _write_outputs(
    result: Result,
    evaluated: _Evaluated,
    answers: Mapping[str, Answers],
    outputs: Outputs,
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
    kept = kept_pictures(result, evaluated.frames, asks, evaluated.protocol)
    write_pictures(outputs['pictures'][0], kept)
    for first, *copies in outputs.values():
        for copy in copies:
            with atomic_path(copy) as temporary:
                shutil.copyfile(first, temporary)


def _open_evaluated(args: argparse.Namespace) -> _Evaluated:
    """
    Open what the flags ask for.

    ConfigError if a setting, the protocol or a change to it is wrong; DataError if frames, topics
    or calibration are missing.
    """
    file = read_settings(args.config) if args.config else {}
    settings: EvaluateSettings = settings_of(
        EvaluateSettings, given_settings(args, EvaluateSettings), file, args.config
    )
    looks_at_images = bool(_LOOK_AT_IMAGES.intersection(settings.predicted()))
    predictor = predictor_settings(args, args.preset, is_asked=looks_at_images)
    if not looks_at_images:
        _check_no_predictor(args, predictor)
    overrides = _overrides(args.override)
    is_auto = settings.protocol == 'auto'
    # Frames say which protocol is usual, and a protocol says how LiDAR becomes depth; the usual
    # ones all do that as the plain one does.
    protocol = load_protocol('plain' if is_auto else settings.protocol, overrides)
    frames = open_for_evaluation(
        args.sources,
        settings,
        lidar_value=protocol.lidar_value,
        lidar_pixel=protocol.lidar_pixel,
        images_needed=looks_at_images,
        pred_topics=settings.pred_topic,
    )
    if is_auto:
        protocol = load_protocol(frames.default_protocol, overrides)
    return _Evaluated(settings=settings, predictor=predictor, frames=frames, protocol=protocol)


def _check_no_predictor(args: argparse.Namespace, predictor: PredictorSettings) -> None:
    """Refuse settings of a predictor that is not asked; ConfigError names them."""
    because = 'as no predictor of this package is evaluated (predict)'
    if args.preset:
        raise ConfigError(f'--preset would not be used, {because}: leave it out')
    predictor.refuse(*PredictorSettings.model_fields, because=because)


def _overrides(texts: list[str]) -> dict[str, Any]:
    """Return choices of the protocol by name; its settings make numbers of the texts."""
    pairs = [text.partition('=') for text in texts]
    for text, (name, equals, value) in zip(texts, pairs, strict=True):
        if not (name and equals and value):
            raise ConfigError(f'--override takes NAME=VALUE, got {text!r}')
    names = [name for name, _, _ in pairs]
    if len({*names}) < len(names):
        raise ConfigError(f'--override takes each name once, got {" ".join(texts)!r}')
    return {name: value for name, _, value in pairs}


def _open_answers(evaluated: _Evaluated, closing: ExitStack) -> dict[str, Answers]:
    """
    Open all whose depth is evaluated, by the names of the tables; ``closing`` closes them.

    ConfigError if a choice does not go with the source or the protocol, another ClipDepthError if
    weights, files or topics are missing.
    """
    opened: dict[str, Answers] = {}
    for kind in evaluated.settings.predicted():
        for name, answers in _OPENERS[kind](evaluated, opened):
            closing.callback(answers.close)
            opened.setdefault(name, answers)
    check_scale(evaluated.settings, opened)
    return opened


_Named = Iterator[tuple[str, Answers]]


def _ours(evaluated: _Evaluated, opened: Mapping[str, Answers], **changes: str) -> _Named:
    settings = evaluated.predictor.changed(**changes)
    if settings.scene_aware and settings.scene_smoothing:
        raise ConfigError(
            f'scene_smoothing={settings.scene_smoothing:g} makes an answer depend on the frames '
            'before it, an evaluation scores each frame on its own: set scene_smoothing to 0'
        )
    name = choose_method(settings).method
    if name not in opened:
        ours = [each for each in opened.values() if isinstance(each, ImageAnswers)]
        previous = ours[0].predictor if ours else None  # their frozen CLIP is shared
        yield name, ImageAnswers(build_predictor(settings, previous), evaluated.protocol)


def _topics(evaluated: _Evaluated, _: Mapping[str, Answers]) -> _Named:
    settings = evaluated.settings
    is_named = 'pred_per_metre' in settings.given()
    per_metre = settings.pred_per_metre if is_named else MM_PER_METRE
    for topic in settings.pred_topic:
        yield topic, topic_answers(
            evaluated.frames, topic, evaluated.protocol, settings.sync_tolerance_s,
            settings.pair_by, per_metre,
            settings.pred_kind if 'pred_kind' in settings.given() else None,
        )


def _folders(evaluated: _Evaluated, _: Mapping[str, Answers]) -> _Named:
    settings = evaluated.settings
    for folder in settings.pred_dir:
        yield folder, folder_answers(
            evaluated.frames, folder, evaluated.protocol, settings.pred_per_metre,
            settings.pred_kind,
        )


def _constant(evaluated: _Evaluated, _: Mapping[str, Answers]) -> _Named:
    depth_m = fit_constant(evaluated.frames, evaluated.protocol, evaluated.settings.n_workers)
    yield 'constant', Constant(depth_m)


def _prior(
    evaluated: _Evaluated, _: Mapping[str, Answers], *, name: str = 'prior'
) -> _Named:
    settings, protocol = evaluated.settings, evaluated.protocol
    others = open_for_evaluation(
        [settings.prior_from],
        settings,
        lidar_value=protocol.lidar_value,
        lidar_pixel=protocol.lidar_pixel,
        images_needed=False,
        pred_topics=settings.pred_topic,
    )
    if shared := {*others.files} & {*evaluated.frames.files}:
        raise ConfigError(
            f'prior_from should be other frames than those that are evaluated, and shares '
            f'{str(min(shared))!r} with them'
        )
    fit = fit_prior if name == 'prior' else fit_mean_prior
    yield name, fit(others, protocol, settings.n_workers)


def _random(evaluated: _Evaluated, _: Mapping[str, Answers]) -> _Named:
    protocol = evaluated.protocol
    yield 'random', UniformRandom(
        protocol.min_depth_m, protocol.depth_cap_m, evaluated.settings.seed
    )


_OPENERS: Final[Mapping[str, Callable[[_Evaluated, Mapping[str, Answers]], _Named]]] = {
    'ours': _ours,
    'clip2depth': partial(_ours, method='clip2depth'),
    'depthclip': partial(_ours, method='depthclip'),
    'topic': _topics,
    'dir': _folders,
    'constant': _constant,
    'prior': _prior,
    'prior-mean': partial(_prior, name='prior-mean'),
    'random': _random,
}
