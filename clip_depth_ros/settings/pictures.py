# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth for use, not for evaluation, and its colours: the same in the node and for files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.predictor import PredictorSettings


class PictureSettings(PredictorSettings):
    """What turns an image into depth, and depth into a picture."""

    flip: bool = setting(
        False,
        'Average with the prediction for the mirrored image, as the papers do: twice the work for '
        '1 % less error (docs/performance.md). Evaluation does so by default.',
        at_run_time=True,
    )
    color_map: Literal['turbo', 'viridis', 'magma', 'inferno', 'jet', 'gray'] = setting(
        'turbo', 'Colour map for pictures of depth, as in depth/image_color.', at_run_time=True
    )
    color_scale: Literal['auto', 'log', 'linear'] = setting(
        'auto',
        'Whether colours are spread evenly over depth or over its logarithm. auto: log if the '
        'range of the colours is wider than 10 : 1, otherwise linear.',
        at_run_time=True,
    )
    color_min_m: float = setting(
        0.0,
        'Depth at the near end of the colours; 0: the nearest bin of all scenes in use, or '
        'min_depth_m for clip2depth.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )
    color_max_m: float = setting(
        0.0,
        'Depth at the far end of the colours; 0: the farthest bin of all scenes in use, or '
        'max_depth_m for clip2depth.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        near_m, far_m = self.color_range_m()
        if near_m >= far_m:
            yield (
                'colour range must satisfy color_min_m < color_max_m (0: the outer bins), got '
                f'color_min_m={self.color_min_m}, color_max_m={self.color_max_m}'
            )

    def color_range_m(self) -> tuple[float, float]:
        """Return the ends of the colours, metres: as set, else the depths to expect."""
        uses_scenes = self.scene_aware and not self.means_clip2depth()
        scenes = self.resolved_scenes() if uses_scenes else {}
        every = [*self.answer_range_m(), *(m for bins_m in scenes.values() for m in bins_m)]
        ends = (min(every), max(every))
        near_m, far_m = ends if ends[0] < ends[1] else (self.min_depth_m, self.max_depth_m)
        return self.color_min_m or near_m, self.color_max_m or far_m

    def colors(self) -> dict[str, Any]:
        """Return what :func:`colorize` and what shows more of a picture are told, by name."""
        near_m, far_m = self.color_range_m()
        return {
            'near_m': near_m, 'far_m': far_m,
            'color_map': self.color_map, 'scale': self.color_scale,
        }
