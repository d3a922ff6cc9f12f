# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ray casting in the synthetic world: depths by hand, and against a slow, literal oracle."""

from __future__ import annotations

from clip_depth_ros.types import Intrinsics
from clip_depth_ros.world.casting import ground_shadow, nearest_hits, NOTHING
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.hills import first_meeting, raised, rise
from clip_depth_ros.world.lidar import KITTI_T_CAM_LIDAR, LidarModel
from clip_depth_ros.world.rays import CameraRays, NEAR_M, SpinningRays
from clip_depth_ros.world.rig import kitti_like
from clip_depth_ros.world.street import ground_hits, KERB_M, Street
from clip_depth_ros.world.things import (
    assemble,
    Material,
    Part,
    part_table,
    Placed,
    Shapes,
    Solid,
    Thing,
)
from clip_depth_ros.world.traffic import camera_pose
from hypothesis import given, strategies as st
import numpy as np
import pytest

CAMERA = Intrinsics(fx=100.0, fy=110.0, cx=20.0, cy=10.0, width=41, height=31)
HEIGHT_M = 1.65
FORWARD = camera_pose((0.0, 0.0, HEIGHT_M), 0.0)
PLAZA = Street((), lane_m=500.0, parking_m=(0, 0), walk_m=(3, 3), block_m=90, first_crossing_m=0)
NO_GROUND = np.full((CAMERA.height, CAMERA.width), np.inf, np.float32)


def test_depth_of_the_road_below_the_horizon():
    """A level camera at height h sees the ground in row v at depth h * fy / (v - cy)."""
    t = ground_hits(PLAZA, CameraRays(CAMERA, FORWARD)).t
    rows = np.arange(11, 31)
    assert t[11:] == pytest.approx(
        np.repeat((HEIGHT_M * 110 / (rows - 10))[:, None], 41, axis=1), rel=1e-6
    )
    assert np.isinf(t[:11]).all()  # the horizon itself, row 10, never comes down


def test_the_sidewalk_is_a_kerb_nearer_and_the_kerb_face_lies_between():
    """Row 30: the road at 9.075 m, the sidewalk at 1.53 * 110 / 20 = 8.415 m."""
    ground = ground_hits(_street_of_lane(0.95), CameraRays(CAMERA, FORWARD))
    t, offset = ground.t[30], np.abs(ground.d[30])
    on_road, on_walk = offset < 0.95 - 1e-4, offset > 0.95 + 1e-4
    assert t[on_road] == pytest.approx(9.075)
    assert t[on_walk] == pytest.approx((HEIGHT_M - KERB_M) * 110 / 20)
    on_face = ~on_road & ~on_walk
    # Column u looks at y = -t (u - cx) / fx, and meets the face where that is the kerb's offset.
    assert np.flatnonzero(on_face).tolist() == [9, 31]
    assert t[on_face] == pytest.approx(0.95 * 100 / 11)


@given(st.floats(-0.4, 0.4), st.floats(-1.5, 1.5), st.integers(0, 29))
def test_ground_in_a_bend_lies_on_the_road_or_the_kerb_or_the_walk(yaw, y, seed):
    """
    Each point found satisfies the equations of the level or the face that it is on.

    On hills, single rays may graze a crest between road and kerb.
    """
    street = Drive(seed).street
    y, z = float(street.course(np.float64(5000.0))[0]) + y, street.rise(5000.0)[0] + 1.65
    pose = camera_pose((5000.0, y, z), yaw)
    rays = CameraRays(kitti_like(64, 32), pose)
    ground = ground_hits(street, rays)
    seen = np.isfinite(ground.t) & (ground.t < 150)
    points = pose[:3, 3] + (ground.t[..., None] * _directions(rays))[seen]
    course, slope = street.course(points[:, 0])
    offset = (points[:, 1] - course) / np.sqrt(1 + slope**2)
    left, right = street.kerb_offsets()
    beyond = np.maximum(offset - left, right - offset)
    z = points[:, 2] - [street.rise(x)[0] for x in points[:, 0]]
    road = (np.abs(z) < 1e-4) & (beyond < 2e-4)
    walk = (np.abs(z - KERB_M) < 1e-4) & (beyond > -2e-4)
    face = (np.abs(beyond) < 2e-4) & (z > -1e-4) & (z < KERB_M + 1e-4)
    assert (road | walk | face).mean() >= (0.995 if street.climbs else 1)


def test_first_meeting_with_hills_agrees_with_small_steps():
    """A ray is above the ground until it meets it, and then on it, to a centimetre."""
    climbs = ((4.0, 2 * np.pi / 200, 0.3), (0.8, 2 * np.pi / 120, 1.0))
    origin = np.array([523.0, 0.0, float(rise(climbs, np.float64(523.0))[0]) + 1.2])
    x, y, z = (-0.6, 1.0, 0.9, 1.0), (0.8, 0.0, -0.4, 0.1), np.linspace(-0.3, 0.1, 81)
    x, y, z = (np.float32(v) for v in (np.repeat(x, 81), np.repeat(y, 81), np.tile(z, 4)))
    t = first_meeting(climbs, origin, (x, y, z), 0.0)
    steps = np.arange(0.0, 220.0, 0.05)[:, None]
    above = origin[2] + steps * z - rise(climbs, origin[0] + steps * x)[0]
    met = (above < 0).any(0)
    # Beyond the last piece, and within rounding of a crest, the two may differ.
    far = steps[(above < 0).argmax(0), 0] > 195
    assert (np.isfinite(t) == met)[~far].mean() > 0.98
    both = np.isfinite(t) & met & ~far
    assert both.sum() > 100
    assert np.abs(t - steps[(above < 0).argmax(0), 0])[both].max() < 0.06


