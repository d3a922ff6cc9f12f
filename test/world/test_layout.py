# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where things are in the rendered world: many kinds of street, and room for the camera in all."""

from __future__ import annotations

from collections import Counter
import itertools

from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.prefabs import library
from clip_depth_ros.world.rig import Rig
from clip_depth_ros.world.roadside import block_things, clear_of
from clip_depth_ros.world.street import KINDS, street_of
from clip_depth_ros.world.things import assemble, Placed, Thing
from clip_depth_ros.world.traffic import path_of
import numpy as np
import pytest

CAMERA = Intrinsics(fx=60.0, fy=60.0, cx=31.5, cy=15.5, width=64, height=32)
RIGS = {'in the lane': Rig(CAMERA), 'on the sidewalk': Rig(CAMERA, 0.6, on_sidewalk=True)}
SEEDS = {
    kind: next(seed for seed in itertools.count() if street_of(seed).kind == kind)
    for kind in KINDS
}
"""The first seed of each kind of street."""


def test_kinds_of_street_are_met_as_often_as_they_say():
    n_seeds = 2000
    met = Counter(street_of(seed).kind for seed in range(n_seeds))
    shares = np.array([met[kind] / n_seeds for kind in KINDS])
    wanted = np.array([section.share for section in KINDS.values()])
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.03)


@pytest.mark.parametrize('rig', RIGS.values(), ids=list(RIGS))
@pytest.mark.parametrize('kind', KINDS)
def test_nothing_comes_within_40_centimetres_of_the_camera(kind, rig):
    """Neither what stands nor what moves, at heights at which a camera may be."""
    drive = Drive(SEEDS[kind], rig=rig)
    for index in range(3, 400, 44):
        shapes = drive.scene(index).shapes
        hulls = shapes.corners() - drive.pose(index)[:3, 3]
        hulls = hulls @ drive.pose(index)[:3, :3]  # x right, y down, z ahead of the camera
        near = (hulls.min(1)[:, [0, 2]] < 0.4) & (hulls.max(1)[:, [0, 2]] > -0.4)
        low = hulls[:, :, 1].max(1) > -0.5
        tall = hulls[:, :, 1].min(1) < rig.height_m - 0.31
        met = np.flatnonzero(near.all(1) & low & tall)
        assert [Thing(shapes.thing[i]).name for i in met] == []


@pytest.mark.parametrize('kind', KINDS)
def test_any_block_can_be_built_on_its_own_and_keeps_the_lane_free(kind):
    seed = SEEDS[kind]
    street = street_of(seed)
    things = block_things(street, seed, 7)
    block_things(street, seed, 3)
    assert block_things(street, seed, 7) == things
    assert len(things) > 5
    assert clear_of(things, street, (-street.lane_m / 2, 0.9)).all()


def test_what_reaches_into_a_corridor_is_not_clear_of_it():
    """A box from d = 1 to 3: 0.9 m is clear of it, 1.1 m is not; a roof 3 m up is no matter."""
    street = street_of(SEEDS['plain'])
    x, y, yaw = street.pose(50.0, 2.0)
    box = Placed('a_box', x, y, 0.0, yaw, (0.5, 2.0, 2.0))
    things = [box, box._replace(z=3.1), Placed('wheelie_bin', x, y, 0.0, yaw)]
    assert clear_of(things, street, (0.0, 0.9)).tolist() == [True, True, True]
    assert clear_of(things, street, (0.0, 1.1)).tolist() == [False, True, True]


def test_a_camera_on_the_sidewalk_has_a_way_there():
    """A thing in its way is left out for that camera alone."""
    seed = SEEDS['old_town']
    street = street_of(seed)
    path_d = path_of(RIGS['on the sidewalk'], street)
    everything, walked = (
        [thing for block in range(4) for thing in block_things(street, seed, block, d)]
        for d in (None, path_d)
    )
    assert set(walked) < set(everything)
    assert clear_of(walked, street, (path_d, 0.7)).all()


def test_every_prefab_stands_on_the_ground_within_its_reach():
    """No part of what is placed life-size lies far below the ground or off its own origin."""
    table = library()
    for name in table.rows:
        corners = assemble(table, [Placed(name, 0.0, 0.0, 0.0, 0.0)]).corners()
        assert corners[:, :, 2].min() > -0.8, name
        assert np.abs(corners[:, :, :2]).max() < 12, name


def test_a_row_of_the_picture_is_not_a_depth():
    """
    In the lower third, depths at one place differ more between seeds than on plain streets.

    Measured as the spread of log depth over seeds, in the mean over pixels: .21 where all streets
    are plain, .37 over all kinds.
    """
    spread = {}
    for is_plain in (True, False):
        seeds = [s for s in range(60) if (street_of(s).kind == 'plain') == is_plain][:12]
        drives = [Drive(seed, width=64, height=21) for seed in seeds]
        depths = [drive.frame(37, lidar=False).depth_m[14:] for drive in drives]
        spread[is_plain] = float(np.log(np.minimum(depths, 140.0)).std(0).mean())
    assert spread[False] > 1.2 * spread[True]
