# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Command-line flags derived from the settings: ``min_depth_m`` becomes ``--min-depth-m``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from clip_depth_ros.settings.base import setting_specs, Settings, SettingSpec
from clip_depth_ros.settings.predictor import PredictorSettings


def add_setting_flags(
    parser: argparse.ArgumentParser,
    names: Iterable[str] = (),
    *,
    settings: type[Settings] = PredictorSettings,
    title: str = 'predictor settings',
) -> None:
    """Add one flag for each named setting (default: all); flags not given leave no trace."""
    specs = setting_specs(settings)
    group = parser.add_argument_group(title)
    for name in names or specs:
        group.add_argument(f'--{name.replace("_", "-")}', **_flag(specs[name]))


def given_settings(
    args: argparse.Namespace, settings: type[Settings] = PredictorSettings
) -> dict[str, Any]:
    """Return the settings whose flags were given, by setting name."""
    return {name: getattr(args, name) for name in setting_specs(settings) if name in args}


def _flag(spec: SettingSpec) -> dict[str, Any]:
    default = ' '.join(map(str, spec.default)) if isinstance(spec.default, list) else spec.default
    unit = f' {spec.unit}' if spec.unit else ''
    text = f'{spec.description} (default: {default!r}{unit})'.replace('%', '%%')
    flag: dict[str, Any] = {'dest': spec.name, 'default': argparse.SUPPRESS, 'help': text}
    if spec.kind == 'bool':
        return {**flag, 'action': argparse.BooleanOptionalAction}
    if spec.choices:
        return {**flag, 'choices': spec.choices}
    if spec.kind.endswith('_list'):
        flag['nargs'] = '*'
    kind = spec.kind.removesuffix('_list')
    number = {'int': int, 'float': float}.get(kind, str)
    return {**flag, 'type': number, 'metavar': kind.upper()}
