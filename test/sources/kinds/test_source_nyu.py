# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NYU Depth v2: the official labelled file, and folders of images with depth in millimetres."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
import pickle
import sys
from typing import Any

from clip_depth_ros.errors import ImageError, MissingDependencyError, RecordingError
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.types import Intrinsics
import cv2
import h5py
import numpy as np
from numpy.typing import NDArray
from open_sources import open_nyu
import pytest

KINECT = Intrinsics(518.85790, 519.46961, 325.58245, 253.73617, 640, 480)
MAT = 'nyu_depth_v2_labeled.mat'


def pictures(height: int = 3, width: int = 4) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Give 3 images (H, W, 3) and depth maps (H, W) in which each pixel differs."""
    rgb = np.arange(3 * height * width * 3).reshape(3, height, width, 3) % 251
    depth_m = 1 + np.arange(3 * height * width).reshape(3, height, width) / 100
    depth_m[:, 0, 0] = 0
    return rgb.astype(np.uint8), depth_m.astype(np.float32)


def write_mat(path: Path, height: int = 3, width: int = 4) -> None:
    """Write HDF5 as MATLAB 7.3 does: axes reversed, chunks, deflate, a user block before it."""
    rgb, depth_m = pictures(height, width)
    with h5py.File(path, 'w', userblock_size=512) as file:
        images = rgb.transpose(0, 3, 2, 1)
        file.create_dataset('images', data=images, chunks=(1, *images.shape[1:]), compression=3)
        depths = depth_m.transpose(0, 2, 1)
        file.create_dataset('depths', data=depths, chunks=(1, *depths.shape[1:]), compression=3)
        file.create_dataset('rawDepths', data=depths)
        file.create_group('#refs#')
    with path.open('r+b') as file:
        file.write(b'MATLAB 7.3 MAT-file'.ljust(512))


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    """Give a small labelled file."""
    write_mat(tmp_path / MAT)
    return tmp_path / MAT


def write_pair(
    image: Path, depth: Path, value: int = 100, shape: tuple[int, int] = (3, 4)
) -> None:
    """Write a PNG of one red, and 1500 mm everywhere but in the first pixel."""
    bgr = np.zeros((*shape, 3), np.uint8)
    bgr[..., 2] = value
    stored = np.full(shape, 1500, np.uint16)
    stored[0, 0] = 0
    for path, pixels in ((image, bgr), (depth, stored)):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give rgb/ and depth/ with three frames, whose numbers do not sort as text."""
    for number in (2, 10, 100):
        write_pair(
            tmp_path / f'nyu/rgb/rgb_{number}.png',
            tmp_path / f'nyu/depth/sync_depth_{number:05}.png',
            number,
        )
    return tmp_path / 'nyu'


def listed(tmp_path: Path, *lines: str) -> Path:
    """Write a split file."""
    path = tmp_path / 'split.txt'
    path.write_text('\n'.join(lines) + '\n')
    return path


