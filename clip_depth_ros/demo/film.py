# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run as a short film: camera image, truth and published depth, moving (an animated GIF)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
import math
from typing import Final

from clip_depth_ros.core.depth_images import legend, unknown_rgb
from clip_depth_ros.core.projection import on_truth
from clip_depth_ros.demo.preview import known_depth, PublishedFrame
from clip_depth_ros.evaluation.report.panels import image_at, PictureColors
from clip_depth_ros.types import Rgb
import cv2
import numpy as np
from PIL import Image

_PANE_PX: Final = 400
_GAP_PX: Final = 6
_TITLE_PX: Final = 20
_INK: Final = (40, 40, 40)
_WHITE: Final = (255, 255, 255)
_SCALE: Final = 'depth in metres, log scale'

_DEPTH_COLORS: Final = 64
"""Of the 256 that a GIF may have; the camera images get the others."""

_SOME: Final = 4
"""Camera images are looked at for their colours."""

_PAUSE_MS: Final = 700
"""On the last frame, so that the start of the next round is no jump."""

_SLOWEST_MS, _FASTEST_MS = 1000, 40


class Film:
    """
    Collects frames, each reduced to what is shown of it, and makes them an animated GIF.

    Parameters
    ----------
    colors : PictureColors
        Of depth, the same in all frames.
    footer : str
        What to say below the pictures.

    """

    def __init__(self, colors: PictureColors, footer: str) -> None:
        self._colors, self._footer = colors, footer
        self._pictures: dict[int, Rgb] = {}
        self._images: dict[int, Rgb] = {}
        self._pane: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._pictures)

    def add(self, stamp_ns: int, frame: PublishedFrame) -> None:
        """Take the frame of a stamp, in any order; panes have the shape of the first."""
        if self._pane is None:
            height, width = frame.rgb.shape[:2]
            self._pane = max(1, round(_PANE_PX * height / width)), _PANE_PX
        panes = [_titled(title, image_at(rgb, self._pane)) for title, rgb in self._panes(frame)]
        self._images[stamp_ns] = image_at(frame.rgb, self._pane)
        n_columns = 3 if len(panes) == 3 else 2
        blank = np.full_like(panes[0], 255)
        panes += [blank] * (-len(panes) % n_columns)
        rows = [
            _joined(panes[i:i + n_columns], axis=1) for i in range(0, len(panes), n_columns)
        ]
        width, colors = rows[0].shape[1], self._colors
        strip = legend(width, near_m=colors.near_m, far_m=colors.far_m, scale='log')
        below = _line(width, f'{_SCALE}; {self._footer}')
        self._pictures[stamp_ns] = np.concatenate([_joined(rows, axis=0), strip, below])

    def gif(self) -> bytes:
        """Return the frames in the order and at the pace of their stamps, over and over."""
        stamps_ns = sorted(self._pictures)
        step_ms = float(np.median(np.diff(stamps_ns))) / 1e6 if len(stamps_ns) > 1 else math.inf
        each_ms = round(min(max(step_ms, _FASTEST_MS), _SLOWEST_MS))
        shown = [Image.fromarray(self._pictures[stamp_ns]) for stamp_ns in stamps_ns]
        table = self._table()
        frames = [each.quantize(palette=table, dither=Image.Dither.NONE) for each in shown]
        target = BytesIO()
        frames[0].save(
            target, format='GIF', save_all=True, append_images=frames[1:], loop=0, optimize=True,
            duration=[*[each_ms] * (len(frames) - 1), max(each_ms, _PAUSE_MS)],
        )
        return target.getvalue()

    def _table(self) -> Image.Image:
        """Return 256 colours for all frames, or what stands still would flicker."""
        colors = self._colors
        along_m = np.geomspace(colors.near_m, colors.far_m, _DEPTH_COLORS, dtype=np.float32)
        fixed = [*colors.of_depth(along_m[np.newaxis])[0], unknown_rgb('turbo'), _WHITE, _INK]
        some = [*self._images.values()][::max(1, len(self._images) // _SOME)]
        seen = Image.fromarray(np.concatenate(some)).quantize(256 - len(fixed)).getpalette()
        assert seen is not None
        table = Image.new('P', (1, 1))
        table.putpalette([*np.ravel(fixed).tolist(), *seen])
        return table

    def _panes(self, frame: PublishedFrame) -> Iterator[tuple[str, Rgb]]:
        yield 'camera image', frame.rgb
        if frame.true_depth_m is not None:
            known = known_depth(frame.true_depth_m)
            in_colors = self._colors.of_depth(known)
            yield 'true depth', on_truth(frame.rgb, in_colors, known, _PANE_PX)
        for title, depth_m in frame.depths_m.items():
            yield f'{title}: published depth', self._colors.of_depth(depth_m)


def _titled(title: str, rgb: Rgb) -> Rgb:
    return np.concatenate([_line(rgb.shape[1], title), rgb])


def _line(width: int, text: str) -> Rgb:
    line = np.full((_TITLE_PX, width, 3), 255, np.uint8)
    cv2.putText(line, text, (3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return line


def _joined(pictures: list[Rgb], *, axis: int) -> Rgb:
    """Join pictures of one size with white between them."""
    shape = [*pictures[0].shape]
    shape[axis] = _GAP_PX
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.asarray(np.concatenate(parts[1:], axis=axis), np.uint8)
