# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any folder of images with depth maps: which belong together, and what is in them."""

from __future__ import annotations

from pathlib import Path
import pickle
from typing import Any

from clip_depth_ros.errors import CalibrationError, ConfigError, ImageError, RecordingError
from clip_depth_ros.sources.kinds.pattern import matching_files, natural, pairs_of
from clip_depth_ros.sources.samples import check_source
from clip_depth_ros.types import Intrinsics
from data_folders import write_png
from hypothesis import given, strategies as st
import numpy as np
from open_sources import open_pattern
import pytest

WIDTH, HEIGHT = 6, 4


def write_pair(image: Path, depth: Path, metres: int = 2) -> None:
    """Write a grey image, and depth of so many metres but in the first pixel."""
    write_png(image, np.full((HEIGHT, WIDTH, 3), metres, np.uint8))
    stored = np.full((HEIGHT, WIDTH), 256 * metres, np.uint16)
    stored[0, 0] = 0
    write_png(depth, stored)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give rgb/ and depth/ of three frames whose numbers do not sort as text."""
    for number in (2, 10, 100):
        write_pair(tmp_path / f'd/rgb/{number}.png', tmp_path / f'd/depth/{number}.png', number)
    return tmp_path / 'd'


def touched(root: Path, *names: str) -> Path:
    """Make empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


class TestFrames:
    def test_they_come_in_the_order_of_their_numbers(self, folder: Path) -> None:
        source = open_pattern(folder, 'rgb/*.png', 'depth/*.png')
        assert source.names == ['rgb/2.png', 'rgb/10.png', 'rgb/100.png']
        assert [source[index].target_m[1, 1] for index in range(3)] == [2, 10, 100]
        assert source[0].target_m[0, 0] == 0
        check_source(source)

    def test_images_without_depth_are_counted(self, folder: Path) -> None:
        (folder / 'depth/10.png').unlink()
        source = open_pattern(folder, 'rgb/*.png', 'depth/*.png')
        assert (len(source), source.matching.n_without_depth) == (2, 1)
        assert source.describe()['left_out_without_depth'] == '1'

    def test_intrinsics_are_those_that_are_given(self, folder: Path) -> None:
        source = open_pattern(
            folder, 'rgb/*.png', 'depth/*.png', intrinsics=(5.0, 6.0, 2.5, 1.5)
        )
        assert source[0].intrinsics == Intrinsics(5.0, 6.0, 2.5, 1.5, WIDTH, HEIGHT)
        assert open_pattern(folder, 'rgb/*.png', 'depth/*.png')[0].intrinsics is None

    def test_arrays_are_metres(self, folder: Path) -> None:
        depth_m = np.full((HEIGHT, WIDTH), 3.25, np.float64)
        depth_m[0] = [0, -1, np.nan, np.inf, -np.inf, 1]
        np.save(folder / 'depth/2.npy', depth_m)
        target_m = open_pattern(folder, 'rgb/*.png', 'depth/*.npy')[0].target_m
        assert target_m.dtype == np.float32
        assert target_m[0].tolist() == [0, 0, 0, 0, 0, 1]
        assert target_m[1, 1] == 3.25

    def test_it_can_be_sent_to_another_process(self, folder: Path) -> None:
        source = pickle.loads(pickle.dumps(open_pattern(folder, 'rgb/*.png', 'depth/*.png')))
        assert source[2].target_m[1, 1] == 100


