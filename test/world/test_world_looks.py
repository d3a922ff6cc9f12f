# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Looks of the rendered world: they vary by seed, and never touch depth or classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

from clip_depth_ros.world.camera import render
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.look.film import developed, Film, film_of, GREY_SHARE
from clip_depth_ros.world.look.light import light_of, through_air
from clip_depth_ros.world.look.looks import look_of
from clip_depth_ros.world.look.manner import manner_of, SHARES
from clip_depth_ros.world.look.patterns import texture, TEXTURES
from clip_depth_ros.world.look.shade import open_to_sun, Shade, shade_of
from clip_depth_ros.world.rays import CameraRays
from hypothesis import given, strategies as st
import numpy as np
import pytest

SEEDS = range(1000)
MANNERS = {seed: manner_of(seed) for seed in SEEDS}
GREY_LEVELS = np.linspace(0, 2, 48 * 64, dtype=np.float32).reshape(48, 64, 1).repeat(3, axis=2)
NOISELESS = Film(noise=0.0)


def first(manner: str) -> int:
    """Return the first seed of a manner."""
    return next(seed for seed, found in MANNERS.items() if found == manner)


def shot(film: Film, colour: np.ndarray = GREY_LEVELS) -> np.ndarray:
    """Return what a film makes of light, as floats."""
    return developed(film, colour, 186.0, 0.0, np.random.default_rng(0)).astype(float)


@pytest.fixture(scope='module')
def scene_and_rays():
    drive = Drive(5, width=96, height=48)
    return drive.scene(60), CameraRays(drive.intrinsics, drive.pose(60))


@pytest.mark.parametrize('manner', SHARES)
def test_seeds_are_plain_varied_and_wild_in_their_shares(manner):
    share = Counter(MANNERS.values())[manner] / len(SEEDS)
    assert share == pytest.approx(SHARES[manner], abs=0.04)


def test_looks_change_the_picture_and_never_depth_or_classes(scene_and_rays):
    """The same moment in the light, paint and film of eight other drives."""
    scene, rays = scene_and_rays
    view = render(scene, rays, np.random.default_rng(0))
    for seed in (first('plain'), first('wild'), *range(20, 26)):
        other = replace(scene, look=look_of(seed), light=light_of(seed))
        seen = render(other, rays, np.random.default_rng(0))
        np.testing.assert_array_equal(seen.depth_m, view.depth_m)
        np.testing.assert_array_equal(seen.class_ids, view.class_ids)
        assert np.abs(seen.rgb.astype(int) - view.rgb).mean() > 5


def test_the_same_looks_give_the_same_bytes(scene_and_rays):
    scene, rays = scene_and_rays
    for seed in range(30, 36):
        looks = [replace(scene, look=look_of(seed), light=light_of(seed)) for _ in range(2)]
        one, again = (render(it, rays, np.random.default_rng(1)).rgb for it in looks)
        np.testing.assert_array_equal(one, again)


def test_pictures_differ_in_brightness_contrast_and_colour(scene_and_rays):
    scene, rays = scene_and_rays
    pictures = np.array([
        render(replace(scene, look=look_of(seed), light=light_of(seed)), rays,
               np.random.default_rng(seed)).rgb
        for seed in range(40, 100)
    ], float)
    mean, spread = pictures.mean((1, 2, 3)), pictures.std((1, 2, 3))
    assert mean.min() < 80 < 150 < mean.max()
    assert spread.min() < 40 < 70 < spread.max()
    warmth = pictures[..., 0].mean((1, 2)) / pictures[..., 2].mean((1, 2))
    assert warmth.min() < 0.85 < 1.2 < warmth.max()
    assert (mean > 8).all(), 'something is to be seen in each'
    assert (spread > 4).all()


class TestPlain:
    """Plain drives look as all drives did at first."""

    def test_their_camera_has_no_faults(self):
        seed = first('plain')
        film = film_of(seed, 'plain')
        faultless = replace(
            Film(), stops=film.stops, noise=film.noise, cast_rgb=film.cast_rgb
        )
        assert film == faultless
        assert abs(film.stops) <= np.log2(1.25)
        assert film.noise <= 2.5

    def test_their_days_are_fair_and_their_road_is_even(self):
        for seed in [seed for seed, manner in MANNERS.items() if manner == 'plain'][:40]:
            light, look = light_of(seed), look_of(seed)
            assert light.haze_per_m < 0.014
            assert not light.lamps_rgb.any()
            assert look.shade == Shade()
            assert look.ground.wet == look.ground.snow == look.ground.cracks == 0
            assert look.paint.wild_salt == 0