def test_things_on_a_hill_stand_upright_on_it():
    """On a slope a box is sheared: its foot follows the ground, its sides stay upright."""
    climbs = ((4.0, 2 * np.pi / 200, 0.3),)
    flat = _solid(Solid.BOX, x=30.0, z=1.0)
    shapes = raised(climbs, flat, np.array([30.0]))
    height, slope = rise(climbs, np.float64(30.0))
    lift = (shapes.corners() - flat.corners())[0]
    np.testing.assert_allclose(lift[:, :2], 0, atol=1e-12)
    np.testing.assert_allclose(lift[:, 2], height + slope * (flat.corners()[0, :, 0] - 30.0))
    both = np.einsum('ij,jk->ik', shapes.from_unit[0, :, :3], shapes.to_unit[0, :, :3])
    np.testing.assert_allclose(both, np.eye(3), atol=1e-12)


def test_depth_of_a_box_by_hand():
    """A box from x = 9 to 11, 2 m wide and high: its front fills u 20 +- 100/9 at depth 9."""
    hits = nearest_hits(CameraRays(CAMERA, FORWARD), _solid(Solid.BOX, x=10.0), NO_GROUND)
    front = np.flatnonzero(np.isfinite(hits.t[10]))
    assert hits.t[10, front] == pytest.approx(9.0)
    assert (front[0], front[-1]) == (9, 31)  # 20 - 11.1 and 20 + 11.1, whole pixels inside


def test_depth_is_along_the_axis_not_along_the_ray():
    """A wall square to the axis has one depth, however far off the axis a pixel looks."""
    wall = _solid(Solid.BOX, x=10.0, scale=(1.0, 50.0, 50.0))
    assert nearest_hits(CameraRays(CAMERA, FORWARD), wall, NO_GROUND).t == pytest.approx(9.0)


@pytest.mark.parametrize(
    ('solid', 'depth_m'),
    [
        (Solid.ELLIPSOID, 9.0),
        (Solid.CYLINDER, 9.0),
        (Solid.TAPER, 9.25),  # half-way up, a front that leans in by 0.5 is 0.25 further
    ],
)
def test_depth_of_other_solids_on_the_axis(solid, depth_m):
    shapes = _solid(solid, x=10.0, taper=(0.5, 0.0))
    hits = nearest_hits(CameraRays(CAMERA, FORWARD), shapes, NO_GROUND)
    assert hits.t[10, 20] == pytest.approx(depth_m)
    assert hits.shape[10, 20] == 0


def test_a_thin_pole_far_away_keeps_its_depth():
    """At 130 m a pole of 4 cm radius is hit by the ray that aims at it, to a millimetre."""
    pole = _solid(Solid.CYLINDER, x=130.0, scale=(0.04, 0.04, 3.0))
    hits = nearest_hits(CameraRays(CAMERA, FORWARD), pole, NO_GROUND)
    assert hits.t[10, 20] == pytest.approx(129.96, abs=1e-3)


def test_the_nearer_of_two_is_seen_and_what_is_behind_the_camera_is_not():
    table = part_table({'box': [_unit_part(Solid.BOX)]})
    things = [Placed('box', x, 0.0, HEIGHT_M, 0.0) for x in (30.0, 10.0, -10.0)]
    shapes = assemble(table, things, np.zeros(2))
    hits = nearest_hits(CameraRays(CAMERA, FORWARD), shapes, NO_GROUND)
    assert set(np.unique(hits.shape)) == {NOTHING, 1}


def test_no_solids_leave_the_ground_as_it_is():
    rays = CameraRays(CAMERA, FORWARD)
    ground_t = ground_hits(PLAZA, rays).t
    nothing = assemble(part_table({'box': [_unit_part(Solid.BOX)]}), [], np.zeros(2))
    hits = nearest_hits(rays, nothing, ground_t)
    np.testing.assert_array_equal(hits.t, ground_t)
    assert (hits.shape == NOTHING).all()


def test_length_of_a_shadow_by_hand():
    """With the sun 45 degrees high behind the camera, a 2 m box at x = 9 to 11 shades to 13."""
    box = _solid(Solid.BOX, x=10.0, z=1.0)
    rays = CameraRays(CAMERA, camera_pose((0.0, 0.0, 5.0), 0.0, pitch=0.3))
    ground = ground_hits(PLAZA, rays)
    dark = ground_shadow(rays, ground.t, box, np.array([-1.0, 0.0, 1.0]), (0.0, KERB_M))
    x, y = ground.t * _directions(rays)[..., 0], ground.d
    clear = np.abs(x - 13) > 0.05
    expected = (x > 9) & (x < 13) & (np.abs(y) < 1)
    sure = np.isfinite(ground.t) & clear & (np.abs(np.abs(y) - 1) > 0.05) & (np.abs(x - 9) > 0.05)
    assert expected[sure].any()
    np.testing.assert_array_equal(dark[sure], expected[sure])


