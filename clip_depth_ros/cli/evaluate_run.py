# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth evaluate``: open, evaluate, collect, write, print."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
import os
from pathlib import Path
import sys
from typing import Any

from clip_depth_ros.cli.evaluate import FILES
from clip_depth_ros.cli.evaluate_answers import Evaluated, open_answers
from clip_depth_ros.cli.evaluate_outputs import write_outputs
from clip_depth_ros.cli.flags import given_settings
from clip_depth_ros.config import NodeSettings, PredictorSettings
from clip_depth_ros.data.evaluation_sources import open_for_evaluation
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.evaluate_settings import EvaluateSettings
from clip_depth_ros.evaluation.answers import Answers
from clip_depth_ros.evaluation.bootstrap import Resampling
from clip_depth_ros.evaluation.collect import collect
from clip_depth_ros.evaluation.identity import identity_of
from clip_depth_ros.evaluation.protocols import differences, load_protocol, protocol_title
from clip_depth_ros.evaluation.result import Result
from clip_depth_ros.evaluation.run import evaluate_frames
from clip_depth_ros.evaluation.shards import Shard, shard_from, wait_for_all
from clip_depth_ros.evaluation.tables import summary_text
from clip_depth_ros.files import check_free
from clip_depth_ros.setting_files import read_parameters, read_settings
from clip_depth_ros.versions import versions
from tqdm import tqdm


def run_evaluation(args: argparse.Namespace) -> int:
    """
    Evaluate, write the results, print the table.

    Returns
    -------
    int
        0 if all frames and answers were used, or ``--allow-missing`` is given; else 1.

    """
    outputs = _outputs(args)
    shard = shard_from(os.environ)
    if shard.is_first:
        check_free((path for paths in outputs.values() for path in paths), force=args.force)
    evaluated = _opened(args)
    with ExitStack() as closing:
        answers = open_answers(evaluated, closing)
        identity = _identity(evaluated, answers)
        _evaluate(evaluated, answers, args.out, shard, identity, force=args.force)
        if not shard.is_first:
            return 0
        wait_for_all(args.out, len(evaluated.frames), identity)
        result = _collected(evaluated, answers, args.out, identity)
        write_outputs(result, evaluated, answers, outputs)
    print(summary_text(result))
    print(f'report: {args.out / FILES["html"]}')
    return _exit_code(result, allow_missing=args.allow_missing)


def _outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Give the files of each kind."""
    copies = {kind: getattr(args, kind) for kind in FILES}
    return {
        kind: [args.out / name, *([copies[kind]] if copies[kind] else [])]
        for kind, name in FILES.items()
    }


def _opened(args: argparse.Namespace) -> Evaluated:
    """Give what the flags ask for."""
    file = read_settings(args.config) if args.config else {}
    settings: EvaluateSettings = EvaluateSettings.from_mapping(
        {**file, **given_settings(args, EvaluateSettings)}
    )
    predictor = _predictor_settings(args)
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
    )
    if is_auto:
        protocol = load_protocol(frames.default_protocol, overrides)
    return Evaluated(settings=settings, predictor=predictor, frames=frames, protocol=protocol)


def _predictor_settings(args: argparse.Namespace) -> PredictorSettings:
    """Give the settings of this package's predictor: file, then flags."""
    file = read_parameters(args.params_file) if args.params_file else {}
    NodeSettings.check_each(file)  # a parameter file holds the node's own settings, too
    settings: PredictorSettings = PredictorSettings.from_mapping({
        **{name: value for name, value in file.items() if name in PredictorSettings.model_fields},
        **given_settings(args),
    })
    return settings


def _overrides(texts: list[str]) -> dict[str, Any]:
    """Give choices of the protocol by name; its settings make numbers of the texts."""
    pairs = [text.partition('=') for text in texts]
    for text, (name, equals, value) in zip(texts, pairs, strict=True):
        if not (name and equals and value):
            raise ConfigError(f'--override takes NAME=VALUE, got {text!r}')
    return {name: value for name, _, value in pairs}


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
        source=_source_facts(evaluated),
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


def _source_facts(evaluated: Evaluated) -> dict[str, str]:
    """Give what the frames are, and how they differ from those of the protocol."""
    frames = evaluated.frames
    differs = differences(evaluated.protocol, gt_kind=frames.gt_kind, n_frames=len(frames))
    facts = {'name': frames.name, **frames.describe()}
    return {**facts, 'differs': '; '.join(differs)} if differs else facts


def _exit_code(result: Result, *, allow_missing: bool) -> int:
    if not result.problems or allow_missing:
        return 0
    print(
        f'clip-depth evaluate: {len(result.problems)} frames, answers or parts of recordings '
        'could not be used, they are named in the report; --allow-missing accepts that',
        file=sys.stderr,
    )
    return 1