class TestFilm:
    """What a camera does to light."""

    def test_without_faults_it_is_a_shoulder_and_a_root(self):
        """Light 1 gives 255 sqrt(1 - exp(-1.5)) = 224.7 steps."""
        assert shot(NOISELESS, np.ones((16, 16, 3), np.float32)) == pytest.approx(225)
        by_hand = np.rint(255 * np.sqrt(1 - np.exp(-1.5 * GREY_LEVELS)))
        np.testing.assert_allclose(shot(NOISELESS), by_hand, atol=1)

    def test_a_stop_doubles_the_light(self):
        np.testing.assert_allclose(
            shot(replace(NOISELESS, stops=1.0)), shot(NOISELESS, 2 * GREY_LEVELS), atol=1
        )

    def test_metering_gives_the_same_picture_by_day_and_night(self):
        metered = replace(NOISELESS, metered=1.0)
        np.testing.assert_allclose(shot(metered), shot(metered, GREY_LEVELS / 50), atol=2)

    def test_hard_film_clips_the_lights(self):
        assert (shot(replace(NOISELESS, hard=1.0))[GREY_LEVELS >= 1] == 255).all()
        assert (shot(NOISELESS)[GREY_LEVELS >= 1] < 255).all()

    @pytest.mark.parametrize(('jpeg', 'most'), [(95, 5), (25, 40)])
    def test_jpeg_harms_as_its_quality_says(self, jpeg, most):
        noisy = replace(Film(), noise=5.0)
        harm = np.abs(shot(replace(noisy, jpeg=jpeg)) - shot(noisy)).mean()
        assert 0 < harm < most

    def test_blur_takes_detail_and_sharpening_adds_it(self):
        dots = np.zeros((48, 64, 3), np.float32)
        dots[::4, ::4] = 0.5
        plain = shot(NOISELESS, dots).std()
        for fault in ({'blur': 1.0}, {'motion': 3.0}, {'shrink': 2.0}, {'drops': 40.0}):
            assert shot(replace(NOISELESS, **fault), dots).std() < 0.8 * plain
        assert shot(replace(NOISELESS, blur=1.0, sharpen=1.0), dots).std() > 1.2 * shot(
            replace(NOISELESS, blur=1.0), dots).std()

    def test_every_fault_is_there_in_some_seeds_and_absent_in_others(self):
        films = [film_of(seed, 'varied') for seed in range(1000)]
        for field in fields(Film):
            if field.name in ('drift_per_m', 'drift_phase', 'sharpen_px'):
                continue  # how, not how much
            n_there = sum(getattr(film, field.name) != field.default for film in films)
            assert n_there > 20, field.name
        for name in ('blur', 'motion', 'jpeg', 'sharpen', 'veil', 'dirt', 'fringe', 'vignette'):
            assert sum(getattr(film, name) == 0 for film in films) > 375, name

    def test_grey_cameras_see_no_colour(self):
        films = [film_of(seed, 'varied') for seed in range(2000)]
        grey = [film for film in films if film.saturation == 0]
        assert len(grey) / len(films) == pytest.approx(GREY_SHARE, abs=0.02)
        colour = np.random.default_rng(0).uniform(0, 1, (24, 32, 3)).astype(np.float32)
        for film in grey[:10]:
            assert np.ptp(shot(film, colour), axis=2).max() <= 2