class TestLabelledFile:
    def test_the_axes_are_those_of_images(self, mat: Path) -> None:
        source = open_nyu(mat)
        rgb, depth_m = pictures()
        assert len(source) == 3
        for index in range(3):
            sample = source[index]
            np.testing.assert_array_equal(sample.rgb, rgb[index])
            np.testing.assert_array_equal(sample.target_m, depth_m[index])
            assert (sample.rgb.dtype, sample.target_m.dtype) == (np.uint8, np.float32)
            assert sample.rgb.flags.c_contiguous
            assert sample.target_m.flags.c_contiguous
            assert sample.name == f'{MAT} frame {index + 1}'

    def test_the_official_splits_count_from_one(self, mat: Path, tmp_path: Path) -> None:
        source = open_nyu(mat, listed(tmp_path, '# train', '3', '1'))
        rgb, _ = pictures()
        assert [source[i].name for i in range(len(source))] == [
            f'{MAT} frame 3', f'{MAT} frame 1'
        ]
        np.testing.assert_array_equal(source[0].rgb, rgb[2])

    def test_frames_of_the_kinect_have_its_intrinsics(self, tmp_path: Path) -> None:
        write_mat(tmp_path / MAT, height=480, width=640)
        assert open_nyu(tmp_path / MAT)[0].intrinsics == KINECT

    def test_others_have_none(self, mat: Path) -> None:
        """They were cropped or resized, nobody knows how."""
        assert open_nyu(mat)[0].intrinsics is None

    def test_no_file_is_open_before_it_is_needed(self, mat: Path) -> None:
        """Workers are forked after the source was opened; HDF5 must not be shared by them."""
        source = open_nyu(mat)
        assert source._file._opened is None
        source[0]
        sent = pickle.dumps(source)
        assert len(sent) < 2000
        again = pickle.loads(sent)
        np.testing.assert_array_equal(again[1].rgb, source[1].rgb)

    @pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
    def test_a_forked_process_reads_for_itself(self, mat: Path) -> None:
        """The parent has read a frame; its child must not use what it has open, nor close it."""
        source = open_nyu(mat)
        expected = [source[index].rgb for index in range(3)]
        context = multiprocessing.get_context('fork')
        with context.Pool(2) as pool:
            found = pool.map(source.__getitem__, range(3))
        for index in range(3):
            np.testing.assert_array_equal(found[index].rgb, expected[index])
            np.testing.assert_array_equal(source[index].rgb, expected[index])

    def test_it_can_be_closed_and_goes_on(self, mat: Path) -> None:
        source = open_nyu(mat)
        before = source[0].rgb
        source.close()
        np.testing.assert_array_equal(source[0].rgb, before)

    def test_it_describes_what_decides_the_frames(self, mat: Path, tmp_path: Path) -> None:
        assert open_nyu(mat).describe() == {
            'source': 'nyu', 'file': str(mat), 'intrinsics': "NYU's Kinect", 'frames': '3'
        }
        one = open_nyu(mat, listed(tmp_path, '1')).describe()
        two = open_nyu(mat, listed(tmp_path, '2')).describe()
        assert one['list_sha256'] != two['list_sha256']

    def test_training_may_start(self, mat: Path) -> None:
        check_source(open_nyu(mat))


class TestOfficialSplits:
    """splits.mat of the data set's authors: two columns of numbers, from 1."""

    def write(self, path: Path, **arrays: Any) -> Path:
        """Write a MATLAB 5 file."""
        scipy_io = pytest.importorskip('scipy.io')
        scipy_io.savemat(path / 'splits.mat', arrays)
        return path / 'splits.mat'

    def test_its_test_frames_are_used(self, mat: Path, tmp_path: Path) -> None:
        train, test = np.array([[2]], np.uint16), np.array([[1], [3]], np.uint16)
        split = self.write(tmp_path, trainNdxs=train, testNdxs=test)
        source = open_nyu(mat, split)
        assert source.names == [f'{MAT} frame 1', f'{MAT} frame 3']
        assert [source[index].name for index in range(2)] == source.names
        assert 'list_sha256' in source.describe()

    @pytest.mark.parametrize('numbers', [
        [], [0, 1], [1, 4], [1.5], ['a'],
    ])
    def test_numbers_that_are_none(self, mat: Path, tmp_path: Path, numbers: list[Any]) -> None:
        split = self.write(tmp_path, testNdxs=np.array(numbers))
        with pytest.raises(RecordingError, match='testNdxs should be numbers of frames, 1 to 3'):
            open_nyu(mat, split)

    def test_other_arrays(self, mat: Path, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match=r'should hold testNdxs.*has \[\]'):
            open_nyu(mat, self.write(tmp_path, numbers=np.array([1])))

    @pytest.mark.parametrize('content', [b'', b'MATLAB 5.0 MAT-file' + bytes(200), b'1\n2\n'])
    def test_damaged_files(self, mat: Path, tmp_path: Path, content: bytes) -> None:
        pytest.importorskip('scipy.io')
        (tmp_path / 'splits.mat').write_bytes(content)
        with pytest.raises(RecordingError, match='cannot be read as a MATLAB 5 file'):
            open_nyu(mat, tmp_path / 'splits.mat')

    def test_without_scipy(
        self, mat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, 'scipy.io', None)
        with pytest.raises(MissingDependencyError, match='pip install scipy'):
            open_nyu(mat, tmp_path / 'splits.mat')


