# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI folders become recordings whose geometry is KITTI's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import shutil
from typing import Any

from clip_depth_ros.bags import topics
from clip_depth_ros.bags.message_types import ros2_types
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.core.transforms import matrix_from
from clip_depth_ros.errors import CalibrationError, ConfigError, ImageError, RecordingError
from clip_depth_ros.sources.as_messages import kitti_messages
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.kitti_calibration import read_object_calibration, read_raw_calibration
from clip_depth_ros.sources.kitti_files import (
    find_kitti_frames,
    KittiFrame,
    OBJECT_START_NS,
    read_kitti_scan,
)
import cv2
import numpy as np
from numpy.typing import NDArray
import pytest

# A LiDAR 0.3 m above the camera: camera x = -LiDAR y, y = -LiDAR z, z = LiDAR x.
TR = '0 -1 0 0 0 0 -1 0.3 1 0 0 0'
P2 = '100 0 20 10 0 100 15 0 0 0 1 0'
POINTS = np.array([[10, 1, 0, 0.5], [20, -2, 1, 0.25]], np.float32)


def write_image(path: Path, width: int = 40, height: int = 30) -> None:
    """Write a PNG: red on the left, blue on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = np.zeros((height, width, 3), np.uint8)
    left, right = np.array_split(bgr, 2, axis=1)
    left[..., 2] = right[..., 0] = 200
    cv2.imwrite(str(path), bgr)


def write_scan(path: Path) -> None:
    """Write a Velodyne scan."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(POINTS.tobytes())


def write_text(path: Path, lines: Sequence[str]) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


@pytest.fixture
def object_folder(tmp_path: Path) -> Path:
    """Two object frames of different sizes and calibrations, the second without a scan."""
    split = tmp_path / 'object' / 'training'
    write_image(split / 'image_2' / '000007.png')
    write_image(split / 'image_2' / '000010.png', width=44)
    write_scan(split / 'velodyne' / '000007.bin')
    identity = '1 0 0 0 1 0 0 0 1'
    for number, projection in (('000007', P2), ('000010', P2.replace('20', '22'))):
        lines = [f'P2: {projection}', f'R0_rect: {identity}', f'Tr_velo_to_cam: {TR}', '']
        write_text(split / 'calib' / f'{number}.txt', lines)
    return tmp_path / 'object'


@pytest.fixture
def raw_date(tmp_path: Path) -> Path:
    """Two raw drives, of three frames (the second without a scan) and of one earlier frame."""
    date = tmp_path / 'raw' / '2011_09_26'
    rectify = 'R_rect_00: 1 0 0 0 1 0 0 0 1'
    camera = ['calib_time: 09-Jan-2012 13:57:47', f'P_rect_02: {P2}', rectify]
    write_text(date / 'calib_cam_to_cam.txt', camera)
    lidar = ['calib_time: 15-Mar-2012 11:37:16', 'R: 0 -1 0 0 0 -1 1 0 0', 'T: 0 0.3 0']
    write_text(date / 'calib_velo_to_cam.txt', lidar)
    for drive, hour, numbers in (('0005', 14, (0, 1, 2)), ('0009', 13, (0,))):
        folder = date / f'2011_09_26_drive_{drive}_sync'
        for number in numbers:
            write_image(folder / 'image_02/data' / f'{number:010}.png')
            if number != 1:
                write_scan(folder / 'velodyne_points/data' / f'{number:010}.bin')
        stamps = [f'2011-09-26 {hour}:02:25.{964389445 + n}' for n in numbers]
        write_text(folder / 'image_02/timestamps.txt', stamps)
        lidar_stamps = [f'2011-09-26 {hour}:02:25.{951199337 + n}' for n in numbers]
        write_text(folder / 'velodyne_points/timestamps.txt', lidar_stamps)
    return date


def by_topic(frames: Sequence[KittiFrame]) -> dict[str, list[Any]]:
    """Give the decoded messages of frames by topic."""
    decoded: dict[str, list[Any]] = {}
    for message in kitti_messages(frames):
        value = ros2_types().deserialize_cdr(message.cdr, message.msgtype)
        decoded.setdefault(message.topic, []).append(value)
    return decoded


