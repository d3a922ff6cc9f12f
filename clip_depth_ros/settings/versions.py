# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The versions that numbers may depend on."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Final

from clip_depth_ros import __version__

_PACKAGES: Final = ('torch', 'open_clip_torch', 'numpy', 'opencv-python-headless', 'rosbags')


def versions() -> dict[str, str]:
    """Give the version of this package, of Python and of the packages that compute; no imports."""
    found = {'clip_depth_ros': __version__, 'python': platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a distro's Debian packages are not always known by these names
    return found