class TestLabelledFileRefusals:
    @pytest.mark.parametrize('content', [b'', b'MATLAB 5.0 MAT-file', b'\x89HDF\r\n\x1a\n'])
    def test_no_hdf5(self, tmp_path: Path, content: bytes) -> None:
        """An older MATLAB file, or a download that broke off."""
        (tmp_path / MAT).write_bytes(content)
        with pytest.raises(RecordingError) as error:
            open_nyu(tmp_path / MAT)
        message = str(error.value)
        assert message.startswith(f'{str(tmp_path / MAT)!r} cannot be read as HDF5 (')
        assert message.endswith(
            'it should be nyu_depth_v2_labeled.mat, or a folder of images and depth maps'
        )

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match='cannot be read as HDF5'):
            open_nyu(tmp_path / MAT)

    def test_a_truncated_file(self, mat: Path) -> None:
        mat.write_bytes(mat.read_bytes()[:-200])
        with pytest.raises(RecordingError, match='truncated file'):
            open_nyu(mat)

    @pytest.mark.parametrize(('images', 'depths'), [
        ((3, 3, 4, 3), None),
        (None, (3, 4, 3)),
        ((3, 3, 4, 3), (2, 4, 3)),
        ((3, 3, 4, 3), (3, 3, 4)),
        ((3, 4, 3, 3), (3, 4, 3)),
        ((3, 4, 3), (3, 4, 3)),
    ])
    def test_other_arrays(
        self, tmp_path: Path, images: tuple[int, ...] | None, depths: tuple[int, ...] | None
    ) -> None:
        with h5py.File(tmp_path / MAT, 'w') as file:
            if images:
                file['images'] = np.ones(images, np.uint8)
            if depths:
                file['depths'] = np.ones(depths, np.float32)
        with pytest.raises(RecordingError) as error:
            open_nyu(tmp_path / MAT)
        assert str(error.value).startswith(
            f'{str(tmp_path / MAT)!r} should hold images uint8 (N, 3, W, H) and depths float '
            '(N, W, H), has {'
        )

    def test_groups_in_the_place_of_arrays(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / MAT, 'w') as file:
            file.create_group('images')
            file.create_group('depths')
        with pytest.raises(RecordingError, match='should hold images'):
            open_nyu(tmp_path / MAT)

    @pytest.mark.parametrize(('images', 'depths'), [
        (np.float32, np.float32), (np.uint8, np.uint16), (np.uint8, 'S4'),
    ])
    def test_arrays_of_other_types(self, tmp_path: Path, images: Any, depths: Any) -> None:
        """Images scaled to 1 would all be black; whole numbers of depth are not metres."""
        with h5py.File(tmp_path / MAT, 'w') as file:
            file['images'] = np.ones((1, 3, 4, 3), images)
            file['depths'] = np.ones((1, 4, 3), depths)
        with pytest.raises(RecordingError, match='should hold images'):
            open_nyu(tmp_path / MAT)

    @pytest.mark.parametrize('line', ['0', '4', '-1', '1.5', 'one', '1 2', '3x', '9' * 5000])
    def test_numbers_that_are_none(self, mat: Path, tmp_path: Path, line: str) -> None:
        split = listed(tmp_path, '1', line)
        with pytest.raises(RecordingError) as error:
            open_nyu(mat, split)
        assert str(error.value) == (
            f'{split}:2: a line should be the number of a frame, 1 to 3, got {line!r}'
        )

    def test_a_damaged_frame_leaves_the_others(self, mat: Path) -> None:
        """Its chunk does not inflate; the training counts it and goes on."""
        with h5py.File(mat) as file:
            place = file['images'].id.get_chunk_info(1)
        data = bytearray(mat.read_bytes())
        start = place.byte_offset
        data[start:start + place.size] = b'\xff' * place.size
        mat.write_bytes(data)
        source = open_nyu(mat)
        with pytest.raises(RecordingError, match=f'{MAT} frame 2 does not decode'):
            source[1]
        source[0]
        source[2]


