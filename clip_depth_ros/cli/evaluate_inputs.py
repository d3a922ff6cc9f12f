# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``clip-depth evaluate`` is asked for: frames, protocol, and whose depth is scored."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from clip_depth_ros.cli.flags import given_settings
from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.evaluation.run.answers import (
    Answers,
    folder_answers,
    ImageAnswers,
    topic_answers,
)
from clip_depth_ros.evaluation.run.baselines import (
    Constant,
    fit_constant,
    fit_prior,
    UniformRandom,
)
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol, load_protocol
from clip_depth_ros.predictor.build import build_predictor, choose_method
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.node import NodeSettings, read_parameters
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.types import DepthPredictor

_LOOK_AT_IMAGES: Final = {'ours', 'clip2depth', 'depthclip'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What is evaluated, and by which protocol."""

    settings: EvaluateSettings
    predictor: PredictorSettings
    frames: SourceFrames
    protocol: EvaluationProtocol


def open_evaluated(args: argparse.Namespace) -> Evaluated:
    """
    Open what the flags ask for.

    Raises
    ------
    ConfigError
        If a setting, the protocol or a change to it is wrong.
    DataError
        If frames, topics or calibration are missing.

    """
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
        images_needed=bool(_LOOK_AT_IMAGES.intersection(settings.predicted())),
        pred_topics=settings.pred_topic,
    )
    if is_auto:
        protocol = load_protocol(frames.default_protocol, overrides)
    return Evaluated(settings=settings, predictor=predictor, frames=frames, protocol=protocol)


def _predictor_settings(args: argparse.Namespace) -> PredictorSettings:
    """Return the settings of this package's predictor: file, then flags."""
    file = read_parameters(args.params_file) if args.params_file else {}
    NodeSettings.check_each(file)  # a parameter file holds the node's own settings, too
    settings: PredictorSettings = PredictorSettings.from_mapping({
        **{name: value for name, value in file.items() if name in PredictorSettings.model_fields},
        **given_settings(args),
    })
    return settings


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


def open_answers(evaluated: Evaluated, closing: ExitStack) -> dict[str, Answers]:
    """
    Open all whose depth is evaluated, by the names of the tables.

    Parameters
    ----------
    evaluated : Evaluated
        What the settings ask for.
    closing : ExitStack
        Closes them.

    Raises
    ------
    ConfigError
        If a choice does not go with the source or the protocol.
    ClipDepthError
        If weights, files or topics are missing.

    """
    opened: dict[str, Answers] = {}
    for kind in evaluated.settings.predicted():
        for name, answers in _OPENERS[kind](evaluated, opened):
            closing.callback(answers.close)
            opened.setdefault(name, answers)
    return opened


_Named = Iterator[tuple[str, Answers]]


def _ours(evaluated: Evaluated, opened: Mapping[str, Answers]) -> _Named:
    yield from _method(evaluated, opened, evaluated.predictor)


def _clip2depth(evaluated: Evaluated, opened: Mapping[str, Answers]) -> _Named:
    yield from _method(evaluated, opened, evaluated.predictor.changed(method='clip2depth'))


def _depthclip(evaluated: Evaluated, opened: Mapping[str, Answers]) -> _Named:
    yield from _method(evaluated, opened, evaluated.predictor.changed(method='depthclip'))


def _method(
    evaluated: Evaluated, opened: Mapping[str, Answers], settings: PredictorSettings
) -> _Named:
    if settings.scene_aware and settings.scene_smoothing:
        raise ConfigError(
            f'scene_smoothing={settings.scene_smoothing:g} makes an answer depend on the frames '
            'before it, an evaluation scores each frame on its own: set scene_smoothing to 0'
        )
    name = choose_method(settings).method
    if name not in opened:
        ours = [each for each in opened.values() if isinstance(each, ImageAnswers)]
        previous = ours[0].predictor if ours else None  # their frozen CLIP is shared
        yield name, ImageAnswers(_built(settings, previous), evaluated.protocol)


def _built(settings: PredictorSettings, previous: DepthPredictor | None) -> DepthPredictor:
    """Build a predictor; without weights, say what needs none."""
    try:
        return build_predictor(settings, previous)
    except WeightsError as error:
        if settings.uses_bundled():
            raise
        raise WeightsError(
            f'{error}; to try the command without, add --params-file synthetic (small weights '
            'that come with this package, for rendered streets)'
        ) from error


def _topics(evaluated: Evaluated, _: Mapping[str, Answers]) -> _Named:
    settings = evaluated.settings
    for topic in settings.pred_topic:
        yield topic, topic_answers(
            evaluated.frames, topic, evaluated.protocol, settings.sync_tolerance_s
        )


def _folders(evaluated: Evaluated, _: Mapping[str, Answers]) -> _Named:
    settings = evaluated.settings
    for folder in settings.pred_dir:
        yield folder, folder_answers(
            evaluated.frames, folder, evaluated.protocol, settings.pred_per_metre
        )


def _constant(evaluated: Evaluated, _: Mapping[str, Answers]) -> _Named:
    depth_m = fit_constant(evaluated.frames, evaluated.protocol, evaluated.settings.n_workers)
    yield 'constant', Constant(depth_m)


def _prior(evaluated: Evaluated, _: Mapping[str, Answers]) -> _Named:
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
    yield 'prior', fit_prior(others, protocol, settings.n_workers)


def _random(evaluated: Evaluated, _: Mapping[str, Answers]) -> _Named:
    protocol = evaluated.protocol
    yield 'random', UniformRandom(
        protocol.min_depth_m, protocol.depth_cap_m, evaluated.settings.seed
    )


_OPENERS: Final[Mapping[str, Callable[[Evaluated, Mapping[str, Answers]], _Named]]] = {
    'ours': _ours,
    'clip2depth': _clip2depth,
    'depthclip': _depthclip,
    'topic': _topics,
    'dir': _folders,
    'constant': _constant,
    'prior': _prior,
    'random': _random,
}
