# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images beside their depth while they come: in a window, or as files where there is none."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path
import re
import sys
import time
from typing import Any, Final

from clip_depth_ros.core.depth_images import side_by_side
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.types import Depth, Rgb
import cv2

_TITLE: Final = 'clip-depth live (q ends)'
_ENDING_KEYS: Final = (ord('q'), 27)
_EVERY_S: Final = 1.0
"""Between two files: a camera never ends, and a disk does."""


class WindowView:
    """A window; closing it, q or Esc says that no more is wanted."""

    def __init__(self, colors: Mapping[str, Any]) -> None:
        self._colors = colors
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)

    def show(self, rgb: Rgb, depth_m: Depth) -> bool:
        """Show an image beside its depth; return whether more is wanted."""
        cv2.imshow(_TITLE, side_by_side(rgb, depth_m, **self._colors)[..., ::-1])
        is_ended = cv2.waitKey(1) & 0xFF in _ENDING_KEYS
        return not is_ended and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1


class FileView:
    """
    PNGs in a folder, about one a second, each with a legend.

    Attributes
    ----------
    paths : list of Path
        What was written.

    """

    def __init__(self, folder: Path, colors: Mapping[str, Any]) -> None:
        self.paths: list[Path] = []
        self._folder, self._colors = folder, colors
        self._next_s = 0.0

    def show(self, rgb: Rgb, depth_m: Depth) -> bool:
        """Write an image beside its depth, unless it comes too soon; more is always wanted."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _EVERY_S
            path = view_file(self._folder, len(self.paths))
            _, png = cv2.imencode('.png', side_by_side(rgb, depth_m, **self._colors)[..., ::-1])
            atomic_write_bytes(path, png.tobytes())
            self.paths.append(path)
        return True


def view_file(folder: Path, index: int) -> Path:
    """Return the path of a file of a view, by its number."""
    return folder / f'view_{index:06d}.png'


def why_no_window() -> str:
    """Return why OpenCV cannot open a window here; empty if it can."""
    gui = re.search(r'^\s*GUI:\s*(\S+)', cv2.getBuildInformation(), re.MULTILINE)
    if gui is None or gui.group(1) == 'NONE':
        return 'this OpenCV opens no windows (opencv-python does, opencv-python-headless does not)'
    # Asked for a window without a display, Qt ends the process.
    has_display = any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))
    if sys.platform == 'linux' and not has_display:
        return 'there is no display'
    return ''
