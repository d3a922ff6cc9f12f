# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""iBims-1: 16 bits for 50 m, which count where both masks let them; edges and planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import CalibrationError, ImageError, RecordingError
from clip_depth_ros.evaluation.results.result import read_result
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.types import Intrinsics
from data_folders import write_png, write_text
import numpy as np
from open_sources import open_kind
import pytest


@pytest.fixture
def ibims(tmp_path: Path) -> Path:
    """Give one image; its corners are unknown, not of the image, transparent and 50 m away."""
    folder = tmp_path / 'ibims1_core_raw'
    stored = np.full((4, 6), 13107, np.uint16)
    stored[0, 0], stored[-1, -1] = 0, 65535
    ones = np.ones((4, 6), np.uint8)
    write_png(folder / 'rgb/room_01.png', np.zeros((4, 6, 3), np.uint8))
    write_png(folder / 'depth/room_01.png', stored)
    for mask, pixel in (('mask_invalid', (0, 5)), ('mask_transp', (3, 0))):
        image = ones.copy()
        image[pixel] = 0
        write_png(folder / mask / 'room_01.png', image)
    write_text(folder / 'calib/room_01.txt', '5.5,6.5,2.5,1.5')
    return tmp_path


@pytest.mark.parametrize('place', ['', 'ibims1_core_raw'])
def test_it_is_recognised(ibims: Path, place: str) -> None:
    assert kind_of(str(ibims / place)) == 'ibims'


def test_depth_counts_where_both_masks_let_it(ibims: Path) -> None:
    sample = open_kind('ibims', ibims)[0]
    expected = np.full((4, 6), 10, np.float32)
    expected[0, 0] = expected[0, 5] = expected[3, 0] = 0
    expected[3, 5] = 50
    np.testing.assert_allclose(sample.target_m, expected, rtol=1e-6)
    assert sample.structure is None


def test_its_camera_counts_pixels_from_one(ibims: Path) -> None:
    intrinsics = open_kind('ibims', ibims)[0].intrinsics
    assert intrinsics == Intrinsics(5.5, 6.5, 1.5, 0.5, 6, 4)


def test_what_is_missing_is_named(ibims: Path) -> None:
    (ibims / 'ibims1_core_raw/mask_transp/room_01.png').unlink()
    with pytest.raises(RecordingError, match=r'mask_transp/room_01\.png.* cannot be read'):
        open_kind('ibims', ibims)[0]
    (ibims / 'ibims1_core_raw/calib/room_01.txt').write_text('5.5,6.5')
    with pytest.raises((CalibrationError, RecordingError), match=r'room_01'):
        open_kind('ibims', ibims)[0]
    (ibims / 'ibims1_core_raw/depth/room_01.png').unlink()
    with pytest.raises(RecordingError, match='looked for rgb/NAME'):
        open_kind('ibims', ibims)


def mark(root: Path, folder: str, labels: Any, *normals: str) -> None:
    """Write edges, or planes and a line of numbers for each."""
    write_png(root / f'ibims1_core_raw/{folder}/room_01.png', np.asarray(labels, np.uint8))
    if normals:
        write_text(root / f'ibims1_core_raw/{folder}/room_01.txt', '\n'.join(normals))


def test_edges_and_planes_are_those_of_its_pictures(ibims: Path) -> None:
    """Two walls, of which a third is not known; a table of 1 bit; no floor."""
    walls, table = np.zeros((4, 6)), np.zeros((4, 6))
    walls[:, :2], walls[:, 2:4], walls[0, 5], table[3] = 1, 2, 3, 255
    mark(ibims, 'edges', table)
    mark(ibims, 'mask_wall', walls, '9,9,9,9,1,0,0', '9, 9, 9, 9, 0, 0.8, 0.6')
    mark(ibims, 'mask_table', table, '9,9,9,9,0,0,1')
    structure = open_kind('ibims', ibims)[0].structure
    np.testing.assert_array_equal(structure.edges, table > 0)
    masks, normals = zip(*((plane.mask, plane.normal) for plane in structure.planes), strict=True)
    for mask, wanted in zip(masks, (walls == 1, walls == 2, table > 0), strict=True):
        np.testing.assert_array_equal(mask, wanted)
    # Right, ahead and up are x, z and -y of the optical frame.
    np.testing.assert_array_equal(normals, [[1, 0, 0], [0, -0.6, 0.8], [0, -1, 0]])


