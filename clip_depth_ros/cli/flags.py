# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Command-line flags derived from the settings: ``min_depth_m`` becomes ``--min-depth-m``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from clip_depth_ros.config import PredictorSettings
from clip_depth_ros.setting_specs import setting_specs, SettingSpec


def add_setting_flags(
    parser: argparse.ArgumentParser,
    names: Iterable[str] = tuple(setting_specs(PredictorSettings)),
) -> None:
    """Add one flag for each named setting of the predictor; flags not given leave no trace."""
    specs = setting_specs(PredictorSettings)
    group = parser.add_argument_group('predictor settings')
    for name in names:
        group.add_argument(f'--{name.replace("_", "-")}', **_flag(specs[name]))


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Give the settings whose flags were given, by setting name."""
    return {name: getattr(args, name) for name in setting_specs(PredictorSettings) if name in args}


def _flag(spec: SettingSpec) -> dict[str, Any]:
    default = ' '.join(map(str, spec.default)) if isinstance(spec.default, list) else spec.default
    unit = f' {spec.unit}' if spec.unit else ''
    text = f'{spec.description} (default: {default!r}{unit})'.replace('%', '%%')
    flag: dict[str, Any] = {'dest': spec.name, 'default': argparse.SUPPRESS, 'help': text}
    if spec.kind == 'bool':
        return {**flag, 'action': argparse.BooleanOptionalAction}
    if spec.choices:
        return {**flag, 'choices': spec.choices}
    if spec.kind in ('str_list', 'float_list'):
        flag['nargs'] = '*'
    number = {'int': int, 'float': float, 'float_list': float}.get(spec.kind, str)
    return {**flag, 'type': number, 'metavar': spec.kind.removesuffix('_list').upper()}
