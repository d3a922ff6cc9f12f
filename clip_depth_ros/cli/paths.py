# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths as flags; beside the flags of settings, so that those who have none load none."""

from __future__ import annotations

import argparse
from pathlib import Path

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.paths import user_path


def path_flag(text: str) -> Path:
    """Return the path that a flag names, for argparse; ``~`` is the home folder."""
    try:
        return user_path(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
