# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that something else has predicted: which is of which frame, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
import os
from pathlib import Path

from clip_depth_ros.errors import ConfigError, DataError, ImageError, RecordingError
from clip_depth_ros.sources.predicted import answer_of, PredictedFiles
from clip_depth_ros.sources.samples import DepthSample
import cv2
from data_folders import write_png
import numpy as np
import pytest

DATE = '2011_09_26'
DRIVES = (f'{DATE}_drive_0002_sync', f'{DATE}_drive_0009_sync')
STAMP_NS = 1_600_000_000_123_456_789


def sample(name: str, stamp_ns: int | None = None) -> DepthSample:
    """Give a frame of this name."""
    return DepthSample(
        name, np.zeros((2, 3, 3), np.uint8), np.ones((2, 3), np.float32), stamp_ns=stamp_ns
    )


def write(folder: Path, *names: str) -> Path:
    """Write arrays of so many metres as the file's place in the list, from 1."""
    for metres, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.npy':
            np.save(path, np.full((2, 3), metres, np.float32))
        else:
            write_png(path, np.full((2, 3), 256 * metres, np.uint16))
    return folder


def depths(folder: Path, names: Sequence[str], stamps_ns: Sequence[int] = ()) -> list[float]:
    """Give the depth that is found for each frame."""
    files = PredictedFiles(folder, 256, names)
    samples = map(sample, names, stamps_ns or [None] * len(names))
    return [float(files.depth_of(one).depth_m[0, 0]) for one in samples]


class TestRules:
    def test_the_same_path(self, tmp_path: Path) -> None:
        """Where all drives have a frame 5, only the path tells them apart."""
        names = [f'{DATE}/{drive}/image_02/data/0000000005.png' for drive in DRIVES]
        write(tmp_path, *(name.replace('.png', '.npy') for name in names))
        assert depths(tmp_path, names) == [1, 2]
        assert PredictedFiles(tmp_path, 256, names).describe()['found_by'] == 'path'

    @pytest.mark.parametrize('name', [
        f'{DATE}/{{}}/image_02/data/0000000005.png', f'{DATE}/{{}} 5 l', '{}/0000000005',
        'image/{}_image_0000000005_image_02.png',
    ])
    @pytest.mark.parametrize('file', [
        '{}_0000000005.png', '{}_image_0000000005_image_02.npy', 'raw/{}/0000000005.npy',
    ])
    def test_drive_and_number_of_kitti(self, tmp_path: Path, name: str, file: str) -> None:
        """As BTS names its predictions, whatever kind of source the frames are from."""
        write(tmp_path, *(file.format(drive) for drive in DRIVES))
        assert depths(tmp_path, [name.format(drive) for drive in DRIVES]) == [1, 2]

    def test_cameras_of_kitti_are_told_apart(self, tmp_path: Path) -> None:
        names = [f'{DATE}/{DRIVES[0]} 5 {side}' for side in 'lr']
        write(tmp_path, *(f'{DRIVES[0]}/image_0{n}/0000000005.npy' for n in (2, 3)))
        assert depths(tmp_path, names) == [1, 2]

    def test_the_same_last_part(self, tmp_path: Path) -> None:
        write(tmp_path, 'later/7.npy', '6.npy')
        assert depths(tmp_path, ['rgb/6.png', 'rgb/7.jpg']) == [2, 1]

    def test_a_last_part_that_two_frames_share_says_nothing(self, tmp_path: Path) -> None:
        write(tmp_path, '5.npy')
        with pytest.raises(DataError, match='no rule fits'):
            depths(tmp_path, ['a/5.png', 'b/5.png'])

    def test_the_stamp(self, tmp_path: Path) -> None:
        """Also where as many files as frames are there: their order may be another."""
        stamps_ns = [STAMP_NS + 1, STAMP_NS]
        write(tmp_path, f'{STAMP_NS}.npy', f'{STAMP_NS + 1}.npy')
        assert depths(tmp_path, ['bag at 2 s', 'bag at 1 s'], stamps_ns) == [2, 1]

    def test_the_order_of_as_many_files(self, tmp_path: Path) -> None:
        """2 comes before 10."""
        write(tmp_path, 'pred_2.npy', 'pred_10.npy')
        assert depths(tmp_path, ['seed 3 frame 7', 'seed 3 frame 60']) == [1, 2]

    def test_fewer_files_than_frames_are_in_no_order(self, tmp_path: Path) -> None:
        write(tmp_path, 'pred_2.npy')
        with pytest.raises(DataError) as error:
            depths(tmp_path, ['seed 3 frame 7', 'seed 3 frame 60'])
        assert str(error.value) == (
            f'seed 3 frame 7: no prediction in {str(tmp_path)!r}: no rule fits its 1 files, such '
            "as 'pred_2.npy', to the 2 frames; looked for .npy or .png of the name 'seed 3 frame "
            "7', or as many files as frames"
        )

    def test_stamps_of_a_simulation_are_found(self, tmp_path: Path) -> None:
        """They are small, as they count from its start."""
        write(tmp_path, '1500000000.npy', 'other.npy', 'third.npy')
        assert depths(tmp_path, ['bag at 1.5 s'], [1_500_000_000]) == [1]

    def test_a_frame_whose_file_is_missing(self, tmp_path: Path) -> None:
        files = PredictedFiles(write(tmp_path, 'rgb/6.npy'), 256, ['rgb/6.png', 'rgb/7.png'])
        assert files.depth_of(sample('rgb/6.png')).depth_m[0, 0] == 1
        with pytest.raises(DataError, match=r'rgb/7.png: no prediction .* found by path'):
            files.depth_of(sample('rgb/7.png', STAMP_NS))

    def test_a_frame_that_is_listed_twice_has_one_file(self, tmp_path: Path) -> None:
        write(tmp_path, 'rgb/6.npy')
        assert depths(tmp_path, ['rgb/6.png', 'rgb/6.png (2)']) == [1, 1]

    def test_names_lead_nowhere(self, tmp_path: Path) -> None:
        """They are looked up among the files that are there, not opened."""
        write(tmp_path, 'secret.npy', 'predictions/1.npy')
        with pytest.raises(DataError, match='no prediction in'):
            depths(tmp_path / 'predictions', ['../secret', f'{tmp_path}/secret'])


