# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Stamps of different clocks in one recording: how they are noticed, and what to do.

A sensor may count from its start (a LiDAR: 4280 s beside 1.7e9 s), by GPS or not at all. When its
messages were received is told by one clock, that of the recorder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from clip_depth_ros.bags.places import Pair, paired, Place
from clip_depth_ros.core.stamps import ByStamp, PairBy

_ONE_CLOCK_S: Final = 5.0
"""Our choice: what was taken at one time is received within so many seconds, by one clock."""

_LARGEST_TOLERANCE_S: Final = 3600.0


def why_unpaired(images: Sequence[Place], depths: Sequence[Place], tolerance_s: float) -> str:
    """Return why no image has depth, though there are both, and what to do."""
    by = 'header stamp' if images[0].pair_by == 'header' else 'receive time'
    apart_s = _nearest_s(images, depths)
    none = (
        f'none within sync_tolerance_s={tolerance_s:g} of each other by {by} (the nearest are '
        f'{apart_s:.3f} s apart)'
    )
    if images[0].pair_by == 'header' and _clocks_apart_s(images, depths) > _ONE_CLOCK_S:
        received = _by_receipt(images), _by_receipt(depths)
        n_paired = len(paired(*received, round(tolerance_s * 1e9)))
        return (
            f'{none}: the stamps are of different clocks. Pair them by when they were received, '
            f'--pair-by receive: {n_paired} of {len(images)} images then have depth (the nearest '
            f'are {_nearest_s(*received):.3f} s apart)'
        )
    if apart_s > _LARGEST_TOLERANCE_S:
        return f'{none}: they were not taken at one time, or a clock was wrong: correct the stamps'
    return f'{none}: raise it, or correct the clocks'


def remedy(apart_s: float, pair_by: PairBy) -> str:
    """Return what to add to an error about messages that are so far apart, if that is absurd."""
    if pair_by == 'receive' or apart_s <= _LARGEST_TOLERANCE_S:
        return ''
    return (
        ': its stamps are of another clock than those of the images; --pair-by receive pairs them '
        'by when they were received'
    )


def note_on_clocks(pairs: Sequence[Pair]) -> str:
    """Return what to say of pairs whose stamps agree and whose receive times do not, if any."""
    late_s = [
        (pair.depth.received_ns - pair.image.received_ns) / 1e9
        for pair in pairs
        if isinstance(pair.depth, Place)
    ]
    if not late_s or abs(median(late_s)) <= _ONE_CLOCK_S:
        return ''
    return (
        f'images and their depth have the same stamps, and were received {abs(median(late_s)):.3g}'
        ' s apart: if their clocks differ, --pair-by receive pairs them by when they were received'
    )


def _clocks_apart_s(images: Sequence[Place], depths: Sequence[Place]) -> float:
    """Return how far the clocks of two topics are apart, seen from the recorder's."""
    ahead_s = [
        median((place.stamp_ns - place.received_ns) / 1e9 for place in places)
        for places in (images, depths)
    ]
    return abs(ahead_s[0] - ahead_s[1])


def _by_receipt(places: Sequence[Place]) -> list[Place]:
    return [replace(place, pair_by='receive') for place in places]


def _nearest_s(images: Sequence[Place], depths: Sequence[Place]) -> float:
    by_time = ByStamp(depths)
    found = ((image, by_time.nearest(image.time_ns)) for image in images)
    return min(abs(image.time_ns - depth.time_ns) for image, depth in found if depth) / 1e9
