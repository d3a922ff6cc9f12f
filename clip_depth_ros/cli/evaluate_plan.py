# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``clip-depth evaluate`` is asked for: frames, protocol, predictor, output files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.cli.evaluate import FILES
from clip_depth_ros.cli.evaluate_answers import Evaluated
from clip_depth_ros.cli.flags import given_settings
from clip_depth_ros.core.files import check_free, make_folder
from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.node import NodeSettings, read_parameters
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.frames import open_for_evaluation

_LOOK_AT_IMAGES: Final = {'ours', 'clip2depth', 'depthclip'}

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
