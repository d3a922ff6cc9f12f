# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths as a user writes them in settings and flags."""

from __future__ import annotations

import os
from pathlib import Path

from clip_depth_ros.errors import ConfigError


def user_path(text: str | os.PathLike[str]) -> Path:
    """
    Return the path that a user names; a leading ``~`` or ``~user`` is a home folder.

    ConfigError if there is no such user, unless a file or folder of this very name is there.
    """
    # Path.expanduser would raise a bare RuntimeError.
    path = os.path.expanduser(text)
    if path.startswith('~') and not os.path.lexists(path):
        user = Path(path).parts[0]
        raise ConfigError(
            f'{path!r}: there is no home folder of a user {user[1:]!r} that {user} could stand '
            'for: write the whole path (./~... for a name that begins so)'
        )
    return Path(path)
