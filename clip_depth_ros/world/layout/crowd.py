# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Who else is on the way in streets that are not plain: near the camera, beside it, across its path.

All of it is in closed form of time and of the way travelled, so any moment can be built on its
own, and nobody is ever where the camera is: what passes keeps ``BESIDE_M`` away from its path,
what crosses has done so before the camera comes, what is ahead stays ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
import itertools
from typing import NamedTuple

from clip_depth_ros.world.street import Street
from clip_depth_ros.world.things import Placed
from clip_depth_ros.world.traffic import any_vehicle, BESIDE_M, pick, stream, walker
import numpy as np

_SMALL: tuple[str, ...] = (
    'cyclist', 'cyclist', 'cyclist', 'motorcyclist', 'dog', 'stroller', 'scooter', 'bicycle',
)
_ODD = ('a_box', 'a_ball', 'a_tube', 'wheelie_bin', 'traffic_cone', 'a_crate', 'bin')
_WALLS = ('wall', 'brick_wall', 'brick_wall', 'panel_wall')
_REACH_M = {
    'lorry': 7.4, 'bus': 6.1, 'tram': 11.1, 'tipper': 3.9, 'truck': 4.2, 'delivery_van': 3.0,
    'minibus': 3.2, 'trailer': 1.3, 'cyclist': 1.0, 'motorcyclist': 1.1,
}
_CAR_REACH_M = 2.5


class _Moment(NamedTuple):
    """What everything follows from."""

    street: Street
    seed: int
    time_s: float
    here_s: float
    path_d: float


def crowd(
    street: Street, seed: int, time_s: float, here_s: float, path_d: float
) -> list[Placed]:
    """Return who is there at a time at which the camera is at (``here_s``, ``path_d``)."""
    if street.kind == 'plain':
        return []
    rng = np.random.default_rng((seed, 46))
    m = _Moment(street, seed, time_s, here_s, path_d)
    busy = rng.exponential(1.0, 5)
    streams = [
        _ahead(m, near=rng.random() < 0.35, share=float(rng.uniform(0.2, 1.0))),
        _passing(m, float(min(busy[0] * 0.25, 0.9))),
        _crossing(m, float(min(busy[1] * 0.3, 0.9))),
        *(_lane(m, side, float(min(busy[2] * 0.5, 0.95))) for side in (-1, 1)),
    ]
    if rng.random() < 0.25:
        streams.append(_leading(m))
    if rng.random() < 0.3:
        streams.append(_closing(m))
    return list(itertools.chain(*streams))


def _ahead(m: _Moment, *, near: bool, share: float) -> Iterator[Placed]:
    """Drive vehicles of all sizes ahead in the camera's lane, the first one near at times."""
    rng = np.random.default_rng((m.seed, 47))
    gap = 2.0 + 4 * rng.random() if near else 5 + 45 * rng.random() ** 1.5
    s = m.here_s
    for number in range(4):
        swing = float(np.sin(rng.uniform(0.2, 0.5) * m.time_s + rng.uniform(0, 6.28)))
        d = -m.street.lane_m / 2 + float(rng.uniform(-0.3, 0.3))
        vehicle = any_vehicle(rng, m.street, 0.0, 0.0, turn=0.0, heavy=0.25)
        if rng.random() < 0.12:
            vehicle = vehicle._replace(prefab='cyclist' if rng.random() < 0.6 else 'motorcyclist')
        reach = _reach(vehicle) + (0.8 if number == 0 else 0.0)
        s += gap + reach + min(3.0, gap / 3) * swing
        if rng.random() < share or (near and number == 0):
            yield _moved(m.street, vehicle, s, d)
        s += reach
        gap = float(rng.uniform(3, 35))


def _passing(m: _Moment, share: float) -> Iterator[Placed]:
    """Let people, bicycles and odd things come by on both sides of the camera's path."""
    for side in (-1, 1):
        rng = np.random.default_rng((m.seed, 48, side + 1))
        drift, gap, way = float(rng.uniform(-2.5, 2.5)), rng.uniform(3, 12), rng.random() < 0.5
        shift = m.here_s + drift * m.time_s
        span = (m.here_s - 6, m.here_s + 45)
        for s, own in stream((m.seed, 49, side + 1), shift, gap, share, span):
            away = BESIDE_M + 0.55 + 5 * own.random() ** 2
            turn = (0.0 if way else np.pi) + float(own.uniform(-0.25, 0.25))
            yield _someone(own, m, s, m.path_d + side * away, turn)
            if own.random() < 0.3:
                away += float(own.uniform(0.6, 0.9))
                yield _someone(own, m, s + 0.4, m.path_d + side * away, turn)


