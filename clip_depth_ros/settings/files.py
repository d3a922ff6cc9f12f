# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings in YAML files: plain ones, and the parameter files of the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.paths import shared_file
import yaml


def read_settings(path: Path) -> dict[str, Any]:
    """
    Read settings, lines ``name: value``.

    Raises
    ------
    ConfigError
        If the file cannot be read or holds something else.

    """
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'cannot read settings {str(path)!r}: {error}') from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ConfigError(f'settings {str(path)!r} must be lines "name: value"')
    return values


def read_parameters(name_or_path: str) -> dict[str, Any]:
    """
    Read a parameter file of the node (``--params-file`` of ROS 2).

    Parameters
    ----------
    name_or_path : str
        A file, or the name of one that comes with this package: ``synthetic`` means
        ``config/synthetic.yaml``.

    Raises
    ------
    ConfigError
        If the file cannot be read or has no parameters of one node.

    """
    is_name = '/' not in name_or_path and not name_or_path.endswith('.yaml')
    path = shared_file('config', f'{name_or_path}.yaml') if is_name else Path(name_or_path)
    nodes = read_settings(path)
    found = [node.get('ros__parameters') for node in nodes.values() if isinstance(node, dict)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise ConfigError(
            f'{str(path)!r} should hold the ros__parameters of one node, as '
            f'config/depth_node.yaml does; it has {[*nodes]}'
        )
    return found[0]