def pixels_through(messages: dict[str, list[Any]], xyz_velo: NDArray[Any]) -> NDArray[np.float64]:
    """Project LiDAR points (N, 3) with what the first messages say; gives u, v, depth."""
    T_velo_cam = matrix_from(messages[topics.TF_STATIC][0].transforms[0].transform)
    P = messages[topics.CAMERA_INFO][0].p.reshape(3, 4)
    ones = np.ones((len(xyz_velo), 1))
    xyz_cam = np.linalg.inv(T_velo_cam) @ np.hstack([xyz_velo, ones]).T.astype(np.float64)
    u, v, depth_m = P @ xyz_cam
    return np.stack([u / depth_m, v / depth_m, depth_m], axis=1)


class TestObject:
    def test_a_point_lands_where_the_formula_says(self, object_folder: Path) -> None:
        """
        By hand: LiDAR (10, 1, 0) is (-1, 0.3, 10) for cam0.

        P2 moves it by 10 / 100 in x: u = 100 * (-1 + 0.1) / 10 + 20, v = 100 * 0.3 / 10 + 15.
        """
        messages = by_topic(find_kitti_frames(object_folder))
        (pixel,) = pixels_through(messages, np.array([[10.0, 1.0, 0.0]]))
        np.testing.assert_allclose(pixel, [11.0, 18.0, 10.0], atol=1e-9)

    def test_messages_of_each_frame(self, object_folder: Path) -> None:
        """Each with its own size and intrinsics; the transform once, as it does not change."""
        messages = by_topic(find_kitti_frames(object_folder))
        counts = {topic: len(found) for topic, found in messages.items()}
        assert counts == {
            '/tf_static': 1,
            '/camera/camera_info': 2,
            '/camera/image_rect_color': 2,
            '/velodyne_points': 1,
        }
        sizes = [(m.width, m.height) for m in messages[topics.IMAGE]]
        assert sizes == [(40, 30), (44, 30)]
        infos = messages[topics.CAMERA_INFO]
        assert [(m.width, m.height, m.k[2], m.p[2]) for m in infos] == [
            (40, 30, 20.0, 20.0),
            (44, 30, 22.0, 22.0),
        ]

    def test_image_and_cloud_are_the_files(self, object_folder: Path) -> None:
        """RGB, red first; points as in the scan; frames named once."""
        messages = by_topic(find_kitti_frames(object_folder))
        image, cloud = messages[topics.IMAGE][0], messages[topics.CLOUD][0]
        rgb = image.data.reshape(30, 40, 3)
        assert rgb[0, 0].tolist() == [200, 0, 0]
        assert rgb[0, 39].tolist() == [0, 0, 200]
        np.testing.assert_array_equal(cloud.data.view(np.float32).reshape(-1, 4), POINTS)
        static = messages[topics.TF_STATIC][0].transforms[0]
        assert (static.header.frame_id, cloud.header.frame_id) == ('velodyne', 'velodyne')
        assert static.child_frame_id == image.header.frame_id == 'camera_color_left_optical_frame'

    def test_stamps_follow_the_rate(self, object_folder: Path) -> None:
        """The data set has none: a fixed start, the same for image, info and cloud."""
        messages = by_topic(find_kitti_frames(object_folder, rate_hz=4.0))
        for topic in (topics.IMAGE, topics.CAMERA_INFO):
            stamps_ns = [stamp_ns_of(m.header) for m in messages[topic]]
            assert stamps_ns == [OBJECT_START_NS, OBJECT_START_NS + 250_000_000]
        assert stamp_ns_of(messages[topics.CLOUD][0].header) == OBJECT_START_NS

    def test_a_changed_calibration_is_told_again(self, object_folder: Path) -> None:
        """Object frames come from different days."""
        calib = object_folder / 'training/calib/000010.txt'
        calib.write_text(calib.read_text().replace('0.3', '0.31'))
        messages = by_topic(find_kitti_frames(object_folder))
        heights_m = [m.transforms[0].transform.translation.z for m in messages[topics.TF_STATIC]]
        assert heights_m == pytest.approx([0.3, 0.31])

    @pytest.mark.parametrize('below', ['', 'training'])
    def test_root_and_split_are_the_same(self, object_folder: Path, below: str) -> None:
        """Whichever of them is named."""
        names = [frame.name for frame in find_kitti_frames(object_folder / below)]
        assert names == ['training/000007', 'training/000010']