@pytest.mark.parametrize(('labels', 'normal', 'error', 'why'), [
    (np.ones((3, 6)), '0,0,0,0,0,0,1', ImageError, r'of the size of its image, 6x4, is 6x3'),
    (np.ones((4, 6)), '0,0,0,0,0,1', CalibrationError, r'rows of 7 finite numbers, holds 6'),
    (np.ones((4, 6)), '0,0,0,0,0,0,nan', CalibrationError, r'rows of 7 finite numbers'),
    (np.ones((4, 6)), '1,1,1,1,0,0,0', CalibrationError, r'the normal of plane 1 is 0'),
])
def test_damaged_planes_are_named(
    ibims: Path, labels: Any, normal: str, error: type[Exception], why: str
) -> None:
    mark(ibims, 'mask_floor', labels, normal)
    with pytest.raises(error, match=rf'mask_floor/room_01\..*{why}'):
        open_kind('ibims', ibims)[0]


def write_room(root: Path) -> None:
    """Write a wall 5 m away and a floor 1.2 m below the camera, a box in front, and the truth."""
    height, width = 60, 80
    rows, _ = np.indices((height, width))
    floor = np.divide(1.2 * 70, rows - 25, where=rows > 26, out=np.full(rows.shape, 99.0))
    depth_m = np.minimum(5, floor)
    labels = np.where(floor < 5, 2, 1)
    depth_m[15:35, 30:50], labels[15:35, 30:50] = 2, 0
    edges = np.zeros((height, width), np.uint8)
    edges[15:35, [29, 50]], edges[[14, 35], 30:50] = 1, 1
    write_png(root / 'rgb/room_01.png', np.zeros((height, width, 3), np.uint8))
    write_png(root / 'depth/room_01.png', np.round(depth_m * 65535 / 50).astype(np.uint16))
    for mask in ('mask_invalid', 'mask_transp'):
        write_png(root / mask / 'room_01.png', np.ones((height, width), np.uint8))
    write_text(root / 'calib/room_01.txt', '70,70,40.5,26')
    write_png(root / 'edges/room_01.png', edges)
    for folder, number, normal in (('mask_wall', 1, '0,1,0'), ('mask_floor', 2, '0,0,1')):
        write_png(root / folder / 'room_01.png', (labels == number).astype(np.uint8))
        write_text(root / folder / 'room_01.txt', f'0,0,0,0,{normal}')
    np.save(root / 'room_01.npy', depth_m.astype(np.float32))


def test_the_command_measures_edges_and_planes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_room(tmp_path / 'ibims')
    (tmp_path / 'answers').mkdir()
    (tmp_path / 'ibims/room_01.npy').rename(tmp_path / 'answers/room_01.npy')
    command = [
        'evaluate', tmp_path / 'ibims', '--pred-dir', tmp_path / 'answers', '--predict', 'dir',
        'constant', '--out', tmp_path / 'out', '--n-workers', '1', '--bootstrap-samples', '100',
    ]
    assert main([*map(str, command)]) == 0
    assert 'dbe' not in capsys.readouterr().out
    result = read_result(tmp_path / 'out/result.json')
    right, constant = (
        {name: estimate.mean for name, estimate in found.estimates.items()}
        for found in result.predictors.values()
    )
    assert right['dbe/comp'] < 0.8  # marked are the pixels that are farther
    assert right['dbe/acc'] < 4  # where wall and floor meet is an edge to Canny, too
    assert right['pe/n'] == 2
    assert right['pe/plan'] == pytest.approx(0, abs=1e-3)
    assert right['pe/ori'] == pytest.approx(0, abs=1e-3)
    assert right['dde 3 m/correct'] == pytest.approx(1, abs=0.01)  # 3 m is between two steps
    assert (constant['dbe/acc'], constant['dbe/comp']) == (10, 10)
    assert constant['pe/ori'] == pytest.approx(45)  # the wall is right, the floor a wall
    table = (tmp_path / 'out/table.md').read_text(encoding='utf-8')
    for title in ('dbe acc (px)', 'dbe comp (px)', 'pe plan (cm)', 'pe ori (°)',
                  'dde 3 m too far'):
        assert f'| {title} |' in table
    assert 'pe n' not in table
