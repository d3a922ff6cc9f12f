# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: kinds seen from the outside, several sources as one, names, problems."""

from __future__ import annotations

from pathlib import Path
import shutil
from typing import Any

from bag_drives import depth_drive, image, without_stamp
from bag_files import START_NS, write_ros2, write_split
from clip_depth_ros.bags.messages import image_message
from clip_depth_ros.bags.writer import recorded, write_recording
from clip_depth_ros.errors import ConfigError, DataError, RecordingError, TopicError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.sources.kinds.synthetic import seeds_of
from clip_depth_ros.sources.registry import kind_of
from clip_depth_ros.types import RecordedMessage
from clip_depth_ros.world.drive import Drive, SyntheticFrame
import data_folders as folders
import numpy as np
import pytest

PNGS = {'kind': 'pattern', 'images': 'rgb/*.png', 'gt_images': 'depth/*.png', 'gt_per_metre': 256}


@pytest.fixture(scope='module')
def frames() -> list[SyntheticFrame]:
    """Give three frames of a small drive."""
    drive = Drive(5, width=32, height=16)
    return [drive.frame(number, lidar=False) for number in (3, 4, 5)]


def opened(*sources: Path | str, **settings: Any) -> SourceFrames:
    """Open sources with these settings."""
    return open_for_evaluation([*map(str, sources)], SourceSettings.from_mapping(settings))


