# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that the looks of one drive are made of."""

from __future__ import annotations

from typing import NamedTuple

from clip_depth_ros.world.look.film import Film, film_of
from clip_depth_ros.world.look.ground import ground_look_of, GroundLook
from clip_depth_ros.world.look.manner import manner_of
from clip_depth_ros.world.look.paint import Paint, paint_of
from clip_depth_ros.world.look.shade import Shade, shade_of


class Look(NamedTuple):
    """The looks of one drive, each drawn by its seed."""

    ground: GroundLook
    paint: Paint
    film: Film
    shade: Shade


def look_of(seed: int) -> Look:
    """Draw the looks of a seed."""
    manner = manner_of(seed)
    return Look(
        ground=ground_look_of(seed, manner),
        paint=paint_of(seed, manner),
        film=film_of(seed, manner),
        shade=shade_of(seed, manner),
    )
