# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nouns of the synthetic world: what a pixel can show, and of what solids things are made."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""An array of floats; the docstring says shape, unit and, where it matters, precision."""

Ints = NDArray[np.integer[Any]]
"""An array of whole numbers."""

Bools = NDArray[np.bool_]
"""An array of truth values."""

Rgb01 = tuple[float, float, float]
"""A colour as a person would mix it on a screen: gamma-encoded, 0 to 1."""


class Thing(IntEnum):
    """What a pixel shows; the numbers are the class ids of a frame and never change meaning."""

    SKY = 0
    ROAD = 1
    SIDEWALK = 2
    GRASS = 3
    BUILDING = 4
    FENCE = 5
    HEDGE = 6
    TREE = 7
    CAR = 8
    TRUCK = 9
    PEDESTRIAN = 10
    POLE = 11
    SIGN = 12


# A plain dict, as samples with it are sent to other processes.
CLASS_NAMES: Final[Mapping[int, str]] = {int(thing): thing.name.lower() for thing in Thing}
"""Class id -> name, as in ``class_ids`` of a frame."""


class Solid(IntEnum):
    """The convex solids that rays can meet, each within the unit cube [-1, 1]^3."""

    BOX = 0
    """|x|, |y|, |z| <= 1."""
    TAPER = 1
    """A box whose sides lean inwards: |x| <= 1 - a (z + 1) / 2, |y| <= 1 - b (z + 1) / 2."""
    ELLIPSOID = 2
    """x^2 + y^2 + z^2 <= 1."""
    CYLINDER = 3
    """x^2 + y^2 <= 1, |z| <= 1."""


class Material(IntEnum):
    """How a solid is painted; see :mod:`clip_depth_ros.world.paint`."""

    MATTE = 0
    FACADE = 1
    ROOF = 2
    CAR_BODY = 3
    CAR_CABIN = 4
    WHEEL = 5
    LEAVES = 6
    BARK = 7
    HEAD = 8
    SIGN_PLATE = 9
    SIGNAL = 10
    PLANKS = 11


class Tint(IntEnum):
    """Whose colour a part takes: its own, or one of the two of the thing it belongs to."""

    OWN = 0
    PRIMARY = 1
    SECONDARY = 2