class TestFolder:
    def test_frames_belong_together_by_number(self, folder: Path) -> None:
        """2 before 10 before 100, and 00002 is 2."""
        source = open_nyu(folder)
        assert [source[i].name for i in range(len(source))] == [
            'rgb/rgb_2.png', 'rgb/rgb_10.png', 'rgb/rgb_100.png'
        ]
        assert [int(source[i].rgb[0, 0, 0]) for i in range(3)] == [2, 10, 100]

    def test_depth_is_metres_and_images_are_rgb(self, folder: Path) -> None:
        sample = open_nyu(folder)[0]
        expected = np.full((3, 4), 1.5, np.float32)
        expected[0, 0] = 0
        np.testing.assert_array_equal(sample.target_m, expected)
        assert sample.rgb[2, 3].tolist() == [2, 0, 0]
        assert sample.intrinsics is None

    def test_frames_of_the_kinect_have_its_intrinsics(self, tmp_path: Path) -> None:
        write_pair(tmp_path / 'rgb/1.png', tmp_path / 'depth/1.png', shape=(480, 640))
        assert open_nyu(tmp_path)[0].intrinsics == KINECT

    def test_scenes_as_bts_has_them(self, tmp_path: Path) -> None:
        """Numbers begin anew in each scene."""
        for scene in ('office', 'bathroom'):
            place = tmp_path / scene
            write_pair(place / 'rgb_00000.png', place / 'sync_depth_00000.png', len(scene))
        source = open_nyu(tmp_path)
        assert [source[i].name for i in range(len(source))] == [
            'bathroom/rgb_00000.png', 'office/rgb_00000.png'
        ]
        assert [int(source[i].rgb[0, 0, 0]) for i in range(2)] == [8, 6]

    def test_images_without_depth_are_counted(self, folder: Path) -> None:
        (folder / 'depth/sync_depth_00010.png').unlink()
        source = open_nyu(folder)
        assert (len(source), source.matching.n_without_depth) == (2, 1)
        assert source.describe()['left_out_without_depth'] == '1'

    def test_a_list_as_bts_has_it(self, folder: Path, tmp_path: Path) -> None:
        split = listed(
            tmp_path,
            '/rgb/rgb_10.png /depth/sync_depth_00010.png 518.8579',
            'rgb/rgb_2.png None 518.8579',
            'rgb/rgb_100.png depth/sync_depth_00100.png',
        )
        source = open_nyu(folder, split)
        assert (len(source), source.matching.n_without_depth) == (2, 1)
        assert [int(source[i].rgb[0, 0, 0]) for i in range(2)] == [10, 100]
        assert source.name == 'NYU (split.txt)'

    def test_it_can_be_sent_to_another_process(self, folder: Path) -> None:
        source = pickle.loads(pickle.dumps(open_nyu(folder)))
        assert source[0].rgb[0, 0, 0] == 2
        check_source(source)


