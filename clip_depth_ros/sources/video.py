# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos, webcams and streams through OpenCV: frames of them, and videos made of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import math
import os
from pathlib import Path
import sys
from typing import Any, Final

from clip_depth_ros.core.compressed import check_size
from clip_depth_ros.core.files import atomic_path
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import OutputError, RecordingError
from clip_depth_ros.types import MAX_IMAGE_PIXELS, Rgb
import cv2
import numpy as np

MAX_WEBCAM: Final = 63
"""OpenCV takes greater numbers for other things than cameras (from 100 on, for its backends)."""

_MAX_HZ: Final = 1000.0
_CODEC: Final = 'mp4v'
"""MPEG-4 part 2: what every build of OpenCV with FFmpeg can write, and every player plays."""


class VideoReader:
    """
    Frames of a video, uint8 (H, W, 3) RGB, in their order and once.

    Use it in a ``with`` block. Frames that a video asks to be turned are.

    Parameters
    ----------
    source : Path, int or str
        A video file, the number of a webcam, or the URL of a stream (``rtsp://...``).
    max_pixels : int
        Videos with larger frames are refused.

    Attributes
    ----------
    hz : float
        Frames a second; 0 where that is not known.
    n_frames : int
        How many there are, as the file says; 0 where that is not known, as of webcams.
    size : Size
        Of the frames.

    Raises
    ------
    RecordingError
        If it cannot be opened or has no frame.
    ImageError
        If its frames are too large.

    """

    def __init__(self, source: Path | int | str, max_pixels: int = MAX_IMAGE_PIXELS) -> None:
        self.name = f'webcam {source}' if isinstance(source, int) else str(source)
        _quieten()
        self._capture: Any = cv2.VideoCapture(
            source if isinstance(source, int) else str(source)
        )
        try:
            if not self._capture.isOpened():
                raise RecordingError(_why_not(source, self.name))
            stated = Size(*map(self._number, (cv2.CAP_PROP_FRAME_HEIGHT,
                                              cv2.CAP_PROP_FRAME_WIDTH)))
            if min(stated) > 0:
                check_size(stated, max_pixels, f'{self.name!r}')
            if isinstance(source, int):
                # The newest frame is wanted, not the oldest that was kept.
                self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            self._first = self._read()
            if self._first is None:
                raise RecordingError(_why_not(source, self.name))
            self.size = Size(*self._first.shape[:2])
            check_size(self.size, max_pixels, f'{self.name!r}')
        except BaseException:
            self._capture.release()
            raise
        hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.hz = hz if math.isfinite(hz) and 0 < hz <= _MAX_HZ else 0.0
        self.n_frames = max(0, self._number(cv2.CAP_PROP_FRAME_COUNT))

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Rgb]:
        """Yield the frames that are left."""
        frame, self._first = self._first, None
        while frame is not None or (frame := self._read()) is not None:
            yield frame
            frame = None

    def _read(self) -> Rgb | None:
        is_there, bgr = self._capture.read()
        return np.ascontiguousarray(bgr[..., ::-1]) if is_there else None

    def _number(self, which: int) -> int:
        value = float(self._capture.get(which))
        return int(value) if math.isfinite(value) else 0


@contextmanager
def written_video(path: Path, size: Size, hz: float) -> Iterator[Callable[[Rgb], object]]:
    """
    Yield what adds a frame, uint8 (H, W, 3) RGB of ``size``, to a new MP4 with ``hz`` of them.

    The file is there when the body ends, not before, and not if it raises. Sides must be even.

    Raises
    ------
    OutputError
        If it cannot be written.

    """
    _quieten()
    with atomic_path(path) as temporary:
        partial = temporary.with_name(f'{temporary.name}.mp4')  # OpenCV goes by the suffix
        writer = cv2.VideoWriter(
            str(partial), cv2.VideoWriter.fourcc(*_CODEC), hz, (size.width, size.height)
        )
        try:
            if not writer.isOpened():
                raise OutputError(
                    f'cannot write {str(path)!r}: OpenCV {cv2.__version__} opens no MP4 there; '
                    'name another place, or install one with FFmpeg (pip install '
                    'opencv-python-headless)'
                )

            def add(rgb: Rgb) -> None:
                writer.write(np.ascontiguousarray(rgb[..., ::-1]))

            yield add
            writer.release()
            os.replace(partial, temporary)
        finally:
            writer.release()
            partial.unlink(missing_ok=True)


def _why_not(source: Path | int | str, name: str) -> str:
    if isinstance(source, int):
        found = sorted(path.name for path in Path('/dev').glob('video*'))
        there = f'there are {", ".join(found)}' if found else 'there is none'
        where = f' ({there} in /dev)' if sys.platform == 'linux' else ''
        return (
            f'{name} does not open, or gives no picture{where}: plug it in, close what else uses '
            'it, be in the group video, or name another number'
        )
    if isinstance(source, str):
        return f'{name!r} does not open, or sends no picture: check the address and the network'
    return (
        f'{name!r} is no image, and does not open as a video that has a frame: it should be MP4, '
        'MKV, AVI, MOV or whatever else FFmpeg reads; convert it, or copy it again'
    )


def _quieten() -> None:
    """Leave it to our errors to say what is wrong; before OpenCV's first look at a video."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    levels = getattr(getattr(cv2, 'utils', None), 'logging', None)
    if levels is not None and 'OPENCV_LOG_LEVEL' not in os.environ:
        levels.setLogLevel(levels.LOG_LEVEL_SILENT)