class TestWhatStandsBeside:
    PATTERNS = ('rgb/*.png', 'depth/*.png')

    def test_depth_counts_where_the_mask_says_so(self, folder: Path) -> None:
        for number in (2, 10, 100):
            mask = np.ones((HEIGHT, WIDTH), np.uint8)
            mask[1, 1] = 0
            write_png(folder / f'mask/{number}.png', mask)
        source = open_pattern(folder, *self.PATTERNS, masks='mask/*.png')
        assert (source[1].target_m > 0).sum() == HEIGHT * WIDTH - 2
        assert folder / 'mask/10.png' in source.files
        assert source.describe()['masks'] == 'mask/*.png'

    def test_one_mask_may_be_that_of_all(self, folder: Path) -> None:
        np.save(folder / 'hood.npy', np.eye(HEIGHT, WIDTH))
        source = open_pattern(folder, *self.PATTERNS, masks='hood.npy')
        assert (source[1].target_m > 0).sum() == HEIGHT - 1

    def test_a_mask_of_another_size_is_refused(self, folder: Path) -> None:
        np.save(folder / 'hood.npy', np.eye(HEIGHT))
        with pytest.raises(ImageError, match=r'2\.png.*should be of the size of its mask.*hood'):
            open_pattern(folder, *self.PATTERNS, masks='hood.npy')[0]

    @pytest.mark.parametrize('text', [
        '5 0 2.5 0 6 1.5 0 0 1', '5,0,2.5\n0,6,1.5\n0,0,1', '5 0 2.5 0 0 6 1.5 0 0 0 1 0',
        '5 6 2.5 1.5', '5 6 2.5 1.5 6 4',
    ], ids=['K', 'K with commas', 'P', 'four numbers', 'with the size'])
    def test_each_image_may_have_a_camera_of_its_own(self, folder: Path, text: str) -> None:
        for number in (2, 10, 100):
            (folder / f'{number}.txt').write_text(text if number == 10 else '9 9 2.5 1.5')
        source = open_pattern(folder, *self.PATTERNS, intrinsics_files='*.txt')
        assert source[1].intrinsics == Intrinsics(5.0, 6.0, 2.5, 1.5, WIDTH, HEIGHT)
        assert source[0].intrinsics == Intrinsics(9.0, 9.0, 2.5, 1.5, WIDTH, HEIGHT)
        assert folder / '10.txt' in source.files

    def test_the_images_of_a_folder_may_share_one(self, folder: Path) -> None:
        (folder / 'K.txt').write_text('5 6 2.5 1.5')
        source = open_pattern(
            folder.parent, '*/rgb/*.png', '*/depth/*.png', intrinsics_files='*/K.txt'
        )
        assert {source[index].intrinsics.fx for index in range(3)} == {5.0}

    def test_images_that_were_resized(self, folder: Path) -> None:
        (folder / 'K.txt').write_text('10 12 5.5 3.5 12 8')
        values = {'intrinsics_files': 'K.txt'}
        with pytest.raises(CalibrationError, match=r"K\.txt' is for images of 12x8, got 6x4"):
            open_pattern(folder, *self.PATTERNS, **values)[0]
        source = open_pattern(folder, *self.PATTERNS, **values, calibration_scaling=True)
        assert source[0].intrinsics == Intrinsics(5.0, 6.0, 2.5, 1.5, WIDTH, HEIGHT)

    @pytest.mark.parametrize('text', [
        '', 'fx fy cx cy', '1 2 3', 'nan 1 1 1', '1 0 0 0 1 0 0 1 0',
    ])
    def test_what_is_no_camera_is_named(self, folder: Path, text: str) -> None:
        (folder / 'K.txt').write_text(text)
        with pytest.raises(CalibrationError, match=r'K\.txt'):
            open_pattern(folder, *self.PATTERNS, intrinsics_files='K.txt')[0]

    @pytest.mark.parametrize(('name', 'pattern', 'message'), [
        ('masks', 'mask/*.png', r"3 of 3 images have no file of masks='mask/\*\.png', such as"),
        ('masks', '*/*.png', r'masks should have as many \* as `images`, or fewer'),
        ('intrinsics_files', '../*.txt', 'a pattern should be a path below the folder'),
    ])
    def test_what_is_missing_is_named(
        self, folder: Path, name: str, pattern: str, message: str
    ) -> None:
        with pytest.raises((ConfigError, RecordingError), match=message):
            open_pattern(folder, *self.PATTERNS, **{name: pattern})

    def test_one_camera_is_named_once(self, folder: Path) -> None:
        (folder / 'K.txt').write_text('5 6 2.5 1.5')
        with pytest.raises(ConfigError, match='intrinsics would not be used, as intrinsics_files'):
            open_pattern(
                folder, *self.PATTERNS, intrinsics_files='K.txt', intrinsics=(5.0, 6.0, 2.5, 1.5)
            )


class TestWhatBelongsTogether:
    def pairs(self, root: Path, images: str, others: str) -> list[tuple[str, str]]:
        """Give the files that belong together, by their paths below the folder."""
        found = pairs_of(matching_files(root, images), matching_files(root, others))
        return [
            (image.relative_to(root).as_posix(), other.relative_to(root).as_posix())
            for image, other in found.items()
        ]

    def test_stars_stand_for_the_same(self, tmp_path: Path) -> None:
        touched(tmp_path, 'a/rgb/1.png', 'b/rgb/1.png', 'b/gt/1.npy', 'a/gt/1.npy')
        assert self.pairs(tmp_path, '*/rgb/*.png', '*/gt/*.npy') == [
            ('a/rgb/1.png', 'a/gt/1.npy'), ('b/rgb/1.png', 'b/gt/1.npy')
        ]

    def test_else_the_last_numbers_are_the_same(self, tmp_path: Path) -> None:
        touched(tmp_path, 'rgb/rgb_00050.jpg', 'rgb/rgb_7.jpg', 'depth/sync_depth_50_m.png')
        assert self.pairs(tmp_path, 'rgb/*.jpg', 'depth/*.png') == [
            ('rgb/rgb_00050.jpg', 'depth/sync_depth_50_m.png')
        ]

    def test_other_stars_must_be_the_same_even_then(self, tmp_path: Path) -> None:
        touched(tmp_path, 'room_1/rgb_1.jpg', 'hall_1/gt_1.png', 'room_1/gt_01.png')
        assert self.pairs(tmp_path, '*/rgb*.jpg', '*/gt*.png') == [
            ('room_1/rgb_1.jpg', 'room_1/gt_01.png')
        ]

    def test_several_of_one_number_are_refused(self, tmp_path: Path) -> None:
        touched(tmp_path, 'rgb/a1.jpg', 'gt/b1.png', 'gt/c01.png')
        with pytest.raises(RecordingError, match='which end in the same number'):
            self.pairs(tmp_path, 'rgb/*.jpg', 'gt/*.png')

    def test_a_star_stays_within_a_name(self, tmp_path: Path) -> None:
        touched(tmp_path, 'rgb/1.png', 'rgb/more/2.png', 'rgb/.hidden.png', 'rgb/x[1].png')
        assert [path.name for path in matching_files(tmp_path, 'rgb/*.png')] == [
            '1.png', 'x[1].png'
        ]
        assert [path.name for path in matching_files(tmp_path, 'rgb/x[1]*')] == ['x[1].png']

    @given(st.lists(st.integers(0, 10**6), unique=True))
    def test_numbers_sort_as_numbers(self, numbers: list[int]) -> None:
        names = [f'f{number}.png' for number in numbers]
        assert sorted(names, key=natural) == [f'f{number}.png' for number in sorted(numbers)]