class TestFolderRefusals:
    @pytest.fixture
    def empty(self, tmp_path: Path) -> Path:
        """Give a folder of other things."""
        (tmp_path / 'notes.txt').write_text('nothing')
        return tmp_path

    def test_no_frames(self, empty: Path) -> None:
        with pytest.raises(RecordingError, match='has no images with depth maps: looked for rgb/'):
            open_nyu(empty)

    def test_two_images_of_one_number(self, folder: Path) -> None:
        write_pair(folder / 'rgb/other_002.png', folder / 'depth/sync_depth_00002.png')
        with pytest.raises(RecordingError, match='have one number: say in a list which depth'):
            open_nyu(folder)

    def test_missing_files_of_a_list(self, folder: Path, tmp_path: Path) -> None:
        split = listed(
            tmp_path, 'rgb/rgb_2.png depth/2.png', 'rgb/rgb_10.png depth/sync_depth_00010.png'
        )
        with pytest.raises(RecordingError) as error:
            open_nyu(folder, split)
        assert str(error.value) == (
            f'1 of 2 frames are not there, looked for {split}:1: '
            f'{str(folder / "depth/2.png")!r}: complete the data set, correct its root, or take '
            'these lines out of the list'
        )

    def test_an_evaluation_may_miss_some(self, folder: Path, tmp_path: Path) -> None:
        split = listed(
            tmp_path, 'rgb/2.png depth/2.png', 'rgb/rgb_10.png depth/sync_depth_00010.png'
        )
        source = open_nyu(folder, split, allow_missing=True)
        missing = str(folder / 'rgb/2.png')
        assert source.names == ['rgb/rgb_10.png']
        assert source.problems == [(f'{split}:1', f'{missing!r} is not there')]
        assert source.matching.n_without_depth == 0

    def test_but_not_all(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match='1 of 1 frames are not there'):
            open_nyu(folder, listed(tmp_path, 'rgb/2.png x.png'), allow_missing=True)

    def test_names_too_long_for_files(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match='1 of 1 frames are not there'):
            open_nyu(folder, listed(tmp_path, f'{"x" * 300} depth/sync_depth_00002.png'))

    @pytest.mark.parametrize('line', [
        '../nyu/rgb/rgb_2.png depth/sync_depth_00002.png', 'rgb/rgb_2.png ../secret.png',
    ])
    def test_paths_must_not_leave_the_data_set(
        self, folder: Path, tmp_path: Path, line: str
    ) -> None:
        with pytest.raises(RecordingError, match='leads out of'):
            open_nyu(folder, listed(tmp_path, line))

    @pytest.mark.parametrize('line', ['rgb/rgb_2.png', 'a b c d'])
    def test_lines_of_another_kind(self, folder: Path, tmp_path: Path, line: str) -> None:
        with pytest.raises(RecordingError) as error:
            open_nyu(folder, listed(tmp_path, line))
        assert str(error.value).endswith(
            f'split.txt:1: a line should be "image depth [focal]", got {line!r}'
        )

    def test_files_without_a_number_are_passed_over(self, folder: Path) -> None:
        """Thumbnails, notes: no frame ends like that."""
        (folder / 'rgb/Thumbs.db').write_bytes(b'')
        (folder / 'rgb/notes_1.txt').write_text('')
        write_pair(folder / 'rgb/mean.png', folder / 'depth/mean.png')
        assert len(open_nyu(folder)) == 3

    def test_a_list_without_depth(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match='has depth: name another list'):
            open_nyu(folder, listed(tmp_path, 'rgb/rgb_2.png None'))

    def test_a_damaged_frame_leaves_the_others(self, folder: Path) -> None:
        source = open_nyu(folder)
        (folder / 'rgb/rgb_2.png').write_bytes(b'\x89PNG')
        with pytest.raises(ImageError, match='does not decode: copy it again'):
            source[0]
        assert source[1].rgb[0, 0, 0] == 10


@pytest.mark.samples
def test_real_frames(samples: Path) -> None:
    """Three frames of a room: most pixels known, half a metre to nine."""
    source = open_nyu(samples / 'nyu')
    check_source(source)
    assert [source[i].name for i in range(len(source))] == [
        'rgb/rgb_00000.jpg', 'rgb/rgb_00050.jpg', 'rgb/rgb_00100.jpg'
    ]
    for index in range(3):
        sample = source[index]
        assert sample.rgb.shape == (480, 640, 3)
        assert sample.intrinsics == KINECT
        known = sample.target_m[sample.target_m > 0]
        assert 0.6 < known.size / sample.target_m.size < 0.8
        assert 0.5 < known.min() < known.max() < 9
