# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic streets as training data: rendered when asked for, or once and kept."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import pickle
import shutil

from clip_depth_ros.errors import DataError, OutputError
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.samples import check_source, DepthSample
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rendered_streets import open_frames, render_streets, Streets
import numpy as np
import pytest

STREETS = Streets(3, 2, 2, width=32, height=16)


@pytest.fixture(scope='module')
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the frames, which tests must leave as they are."""
    folder = tmp_path_factory.mktemp('rendered') / 'frames'
    render_streets(STREETS, folder)
    return folder


@pytest.fixture
def copied(rendered: Path, tmp_path: Path) -> Path:
    """Give a folder with the frames, to be spoilt."""
    return Path(shutil.copytree(rendered, tmp_path / 'copied'))


@pytest.fixture(scope='module')
def fly() -> list[DepthSample]:
    """Give the frames rendered one by one, in an order of their own."""
    source = WorldSource(STREETS)
    samples = {index: source[index] for index in (2, 0, 3, 1)}
    return [samples[index] for index in range(4)]


def entries(folder: Path) -> dict[str, bytes]:
    """Give what is in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class TestSamples:
    def test_they_are_those_of_the_drive(self, fly: list[DepthSample]) -> None:
        """Frames 7 and 60 of each street: 5.3 s apart, so that they show different places."""
        assert [sample.name for sample in fly] == [
            'seed 3 frame 7', 'seed 3 frame 60', 'seed 4 frame 7', 'seed 4 frame 60'
        ]
        drive = Drive(4, width=32, height=16)
        frame = drive.frame(60, lidar=False)
        np.testing.assert_array_equal(fly[3].rgb, frame.rgb)
        np.testing.assert_array_equal(
            fly[3].target_m, np.where(np.isinf(frame.depth_m), 0, frame.depth_m)
        )
        assert fly[3].intrinsics == drive.intrinsics

    def test_they_are_as_promised(self, fly: list[DepthSample]) -> None:
        for sample in fly:
            assert (sample.rgb.shape, sample.rgb.dtype) == ((16, 32, 3), np.uint8)
            assert (sample.target_m.shape, sample.target_m.dtype) == ((16, 32), np.float32)
            assert np.isfinite(sample.target_m).all()

    def test_kept_frames_are_the_same_to_half_precision(
        self, fly: list[DepthSample], rendered: Path
    ) -> None:
        source = WorldSource(STREETS, rendered=rendered)
        for index, sample in enumerate(fly):
            kept = source[index]
            assert (kept.name, kept.intrinsics) == (sample.name, sample.intrinsics)
            np.testing.assert_array_equal(kept.rgb, sample.rgb)
            half = sample.target_m.astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(kept.target_m, half)
            np.testing.assert_allclose(kept.target_m, sample.target_m, rtol=2**-11)
            assert kept.target_m.dtype == np.float32

    @pytest.mark.parametrize('is_kept', [False, True])
    def test_sky_is_unknown_or_as_far_as_is_said(
        self, rendered: Path, fly: list[DepthSample], is_kept: bool
    ) -> None:
        """It also bounds what is farther than the sky is said to be."""
        source = WorldSource(
            STREETS, rendered=rendered if is_kept else None, sky_depth_m=20.0
        )
        target_m, without_m = source[0].target_m, fly[0].target_m
        is_sky = without_m == 0
        assert is_sky.any()
        assert not is_sky.all()
        np.testing.assert_array_equal(target_m[is_sky], 20)
        expected = np.minimum(without_m[~is_sky], 20)
        np.testing.assert_allclose(target_m[~is_sky], expected, rtol=2**-11)

    def test_a_sample_is_the_callers_own(self, rendered: Path) -> None:
        """Augmentation may write into it; the kept frames stay."""
        before = entries(rendered)
        source = WorldSource(STREETS, rendered=rendered)
        sample = source[1]
        sample.rgb[:] = 0
        sample.target_m[:] = 0
        assert source[1].rgb.any()
        assert entries(rendered) == before

    @pytest.mark.parametrize('index', [-1, 4])
    def test_there_are_no_others(self, index: int) -> None:
        assert len(WorldSource(STREETS)) == 4
        with pytest.raises(IndexError):
            WorldSource(STREETS)[index]

    def test_training_may_start(self, rendered: Path) -> None:
        check_source(WorldSource(STREETS, rendered=rendered))


