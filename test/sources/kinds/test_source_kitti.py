# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's frames and annotated depth, as split files of both kinds list them."""

from __future__ import annotations

from pathlib import Path
import pickle
import shutil
from typing import Any

from clip_depth_ros.errors import CalibrationError, DataError, ImageError, RecordingError
from clip_depth_ros.sources.folders import FolderSource
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.types import Intrinsics
import cv2
from hypothesis import example, given, strategies as st
import numpy as np
from numpy.typing import NDArray
from open_sources import open_kitti
import pytest

DATE = '2011_09_26'
DRIVE = f'{DATE}_drive_0002_sync'
CAMERA = ['P_rect_02: 721.5 0 1 44 0 721.5 1 0 0 0 1 0', 'R_rect_00: 1 0 0 0 1 0 0 0 1']
LIDAR = ['R: 0 -1 0 0 0 -1 1 0 0', 'T: 0 0.3 0']
BTS = (
    f'{DATE}/{DRIVE}/image_02/data/{{0:010}}.png '
    f'{DRIVE}/proj_depth/groundtruth/image_02/{{0:010}}.png'
)


def write_frame(
    raw: Path, depth: Path, number: int, *, camera: str = 'image_02', drive: str = DRIVE
) -> None:
    """Write an image that is red on the left, and depth of 1 m to 6 m, the first pixel empty."""
    image = raw / DATE / drive / camera / 'data' / f'{number:010}.png'
    annotated = depth / drive / 'proj_depth/groundtruth' / camera / f'{number:010}.png'
    bgr = np.zeros((2, 3, 3), np.uint8)
    bgr[:, 0, 2] = 200 + number
    stored = 256 * np.arange(1, 7, dtype=np.uint16).reshape(2, 3) + np.uint16(64)
    stored[0, 0] = 0
    for path, pixels in ((image, bgr), (annotated, stored)):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Two frames of one drive with calibration; depth below depth/, lists beside."""
    for number in (5, 6):
        write_frame(tmp_path / 'raw', tmp_path / 'depth', number)
    for name, lines in (('calib_cam_to_cam.txt', CAMERA), ('calib_velo_to_cam.txt', LIDAR)):
        (tmp_path / 'raw' / DATE / name).write_text('\n'.join(lines))
    return tmp_path


def opened(root: Path, *lines: str, depth: str = 'depth') -> FolderSource:
    """Open a source of these lines."""
    split = root / 'split.txt'
    split.write_text('\n'.join(lines) + '\n')
    return open_kitti(root / 'raw', split, gt_dir=root / depth)


def bts(number: int, rest: str = '') -> str:
    """Give a line of BTS's lists."""
    return BTS.format(number) + rest


def refusal(root: Path, *lines: str) -> str:
    """Give why these lines are refused."""
    with pytest.raises(RecordingError) as error:
        opened(root, *lines)
    return str(error.value)


