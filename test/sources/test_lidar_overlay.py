# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""On real KITTI frames, projected points fall on the right side of image edges."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from clip_depth_ros.core.projection import project
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.kitti_calibration import read_object_calibration
from clip_depth_ros.sources.kitti_files import read_kitti_scan
import cv2
import numpy as np
import pytest

NUMBERS = ('000000', '000001', '000002', '000114')
JUMP = 1.3
"""One point of a pair is 30 % farther than its neighbour in the sweep."""

pytestmark = pytest.mark.samples


class Frame(NamedTuple):
    """
    A scan in the order of the sweep, and how strong the image's edges are.

    ``edges``, (H, W): the share of the image's pixels whose brightness changes less from left to
    right; 0.5 is what pixels have on average.
    """

    points: np.ndarray
    P: np.ndarray
    edges: np.ndarray


class Pairs(NamedTuple):
    """The nearer points of neighbours in the sweep, on the image's edges."""

    edges: np.ndarray
    near: np.ndarray
    side: np.ndarray


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    root = Path(__file__).resolve().parents[3] / 'shared/data/kitti_object/training'
    return [read_frame(root, number) for number in NUMBERS]


def read_frame(root: Path, number: str) -> Frame:
    rgb = read_rgb(root / f'image_2/{number}.png')
    calibration = read_object_calibration(root / f'calib/{number}.txt')
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    change = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0))
    edges = np.empty(change.size)
    edges[np.argsort(change, axis=None)] = np.linspace(0, 1, change.size)
    P = calibration.K @ calibration.T_cam2_velo[:3]
    return Frame(
        read_kitti_scan(root / f'velodyne/{number}.bin'), P, edges.reshape(change.shape)
    )


def neighbours(frame: Frame, P: np.ndarray, *, jump: bool) -> tuple[np.ndarray, np.ndarray]:
    """
    Give the nearer point of pairs beside each other in the sweep, and which side the other is on.

    Parallax moves the farther one by a few pixels; what is farther apart lies in two sweeps.
    """
    pixels, depth_m = project(frame.points, P)
    first, second = depth_m[:-1], depth_m[1:]
    apart = np.abs(np.diff(pixels, axis=0))
    is_pair = (apart < 12).all(axis=1) & (first > 0) & (second > 0)
    ratio = np.ones(len(first))
    np.divide(second, first, out=ratio, where=is_pair)
    chosen = is_pair & ((np.maximum(ratio, 1 / ratio) > JUMP) == jump)
    is_first = (first < second)[:, np.newaxis]
    near = np.where(is_first, pixels[:-1], pixels[1:])
    far = np.where(is_first, pixels[1:], pixels[:-1])
    return near[chosen], np.sign(far - near)[chosen, 0]


def pairs_of(frames: list[Frame], *, yaw_deg: float = 0, jump: bool = True) -> list[Pairs]:
    """Give the pairs of each frame, with a LiDAR that is turned by an angle."""
    return [
        Pairs(frame.edges, *neighbours(frame, frame.P @ turned(yaw_deg), jump=jump))
        for frame in frames
    ]


@pytest.fixture(scope='module')
def borders(frames: list[Frame]) -> list[Pairs]:
    return pairs_of(frames)


def edge_strength(pairs: list[Pairs], *, shift_px: float = 0) -> float:
    """Give the mean strength of the edge between a point and where its thing must have ended."""
    strengths = []
    for edges, near, side in pairs:
        height, width = edges.shape
        columns = np.rint(near[:, :1] + shift_px + side[:, np.newaxis] * np.arange(3))
        rows = np.rint(near[:, 1])
        inside = (rows >= 0) & (rows < height)
        inside &= ((columns >= 0) & (columns < width)).all(axis=1)
        places = rows[inside, np.newaxis].astype(int), columns[inside].astype(int)
        strengths.append(edges[places].max(axis=1))
    return float(np.concatenate(strengths).mean())


def turned(yaw_deg: float) -> np.ndarray:
    """Give the 4 x 4 that turns points about the LiDAR's upright axis."""
    matrix = np.eye(4)
    cosine, sine = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    return matrix


def test_there_are_borders_to_look_at(borders: list[Pairs]):
    assert sum(len(pairs.side) for pairs in borders) > 900


def test_where_depth_jumps_the_image_has_an_edge(frames: list[Frame], borders: list[Pairs]):
    """More so than where neighbouring points are on the same thing."""
    assert edge_strength(borders) > edge_strength(pairs_of(frames, jump=False)) + 0.1


@pytest.mark.parametrize('shift_px', [-30, -15, 15, 30])
def test_moved_sideways_points_miss_the_edges(borders: list[Pairs], shift_px: int):
    assert edge_strength(borders) > edge_strength(borders, shift_px=shift_px) + 0.08


@pytest.mark.parametrize('yaw_deg', [-1.5, 1.5])
def test_with_a_lidar_that_is_turned_points_miss_the_edges(
    frames: list[Frame], borders: list[Pairs], yaw_deg: float
):
    turned_pairs = pairs_of(frames, yaw_deg=yaw_deg)
    assert edge_strength(borders) > edge_strength(turned_pairs) + 0.08


def test_no_other_place_fits_better(borders: list[Pairs]):
    """The best of all shifts from 20 pixels left to 20 right is none, to two pixels."""
    best = max(range(-20, 21), key=lambda shift: edge_strength(borders, shift_px=shift))
    assert abs(best) <= 2
