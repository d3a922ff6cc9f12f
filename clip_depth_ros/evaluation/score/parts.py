# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Parts of an image that get metrics of their own: ranges of depth, regions, classes.

Each pixel is of one cell, the parts it is of in all three ways; metrics are added up by cell once,
and cells to parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import functools
from itertools import pairwise
import math
import re
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import GroupMetrics, metrics_of, MetricSums
from clip_depth_ros.errors import DataError
from clip_depth_ros.sources.samples import Classes
import numpy as np
from numpy.typing import NDArray

REGION_ROWS: Final = tuple(
    tuple(f'region {row} {column}' for column in ('left', 'centre', 'right'))
    for row in ('top', 'middle', 'bottom')
)
"""Thirds of the height and of the width of the whole image, as they lie in it."""

REGIONS: Final = tuple(region for row in REGION_ROWS for region in row)

DEPTH_RANGES_M: Final = (0.0, 10.0, 20.0, 40.0, 80.0)
"""
Ends of ranges of true depth, metres, where the protocol has no others.

Each is above one end, up to and including the next.
"""

KINDS: Final = ('depth', 'region', 'class')
"""Of parts: each name of a part begins with one of these words."""


def range_names(ends_m: Sequence[float]) -> list[str]:
    """Return what ranges of true depth with these ends are called: ``depth 0-10 m``."""
    return [f'depth {near:g}-{far:g} m' for near, far in pairwise(ends_m)]


def nearest_first(names: Iterable[str]) -> list[str]:
    """Return the ranges of depth among names of parts, from near to far."""
    ranges = {name: match for name in names if (match := _RANGE.fullmatch(name))}
    return sorted(ranges, key=lambda name: [float(end) for end in ranges[name].groups()])


_RANGE: Final = re.compile(r'depth ([^- ]+)-([^- ]+) m')


def is_part(group: str) -> bool:
    """Return whether a group of pixels is a part of the image: ``depth 0-10 m``."""
    kind, space, _ = group.partition(' ')
    return bool(space) and kind in KINDS


@dataclass(frozen=True, slots=True, eq=False)
class _Division:
    """
    One way to divide pixels: names of the parts, and the part of each pixel, uint8 (N,).

    A pixel that is of none of the parts has the number ``len(names)``.
    """

    names: Sequence[str]
    part: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """
    The parts of an image in all ways of dividing it.

    ``cells``, int (N,), says which combination of parts each pixel is of.
    """

    divisions: Sequence[_Division]
    cells: NDArray[np.intp]

    @property
    def n_cells(self) -> int:
        """Return the number of combinations."""
        return math.prod(self._shape)

    def metrics(
        self, sums: MetricSums, deltas: Sequence[float] = ()
    ) -> dict[str, GroupMetrics | None]:
        """Return the metrics of each part by its name, from the sums of the cells."""
        found: dict[str, GroupMetrics | None] = {}
        for division, part in zip(self.divisions, np.indices(self._shape), strict=True):
            each = metrics_of(
                sums.merged(part.ravel(), len(division.names) + 1), deltas
            )
            found.update(zip(division.names, each[:-1], strict=True))
        return found

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(len(division.names) + 1 for division in self.divisions)


def parts_of(
    gt: NDArray[Any],
    pixels: NDArray[np.intp],
    size: Size,
    classes: Classes | None,
    ranges_m: Sequence[float] = DEPTH_RANGES_M,
) -> Parts:
    """
    Divide pixels by true depth, by place and, where known, by what they show.

    ``gt``, float (N,), is their true depth in metres, ``pixels``, int (N,), their places in an
    image of this size, counted row by row, ``ranges_m`` the ends of the ranges of depth. DataError
    if the classes are of another size.
    """
    divisions = [
        _Division(range_names(ranges_m), _range_of(gt, ranges_m)),
        _Division(REGIONS, _regions(size).ravel()[pixels]),
    ]
    if classes is not None:
        divisions.append(_by_class(classes, pixels, size))
    cells = np.zeros(len(pixels), np.intp)
    for division in divisions:
        cells *= len(division.names) + 1
        cells += division.part
    return Parts(divisions, cells)


def _range_of(gt: NDArray[Any], ends_m: Sequence[float]) -> NDArray[np.uint8]:
    nearest_m, *others = ends_m
    part = np.zeros(gt.shape, np.uint8)
    for far_m in others:
        part += gt > far_m
    if nearest_m > 0:
        part[gt <= nearest_m] = len(others)
    return part


@functools.lru_cache(maxsize=4)
def _regions(size: Size) -> NDArray[np.uint8]:
    rows, columns = (np.arange(side) * 3 // side for side in size)
    return (3 * rows[:, np.newaxis] + columns).astype(np.uint8)


def _by_class(classes: Classes, pixels: NDArray[np.intp], size: Size) -> _Division:
    if classes.ids.shape != size:
        raise DataError(
            f'classes must be of the size of the ground truth, {size.width}x{size.height}, got '
            f'{classes.ids.shape[1]}x{classes.ids.shape[0]}'
        )
    names = sorted(set(classes.names.values()))
    numbers = np.full(256, len(names), np.uint8)
    for id_, name in classes.names.items():
        numbers[id_] = names.index(name)
    return _Division([f'class {name}' for name in names], numbers[classes.ids.ravel()[pixels]])