class TestFrames:
    def test_depth_is_metres_and_images_are_rgb(self, kitti: Path) -> None:
        sample = opened(kitti, bts(5))[0]
        assert sample.target_m.dtype == np.float32
        np.testing.assert_array_equal(sample.target_m, [[0, 2.25, 3.25], [4.25, 5.25, 6.25]])
        assert (sample.rgb.shape, sample.rgb.dtype) == ((2, 3, 3), np.uint8)
        assert sample.rgb[0].tolist() == [[205, 0, 0], [0, 0, 0], [0, 0, 0]]
        assert sample.name == f'{DATE}/{DRIVE}/image_02/data/0000000005.png'

    def test_intrinsics_are_those_of_the_date(self, kitti: Path) -> None:
        """The focal length of the list is not asked: it says nothing of the principal point."""
        sample = opened(kitti, bts(5, ' 100.0'))[0]
        assert sample.intrinsics == Intrinsics(721.5, 721.5, 1.0, 1.0, 3, 2)

    def test_without_calibration_there_are_none(self, kitti: Path) -> None:
        (kitti / 'raw' / DATE / 'calib_velo_to_cam.txt').unlink()
        assert opened(kitti, bts(5))[0].intrinsics is None

    def test_a_damaged_calibration_is_noticed_on_open(self, kitti: Path) -> None:
        path = kitti / 'raw' / DATE / 'calib_cam_to_cam.txt'
        path.write_text('\n'.join(CAMERA).replace('721.5', '-1'))
        with pytest.raises(CalibrationError, match='P2 should start with'):
            opened(kitti, bts(5))

    def test_the_order_is_that_of_the_list(self, kitti: Path) -> None:
        source = opened(kitti, '# by hand', bts(6), '', bts(5), bts(6))
        assert [source[i].rgb[0, 0, 0] for i in range(len(source))] == [206, 205, 206]

    def test_jpegs_take_the_place_of_pngs(self, kitti: Path) -> None:
        """The raw data is large, and many keep it as JPEG under the lists made for PNG."""
        png = kitti / 'raw' / DATE / DRIVE / 'image_02/data/0000000005.png'
        assert cv2.imwrite(str(png.with_suffix('.jpg')), np.full((2, 3, 3), 90, np.uint8))
        png.unlink()
        for line in (bts(5), f'{DATE}/{DRIVE} 5 l'):
            assert abs(int(opened(kitti, line)[0].rgb[0, 0, 0]) - 90) < 5

    def test_a_source_can_be_sent_to_another_process(self, kitti: Path) -> None:
        source = pickle.loads(pickle.dumps(opened(kitti, bts(5))))
        assert source[0].rgb[0, 0, 0] == 205
        check_source(source)

    def test_a_leading_slash_is_the_root_of_the_data(self, kitti: Path) -> None:
        """So it stands in the lists of BTS."""
        image, depth = bts(5).split()
        assert len(opened(kitti, f'/{image} /{depth} 721.5')) == 1

    def test_lists_made_on_windows(self, kitti: Path) -> None:
        (kitti / 'split.txt').write_bytes(f'{bts(5)}\r\n{bts(6)}\r\n'.encode())
        source = open_kitti(kitti / 'raw', kitti / 'split.txt', gt_dir=kitti / 'depth')
        assert len(source) == 2


class TestWhereDepthIs:
    @pytest.mark.parametrize('part', ['train', 'val'])
    @pytest.mark.parametrize('line', [bts(5), f'{DATE}/{DRIVE} 5 l'])
    def test_as_the_archives_unpack(self, kitti: Path, part: str, line: str) -> None:
        (kitti / 'unpacked').mkdir()
        shutil.move(kitti / 'depth', kitti / 'unpacked' / part)
        assert len(opened(kitti, line, depth='unpacked')) == 1

    def test_below_the_images(self, kitti: Path) -> None:
        """Some copy proj_depth into the raw drive; then one root does."""
        shutil.copytree(kitti / 'depth', kitti / 'raw' / DATE, dirs_exist_ok=True)
        (kitti / 'split.txt').write_text(f'{DATE}/{DRIVE} 5 l')
        assert len(open_kitti(kitti / 'raw', kitti / 'split.txt')) == 1


class TestMonodepth2:
    def test_the_same_frame_by_its_other_name(self, kitti: Path) -> None:
        one, other = opened(kitti, bts(5))[0], opened(kitti, f'{DATE}/{DRIVE} 5 l')[0]
        np.testing.assert_array_equal(one.rgb, other.rgb)
        np.testing.assert_array_equal(one.target_m, other.target_m)
        assert one.intrinsics == other.intrinsics
        assert other.name == f'{DATE}/{DRIVE} 5 l'

    def test_the_right_camera(self, kitti: Path) -> None:
        """Rectified cameras share their K."""
        write_frame(kitti / 'raw', kitti / 'depth', 9, camera='image_03')
        sample = opened(kitti, f'{DATE}/{DRIVE} 0000000009 r')[0]
        assert sample.rgb[0, 0, 0] == 209
        assert sample.intrinsics == Intrinsics(721.5, 721.5, 1.0, 1.0, 3, 2)

    def test_the_ends_of_a_drive_have_no_depth(self, kitti: Path) -> None:
        """Depth was summed over neighbours in time; Zhou's lists name the ends all the same."""
        shutil.copy(
            kitti / 'raw' / DATE / DRIVE / 'image_02/data/0000000005.png',
            kitti / 'raw' / DATE / DRIVE / 'image_02/data/0000000000.png',
        )
        source = opened(kitti, f'{DATE}/{DRIVE} 0 l', f'{DATE}/{DRIVE} 5 l')
        assert (len(source), source.matching.n_without_depth) == (1, 1)


