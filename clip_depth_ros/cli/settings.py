# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Print every setting with its default, as a ROS parameter file or as a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
import textwrap
from typing import Any, Final

from clip_depth_ros.settings.base import setting_specs, SettingSpec
from clip_depth_ros.settings.node import NodeSettings

_COLUMNS: Final = ('parameter', 'type', 'default', 'unit', 'values', 'at run time', 'meaning')

_YAML_HEAD: Final = """\
# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every parameter of depth_node with its default; preset, the name of a file beside this one, puts
# the settings of that one in the place of these defaults.
# Derived from clip_depth_ros/settings by: clip-depth settings --format yaml
#
# For your own file keep the first two lines that follow and what you change. ROS reads these files
# strictly: write [1.0, 2.5] rather than [1, 2.5]; an empty list has no type, so a list that is
# empty by default stands here as a comment.
/**:
  ros__parameters:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of ``clip-depth settings``."""
    parser.add_argument(
        '--format', choices=tuple(_FORMATS), default='yaml',
        help='yaml: config/depth_node.yaml; markdown: the table of docs/parameters.md; rst: the '
        'same table (default: yaml)',
    )


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    print(settings_text(args.format), end='')
    return 0


def settings_text(form: str) -> str:
    """Return all settings of the node in one of the formats yaml, markdown, rst."""
    return _FORMATS[form](setting_specs(NodeSettings).values())


def _yaml_text(specs: Iterable[SettingSpec]) -> str:
    entries = (textwrap.indent(_yaml_entry(spec), ' ' * 4) for spec in specs)
    return _YAML_HEAD + '\n'.join(entries)


def _yaml_entry(spec: SettingSpec) -> str:
    import yaml

    comment = [*textwrap.wrap(spec.description, 93), *textwrap.wrap(_facts(spec), 93)]
    # Lists in one line, [a, b]; PyYAML would put braces around a scalar of that style.
    style = None if isinstance(spec.default, list) else False
    entry = yaml.safe_dump({spec.name: spec.default}, default_flow_style=style, width=90)
    if spec.default == []:
        entry = f'# {entry}'
    return ''.join(f'# {line}\n' for line in comment) + entry


def _facts(spec: SettingSpec) -> str:
    """Say what a person who edits the value must know beyond its meaning."""
    facts = (
        f'One of: {", ".join(spec.choices)}.' if spec.choices else '',
        f'Range: {_range(spec)}{spec.unit and " "}{spec.unit}.' if _range(spec) else '',
        '' if spec.at_run_time else 'Cannot change while configured.',
    )
    return ' '.join(filter(None, facts))


def _markdown_text(specs: Iterable[SettingSpec]) -> str:
    rows = [_COLUMNS, ('---',) * len(_COLUMNS), *(_cells(spec, '`{}`') for spec in specs)]
    # Between cells a bar would start a new one.
    lines = ('| ' + ' | '.join(cell.replace('|', r'\|') for cell in row) + ' |' for row in rows)
    return '\n'.join(lines) + '\n'


def _rst_text(specs: Iterable[SettingSpec]) -> str:
    rows = [_COLUMNS, *(_cells(spec, '``{}``') for spec in specs)]
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in rows:
        bullets = ('   * - ', *['     - '] * (len(row) - 1))
        lines += (f'{bullet}{cell}'.rstrip() for bullet, cell in zip(bullets, row, strict=True))
    return '\n'.join(lines) + '\n'


def _cells(spec: SettingSpec, literal: str) -> tuple[str, ...]:
    """Return one row of the table; ``literal`` marks code in the language of the table."""
    values = ', '.join(map(literal.format, spec.choices)) or _range(spec)
    return (
        literal.format(spec.name),
        spec.kind.replace('_list', ' list'),
        literal.format(_default(spec.default)),
        spec.unit,
        values,
        'yes' if spec.at_run_time else 'no',
        spec.description,
    )


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (str, list)) else f'{value}'


def _range(spec: SettingSpec) -> str:
    """Return the range in words, such as ``above 0 to 1``; empty if there is none."""
    if spec.minimum is None or spec.maximum is None:
        return ''
    above, below = 'above ' * spec.minimum_is_open, 'below ' * spec.maximum_is_open
    return f'{above}{spec.minimum:g} to {below}{spec.maximum:g}'


_FORMATS: Final[Mapping[str, Callable[[Iterable[SettingSpec]], str]]] = {
    'yaml': _yaml_text, 'markdown': _markdown_text, 'rst': _rst_text,
}