class TestKinds:
    VALUES = np.array([[2, 0, -1, np.inf, np.nan]], np.float32)

    @pytest.mark.parametrize(('kind', 'wanted'), [
        ('depth', [2, 0, -1, np.inf, np.nan]),
        ('inverse-depth', [0.5, np.inf, np.nan, -np.inf, np.nan]),
        ('relative', [2, 0, -1, np.nan, np.nan]),
        ('disparity', [2, np.nan, np.nan, np.nan, np.nan]),
    ])
    def test_by_hand(self, kind, wanted) -> None:
        """Where inverse depth is 0, nothing is near; relative answers are any numbers."""
        answer = answer_of(self.VALUES, kind)
        np.testing.assert_array_equal(answer.depth_m, np.array([wanted], np.float32))
        assert answer.is_relative == (kind in ('relative', 'disparity'))

    @pytest.mark.parametrize(('kind', 'at_0'), [
        ('depth', np.nan), ('disparity', np.nan), ('inverse-depth', np.nan), ('relative', 0),
    ])
    def test_0_in_a_png(self, tmp_path: Path, kind, at_0) -> None:
        """Is no measurement, but in relative inverse depth it is what is farthest."""
        write_png(tmp_path / '1.png', np.array([[0, 512]], np.uint16))
        files = PredictedFiles(tmp_path, 256, ['1'], kind=kind)
        found = files.depth_of(sample('1')).depth_m
        np.testing.assert_array_equal(found, [[at_0, 0.5 if kind == 'inverse-depth' else 2]])
        assert files.describe().get('pred_kind', 'depth') == kind


class TestFiles:
    def test_png_has_zeros_where_it_knows_nothing(self, tmp_path: Path) -> None:
        stored = np.array([[0, 256, 640]], np.uint16)
        assert cv2.imwrite(str(tmp_path / '1.png'), stored)
        depth_m = PredictedFiles(tmp_path, 128, ['1']).depth_of(sample('1')).depth_m
        np.testing.assert_array_equal(depth_m, np.array([[np.nan, 2, 5]], np.float32))

    def test_arrays_are_as_they_are(self, tmp_path: Path) -> None:
        array = np.array([[0, np.nan, np.inf, -1]])
        np.save(tmp_path / '1.npy', array)
        depth_m = PredictedFiles(tmp_path, 128, ['1']).depth_of(sample('1')).depth_m
        np.testing.assert_array_equal(depth_m, array.astype(np.float32))

    def test_an_array_goes_before_its_picture(self, tmp_path: Path) -> None:
        """Many save a coloured PNG beside the depth."""
        write(tmp_path, '1.npy')
        write_png(tmp_path / '1.png', np.zeros((2, 3, 3), np.uint8))
        assert depths(tmp_path, ['1']) == [1]

    def test_a_picture_of_depth_is_no_depth(self, tmp_path: Path) -> None:
        write_png(tmp_path / '1.png', np.zeros((2, 3, 3), np.uint8))
        with pytest.raises(ImageError, match='should be 16-bit grey'):
            depths(tmp_path, ['1'])

    @pytest.mark.parametrize('make', [False, True])
    def test_no_files(self, tmp_path: Path, make: bool) -> None:
        if make:
            (tmp_path / 'none').mkdir()
        with pytest.raises(RecordingError, match=r'has no predictions: .* check pred_dir'):
            PredictedFiles(tmp_path / 'none', 256, ['1'])

    def test_a_png_must_store_something(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match='more than 0 for each metre'):
            PredictedFiles(tmp_path, 0, ['1'])

    def test_other_files_are_described_otherwise(self, tmp_path: Path) -> None:
        before = PredictedFiles(write(tmp_path, '1.npy'), 256, ['1', '2']).describe()
        after = PredictedFiles(write(tmp_path, '2.npy'), 256, ['1', '2'])
        assert before['files_sha256'] != after.describe()['files_sha256']
        after.close()

    def test_rewritten_ones_too(self, tmp_path: Path) -> None:
        """A run that goes on must not mix depth of two models, whose files have one size."""
        files = PredictedFiles(write(tmp_path, '1.npy'), 256, ['1'])
        before = files.describe()
        os.utime(tmp_path / '1.npy', ns=(0, 1))
        assert files.describe() != before