def write_bag(path: Path, frames: folders.Frames) -> Path:
    """Write a recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_recording(drive_messages(frames), path)
    return path


def depth_at(pixels: Any, at_s: float) -> RecordedMessage:
    """Give a depth image that was taken so long after the start."""
    stamp_ns = START_NS + round(at_s * 1e9)
    message = image_message(pixels, '32FC1', stamp_ns=stamp_ns, frame_id='camera')
    return recorded('/cam/depth', message, stamp_ns)


class TestKinds:
    @pytest.mark.parametrize('source', ['7', '1000000', '1000000-1000009'])
    def test_seeds(self, source: str) -> None:
        assert kind_of(source) == 'synthetic'

    def test_a_path_goes_before_a_seed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: list[SyntheticFrame]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        folders.write_tum(Path('7'), frames)
        assert kind_of('7') == 'tum'

    @pytest.mark.parametrize('name', ['a.bag', 'a.mcap', 'a.db3', 'a/metadata.yaml'])
    def test_recordings(self, tmp_path: Path, name: str) -> None:
        """Whether they can be read is not asked yet."""
        folders.write_text(tmp_path / name, '')
        path = tmp_path / name
        assert kind_of(str(path.parent if path.suffix == '.yaml' else path)) == 'bag'

    @pytest.mark.parametrize('place', ['', 'a/b'])
    def test_scenes_of_nyu(self, tmp_path: Path, place: str) -> None:
        for name in ('rgb_00001.jpg', 'sync_depth_00001.png'):
            folders.write_text(tmp_path / place / name, '')
        assert kind_of(str(tmp_path)) == 'nyu'

    def test_folders_of_equal_numbers_are_not_nyu(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        """They may be anything: read as millimetres, KITTI's would be four times too near."""
        folders.write_pngs(tmp_path, frames)
        with pytest.raises(ConfigError) as error:
            kind_of(str(tmp_path))
        message = str(error.value)
        assert message.startswith(f'{str(tmp_path)!r} is of no known kind: it holds depth, rgb. ')
        assert 'kind=pattern, with `images` and gt_images such as rgb/*.png' in message

    def test_a_file_of_no_kind(self, tmp_path: Path) -> None:
        folders.write_text(tmp_path / 'notes.txt', '')
        with pytest.raises(ConfigError, match=r"it is a file with the suffix '\.txt'"):
            kind_of(str(tmp_path / 'notes.txt'))

    def test_a_folder_of_two_kinds(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        folders.write_object(tmp_path, frames)
        folders.write_raw(tmp_path, frames)
        with pytest.raises(ConfigError, match='could be of kind kitti or kitti-object: say which'):
            kind_of(str(tmp_path))
        assert opened(tmp_path, kind='kitti-object').kind == 'kitti-object'

    @pytest.mark.parametrize('kind', ['auto', 'bag', 'tum', 'pattern'])
    def test_a_slip_of_the_pen(self, tmp_path: Path, kind: str) -> None:
        with pytest.raises(RecordingError, match=r"drivve\.mcap' is not there: check the path"):
            opened(tmp_path / 'drivve.mcap', kind=kind)

    @pytest.mark.parametrize(('source', 'seeds'), [('3', range(3, 4)), ('3-5', range(3, 6))])
    def test_ranges_have_both_ends(self, source: str, seeds: range) -> None:
        assert seeds_of(source) == seeds

    @pytest.mark.parametrize('source', ['5-3', 'a', '3-', '-3', '1-2-3', ''])
    def test_ranges_that_are_none(self, source: str) -> None:
        with pytest.raises(ConfigError, match='should be a seed or a range of seeds'):
            seeds_of(source)


class TestProtocols:
    """What is usual for a source."""

    def test_by_ground_truth(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        folders.write_raw(tmp_path, frames)
        folders.write_annotated(tmp_path, frames)
        lidar = opened(tmp_path)
        annotated = opened(tmp_path, split=str(tmp_path / 'bts.txt'), gt_dir=str(tmp_path))
        assert (lidar.gt_kind, lidar.default_protocol) == ('raw-lidar', 'raw-lidar')
        assert (annotated.gt_kind, annotated.default_protocol) == (
            'annotated', 'kitti-eigen-garg'
        )

    def test_by_data_set(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        selection = folders.write_selection(tmp_path / 'selection', frames)
        assert opened(selection).default_protocol == 'kitti-benchmark'
        assert opened(folders.write_nyu_mat(tmp_path, frames)).default_protocol == 'nyu-eigen'

    def test_plain_for_the_rest(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        assert opened(folders.write_tum(tmp_path / 'tum', frames)).default_protocol == 'plain'

    def test_as_told(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        """A folder does not tell what kind of truth it holds; who knows can say it."""
        folders.write_pngs(tmp_path, frames)
        patterns = {'images': 'rgb/*.png', 'gt_images': 'depth/*.png', 'gt_per_metre': 256.0}
        told = opened(tmp_path, kind='pattern', gt_kind='annotated', **patterns)

        assert opened(tmp_path, kind='pattern', **patterns).gt_kind == 'depth-images'
        assert (told.gt_kind, told.default_protocol) == ('annotated', 'kitti-eigen-garg')


class TestSeveral:
    def test_they_are_one_after_the_other(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        bags = [
            write_bag(tmp_path / f'{name}.mcap', part)
            for name, part in (('a', frames[:2]), ('b', frames[2:]))
        ]
        source = opened(*bags)
        assert len(source) == 3
        assert [source[index].stamp_ns for index in range(3)] == [f.stamp_ns for f in frames]
        assert source.recordings == {'a.mcap': bags[0], 'b.mcap': bags[1]}
        assert source[2].recording == 'b.mcap'
        source.close()

    def test_equal_files_in_different_folders_keep_names_apart(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        bags = [write_bag(tmp_path / run / 'drive.mcap', frames) for run in ('one', 'two')]
        source = opened(*bags)
        assert len(set(source.names)) == 6
        assert source.names[3].startswith('two/drive.mcap ')
        assert [source[index].name for index in range(6)] == source.names
        assert source.recordings == {'one/drive.mcap': bags[0], 'two/drive.mcap': bags[1]}
        assert source[5].recording == 'two/drive.mcap'
        source.close()

    def test_recordings_of_one_name_are_told_apart_by_it_too(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        """Frames of other times have other names, but do not follow each other."""
        bags = [
            write_bag(tmp_path / run / 'drive.mcap', [frame])
            for run, frame in zip(('one', 'two'), frames, strict=False)
        ]
        source = opened(*bags)
        assert {source[0].recording, source[1].recording} == set(source.recordings)
        source.close()

    def test_folders_of_equal_files(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        roots = [folders.write_pngs(tmp_path / name, frames) for name in ('x', 'y')]
        source = opened(*roots, **PNGS)
        assert source.names[::3] == ['x/rgb/0000000000.png', 'y/rgb/0000000000.png']
        assert source.recordings == {}

    def test_one_among_several_keeps_its_names(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        """So that results of one and of several can be compared by frame."""
        one, other = (
            folders.write_raw(tmp_path / number, frames, drive=f'2011_09_26_drive_{number}_sync')
            for number in ('0001', '0002')
        )
        assert opened(one, other).names == opened(one).names + opened(other).names

    def test_a_frame_that_is_listed_again_has_another_name(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        folders.write_raw(tmp_path, frames)
        folders.write_annotated(tmp_path, frames)
        lines = (tmp_path / 'bts.txt').read_text()
        (tmp_path / 'bts.txt').write_text(lines + lines)
        source = opened(tmp_path, split=str(tmp_path / 'bts.txt'), gt_dir=str(tmp_path))
        assert source.names[3] == f'{source.names[0]} (2)'
        assert source[3].name == source.names[3]

    def test_every_nth_of_each(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        roots = [folders.write_pngs(tmp_path / name, frames) for name in ('x', 'y')]
        every = opened(*roots, **PNGS)
        second = opened(*roots, **PNGS, frame_stride=2)
        assert second.names == [every.names[index] for index in (0, 2, 3, 5)]
        assert [second[index].name for index in range(4)] == second.names
        assert second.describe()['frame_stride'] == '2'
        assert second.describe() != every.describe()

    @pytest.mark.parametrize('index', [-1, 3])
    def test_there_are_no_others(
        self, tmp_path: Path, frames: list[SyntheticFrame], index: int
    ) -> None:
        with pytest.raises(IndexError):
            opened(folders.write_pngs(tmp_path, frames), **PNGS)[index]

    def test_streets_of_several_ranges(self) -> None:
        size: dict[str, Any] = {'width_px': 16, 'height_px': 16, 'frames_per_seed': 1}
        source = opened('3-4', '9', **size)
        assert source.names == ['seed 3 frame 7', 'seed 4 frame 7', 'seed 9 frame 7']
        assert source[2].recording == 'seed 9'
        film = opened('3', **{**size, 'frames_per_seed': 2, 'frame_step': 1})
        assert film.names == ['seed 3 frame 7', 'seed 3 frame 8']


class TestProblems:
    def test_a_recording_that_cannot_be_opened_is_one(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        good = write_bag(tmp_path / 'good.mcap', frames)
        bad = tmp_path / 'bad.mcap'
        bad.write_bytes(b'no recording')
        source = opened(bad, good)
        assert len(source) == 3
        ((what, why),) = source.problems
        assert what == str(bad)
        assert 'bad.mcap' in why
        assert source.recordings == {'good.mcap': good}
        source.close()

    def test_unless_none_can_be(self, tmp_path: Path) -> None:
        for name in ('a.mcap', 'b.mcap'):
            (tmp_path / name).write_bytes(b'no recording')
        with pytest.raises(DataError, match=r'a.mcap'):
            opened(tmp_path / 'a.mcap', tmp_path / 'b.mcap')

    def test_missing_files_of_a_list_are_some(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        folders.write_raw(tmp_path, frames)
        folders.write_annotated(tmp_path, frames[:2])
        split = folders.write_annotated(tmp_path / 'all', frames) / 'bts.txt'
        source = opened(tmp_path, split=str(split), gt_dir=str(tmp_path))
        assert len(source) == 2
        ((what, why),) = source.problems
        assert what == f'{split}:3'
        assert why.startswith('depth map ')


class TestRefusals:
    def test_sources_of_several_kinds(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        tum = folders.write_tum(tmp_path / 'tum', frames)
        with pytest.raises(ConfigError, match="tum' is tum, '7' is synthetic: use each kind"):
            opened(tum, '7')

    def test_ground_truth_of_several_kinds(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        exact = write_bag(tmp_path / 'exact.mcap', frames)
        drive = Drive(5, width=32, height=16)
        messages = drive_messages([drive.frame(3)])
        lidar = tmp_path / 'lidar.mcap'
        write_recording((m for m in messages if 'ground_truth' not in m.topic), lidar)
        with pytest.raises(ConfigError, match=r"exact.mcap' has exact, .* has raw-lidar"):
            opened(exact, lidar)

    @pytest.mark.parametrize('sources', [('7', '7'), ('7-9', '8')])
    def test_seeds_that_would_count_twice(self, sources: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError, match='is named twice: its frames would count twice'):
            opened(*sources)

    def test_a_path_that_would_count_twice(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        tum = folders.write_tum(tmp_path / 'tum', frames)
        with pytest.raises(ConfigError, match='is named twice'):
            opened(tum, tum / '..' / 'tum')

    def test_no_source(self) -> None:
        with pytest.raises(ConfigError, match='name at least one source'):
            opened()

    @pytest.mark.parametrize(('settings', 'match'), [
        ({'split': 'list.txt'}, 'split is not for kind tum, it is for ddad, kitti, kitti-object'),
        ({'images': 'rgb/*.png'}, 'images is not for kind tum, it is for pattern'),
        ({'image_topic': '/camera'}, 'image_topic is not for kind tum, it is for bag'),
        ({'gt_kind': 'exact'}, 'gt_kind is not for kind tum, it is for bag, pattern'),
    ])
    def test_settings_that_would_not_be_heard(
        self, tmp_path: Path, frames: list[SyntheticFrame], settings: dict[str, str], match: str
    ) -> None:
        with pytest.raises(ConfigError, match=match):
            opened(folders.write_tum(tmp_path, frames), **settings)

    def test_annotated_depth_needs_a_list(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        with pytest.raises(ConfigError, match="needs `split`: a file with lines 'image depth"):
            opened(folders.write_raw(tmp_path, frames), gt_dir=str(tmp_path))

    def test_a_pattern_needs_both(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match='kind pattern needs `images` and gt_images'):
            opened(tmp_path, kind='pattern', images='*.png')

    def test_images_that_cannot_be_rendered(self) -> None:
        with pytest.raises(ConfigError, match='height of a synthetic drive must be 16 to 4096'):
            opened('7', height_px=8)

    def test_cameras_that_draw_a_size_that_cannot_be_rendered(self) -> None:
        """The first one of these is as wide as high."""
        size: dict[str, Any] = {'cameras': 'varied', 'width_px': 4096, 'height_px': 4096}
        assert opened('2-3', **size, frames_per_seed=1).names == [
            'seed 2 frame 7', 'seed 3 frame 7'
        ]
        with pytest.raises(ConfigError, match=r'width of a synthetic drive must be .* got 4730'):
            opened('2-4', **size)


class TestTwice:
    """The same frames under two names."""

    def test_a_split_recording_and_one_of_its_files(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        messages = list(drive_messages(frames))
        bag = write_split(tmp_path / 'bag', [messages[:9], messages[9:]])
        with pytest.raises(ConfigError, match=r'bag_0\.mcap is named twice'):
            opened(bag, bag / 'bag_0.mcap')

    def test_through_a_link(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        bag = write_ros2(tmp_path / 'bag', list(drive_messages(frames)))
        (tmp_path / 'link').symlink_to(bag)
        with pytest.raises(ConfigError, match='is named twice'):
            opened(bag, tmp_path / 'link')

    def test_a_drive_and_the_folder_it_is_in(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        root = folders.write_raw(tmp_path, frames)
        folders.write_raw(tmp_path, frames, drive=f'{folders.DATE}_drive_0009_sync')
        drive = root / folders.DATE / folders.DRIVE
        for sources in ((root, drive), (drive, root)):
            with pytest.raises(ConfigError, match=f'all frames of .*{folders.DRIVE}.* are in'):
                opened(*sources)
        assert len(opened(drive, drive.with_name(f'{folders.DATE}_drive_0009_sync'))) == 6


class TestFiles:
    """Whoever goes on with an evaluation can see whether its data changed."""

    def test_of_all_sources(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        bags = [write_bag(tmp_path / name, frames) for name in ('a.mcap', 'b.mcap')]
        assert opened(*bags, frame_stride=2).files == bags

    def test_of_a_folder_of_recordings(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        """But nothing else that lies there."""
        bag = write_ros2(tmp_path / 'bag', list(drive_messages(frames)))
        folders.write_text(bag / 'notes.txt', 'fine weather')
        assert {file.name for file in opened(bag).files} == {'bag.mcap', 'metadata.yaml'}

    def test_frames_that_are_rendered_have_none(self) -> None:
        assert opened('7', width_px=16, height_px=16).files == []


class TestNotes:
    def test_there_are_none_where_all_is_well(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        assert opened(write_bag(tmp_path / 'a.mcap', frames)).notes == []

    def test_recordings_are_summed_up(self, tmp_path: Path) -> None:
        """Four images each; depth 20 ms after the first and 30 ms after the second."""
        for name in 'ab':
            pixels = np.full((12, 20), 5, np.float32)
            depths = [depth_at(pixels, at_s) for at_s in (0.02, 0.13)]
            messages = sorted(
                [*(image(i) for i in range(4)), *depths], key=lambda m: m.bag_time_ns
            )
            write_recording(messages, tmp_path / f'{name}.mcap')
        source = opened(*(tmp_path / f'{name}.mcap' for name in 'ab'), depth_topic='/cam/depth')
        assert len(source) == 4
        assert source.notes == [
            '4 of 8 images have no depth within 0.05 s',
            'images and their depth are up to 0.03 s apart',
        ]

    def test_a_depth_serves_one_image(self, tmp_path: Path) -> None:
        pixels = np.full((12, 20), 5, np.float32)
        messages = [image(0), depth_at(pixels, 0.04), image(1)]
        write_recording(messages, tmp_path / 'a.mcap')
        source = opened(tmp_path / 'a.mcap', sync_tolerance_s=0.07)
        assert len(source) == 1
        assert source.notes[0].startswith('1 of 2 images is left out')

    def test_repeated_stamps(self, tmp_path: Path) -> None:
        write_recording(map(without_stamp, depth_drive()), tmp_path / 'a.mcap')
        source = opened(tmp_path / 'a.mcap')
        assert len(source) == 3
        assert source.notes == [
            '3 images have a stamp that another one has, too: matched by receive time'
        ]

    def test_images_without_depth_maps(
        self, tmp_path: Path, frames: list[SyntheticFrame]
    ) -> None:
        folders.write_pngs(tmp_path, frames)
        (tmp_path / 'depth/0000000001.png').unlink()
        assert opened(tmp_path, **PNGS).notes == ['1 of 3 images has no depth']


class TestPictures:
    """What looks at images is not shown the truth in colours."""

    def bag(self, tmp_path: Path) -> Path:
        depth = [m for m in depth_drive() if m.topic == '/cam/depth']
        write_recording(depth, tmp_path / 'a.mcap')
        return tmp_path / 'a.mcap'

    def test_only_where_nobody_looks_at_them_may_depth_stand_for_images(
        self, tmp_path: Path
    ) -> None:
        sources, settings = [str(self.bag(tmp_path))], SourceSettings(depth_topic='/cam/depth')
        with pytest.raises(TopicError, match='0 topics that could be the camera'):
            open_for_evaluation(sources, settings)
        assert len(open_for_evaluation(sources, settings, images_needed=False)) == 3

    def test_what_is_scored_is_not_taken_for_the_camera(self, tmp_path: Path) -> None:
        pictures = [image(i, topic='/rival/view') for i in range(3)]
        write_recording([*depth_drive(), *pictures], tmp_path / 'a.mcap')
        source = open_for_evaluation(
            [str(tmp_path / 'a.mcap')], SourceSettings(), pred_topics=['/rival/view']
        )
        assert source.describe()['image_topic'] == '/cam/image'


class TestTolerance:
    """Recordings at 10 Hz and cameras at 30 Hz have their own usual ones."""

    def test_of_tum(self, tmp_path: Path, frames: list[SyntheticFrame]) -> None:
        tum = folders.write_tum(tmp_path, frames)
        assert opened(tum).describe()['tolerance_s'] == '0.02'
        assert opened(tum, sync_tolerance_s=0.05).describe()['tolerance_s'] == '0.05'


@pytest.mark.samples
def test_real_folders(samples: Path, tmp_path: Path) -> None:
    """Each is recognised, but the frames of the depth benchmark, whose names say nothing."""
    assert opened(samples / 'kitti_object').kind == 'kitti-object'
    nyu = opened(samples / 'nyu')
    assert (nyu.kind, len(nyu), nyu.default_protocol) == ('nyu', 3, 'nyu-eigen')
    with pytest.raises(ConfigError, match='kind=pattern'):
        opened(samples / 'kitti_depth')
    pngs = opened(samples / 'kitti_depth', **PNGS)
    assert pngs.names == [f'rgb/{number:010}.png' for number in (5, 50, 100)]
    shutil.copytree(samples / 'kitti_depth', tmp_path / 'other')
    both = opened(samples / 'kitti_depth', tmp_path / 'other', **PNGS)
    assert len(set(both.names)) == 6
    np.testing.assert_array_equal(both[4].target_m, pngs[1].target_m)