class TestWithoutDepth:
    @pytest.mark.parametrize('none', ['None', 'none'])
    def test_bts_marks_such_frames(self, kitti: Path, none: str) -> None:
        image = bts(6).split()[0]
        source = opened(kitti, bts(5), f'{image} {none} 721.5')
        assert (len(source), source.matching.n_without_depth) == (1, 1)
        assert source.describe()['left_out_without_depth'] == '1'

    def test_none_of_all(self, kitti: Path) -> None:
        assert refusal(kitti, f'{bts(6).split()[0]} None') == (
            f"none of the 1 frames of {str(kitti / 'split.txt')!r} has a depth map below "
            f"{str(kitti / 'depth')!r}: set gt_dir to the folder of the annotated depth"
        )


class TestDescription:
    def test_what_decides_the_frames(self, kitti: Path) -> None:
        described = opened(kitti, bts(5)).describe()
        assert described['source'] == 'kitti'
        assert described['data_dir'] == str(kitti / 'raw')
        assert described['depth_dir'] == str(kitti / 'depth')
        assert described['list'] == str(kitti / 'split.txt')

    def test_a_list_that_was_edited_is_another(self, kitti: Path) -> None:
        before = opened(kitti, bts(5)).describe()
        after = opened(kitti, bts(6)).describe()
        assert before['list_sha256'] != after['list_sha256']


