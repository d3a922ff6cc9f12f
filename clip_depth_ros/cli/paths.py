# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths and counts as flags, for commands that load none of the settings."""

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


def count_flag(text: str) -> int:
    """Return the whole number above 0 that a flag names, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'should be a whole number above 0, got {text!r}')
    return int(text)
