# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The settings as data: what ROS descriptors, flags, YAML and tables are derived from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints, Literal

from clip_depth_ros.settings.config import Settings

Kind = Literal['bool', 'int', 'float', 'str', 'str_list', 'int_list', 'float_list']

_KINDS: Mapping[Any, Kind] = {
    bool: 'bool',
    int: 'int',
    float: 'float',
    str: 'str',
    tuple[str, ...]: 'str_list',
    tuple[int, ...]: 'int_list',
    tuple[float, ...]: 'float_list',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """
    One setting as ROS descriptors, flags, YAML and tables need it.

    A bound counts itself in, unless ``minimum_is_open`` or ``maximum_is_open`` says otherwise.
    """

    name: str
    kind: Kind
    default: Any
    description: str
    unit: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    minimum_is_open: bool
    maximum_is_open: bool
    at_run_time: bool


def setting_specs(settings: type[Settings]) -> dict[str, SettingSpec]:
    """Give every setting of a class by name, in the order of declaration."""
    hints = get_type_hints(settings)
    return {name: _spec(name, field, hints[name]) for name, field in settings.model_fields.items()}


def _spec(name: str, field: Any, hint: Any) -> SettingSpec:
    is_choice = get_origin(hint) is Literal
    default = field.default
    return SettingSpec(
        name=name,
        kind='str' if is_choice else _KINDS[hint],
        default=list(default) if isinstance(default, tuple) else default,
        description=field.description,
        unit=field.json_schema_extra['unit'],
        choices=get_args(hint) if is_choice else (),
        minimum=_first(field.metadata, 'ge', 'gt'),
        maximum=_first(field.metadata, 'le', 'lt'),
        minimum_is_open=_first(field.metadata, 'gt') is not None,
        maximum_is_open=_first(field.metadata, 'lt') is not None,
        at_run_time=field.json_schema_extra['at_run_time'],
    )


def _first(metadata: Iterable[Any], *names: str) -> float | None:
    """Give the bound that pydantic keeps under one of these names."""
    found = [getattr(bound, name) for bound in metadata for name in names if hasattr(bound, name)]
    return float(found[0]) if found else None