class TestLight:
    """Sun, air and lamps."""

    def test_from_clear_to_fog_and_from_noon_to_night(self):
        lights = [light_of(seed) for seed in SEEDS]
        visible_m = [3 / light.haze_per_m for light in lights]  # 5 % of the contrast is left
        assert min(visible_m) < 60
        assert max(visible_m) > 3000
        sunless = [light for light in lights if not light.sun_rgb.any()]
        at_night = [light for light in sunless if light.ambient_rgb.max() < 0.1]
        assert 10 < len(at_night) < 100
        assert all(light.lamps_rgb.any() for light in at_night)
        heights = [light.to_sun[2] for light in lights if light.sun_rgb.any()]
        assert min(heights) < np.sin(np.radians(9))
        assert max(heights) > np.sin(np.radians(60))

    def test_at_the_end_of_the_world_there_is_only_haze(self):
        for seed in range(20):
            light = light_of(seed)
            faded = through_air(light, np.ones((2, 3), np.float32), np.float32([139.99, 1]), 140)
            np.testing.assert_allclose(faded[0], light.haze_rgb, atol=2e-3)
            assert np.abs(faded[1] - 1).max() < np.abs(light.haze_rgb - 1).max()

    def test_lamps_shine_at_night_alone(self, scene_and_rays):
        """Without lamps a night is black; own headlights show the road, near more than far."""
        scene, rays = scene_and_rays
        scene = replace(scene, shapes=scene.shapes.chosen(np.zeros(len(scene.shapes), bool)))
        night = next(light_of(seed) for seed in SEEDS if light_of(seed).ambient_rgb.max() < 0.05)
        look = look_of(first('plain'))._replace(film=Film(noise=0.0))
        dark = replace(night, lamps_rgb=np.zeros(3, np.float32))
        with_lamps, without = (
            render(replace(scene, look=look, light=light), rays, np.random.default_rng(0))
            for light in (night, dark)
        )
        gained = with_lamps.rgb.astype(int).mean(2) - without.rgb.mean(2)
        road = with_lamps.class_ids == 1
        near = road & (with_lamps.depth_m < 15)
        far = road & (with_lamps.depth_m > 50)
        assert gained[near].max() > 10
        assert gained[near].max() > 4 * gained[far].max()


class TestShade:
    """Shade of what is not there."""

    @given(st.integers(0, 200), st.floats(-1e5, 1e5), st.floats(-50, 50), st.floats(0, 20))
    def test_it_is_the_same_all_along_a_ray_of_the_sun(self, seed, x, y, height):
        """So it falls on the ground and on walls alike, wherever the camera is."""
        shade, to_sun = shade_of(seed, 'varied'), np.array([0.5, -0.4, 0.77])
        foot = np.zeros((3, 1), np.float32)
        up = (foot + to_sun[:, None] / to_sun[2] * height).astype(np.float32)
        origin = np.array([x, y, 0.0])
        low, high = (open_to_sun(shade, to_sun, origin, points) for points in (foot, up))
        assert 0 <= low[0] <= 1
        # Float32 may fall on the other side of a texel's edge.
        around = [
            open_to_sun(shade, to_sun, origin + np.array([dx, dy, 0]), foot)[0]
            for dx in (-1e-3, 1e-3) for dy in (-1e-3, 1e-3)
        ]
        assert min(*around, low[0]) - 1e-3 <= high[0] <= max(*around, low[0]) + 1e-3

    def test_half_of_the_drives_have_some(self):
        kinds = Counter(shade_of(seed, 'varied').kind for seed in range(500))
        assert min(kinds.values()) > 80


@pytest.mark.parametrize('kind', range(TEXTURES))
def test_textures_are_centred_and_repeat(kind):
    rng = np.random.default_rng(kind)
    u, v = rng.uniform(0, 16, (2, 5000)).astype(np.float32)
    values = texture(kind, u, v)
    assert np.abs(values).max() <= 1
    assert abs(values.mean()) < 0.1
    assert values.std() > 0.2
    whole = np.floor(u)
    np.testing.assert_array_equal(texture(kind, whole, v), texture(kind, whole + 16, v))


def test_a_wet_road_mirrors_the_sky(scene_and_rays):
    """With a bright sky opposite, a wet road is brighter than a dry one somewhere far ahead."""
    scene, rays = scene_and_rays
    look = look_of(first('plain'))._replace(film=Film(noise=0.0))
    light = replace(light_of(first('plain')), haze_per_m=0.0)
    dry, wet = (
        render(
            replace(scene, look=look._replace(ground=look.ground._replace(wet=it)), light=light),
            rays,
            np.random.default_rng(0),
        )
        for it in (0.0, 0.8)
    )
    change = wet.rgb.astype(int).mean(2) - dry.rgb.mean(2)
    assert change[dry.class_ids == 1].max() > 30
    assert (change[dry.class_ids > 3] == 0).mean() > 0.8, 'all but rims, which are softened'