class TestRaw:
    @pytest.mark.parametrize('above', ['', '..'])
    def test_date_and_root_give_all_drives_by_time(self, raw_date: Path, above: str) -> None:
        """Not by name."""
        names = [frame.name for frame in find_kitti_frames(raw_date / above)]
        assert names == [
            '2011_09_26_drive_0009_sync/0000000000',
            '2011_09_26_drive_0005_sync/0000000000',
            '2011_09_26_drive_0005_sync/0000000001',
            '2011_09_26_drive_0005_sync/0000000002',
        ]

    def test_a_drive_gives_its_own_frames(self, raw_date: Path) -> None:
        """A missing scan leaves out a cloud, and the scan after it keeps its own stamp."""
        messages = by_topic(find_kitti_frames(raw_date / '2011_09_26_drive_0005_sync'))
        stamps_ns = {
            topic: [stamp_ns_of(m.header) for m in messages[topic]]
            for topic in (topics.IMAGE, topics.CAMERA_INFO, topics.CLOUD)
        }
        two_pm_ns = 1317045745_000_000_000  # 2011-09-26 14:02:25 UTC
        images_ns = [two_pm_ns + 964389445 + n for n in (0, 1, 2)]
        assert stamps_ns[topics.IMAGE] == stamps_ns[topics.CAMERA_INFO] == images_ns
        assert stamps_ns[topics.CLOUD] == [two_pm_ns + 951199337 + n for n in (0, 2)]

    def test_a_point_lands_where_the_formula_says(self, raw_date: Path) -> None:
        """The same rig as above, written the raw way."""
        messages = by_topic(find_kitti_frames(raw_date)[:1])
        (pixel,) = pixels_through(messages, np.array([[10.0, 1.0, 0.0]]))
        np.testing.assert_allclose(pixel, [11.0, 18.0, 10.0], atol=1e-9)

    def test_missing_stamps_are_named(self, raw_date: Path) -> None:
        """With file and line."""
        stamps = raw_date / '2011_09_26_drive_0005_sync/image_02/timestamps.txt'
        stamps.write_text('2011-09-26 13:02:25.964389445\n\n')
        with pytest.raises(RecordingError, match=r"timestamps\.txt'?: line 2 .*got ''"):
            find_kitti_frames(raw_date)


class TestBadFolders:
    def test_a_folder_that_is_none_says_what_was_looked_for(self, tmp_path: Path) -> None:
        """Both layouts."""
        with pytest.raises(RecordingError, match=r'no KITTI folder.*image_02/data.*image_2/'):
            find_kitti_frames(tmp_path)
        with pytest.raises(RecordingError, match='no KITTI folder'):
            find_kitti_frames(tmp_path / 'nowhere')

    def test_a_damaged_image_is_named(self, object_folder: Path) -> None:
        """Cut off in the middle."""
        path = object_folder / 'training/image_2/000010.png'
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(ImageError, match=r'000010\.png.*does not decode'):
            by_topic(find_kitti_frames(object_folder))

    def test_a_damaged_scan_is_named(self, object_folder: Path) -> None:
        """Cut off within a point."""
        path = object_folder / 'training/velodyne/000007.bin'
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(RecordingError, match=r'000007\.bin.*29 bytes.*cut off'):
            by_topic(find_kitti_frames(object_folder))

    def test_a_file_that_went_away_is_named(self, tmp_path: Path) -> None:
        """Between looking and reading."""
        with pytest.raises(RecordingError, match=r'gone\.png.*No such file'):
            read_rgb(tmp_path / 'gone.png')

    def test_missing_calibration_is_named(self, object_folder: Path) -> None:
        """The file, and the entry in it."""
        path = object_folder / 'training/calib/000007.txt'
        path.write_text('P0: 1 2 3\nP2: 4\nTr_velo_to_cam: ' + TR + '\n')
        with pytest.raises(RecordingError, match=r"000007\.txt.*'R0_rect'.*\['P0', 'P2'"):
            find_kitti_frames(object_folder)
        path.unlink()
        with pytest.raises(RecordingError, match=r'000007\.txt.*No such file'):
            find_kitti_frames(object_folder)

    @pytest.mark.parametrize('numbers', ['', '1 2 3', P2 + ' 1', P2.replace('20', 'nan'), 'a b'])
    def test_calibration_of_other_numbers_is_refused(
        self, object_folder: Path, numbers: str
    ) -> None:
        """Too few, too many, not finite, no numbers."""
        path = object_folder / 'training/calib/000007.txt'
        path.write_text(path.read_text().replace(P2, numbers))
        with pytest.raises(RecordingError, match='P2 should be'):
            read_object_calibration(path)

    @pytest.mark.parametrize(
        'projection', ['0 0 20 10 0 100 15 0 0 0 1 0', '100 3 20 10 0 100 15 0 0 0 1 0']
    )
    def test_a_projection_that_is_not_rectified_is_refused(
        self, object_folder: Path, projection: str
    ) -> None:
        """No focal length, or skew."""
        path = object_folder / 'training/calib/000007.txt'
        path.write_text(path.read_text().replace(P2, projection))
        with pytest.raises(CalibrationError, match='P2 should start with'):
            read_object_calibration(path)

    def test_a_date_without_lidar_calibration_is_named(self, raw_date: Path) -> None:
        """The drives alone are often downloaded without it."""
        (raw_date / 'calib_velo_to_cam.txt').unlink()
        with pytest.raises(RecordingError, match=r'calib_velo_to_cam\.txt'):
            read_raw_calibration(raw_date)

    @pytest.mark.parametrize('rate_hz', [0.0, -1.0, float('nan')])
    def test_a_rate_must_be_positive(self, object_folder: Path, rate_hz: float) -> None:
        """Or stamps would repeat or run back."""
        with pytest.raises(ConfigError, match='positive'):
            find_kitti_frames(object_folder, rate_hz=rate_hz)