class TestWhatIsKnown:
    """Beyond depth: when and where a frame was taken, and what it shows."""

    def test_frames_of_a_street_follow_each_other(self, fly: list[DepthSample]) -> None:
        assert fly[1].stamp_ns is not None
        assert fly[0].stamp_ns is not None
        assert fly[1].stamp_ns - fly[0].stamp_ns == 5_300_000_000
        assert [sample.recording for sample in fly] == ['seed 3', 'seed 3', 'seed 4', 'seed 4']

    def test_poses_are_those_of_the_drive(self, fly: list[DepthSample]) -> None:
        frame = Drive(3, width=32, height=16).frame(60, lidar=False)
        np.testing.assert_array_equal(fly[1].T_world_camera, frame.T_world_cam)
        assert fly[1].stamp_ns == frame.stamp_ns

    @pytest.mark.parametrize('is_kept', [False, True])
    def test_sky_is_a_class(
        self, rendered: Path, fly: list[DepthSample], is_kept: bool
    ) -> None:
        sample = WorldSource(STREETS, rendered=rendered if is_kept else None)[2]
        assert sample.classes is not None
        assert sample.classes.names[0] == 'sky'
        np.testing.assert_array_equal(sample.classes.ids == 0, fly[2].target_m == 0)
        assert sample.stamp_ns == fly[2].stamp_ns

    def test_names_are_known_without_rendering(self, fly: list[DepthSample]) -> None:
        assert WorldSource(STREETS).names == [sample.name for sample in fly]


class TestFilms:
    FILM = replace(STREETS, n_seeds=1, frame_step=1)

    def test_frames_are_neighbours(self) -> None:
        assert WorldSource(self.FILM).names == ['seed 3 frame 7', 'seed 3 frame 8']

    def test_they_are_described_as_films(self) -> None:
        assert WorldSource(self.FILM).describe()['frame_step'] == '1'

    def test_kept_streets_are_no_film(self, rendered: Path) -> None:
        with pytest.raises(DataError, match='does not hold the rendered frames'):
            WorldSource(self.FILM, rendered=rendered)[0]

    def test_what_was_kept_before_films_is_still_found(self, rendered: Path) -> None:
        """The usual step stands in no manifest."""
        assert json.loads((rendered / 'streets.json').read_text()) == {
            'version': 4, 'first_seed': 3, 'n_seeds': 2, 'frames_per_seed': 2, 'width': 32,
            'height': 16,
        }


class TestOtherProcesses:
    def test_a_source_is_small_when_sent(self, rendered: Path) -> None:
        """What it has opened stays behind; the other side opens its own."""
        source = WorldSource(STREETS, rendered=rendered, sky_depth_m=20.0)
        expected = source[2]
        sent = pickle.dumps(source)
        assert len(sent) < 2000
        again = pickle.loads(sent)
        np.testing.assert_array_equal(again[2].rgb, expected.rgb)
        np.testing.assert_array_equal(again[2].target_m, expected.target_m)

    def test_several_render_what_one_does(self, tmp_path: Path) -> None:
        """More streets than one task has, so that the parts must meet without a gap."""
        streets = Streets(20, 9, 1, width=16, height=16)
        counts: list[int] = []
        one = render_streets(streets, tmp_path / 'one', on_frames=counts.append)
        two = render_streets(streets, tmp_path / 'two', n_workers=2)
        for name in ('rgb', 'depth_m', 'class_ids'):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert sum(counts) == len(one) == 9


class TestDescription:
    def test_it_says_all_that_decides_the_frames(self) -> None:
        assert WorldSource(STREETS, sky_depth_m=80).describe() == {
            'source': 'synthetic', 'version': '4', 'sky_depth_m': '80', 'first_seed': '3',
            'n_seeds': '2', 'frames_per_seed': '2', 'width': '32', 'height': '16',
        }

    @pytest.mark.parametrize('change', [
        {'first_seed': 4}, {'n_seeds': 3}, {'frames_per_seed': 1}, {'width': 48}, {'height': 32},
    ])
    def test_other_frames_are_described_otherwise(self, change: dict[str, int]) -> None:
        other = WorldSource(replace(STREETS, **change))
        assert other.describe() != WorldSource(STREETS).describe()


