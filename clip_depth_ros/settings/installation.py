# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is installed: where this package's own files are, and the versions of what computes."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
from pathlib import Path
import platform
from typing import Final

from clip_depth_ros import __version__
from clip_depth_ros.errors import MissingDependencyError

PACKAGE: Final = 'clip_depth_ros'

BUNDLED_CLIP: Final = 'tiny_clip.safetensors'
BUNDLED_CLIP2DEPTH: Final = 'tiny_clip2depth.safetensors'
"""Weights among the assets: the frozen CLIP, and what was trained on it."""

BUNDLED_RESULTS: Final = 'tiny_results.json'
"""How good they are, and their SHA-256."""

BUNDLED_PRESET: Final = 'synthetic'
BUNDLED_WORTH: Final = (
    'trained on rendered streets, they are off by nearly a quarter on real ones, and wrong in '
    'rooms'
)
"""The preset of the bundled weights, and how good they are (docs/bundled_weights.md)."""

_COMPUTING: Final = ('torch', 'open_clip_torch', 'numpy', 'opencv-python-headless', 'rosbags')
"""Packages that numbers may depend on."""


def share_dir() -> Path:
    """
    Return the folder that holds ``package.xml``, ``launch/``, ``config/`` and ``rviz/``.

    Returns
    -------
    Path
        The checkout if this module is imported from one (so that code and files are of the same
        version), else what the ament index says (a colcon workspace or a distro), else what pip
        recorded on installing.

    Raises
    ------
    MissingDependencyError
        If there is none.

    """
    checkout = _if_ours(Path(__file__).resolve().parents[2])
    if found := checkout or _of_ament_index() or _of_pip():
        return found
    raise MissingDependencyError(
        f'no launch and config files of {PACKAGE} found beside {Path(__file__).parents[1]}, in '
        'the ament index or in what pip installed: source your workspace (install/setup.bash), or '
        'install the package again'
    )


def shared_file(*parts: str) -> Path:
    """
    Return one file of :func:`share_dir`, such as ``('config', 'fastdds.xml')``.

    Raises
    ------
    MissingDependencyError
        If it is not there.

    """
    path = share_dir().joinpath(*parts)
    if not path.is_file():
        raise MissingDependencyError(f'{path} is missing: install {PACKAGE} again')
    return path


def assets_dir() -> Path:
    """Return the folder of the bundled assets; it travels inside the Python package."""
    return Path(str(importlib.resources.files(PACKAGE))) / 'assets'


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the packages that compute."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    found = {'clip_depth_ros': __version__, 'python': platform.python_version()}
    for name in _COMPUTING:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a distro's Debian packages are not always known by these names
    return found


def _of_ament_index() -> Path | None:
    try:
        from ament_index_python.packages import get_package_share_directory

        # LookupError: not in the index. OSError: AMENT_PREFIX_PATH is not set.
        return _if_ours(Path(get_package_share_directory(PACKAGE)))
    except (ImportError, LookupError, OSError):
        return None


def _of_pip() -> Path | None:
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    manifests = [file for file in files if file.parts[-3:] == ('share', PACKAGE, 'package.xml')]
    return _if_ours(Path(str(manifests[0].locate())).resolve().parent) if manifests else None


def _if_ours(folder: Path) -> Path | None:
    """Return the folder if it is the share folder of this package, not of a neighbour."""
    is_ours = (folder / 'package.xml').is_file() and (folder / 'launch').is_dir()
    return folder if is_ours else None
