# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""iBims-1: 16 bits for 50 m, which count where both masks let them."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import CalibrationError, RecordingError
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
    assert sample.intrinsics == Intrinsics(5.5, 6.5, 2.5, 1.5, 6, 4)


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