class TestRefusals:
    @pytest.mark.parametrize('pattern', [
        'rgb/1.png', '../*.png', 'rgb/../../*.png', '/etc/*', 'rgb/**/*.png', '', 'a\\*', '*\0',
    ])
    def test_patterns_that_are_none(self, folder: Path, pattern: str) -> None:
        for patterns in ((pattern, 'depth/*.png'), ('rgb/*.png', pattern)):
            with pytest.raises(ConfigError, match=r'a pattern should be a path|needs `images`'):
                open_pattern(folder, *patterns)

    def test_stars_that_differ_in_number(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match=r'should have as many \*'):
            open_pattern(folder, 'rgb/*.png', '*/*.png')

    @pytest.mark.parametrize(('settings', 'match'), [
        ({'gt_per_metre': 0}, 'gt_per_metre.*got 0'),
        ({'intrinsics': (1.0, 2.0)}, 'intrinsics should be fx fy cx cy'),
    ])
    def test_settings_out_of_range(
        self, folder: Path, settings: dict[str, Any], match: str
    ) -> None:
        with pytest.raises(ConfigError, match=match):
            open_pattern(folder, 'rgb/*.png', 'depth/*.png', **settings)

    def test_no_frames(self, folder: Path) -> None:
        with pytest.raises(RecordingError) as error:
            open_pattern(folder, 'rgb/*.jpg', 'depth/*.png')
        assert "0 files fit images='rgb/*.jpg', 3 fit gt_images='depth/*.png'" in str(error.value)

    @pytest.mark.parametrize('array', [
        np.ones((HEIGHT, WIDTH), np.uint16), np.ones((1, HEIGHT, WIDTH)),
        np.array(['a']), np.empty((HEIGHT, WIDTH), object),
    ])
    def test_arrays_of_something_else(self, folder: Path, array: Any) -> None:
        """Objects would be unpickled: code of whoever made the file."""
        np.save(folder / 'depth/2.npy', array, allow_pickle=True)
        with pytest.raises(ImageError, match=r'2.npy'):
            open_pattern(folder, 'rgb/*.png', 'depth/*.npy')[0]

    @pytest.mark.parametrize('content', [b'', b'\x93NUMPY', b'PK\x03\x04 no archive'])
    def test_arrays_that_do_not_read(self, folder: Path, content: bytes) -> None:
        (folder / 'depth/2.npy').write_bytes(content)
        with pytest.raises(ImageError, match='cannot be read as a plain NumPy array'):
            open_pattern(folder, 'rgb/*.png', 'depth/*.npy')[0]


@pytest.mark.samples
@pytest.mark.parametrize(('folder', 'patterns', 'per_metre', 'n_known'), [
    ('kitti_depth', ('rgb/*.png', 'depth/*.png'), 256, (0.17, 0.22)),
    ('nyu', ('rgb/rgb_*.jpg', 'depth/sync_depth_*.png'), 1000, (0.66, 0.76)),
    ('nyu', ('rgb/*.jpg', 'depth/*.png'), 1000, (0.66, 0.76)),
])
def test_real_frames(
    samples: Path, folder: str, patterns: tuple[str, str], per_metre: float,
    n_known: tuple[float, float],
) -> None:
    source = open_pattern(samples / folder, *patterns, gt_per_metre=per_metre)
    check_source(source)
    assert (len(source), source.matching.n_without_depth) == (3, 0)
    for index in range(3):
        assert n_known[0] < (source[index].target_m > 0).mean() < n_known[1]