@pytest.mark.samples
class TestRealFrames:
    @pytest.fixture
    def folder(self, samples: Path) -> Path:
        """Give the object frames."""
        return samples / 'kitti_object'

    def test_sizes_and_focal_lengths(self, folder: Path) -> None:
        """As the data set documents them: two cars, two calibrations."""
        infos = by_topic(find_kitti_frames(folder))[topics.CAMERA_INFO]
        found = [(m.width, m.height, round(m.k[0], 2)) for m in infos]
        assert found == [(1224, 370, 707.05), *[(1242, 375, 721.54)] * 3]

    def test_lidar_lands_in_the_image(self, folder: Path) -> None:
        """Through the written tf and P, as through the data set's own product of matrices."""
        (frame, *_) = find_kitti_frames(folder)
        messages = by_topic([frame])
        assert frame.scan_path is not None
        xyz = read_kitti_scan(frame.scan_path)[:, :3].astype(np.float64)
        # Well within the field of view, which is x +- 0.86 z wide and y +- 0.25 z high.
        x, y, z = xyz.T
        ahead = xyz[(x > 10) & (abs(y) < 0.7 * x) & (abs(z) < 0.2 * x)]
        pixels = pixels_through(messages, ahead)
        is_inside = (
            (pixels[:, 0] > -0.5) & (pixels[:, 0] < 1223.5)
            & (pixels[:, 1] > -0.5) & (pixels[:, 1] < 369.5)
        )
        assert len(ahead) > 10_000
        assert is_inside.mean() > 0.999
        np.testing.assert_allclose(pixels, self.product_of_matrices(frame, ahead), atol=0.01)

    def product_of_matrices(self, frame: KittiFrame, xyz: NDArray[Any]) -> NDArray[np.float64]:
        """Project as the development kit does: P2 R0_rect Tr_velo_to_cam x."""
        path = frame.image_path.parents[1] / 'calib' / f'{frame.image_path.stem}.txt'
        lines = dict(line.split(': ') for line in path.read_text().splitlines() if line)
        numbers = {name: np.array(text.split(), float) for name, text in lines.items()}
        rectify = np.eye(4)
        rectify[:3, :3] = numbers['R0_rect'].reshape(3, 3)
        to_cam0 = np.vstack([numbers['Tr_velo_to_cam'].reshape(3, 4), [0, 0, 0, 1]])
        homogeneous = np.hstack([xyz, np.ones((len(xyz), 1))]).T
        u, v, depth_m = numbers['P2'].reshape(3, 4) @ rectify @ to_cam0 @ homogeneous
        return np.stack([u / depth_m, v / depth_m, depth_m], axis=1)

    def test_a_frame_that_was_cut_off_is_named(self, folder: Path, tmp_path: Path) -> None:
        """A real PNG, half copied."""
        shutil.copytree(folder, tmp_path / 'copy')
        path = tmp_path / 'copy/training/image_2/000002.png'
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ImageError, match=r'000002\.png'):
            by_topic(find_kitti_frames(tmp_path / 'copy'))