@pytest.mark.parametrize('seed', [3, 8, 21])
@pytest.mark.parametrize('sensor', ['camera', 'lidar'])
def test_casting_agrees_with_a_literal_oracle(seed, sensor):
    """
    In whole streets, windows and float32 change nothing but the very rims of solids.

    The oracle tries every ray with every solid in float64, one solid after the other. A ray that
    grazes a rim within rounding may hit or miss it: fewer than 1 in 1000 do.
    """
    drive = Drive(seed, width=96, height=48)
    pose, shapes = drive.pose(40), drive.scene(40).shapes
    rays = CameraRays(drive.intrinsics, pose)
    if sensor == 'lidar':
        model = LidarModel(azimuths_deg=(-180, 180), azimuth_step_deg=5.0)
        rays = model.rays(pose @ KITTI_T_CAM_LIDAR)
    ground_t = ground_hits(drive.street, rays).t
    hits = nearest_hits(rays, shapes, ground_t)
    truth = np.minimum(_oracle_t(rays, shapes), ground_t)
    same = np.isclose(hits.t, truth, rtol=2e-5) | (np.isinf(hits.t) & np.isinf(truth))
    assert (~same).mean() < 1e-3
    assert (hits.shape != NOTHING).mean() > 0.2


def _street_of_lane(lane_m: float) -> Street:
    return Street((), lane_m, (0, 0), (3, 3), block_m=90, first_crossing_m=45)


def _unit_part(solid: Solid, taper: tuple[float, float] = (0.0, 0.0)) -> Part:
    return Part(solid, Thing.BUILDING, Material.MATTE, (0, 0, 0), (1, 1, 1), taper=taper)


def _solid(solid, *, x, z=HEIGHT_M, scale=(1.0, 1.0, 1.0), taper=(0.0, 0.0)) -> Shapes:
    table = part_table({'it': [_unit_part(solid, taper)]})
    return assemble(table, [Placed('it', x, 0.0, z, 0.0, scale)], np.zeros(2))


def _directions(rays: CameraRays | SpinningRays) -> np.ndarray:
    """Return world directions, float64 (H, W, 3)."""
    return np.moveaxis(rays.columns[:, None, :] + rays.rows[:, :, None], 0, -1)


def _oracle_t(rays: CameraRays | SpinningRays, shapes: Shapes) -> np.ndarray:
    """Return the least t > NEAR_M at which rays enter a solid, by half-spaces and quadratics."""
    directions = _directions(rays)
    nearest = np.full(directions.shape[:2], np.inf)
    for solid, maps, taper in zip(shapes.solid, shapes.to_unit, shapes.taper, strict=True):
        o = maps[:, :3] @ rays.origin_m + maps[:, 3]
        d = directions @ maps[:, :3].T
        enter, leave = _oracle_interval(Solid(solid), taper, o, d)
        hit = (enter <= leave) & (enter > NEAR_M)
        nearest = np.where(hit & (enter < nearest), enter, nearest)
    return nearest


def _oracle_interval(solid, taper, o, d):
    planes = [(0, 0, 1, 1), (0, 0, -1, 1)]
    if solid in (Solid.BOX, Solid.TAPER):
        a, b = taper / 2 if solid == Solid.TAPER else (0.0, 0.0)
        planes += [(1, 0, a, 1 - a), (-1, 0, a, 1 - a), (0, 1, b, 1 - b), (0, -1, b, 1 - b)]
    enter, leave = np.full(d.shape[:2], -np.inf), np.full(d.shape[:2], np.inf)
    for *normal, bound in planes if solid != Solid.ELLIPSOID else []:
        facing, gap = d @ np.array(normal, float), bound - o @ np.array(normal, float)
        with np.errstate(divide='ignore', invalid='ignore'):
            t = gap / facing
        enter = np.where(facing < 0, np.maximum(enter, t), enter)
        leave = np.where(facing > 0, np.minimum(leave, t), leave)
        leave = np.where((facing == 0) & (gap < 0), -np.inf, leave)
    if solid in (Solid.ELLIPSOID, Solid.CYLINDER):
        axes = [0, 1, 2] if solid == Solid.ELLIPSOID else [0, 1]
        a = (d[..., axes] ** 2).sum(-1)
        b = (d[..., axes] * o[axes]).sum(-1)
        spare = b * b - a * ((o[axes] ** 2).sum() - 1)
        root = np.sqrt(np.maximum(spare, 0))
        enter = np.maximum(enter, np.where(spare < 0, np.inf, (-b - root) / a))
        leave = np.minimum(leave, (root - b) / a)
    return enter, leave
