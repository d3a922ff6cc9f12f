# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The Python classes of message types, by names that come from recordings.

Importing runs code, and a recording may name anything: only what the ament index lists as a
message of an installed package is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import importlib
import importlib.util
import os
from pathlib import Path
import re
from typing import Any, Final

from clip_depth_ros.errors import MissingDependencyError
import rclpy
from rclpy.node import Node

_MSGTYPE: Final = re.compile(r'([a-z][a-z0-9_]*)/msg/([A-Za-z][A-Za-z0-9_]*)')

_INTERFACES: Final = Path('share', 'ament_index', 'resource_index', 'rosidl_interfaces')
"""Where each package that has messages lists them, within a prefix (ament's resource index)."""


def message_class(msgtype: str) -> Any | None:
    """
    Return the class of ``sensor_msgs/msg/Image``, None where its package is not installed.

    Nothing is imported but a package that the ament index has, from the prefix that has it, so
    that a folder of the same name elsewhere on Python's path is not taken for it.
    """
    match = _MSGTYPE.fullmatch(msgtype)
    if match is None:
        return None
    package, name = match.groups()
    prefixes = [prefix for prefix in _prefixes() if _lists(prefix, package, name)]
    if not any(_is_from(prefix, package) for prefix in prefixes):
        return None
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name, None)
    except ImportError:
        return None


def installed_classes(node: Node, topics: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the message class by topic, given the types by topic.

    The node warns of what is not installed (``tf2_msgs``, say, is not on PyPI) and left out;
    MissingDependencyError if nothing is installed.
    """
    classes: dict[str, Any] = {}
    for topic, msgtype in topics.items():
        if (found := message_class(msgtype)) is not None:
            classes[topic] = found
        else:
            node.get_logger().warning(f'leaving out {topic!r}: {msgtype!r} is not installed')
    if topics and not classes:
        raise MissingDependencyError(
            f'no message type of the topics is installed: {sorted(set(topics.values()))}; '
            'install their ROS packages'
        )
    return classes


def _prefixes() -> Iterator[Path]:
    """Yield the prefixes of the ament index: a distro's and workspaces', and that of rclpy."""
    named = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    yield from (Path(prefix) for prefix in named if prefix)
    # Wheels from PyPI register in the virtual environment, which no variable names.
    yield from (folder for folder in Path(rclpy.__file__).parents if _has_index(folder))


def _has_index(prefix: Path) -> bool:
    return (prefix / _INTERFACES).is_dir()


def _lists(prefix: Path, package: str, name: str) -> bool:
    """Return whether a prefix has a package with a message of that name."""
    try:
        listed = (prefix / _INTERFACES / package).read_text(encoding='utf-8').split()
    except (OSError, UnicodeDecodeError):
        return False
    return not {f'msg/{name}.msg', f'msg/{name}.idl'}.isdisjoint(listed)


def _is_from(prefix: Path, package: str) -> bool:
    """Return whether Python would import a package from a prefix; nothing is imported for that."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent
    # As it is named, or where links lead: both the prefix and the package may be reached by one.
    return folder.is_relative_to(prefix) or folder.resolve().is_relative_to(prefix.resolve())
