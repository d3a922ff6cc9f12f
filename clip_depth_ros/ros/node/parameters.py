# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings as ROS parameters: declared from their specs, read back as one checked value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from clip_depth_ros.errors import ClipDepthError, ConfigError, did_you_mean
from clip_depth_ros.settings.base import setting_specs, SettingSpec
from clip_depth_ros.settings.node import NodeSettings, PRESET, read_preset
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

SPECS: Final[Mapping[str, SettingSpec]] = setting_specs(NodeSettings)

_QOS: Final = 'qos_overrides.'
"""Begins the names of parameters that rclpy declares with a topic, for its quality of service."""

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
        bounds = {'from_value': spec.minimum, 'to_value': spec.maximum}
        if spec.kind == 'int':
            whole = {name: int(bound) for name, bound in bounds.items()}
            described.integer_range = [IntegerRange(**whole, step=1)]
        else:
            described.floating_point_range = [FloatingPointRange(**bounds)]
    return described


def declare_settings(node: Node) -> list[str]:
    """
    Declare every setting as a parameter; return what was wrong with values given from outside.

    Those parameters hold their default: the node must start, so that the operator can correct
    them, and refuse to configure. With the parameter ``preset``, the default of what is in it is
    what it says.
    """
    problems, usual = _read_preset(node)
    for spec in SPECS.values():
        problems += _declare(node, spec, usual.get(spec.name, spec.default))
    if usual:
        _say_preset(node, usual)
    for name in _unknown_overrides(node):
        if not name.startswith(_QOS):
            _warn_of_unknown(node, name, SPECS)
    return problems


def warn_of_unknown_overrides(node: Node) -> None:
    """Warn of quality of service for no topic of the node; its topics must be there."""
    known = [_QOS + name for name in node.get_parameters_by_prefix(_QOS.rstrip('.'))]
    for name in _unknown_overrides(node):
        if name.startswith(_QOS):
            _warn_of_unknown(node, name, known)


def read_settings(node: Node) -> NodeSettings:
    """Return the settings that the parameters hold now; ConfigError says what is wrong."""
    values = {name: _plain(node.get_parameter(name)) for name in SPECS}
    settings: NodeSettings = NodeSettings.from_mapping(values)
    return settings


def check_each(parameters: Iterable[Parameter[Any]]) -> None:
    """
    Check each value alone; whether they go together is a question of configuring.

    ConfigError names those that are wrong by themselves, or are to be deleted.
    """
    NodeSettings.check_each(_given(parameters))


def with_parameters(settings: NodeSettings, parameters: Iterable[Parameter[Any]]) -> NodeSettings:
    """
    Return a configured node's settings with some replaced; foreign parameters are passed over.

    Raises
    ------
    ConfigError
        If a setting is to be deleted or cannot change while the node is configured, if a value is
        wrong, or if the values do not go together.

    """
    given = _given(parameters)
    fixed = [
        name
        for name, value in given.items()
        if not SPECS[name].at_run_time and value != getattr(settings, name)
    ]
    if fixed:
        raise ConfigError(
            f'{", ".join(fixed)} cannot change while the node is configured: deactivate and clean '
            'it up, set the parameter, then configure again'
        )
    changed: NodeSettings = settings.changed(**given)
    return changed


def changes(in_force: NodeSettings, wanted: NodeSettings) -> str:
    """Return in words which settings differ from those that are wanted; empty if none do."""
    return ', '.join(
        f'{name} is {value!r} and not {getattr(wanted, name)!r}'
        for name, value in in_force
        if value != getattr(wanted, name)
    )


def _given(parameters: Iterable[Parameter[Any]]) -> dict[str, Any]:
    """Return our parameters' values; refuse to delete one: the node would no longer configure."""
    ours = [parameter for parameter in parameters if parameter.name in SPECS]
    for parameter in ours:
        if parameter.type_ == Parameter.Type.NOT_SET:
            raise ConfigError(
                f'{parameter.name} cannot be deleted; for the default, set it to '
                f'{SPECS[parameter.name].default!r}'
            )
    return {parameter.name: _plain(parameter) for parameter in ours}


def _read_preset(node: Node) -> tuple[list[str], dict[str, Any]]:
    """Declare the parameter that names a preset; return what is wrong, and what it says."""
    described = ParameterDescriptor(description=f'{PRESET} Read at the start.', read_only=True)
    try:
        node.declare_parameter('preset', '', described)
        name = node.get_parameter('preset').value
        return [], read_preset(name) if name else {}
    except (InvalidParameterTypeException, ClipDepthError) as error:
        if not node.has_parameter('preset'):
            node.declare_parameter('preset', '', described, ignore_override=True)
        return [f'parameter preset: {error} (it is read at the start: start the node again)'], {}


def _say_preset(node: Node, usual: Mapping[str, Any]) -> None:
    """Say which preset is in force, and what of it is not, since it is set beside it."""
    others = [
        name
        for name, value in usual.items()
        if _plain(node.get_parameter(name)) != (tuple(value) if isinstance(value, list) else value)
    ]
    but = f' but for {", ".join(others)}, set by parameters' if others else ''
    preset = node.get_parameter('preset').value
    node.get_logger().info(f'preset {preset!r} is in force{but}')


def _declare(node: Node, spec: SettingSpec, default: Any) -> list[str]:
    problems = []
    try:
        node.declare_parameter(spec.name, default, descriptor(spec))
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        problems.append(f'parameter {spec.name}: {error}')
        node.declare_parameter(spec.name, spec.default, descriptor(spec), ignore_override=True)
    if _plain(node.get_parameter(spec.name)) == ():
        # An empty list has no element to tell its type from; rclpy takes it for bytes.
        node.set_parameters([Parameter(spec.name, _EMPTY_LIST_TYPES[spec.kind], [])])
    return problems


def _warn_of_unknown(node: Node, name: str, known: Iterable[str]) -> None:
    hint = did_you_mean(name, known)
    node.get_logger().warning(f'parameter {name!r} is unknown here and has no effect{hint}')


def _unknown_overrides(node: Node) -> list[str]:
    """
    Return names that came from outside and belong to nothing.

    A file for all nodes may hold the parameters of others, so they are no error. rclpy has no
    public way to tell; the test of this warning says if its private one is gone.
    """
    given = getattr(node, '_parameter_overrides', {})
    return [name for name in given if not node.has_parameter(name)]


def _plain(parameter: Parameter[Any]) -> Any:
    value = parameter.value
    is_list = SPECS[parameter.name].kind in _EMPTY_LIST_TYPES
    if not is_list or isinstance(value, (str, bool, int, float)):
        return value
    # "[]" on a command line has no type and arrives as no value at all.
    return () if value is None else tuple(value)