class TestRefusals:
    def test_missing_files_are_counted_and_some_are_named(self, kitti: Path) -> None:
        lines = [bts(n) for n in (5, 11, 12, 13, 14)]
        message = refusal(kitti, *lines)
        folder = kitti / 'raw' / DATE / DRIVE / 'image_02/data'
        named = '; '.join(
            f'{kitti / "split.txt"}:{line}: {str(folder / f"{n:010}.png")!r}'
            for line, n in ((2, 11), (3, 12), (4, 13))
        )
        assert message == (
            f'4 of 5 images are not there, looked for {named}: complete the data set, correct its '
            'root, or take these lines out of the list'
        )

    def test_a_depth_map_that_bts_lists_must_be_there(self, kitti: Path) -> None:
        (kitti / 'depth' / DRIVE / 'proj_depth/groundtruth/image_02/0000000005.png').unlink()
        message = refusal(kitti, bts(5), bts(6))
        assert message.startswith('1 of 2 depth maps are not there, looked for')
        assert f'{kitti / "split.txt"}:1' in message

    @pytest.mark.parametrize('line', [
        '../../etc/passwd x.png',
        f'{DATE}/../../../secret.png x.png',
        f'{bts(5).split()[0]} ../../secret.png 721.5',
        '../raw 5 l',
        f'{DATE}/../.. 5 r',
        '.. None',
    ])
    def test_paths_must_not_leave_the_data_set(self, kitti: Path, line: str) -> None:
        message = refusal(kitti, bts(5), line)
        assert message.startswith(f'{kitti / "split.txt"}:2: ')
        assert 'leads out of' in message
        assert message.endswith(
            'paths in a split file are relative to the root of the data set, without ..'
        )

    def test_an_absolute_path_is_below_the_root_too(self, kitti: Path) -> None:
        """So that a list can name nothing outside."""
        message = refusal(kitti, '/etc/hostname /etc/hostname')
        assert repr(str(kitti / 'raw/etc/hostname')) in message

    @pytest.mark.parametrize('line', ['one', 'a b c d', 'a b c d e'])
    def test_lines_of_no_kind(self, kitti: Path, line: str) -> None:
        assert refusal(kitti, line) == (
            f'{kitti / "split.txt"}:1: a line should be "image depth [focal]" or '
            f'"date/drive frame side", got {line!r}'
        )

    @pytest.mark.parametrize('content', [b'', b'\n \n', b'# only words\n'])
    def test_a_list_of_nothing(self, kitti: Path, content: bytes) -> None:
        (kitti / 'split.txt').write_bytes(content)
        with pytest.raises(RecordingError, match='lists no frame'):
            open_kitti(kitti / 'raw', kitti / 'split.txt')

    def test_a_list_that_cannot_be_read(self, kitti: Path) -> None:
        (kitti / 'split.txt').write_bytes(b'\xff\xfe\x00')
        for path in (kitti / 'split.txt', kitti / 'none.txt', kitti):
            with pytest.raises(RecordingError, match='cannot be read'):
                open_kitti(kitti / 'raw', path)

    @given(line=st.text(max_size=400))
    @example(line='. .')
    @example(line='\0 5 l')
    def test_no_list_leads_to_anything_but_a_refusal(
        self, line: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Words of any length and kind, such as another text file by mistake."""
        folder = tmp_path_factory.getbasetemp()
        (folder / 'any.txt').write_text(f'{line}\n', encoding='utf-8', errors='ignore')
        with pytest.raises(RecordingError):
            open_kitti(Path(), folder / 'any.txt', gt_dir=folder)

    @pytest.mark.parametrize('line', [
        f'{"x" * 300} y.png', f'{"x/" * 3000} y.png', f'{"x" * 300} 5 l', f'x {"9" * 300} l',
    ])
    def test_names_too_long_for_files(self, kitti: Path, line: str) -> None:
        assert '1 of 1 images are not there' in refusal(kitti, line)

    @pytest.mark.parametrize('line', ['/ x', '. x', 'x .', '/ 5 l'])
    def test_names_of_no_file(self, kitti: Path, line: str) -> None:
        assert "names no file below '" in refusal(kitti, line)


class TestRawLidar:
    """The ground truth of monodepth2's 697 frames: what the Velodyne saw at that moment."""

    @pytest.fixture
    def scanned(self, kitti: Path) -> Path:
        """Give frame 5 with one point 10 m ahead and 4 m to the left, at height of the LiDAR."""
        point = np.array([[10, 4, 0, 1]], '<f4')
        path = kitti / 'raw' / DATE / DRIVE / 'velodyne_points/data/0000000005.bin'
        path.parent.mkdir(parents=True)
        path.write_bytes(point.tobytes())
        small = ['P_rect_02: 1 0 1.4 0 0 1 1.03 0 0 0 1 0', *CAMERA[1:]]
        small.append('P_rect_03: 1 0 1.4 4 0 1 1.03 0 0 0 1 0')
        (kitti / 'raw' / DATE / 'calib_cam_to_cam.txt').write_text('\n'.join(small))
        return kitti

    def lidar(self, root: Path, *lines: str, **settings: Any) -> FolderSource:
        """Open a source of these lines."""
        (root / 'split.txt').write_text('\n'.join(lines))
        return open_kitti(root / 'raw', root / 'split.txt', gt='raw-lidar', **settings)

    @pytest.mark.parametrize('line', [
        f'{DATE}/{DRIVE} 5 l', bts(5), f'{bts(5).split()[0]} None 721.5',
    ])
    def test_a_point_falls_on_its_pixel(self, scanned: Path, line: str) -> None:
        """It is seen at u = 1.4 - 4/10 = 1, v = 1.03 + 0.3/10 = 1.06."""
        source = self.lidar(scanned, line)
        np.testing.assert_array_equal(source[0].target_m, [[0, 0, 0], [0, 10, 0]])
        assert source.matching.n_without_depth == 0

    def test_the_right_camera_sees_it_elsewhere(self, scanned: Path) -> None:
        """The fourth column of its projection moves a point at 6 m by 4/6 px: 1.4 becomes 2.07."""
        write_frame(scanned / 'raw', scanned / 'depth', 5, camera='image_03')
        lidar = scanned / 'raw' / DATE / DRIVE / 'velodyne_points/data/0000000005.bin'
        lidar.write_bytes(np.array([[6, 0, 0, 1]], '<f4').tobytes())
        left, right = (self.lidar(scanned, f'{DATE}/{DRIVE} 5 {side}')[0] for side in 'lr')
        np.testing.assert_array_equal(np.argwhere(left.target_m), [[1, 1]])
        np.testing.assert_array_equal(np.argwhere(right.target_m), [[1, 2]])

    def test_monodepth2_has_the_forward_coordinate(self, scanned: Path) -> None:
        (scanned / 'raw' / DATE / 'calib_velo_to_cam.txt').write_text(
            LIDAR[0] + '\nT: 0 0.3 -0.5'
        )
        for value, expected in (('z', 9.5), ('forward', 10)):
            source = self.lidar(scanned, f'{DATE}/{DRIVE} 5 l', lidar_value=value)
            assert source[0].target_m.max() == expected
            assert source.describe()['lidar_value'] == value

    def test_a_missing_scan_is_named(self, scanned: Path) -> None:
        with pytest.raises(RecordingError, match=r'1 of 1 LiDAR scans are not there.*06.bin'):
            self.lidar(scanned, f'{DATE}/{DRIVE} 6 l')

    def test_the_calibration_must_be_there(self, scanned: Path) -> None:
        (scanned / 'raw' / DATE / 'calib_velo_to_cam.txt').unlink()
        with pytest.raises(RecordingError, match=r'calib_velo_to_cam.txt'):
            self.lidar(scanned, f'{DATE}/{DRIVE} 5 l')

    def test_images_elsewhere_have_no_scan(self, scanned: Path) -> None:
        with pytest.raises(RecordingError, match='should be below image_02/data or image_03/data'):
            self.lidar(scanned, 'rgb/5.png depth/5.png')


class TestTimes:
    def write_times(self, root: Path, last: str = '13:02:30.500000001') -> None:
        """Write times of frames 0 to 6; only 5 and 6 have images."""
        path = root / 'raw' / DATE / DRIVE / 'image_02/timestamps.txt'
        lines = [f'2011-09-26 13:02:2{number}.5' for number in range(6)]
        path.write_text('\n'.join([*lines, f'2011-09-26 {last}']))

    def test_stamps_are_those_beside_the_images(self, kitti: Path) -> None:
        """In whole nanoseconds: floats cannot tell them apart."""
        self.write_times(kitti)
        five, six = (opened(kitti, bts(5), bts(6))[index] for index in range(2))
        assert five.stamp_ns is not None
        assert six.stamp_ns == five.stamp_ns + 5_000_000_001
        assert (five.recording, six.recording) == (DRIVE, DRIVE)

    def test_without_they_are_not_known(self, kitti: Path) -> None:
        """10 Hz is usual, but that is no measurement."""
        assert opened(kitti, bts(5))[0].stamp_ns is None

    def test_damaged_ones_are_noticed_on_open(self, kitti: Path) -> None:
        self.write_times(kitti, 'noon')
        with pytest.raises(RecordingError, match=r'line 7 should be a time like .*noon'):
            opened(kitti, bts(6))


class TestAllowedToMiss:
    """An evaluation goes on without them, and says so."""

    def source(self, root: Path, *lines: str) -> FolderSource:
        """Open a source that may miss files."""
        (root / 'split.txt').write_text('\n'.join(lines))
        return open_kitti(
            root / 'raw', root / 'split.txt', gt_dir=root / 'depth', allow_missing=True
        )

    def test_missing_files_are_problems(self, kitti: Path) -> None:
        gt = kitti / 'depth' / DRIVE / 'proj_depth/groundtruth/image_02/0000000005.png'
        gt.unlink()
        image = kitti / 'raw' / DATE / DRIVE / 'image_02/data/0000000011.png'
        source = self.source(kitti, bts(5), bts(11), bts(6))
        assert source.problems == [
            (f'{kitti / "split.txt"}:2', f'image {str(image)!r} is not there'),
            (f'{kitti / "split.txt"}:1', f'depth map {str(gt)!r} is not there'),
        ]
        assert source.names == [bts(6).split()[0]]
        assert source.describe()['left_out_missing'] == '2'

    def test_frames_that_have_no_depth_anywhere_are_none(self, kitti: Path) -> None:
        """45 of Eigen's 697 frames have no annotated depth."""
        source = self.source(kitti, bts(5), f'{bts(6).split()[0]} None 721.5')
        assert (source.problems, source.matching.n_without_depth) == ([], 1)

    def test_if_all_are_missing_it_is_an_error(self, kitti: Path) -> None:
        with pytest.raises(RecordingError, match='2 of 2 images are not there'):
            self.source(kitti, bts(11), bts(12))


class TestDamagedFiles:
    """Noticed when the frame is asked for: reading all of KITTI on open would take minutes."""

    @pytest.mark.parametrize('which', ['raw', 'depth'])
    @pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n\x1a\n', b'no image'])
    def test_a_file_that_does_not_decode(self, kitti: Path, which: str, content: bytes) -> None:
        source = opened(kitti, bts(5), bts(6))
        (path,) = (kitti / which).rglob('0000000005.png')
        path.write_bytes(content)
        with pytest.raises(ImageError) as error:
            source[0]
        kind = 'image' if which == 'raw' else 'depth map'
        assert str(error.value) == f'{kind} {str(path)!r} does not decode: copy it again'
        assert source[1].rgb[0, 0, 0] == 206

    def test_a_file_that_has_gone(self, kitti: Path) -> None:
        source = opened(kitti, bts(5))
        shutil.rmtree(kitti / 'raw')
        with pytest.raises(RecordingError, match='cannot be read: No such file or directory'):
            source[0]

    @pytest.mark.parametrize('pixels', [
        np.ones((2, 3), np.uint8), np.ones((2, 3, 3), np.uint8), np.ones((2, 3, 3), np.uint16),
    ])
    def test_a_picture_of_depth_is_no_depth(self, kitti: Path, pixels: NDArray[Any]) -> None:
        source = opened(kitti, bts(5))
        (path,) = (kitti / 'depth').rglob('0000000005.png')
        assert cv2.imwrite(str(path), pixels)
        with pytest.raises(ImageError, match='should be 16-bit grey, is uint'):
            source[0]

    def test_image_and_depth_of_different_sizes(self, kitti: Path) -> None:
        source = opened(kitti, bts(5))
        (path,) = (kitti / 'depth').rglob('0000000005.png')
        assert cv2.imwrite(str(path), np.ones((4, 6), np.uint16))
        with pytest.raises(ImageError, match='the image has 3x2, depth 6x4'):
            source[0]

    def test_a_frame_that_is_damaged_is_data_and_no_crash(self, kitti: Path) -> None:
        """The training counts such frames: they must all be DataErrors."""
        assert issubclass(ImageError, DataError)
        assert issubclass(RecordingError, DataError)


@pytest.mark.samples
def test_real_frames(samples: Path, tmp_path: Path) -> None:
    """Three frames of the benchmark: a fifth of the pixels, 5 m to 85 m."""
    folder = samples / 'kitti_depth'
    names = sorted(path.name for path in (folder / 'rgb').glob('*.png'))
    split = tmp_path / 'split.txt'
    split.write_text('\n'.join(f'rgb/{name} depth/{name} 721.5377' for name in names))
    source = open_kitti(folder, split)
    check_source(source)
    assert len(source) == 3
    for index in range(3):
        sample = source[index]
        assert sample.rgb.shape == (375, 1242, 3)
        known = sample.target_m[sample.target_m > 0]
        assert 0.15 < known.size / sample.target_m.size < 0.25
        assert 4 < known.min() < known.max() < 86
        assert 8 < np.median(known) < 30