def _crossing(m: _Moment, share: float) -> Iterator[Placed]:
    """
    Send people and vehicles across the camera's path, done before the camera is there.

    Where one is follows from how far off the camera still is: on the path when that is
    ``meet`` metres, and ``off`` metres beside it when the camera passes.
    """
    span = (m.here_s - 8, m.here_s + 80)
    gap = float(np.random.default_rng((m.seed, 50)).uniform(9, 40))
    for s, own in stream((m.seed, 51), 0.0, gap, share, span):
        side, meet = (1 if own.random() < 0.5 else -1), float(own.uniform(3, 22))
        off = BESIDE_M + 1.3 + 4 * own.random() ** 2  # half a bicycle, and its rider's room
        aside = off * (meet - (s - m.here_s)) / meet
        if abs(aside) < 14:
            yield _someone(own, m, s, m.path_d + side * aside, side * np.pi / 2)
    if not m.street.crossing_m:
        return
    for block in range(m.street.block_of(span[0]), m.street.block_of(span[1]) + 1):
        own = np.random.default_rng((m.seed, 52, block + 100_000))
        s = m.street.block_start(block) + m.street.crossing_m * float(own.uniform(0.3, 0.7))
        side, meet = (1 if own.random() < 0.5 else -1), float(own.uniform(8, 40))
        aside = float(own.uniform(14, 25)) * (meet - (s - m.here_s)) / meet
        vehicle = any_vehicle(own, m.street, 0.0, 0.0, turn=side * np.pi / 2, heavy=0.4)
        if own.random() < 0.15:
            vehicle = vehicle._replace(prefab='tram')
        if own.random() < share + 0.2 and abs(aside) < 40:
            yield _moved(m.street, vehicle, s, m.path_d + side * aside)


def _closing(m: _Moment) -> Iterator[Placed]:
    """
    Close the view with walls across the street that slide aside before the camera comes.

    Nothing of the kind is met in streets, but a front across the street is, at every corner that
    one turns; the camera of this world turns at none.
    """
    gap = float(np.random.default_rng((m.seed, 56)).uniform(20, 80))
    for s, own in stream((m.seed, 57), 0.0, gap, 0.8, (m.here_s - 5, m.here_s + 90)):
        side, meet = (1 if own.random() < 0.5 else -1), float(own.uniform(8, 25))
        half = float(own.uniform(1.5, 9))
        aside = (1.4 * half + 2) * (meet - (s - m.here_s)) / meet
        x, y, yaw = m.street.pose(s, m.path_d + side * aside)
        turn = np.pi / 2 + float(own.uniform(-0.25, 0.25))
        r, g, b = own.uniform(0.05, 0.95, 3).tolist()
        window, storey, salt = own.uniform((1.7, 2.7, 0), (3.2, 3.4, 255)).tolist()
        if abs(aside) < 30:
            yield Placed(
                pick(own, _WALLS),
                *(x, y, 0.0, yaw + turn),
                scale=(2 * half, float(own.uniform(0.2, 1.2)), float(own.uniform(1.5, 9))),
                primary=(r, g, b),
                style=(window, storey, 0.5, salt),
            )


def _lane(m: _Moment, side: int, share: float) -> Iterator[Placed]:
    """Fill the carriageway beyond the two lanes: towards the camera left, along with it right."""
    lane, wide = m.street.lane_m, m.street.further_m[0 if side > 0 else 1]
    rng = np.random.default_rng((m.seed, 53, side + 1))
    pace = -rng.uniform(7, 16) if side > 0 else rng.uniform(-3, 3)
    shift = float(pace * m.time_s + (0.0 if side > 0 else m.here_s))
    for number in range(int(max(wide - 1.0, 0) / 2.8)):
        d = side * (lane + (1.5 if side > 0 else 0.2) + 2.8 * number + 1.4)
        key, gap = (m.seed, 54, side + 1, number), float(rng.uniform(14, 40))
        span = (m.here_s - 15, m.here_s + 120)
        for s, own in stream(key, shift, gap, share, span):
            turn = np.pi if side > 0 else 0.0
            yield any_vehicle(own, m.street, s, d, turn=turn, heavy=0.3)


def _leading(m: _Moment) -> Iterator[Placed]:
    """Keep someone or something straight ahead, at arm's length or a few steps."""
    rng = np.random.default_rng((m.seed, 55))
    for _ in range(int(rng.integers(1, 4))):
        extra, swing = 6 * rng.random() ** 1.5, float(rng.random())
        pace, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 6.28)
        d = m.path_d + float(rng.normal(0, 0.7) + 0.4 * np.sin(0.7 * pace * m.time_s))
        someone = _someone(rng, m, 0.0, 0.0, float(rng.uniform(0, 6.28)))
        nearest = 0.85 if someone.prefab.startswith('pedestrian') else 1.75
        s = m.here_s + nearest + extra * (1 + swing * float(np.sin(pace * m.time_s + phase)))
        yield _moved(m.street, someone, s, d)


def _someone(
    rng: np.random.Generator, m: _Moment, s: float, d: float, turn: float
) -> Placed:
    """Return a person, mostly, or who is on wheels or four legs, or a plain thing."""
    luck = rng.random()
    person = walker(rng, m.street, s, d, turn=turn, steps=m.time_s + float(rng.random()))
    if luck < 0.6:
        return person
    r, g, b = rng.uniform(0.05, 0.95, 3).tolist()
    if luck < 0.88:
        names, size = _SMALL, float(rng.uniform(0.8, 1.15))
        height = size
    else:
        names, size, height = _ODD, float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.3, 1.6))
    scale = (size, size, height)
    return person._replace(prefab=pick(rng, names), primary=(r, g, b), scale=scale)


def _moved(street: Street, thing: Placed, s: float, d: float) -> Placed:
    """Return a thing that was made at (0, 0), at (s, d)."""
    x, y, yaw = street.pose(s, d)
    yaw0 = street.pose(0.0, 0.0)[2]
    return thing._replace(x=x, y=y, z=street.level(d), yaw=thing.yaw - yaw0 + yaw)


def _reach(vehicle: Placed) -> float:
    return _REACH_M.get(vehicle.prefab, _CAR_REACH_M)
