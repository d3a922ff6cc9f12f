# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings as ROS parameters: declared from their specs, read back as one checked value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import difflib
from typing import Any, Final

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.base import setting_specs, SettingSpec
from clip_depth_ros.settings.node import NodeSettings
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

SPECS: Final[Mapping[str, SettingSpec]] = setting_specs(NodeSettings)

_ONLY_AT_START: Final = frozenset({'autostart'})
_EMPTY_LIST_TYPES: Final = {
    'str_list': Parameter.Type.STRING_ARRAY,
    'float_list': Parameter.Type.DOUBLE_ARRAY,
}


def descriptor(spec: SettingSpec) -> ParameterDescriptor:
    """
    Return the descriptor of a setting: description, unit, choices, range, read-only where true.

    Numbers and lists are typed dynamically, so that ``80`` and ``[1, 2]`` are as good as ``80.0``
    and ``[1.0, 2.0]``; :class:`NodeSettings` checks them.
    """
    unit = f' [{spec.unit}]' if spec.unit else ''
    when = '' if spec.at_run_time else ' Cannot change while configured.'
    described = ParameterDescriptor(
        description=f'{spec.description}{unit}{when}',
        dynamic_typing=spec.kind in ('float', 'str_list', 'float_list'),
        read_only=spec.name in _ONLY_AT_START,
    )
    if spec.choices:
        described.additional_constraints = f'one of: {", ".join(spec.choices)}'
    if spec.minimum is not None and spec.maximum is not None:
        _add_range(described, spec)
    return described


def declare_settings(node: Node) -> list[str]:
    """
    Declare every setting as a parameter.

    Returns
    -------
    list of str
        What was wrong with values given from outside. Those parameters hold their default: the
        node must start, so that the operator can correct them, and refuse to configure.

    """
    problems = [problem for spec in SPECS.values() for problem in _declare(node, spec)]
    for name in _unknown_overrides(node):
        similar = difflib.get_close_matches(name, SPECS, n=1)
        hint = f'; did you mean {similar[0]!r}?' if similar else ''
        node.get_logger().warning(f'parameter {name!r} is unknown here and has no effect{hint}')
    return problems


def read_settings(node: Node) -> NodeSettings:
    """
    Return the settings that the parameters hold now.

    Raises
    ------
    ConfigError
        Naming what is wrong.

    """
    values = {name: _plain(node.get_parameter(name)) for name in SPECS}
    settings: NodeSettings = NodeSettings.from_mapping(values)
    return settings


def with_parameters(settings: NodeSettings, parameters: Iterable[Parameter[Any]]) -> NodeSettings:
    """
    Return the settings with some parameters replaced; foreign parameters are passed over.

    Raises
    ------
    ConfigError
        If a value is wrong, or the values do not go together.

    """
    given = {p.name: _plain(p) for p in parameters if p.name in SPECS}
    changed: NodeSettings = settings.changed(**given)
    return changed


def check_each(parameters: Iterable[Parameter[Any]]) -> None:
    """
    Check each value alone; whether they go together is a question of configuring.

    Raises
    ------
    ConfigError
        Naming the values that are wrong by themselves.

    """
    NodeSettings.check_each({p.name: _plain(p) for p in parameters if p.name in SPECS})


def refuse_deleted(parameters: Iterable[Parameter[Any]]) -> None:
    """
    Refuse to delete parameters: the node could not be configured any more.

    Raises
    ------
    ConfigError
        Naming them and the way back to the default.

    """
    for parameter in parameters:
        if parameter.name in SPECS and parameter.type_ == Parameter.Type.NOT_SET:
            default = SPECS[parameter.name].default
            raise ConfigError(
                f'{parameter.name} cannot be deleted; for the default, set it to {default!r}'
            )


def refuse_fixed(settings: NodeSettings, parameters: Iterable[Parameter[Any]]) -> None:
    """
    Refuse changes of settings that are fixed while the node is configured.

    Raises
    ------
    ConfigError
        Naming them and the way to change them.

    """
    fixed = [
        p.name
        for p in parameters
        if p.name in SPECS
        and not SPECS[p.name].at_run_time
        and _plain(p) != getattr(settings, p.name)
    ]
    if fixed:
        raise ConfigError(
            f'{", ".join(fixed)} cannot change while the node is configured: deactivate and clean '
            'it up, set the parameter, then configure again'
        )


def changes(in_force: NodeSettings, wanted: NodeSettings) -> str:
    """Return in words which settings differ from those that are wanted; empty if none do."""
    return ', '.join(
        f'{name} is {value!r} and not {getattr(wanted, name)!r}'
        for name, value in in_force
        if value != getattr(wanted, name)
    )


def _declare(node: Node, spec: SettingSpec) -> list[str]:
    problems = []
    try:
        node.declare_parameter(spec.name, spec.default, descriptor(spec))
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        problems.append(f'parameter {spec.name}: {error}')
        node.declare_parameter(spec.name, spec.default, descriptor(spec), ignore_override=True)
    if _plain(node.get_parameter(spec.name)) == ():
        # An empty list has no element to tell its type from; rclpy takes it for bytes.
        node.set_parameters([Parameter(spec.name, _EMPTY_LIST_TYPES[spec.kind], [])])
    return problems


def _unknown_overrides(node: Node) -> list[str]:
    """
    Return names that came from outside and belong to nothing.

    A file for all nodes may hold the parameters of others, so they are no error. rclpy has no
    public way to tell; the test of this warning says if its private one is gone.
    """
    given = getattr(node, '_parameter_overrides', {})
    return [
        name
        for name in given
        if not node.has_parameter(name) and not name.startswith('qos_overrides.')
    ]


def _add_range(described: ParameterDescriptor, spec: SettingSpec) -> None:
    assert spec.minimum is not None
    assert spec.maximum is not None
    if spec.kind == 'int':
        bounds = {'from_value': int(spec.minimum), 'to_value': int(spec.maximum), 'step': 1}
        described.integer_range = [IntegerRange(**bounds)]
    else:
        limits = {'from_value': spec.minimum, 'to_value': spec.maximum, 'step': 0.0}
        described.floating_point_range = [FloatingPointRange(**limits)]


def _is_list(parameter: Parameter[Any]) -> bool:
    return SPECS[parameter.name].kind in _EMPTY_LIST_TYPES


def _plain(parameter: Parameter[Any]) -> Any:
    value = parameter.value
    if not _is_list(parameter) or isinstance(value, (str, bool, int, float)):
        return value
    # "[]" on a command line has no type and arrives as no value at all.
    return () if value is None else tuple(value)