class TestKept:
    def test_what_is_there(self, rendered: Path) -> None:
        frames = open_frames(rendered, STREETS)
        assert frames.rgb.shape == (4, 16, 32, 3)
        assert (frames.depth_m.shape, frames.depth_m.dtype) == ((4, 16, 32), np.float16)
        np.testing.assert_array_equal(np.isinf(frames.depth_m), frames.class_ids == 0)
        assert isinstance(frames.rgb, np.memmap)

    def test_they_are_not_rendered_twice(
        self, rendered: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = entries(rendered)
        monkeypatch.setattr(Drive, 'frame', None)
        render_streets(STREETS, rendered)
        assert entries(rendered) == before

    def test_fewer_streets_are_the_first_of_more(
        self, rendered: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Drive, 'frame', None)
        fewer = render_streets(replace(STREETS, n_seeds=1), rendered)
        assert len(fewer) == 2
        np.testing.assert_array_equal(fewer.rgb, open_frames(rendered, STREETS).rgb[:2])

    def test_other_streets_take_the_place(self, copied: Path) -> None:
        other = Streets(8, 1, 1, width=16, height=16)
        assert len(render_streets(other, copied)) == 1
        with pytest.raises(DataError):
            open_frames(copied, STREETS)

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        """Its name may be that of a data set: rendering must not remove it."""
        (tmp_path / 'train').mkdir()
        (tmp_path / 'train' / 'mine.png').write_bytes(b'precious')
        with pytest.raises(OutputError) as error:
            render_streets(STREETS, tmp_path / 'train')
        assert str(error.value) == (
            f'{str(tmp_path / "train")!r} holds something other than rendered frames: name '
            'another folder'
        )
        assert entries(tmp_path / 'train') == {'mine.png': b'precious'}

    def test_an_empty_folder_is_filled(self, tmp_path: Path) -> None:
        frames = render_streets(Streets(3, 1, 1, width=16, height=16), tmp_path)
        assert len(frames) == 1

    def test_a_render_that_breaks_off_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(count: int) -> None:
            raise KeyboardInterrupt

        folder = tmp_path / 'frames'
        with pytest.raises(KeyboardInterrupt):
            render_streets(Streets(3, 1, 1, width=16, height=16), folder, on_frames=fail)
        assert list(tmp_path.iterdir()) == []


class TestDamage:
    def expect(self, folder: Path, match: str) -> None:
        """Expect both ways to the frames to say what is wrong."""
        with pytest.raises(DataError, match=match):
            open_frames(folder, STREETS)
        with pytest.raises(DataError, match=match):
            WorldSource(STREETS, rendered=folder)[0]

    def test_no_folder(self, tmp_path: Path) -> None:
        self.expect(tmp_path / 'none', 'does not hold the rendered frames of Streets')

    @pytest.mark.parametrize('manifest', [
        b'', b'{', b'[]', b'null', b'{}', b'\xff', b'{"n_seeds": null}', b'{"n_seeds": "many"}',
    ])
    def test_a_manifest_that_is_none(self, copied: Path, manifest: bytes) -> None:
        (copied / 'streets.json').write_bytes(manifest)
        self.expect(copied, 'does not hold the rendered frames of Streets')

    @pytest.mark.parametrize('change', [
        {'version': 0}, {'first_seed': 4}, {'n_seeds': 1}, {'width': 64}, {'more': 1},
    ])
    def test_a_manifest_of_other_frames(self, copied: Path, change: dict[str, int]) -> None:
        path = copied / 'streets.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        self.expect(copied, 'does not hold the rendered frames of Streets')

    @pytest.mark.parametrize('name', ['rgb', 'depth_m', 'class_ids'])
    @pytest.mark.parametrize('length', [0, 40, 1000])
    def test_a_truncated_array(self, copied: Path, name: str, length: int) -> None:
        path = copied / f'{name}.npy'
        path.write_bytes(path.read_bytes()[:length])
        self.expect(copied, 'are damaged .*: remove the folder and render them again')

    def test_an_array_that_is_missing(self, copied: Path) -> None:
        (copied / 'depth_m.npy').unlink()
        self.expect(copied, 'are damaged .*depth_m.npy')

    @pytest.mark.parametrize(('shape', 'dtype'), [
        ((4, 16, 30), np.float16), ((3, 16, 32), np.float16), ((4, 16, 32), np.float64),
    ])
    def test_an_array_of_other_frames(
        self, copied: Path, shape: tuple[int, ...], dtype: type
    ) -> None:
        np.save(copied / 'depth_m.npy', np.ones(shape, dtype))
        self.expect(copied, 'are damaged .*depth_m')

    def test_an_array_of_objects_is_never_loaded(self, copied: Path) -> None:
        """It would be unpickled: code of whoever made the file."""
        array = np.empty((4, 16, 32), object)
        np.save(copied / 'depth_m.npy', array, allow_pickle=True)
        self.expect(copied, 'are damaged')
