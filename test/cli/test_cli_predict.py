# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth predict``: images, folders and videos in, depth out."""

import os
from pathlib import Path
import subprocess
import sys

from clip_depth_ros.cli.main import main
from clip_depth_ros.cli.runs import predict as predict_run
from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.depth_images import side_by_side
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.node import read_parameters
from clip_depth_ros.settings.pictures import PictureSettings
from clip_depth_ros.sources.video import VideoReader, written_video
from clip_depth_ros.types import Intrinsics
import cv2
import huggingface_hub
import numpy as np
import pytest
from small_clips import blobs, SMALL_VIT, write_json


@pytest.fixture
def backbone(tmp_path):
    return write_json(tmp_path, SMALL_VIT)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'street.png'
    cv2.imwrite(str(path), blobs(60, 100)[..., ::-1])
    return path


def predict(image, out, backbone, *flags):
    return main([
        'predict', str(image), '--out', str(out), '--pretrained', 'random', '--backbone', backbone,
        *flags,
    ])


def answer_for(rgb, backbone, **values):
    settings = PictureSettings(backbone=backbone, pretrained='random', **values)
    return build_predictor(settings).predict(rgb)


def test_it_writes_depth_in_metres_and_a_picture(tmp_path, image, backbone):
    assert predict(image, tmp_path / 'out', backbone) == 0

    expected = answer_for(blobs(60, 100), backbone)
    depth_m = np.load(tmp_path / 'out' / 'street_depth.npy')
    picture = cv2.imread(str(tmp_path / 'out' / 'street_depth.png'))[..., ::-1]
    assert depth_m.dtype == np.float32
    np.testing.assert_array_equal(depth_m, expected.depth_m)
    np.testing.assert_array_equal(
        picture, side_by_side(blobs(60, 100), depth_m, near_m=1.0, far_m=3.0)
    )
    assert sorted(os.listdir(tmp_path / 'out')) == ['street_depth.npy', 'street_depth.png']


def test_the_grid_comes_on_request(tmp_path, image, backbone):
    predict(image, tmp_path, backbone, '--save-grid')

    grid_depth_m = np.load(tmp_path / 'street_grid.npy')
    np.testing.assert_array_equal(
        grid_depth_m, answer_for(blobs(60, 100), backbone).grid_depth_m
    )
    assert grid_depth_m.shape == (4, 6)


def test_a_crop_is_cut_out_first(tmp_path, image, backbone):
    predict(image, tmp_path, backbone, '--crop', '10,5,64,48')

    expected = answer_for(blobs(60, 100)[5:53, 10:74], backbone).depth_m
    np.testing.assert_array_equal(np.load(tmp_path / 'street_depth.npy'), expected)


def test_flags_are_the_settings(tmp_path, image, backbone):
    flags = ['--bins', 'outdoor', '--no-flip', '--temperature', '2', '--depth-words', 'a', 'b']
    predict(image, tmp_path, backbone, *flags)

    expected = answer_for(
        blobs(60, 100), backbone, bins='outdoor', flip=False, temperature=2,
        depth_words=('a', 'b'),
    )
    np.testing.assert_array_equal(np.load(tmp_path / 'street_depth.npy'), expected.depth_m)


def test_it_says_first_that_random_weights_see_nothing_then_names_each_file(
    tmp_path, image, backbone, capsys
):
    predict(image, tmp_path, backbone, '--save-grid')

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'weights: random initialisation: does not see depth'
    assert lines[1].startswith('method: depthclip, zero-shot (auto: no trained CLIP2Depth weights')
    assert lines[2] == 'camera: ignored (the focal length of the training is not known)'
    assert lines[3] == (
        f'{tmp_path}/street_depth.png: turbo, 1 m (near) to 3 m (far), linear scale'
    )
    assert lines[4].startswith(f'{tmp_path}/street_depth.npy: 100x60 float32, ')
    assert lines[5].startswith(f'{tmp_path}/street_grid.npy: 6x4 float32, ')
    assert len(lines) == 6


def test_colours_are_those_of_the_flags(tmp_path, image, backbone, capsys):
    predict(image, tmp_path, backbone, '--color-max-m', '20', '--color-map', 'gray')

    assert 'gray, 1 m (near) to 20 m (far), log scale' in capsys.readouterr().out
    depth_m = np.load(tmp_path / 'street_depth.npy')
    expected = side_by_side(blobs(60, 100), depth_m, near_m=1, far_m=20, color_map='gray')
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'street_depth.png'))[..., ::-1], expected
    )


def test_a_cloud_comes_on_request_by_the_camera_of_the_image(tmp_path, image, backbone):
    predict(image, tmp_path, backbone, '--save-ply', '--no-save-npy', '--hfov-deg', '90')

    header, body = (tmp_path / 'street_cloud.ply').read_bytes().split(b'end_header\n')
    points = np.frombuffer(body, [('xyz_m', '<f4', 3), ('rgb', 'u1', 3)])
    depth_m = answer_for(blobs(60, 100), backbone).depth_m
    rays = pinhole_rays(Intrinsics.of_hfov(90, 100, 60))
    assert b'element vertex 6000' in header
    np.testing.assert_allclose(points['xyz_m'][:, 2], depth_m.ravel())
    np.testing.assert_allclose(points['xyz_m'][:, 0], (rays[..., 0] * depth_m).ravel(), rtol=1e-5)
    np.testing.assert_array_equal(points['rgb'].reshape(60, 100, 3), blobs(60, 100))
    assert not (tmp_path / 'street_depth.npy').exists()


class TestSeveral:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / 'in').mkdir()
        for name, size in {'a.png': (32, 48), 'b.jpg': (32, 48), 'c.bmp': (48, 32)}.items():
            cv2.imwrite(str(tmp_path / 'in' / name), blobs(*size))
        (tmp_path / 'in' / 'notes.txt').write_text('no picture')
        return tmp_path / 'in'

    def test_a_folder_is_answered_by_one_predictor(
        self, tmp_path, folder, backbone, capsys, monkeypatch
    ):
        built = []
        monkeypatch.setattr(
            predict_run, 'build_predictor',
            lambda settings: built.append(settings) or build_predictor(settings),
        )
        assert predict(folder, tmp_path / 'out', backbone) == 0

        assert sorted(os.listdir(tmp_path / 'out')) == [
            f'{name}_depth.{kind}' for name in 'abc' for kind in ('npy', 'png')
        ]
        assert len(built) == 1
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.startswith(f'{tmp_path}/out: 3 *_depth.png, 3 *_depth.npy; 3 images in ')
        assert 'images/s; colours: turbo, 1 m (near) to 3 m (far), linear scale' in last

    def test_one_that_is_broken_is_left_out_and_named(self, tmp_path, folder, backbone, capsys):
        (folder / 'b.jpg').write_bytes(b'\xff\xd8\xff')

        assert predict(folder, tmp_path / 'out', backbone, '--no-save-npy') == 1
        assert f"left out: cannot read image '{folder}/b.jpg'" in capsys.readouterr().err
        assert sorted(os.listdir(tmp_path / 'out')) == ['a_depth.png', 'c_depth.png']

    def test_two_of_one_name_are_refused(self, tmp_path, folder, image, backbone, capsys):
        cv2.imwrite(str(folder / 'a.bmp'), blobs(8, 8))
        assert predict(folder, tmp_path / 'out', backbone) == 1
        assert "a_depth.png' would be of two pictures" in capsys.readouterr().err


class TestVideo:
    @pytest.fixture
    def video(self, tmp_path):
        path = tmp_path / 'drive.mp4'
        with written_video(path, Size(32, 48), 12.0) as add:
            for _ in range(4):
                add(blobs(32, 48))
        return path

    def test_a_video_becomes_a_video_as_long_and_as_fast(self, tmp_path, video, backbone, capsys):
        assert predict(video, tmp_path / 'out', backbone) == 0

        assert os.listdir(tmp_path / 'out') == ['drive_depth.mp4']
        with VideoReader(tmp_path / 'out' / 'drive_depth.mp4') as made:
            assert (made.n_frames, made.hz) == (4, 12.0)
            depth_m = answer_for(next(iter(made))[:32, :48], backbone).depth_m
            assert made.size.width == 2 * 320 + 8
        assert np.isfinite(depth_m).all()
        assert '1 *_depth.mp4; 4 images in ' in capsys.readouterr().out

    def test_depth_of_frames_comes_on_request_and_a_limit_holds(self, tmp_path, video, backbone):
        assert predict(video, tmp_path, backbone, '--save-npy', '--frames', '2') == 0

        with VideoReader(video) as frames:
            expected = [answer_for(rgb, backbone).depth_m for rgb in frames][:2]
        made = sorted((tmp_path / 'drive_frames').iterdir())
        assert [path.name for path in made] == ['000000_depth.npy', '000001_depth.npy']
        for path, depth_m in zip(made, expected, strict=True):
            np.testing.assert_array_equal(np.load(path), depth_m)

    def test_a_webcam_that_is_not_there_is_an_error(self, tmp_path, backbone, capsys):
        assert predict(63, tmp_path / 'out', backbone) == 1
        assert 'webcam 63 does not open, or gives no picture' in capsys.readouterr().err


class TestWeights:
    @pytest.fixture(autouse=True)
    def nothing_downloaded(self, tmp_path, monkeypatch):
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
        monkeypatch.setenv('HOME', str(tmp_path))

    def test_without_a_choice_the_bundled_ones_are_used_and_that_is_said(
        self, tmp_path, image, capsys
    ):
        assert main(['predict', str(image), '--out', str(tmp_path)]) == 0

        said = capsys.readouterr()
        assert 'those that come with this package are used (--preset synthetic)' in said.err
        assert 'Better: clip-depth train' in said.err
        assert said.out.startswith('weights: bundled: tiny_clip.safetensors')
        preset = PictureSettings.from_mapping(read_parameters('synthetic'))
        expected = build_predictor(preset).predict(blobs(60, 100), Intrinsics.of_hfov(70, 100, 60))
        np.testing.assert_array_equal(np.load(tmp_path / 'street_depth.npy'), expected.depth_m)

    @pytest.mark.parametrize('choice', [
        ['--preset', 'indoor'], ['--method', 'depthclip'], ['--backbone', 'ViT-B-16-quickgelu'],
        ['--clip-weights', 'absent.pt'], ['--method', 'clip2depth'],
    ])
    def test_a_choice_that_cannot_be_met_is_an_error_with_the_three_ways(
        self, tmp_path, image, capsys, choice
    ):
        assert main(['predict', str(image), '--out', str(tmp_path), *choice]) == 1

        told = capsys.readouterr().err
        for way in ('--preset synthetic', 'weights FILE', '--allow-download'):
            assert way in told
        assert 'are used' not in told

    def test_downloaded_ones_are_taken_without_a_choice(self, tmp_path, image, capsys):
        cached = tmp_path / '.cache' / 'clip' / 'RN50.pt'
        cached.parent.mkdir(parents=True)
        cached.write_bytes(b'damaged')

        assert main(['predict', str(image), '--out', str(tmp_path)]) == 1
        told = capsys.readouterr().err
        assert f"cannot read weights '{cached}'" in told
        assert 'are used' not in told

    def test_a_preset_that_is_not_there_is_named_with_the_near_one(self, tmp_path, image, capsys):
        assert main(['predict', str(image), '--out', str(tmp_path), '--preset', 'kiti']) == 1
        assert "did you mean 'kitti'?" in capsys.readouterr().err


@pytest.mark.parametrize('name', ['street_depth.npy', 'street_depth.png'])
def test_results_are_not_overwritten_unless_forced(tmp_path, image, backbone, name, capsys):
    (tmp_path / name).write_bytes(b'precious')

    assert predict(image, tmp_path, backbone) == 1
    assert f'{name} exists already: name another place, or add --force' in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b'precious'

    assert predict(image, tmp_path, backbone, '--force') == 0
    assert (tmp_path / name).read_bytes() != b'precious'


@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_what_is_no_image_is_an_error(tmp_path, backbone, capsys, content):
    path = tmp_path / 'street.png'
    path.write_bytes(content)

    assert predict(path, tmp_path / 'out', backbone) == 1
    assert f"predict: error: cannot read image '{path}'" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_grey_image_is_read_as_rgb(tmp_path, backbone):
    cv2.imwrite(str(tmp_path / 'grey.png'), blobs(32, 48)[..., 0])

    assert predict(tmp_path / 'grey.png', tmp_path, backbone) == 0
    assert np.load(tmp_path / 'grey_depth.npy').shape == (32, 48)


@pytest.mark.parametrize(('flags', 'message'), [
    (['--crop', '90,0,20,20'], r'within the image of 100x60 pixels, got x=90, y=0, width=20'),
    (['--bins-m', '1', '2'], '7 words'),
    (['--features', 'official'], 'needs a ResNet'),
    (['--method', 'clip2depth'], 'from a file that clip-depth train has written'),
    (['--clip2depth-weights', 'absent.safetensors'], "'absent.safetensors'"),
    (['--clip2depth-weights', 'w.safetensors', '--save-grid'], 'has no depth per patch'),
    (['--pretrained', 'bundled'], 'goes with --backbone tiny alone'),
    (['--clip-weights', 'absent.pt'], "cannot read weights 'absent.pt'"),
])
def test_settings_that_do_not_fit_are_errors(tmp_path, image, backbone, capsys, flags, message):
    assert predict(image, tmp_path, backbone, *flags) == 1
    assert message in capsys.readouterr().err


def test_a_crop_that_is_no_crop_is_a_wrong_flag(tmp_path, image, backbone, capsys):
    with pytest.raises(SystemExit, match='2'):
        predict(image, tmp_path, backbone, '--crop', '1,2,3')
    assert "must be four whole numbers x,y,w,h, got '1,2,3'" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_an_error(tmp_path, image, backbone, capsys):
    (tmp_path / 'taken').write_bytes(b'')

    assert predict(image, tmp_path / 'taken' / 'out', backbone) == 1
    assert 'cannot write' in capsys.readouterr().err


@pytest.mark.samples
def test_real_frames_of_any_size(tmp_path, samples):
    """The bundled architecture, as a process, on what real cameras give."""
    sizes = {
        'kitti_object/training/image_2/000000.png': (370, 1224),
        'kitti_depth/rgb/0000000005.png': (375, 1242),
        'nyu/rgb/rgb_00000.jpg': (480, 640),
    }
    (tmp_path / 'in').mkdir()
    for name in sizes:
        (tmp_path / 'in' / Path(name).name).symlink_to(samples / name)
    command = [
        sys.executable, '-m', 'clip_depth_ros.cli.main', 'predict', str(tmp_path / 'in'),
        '--out', str(tmp_path / 'out'), '--backbone', 'tiny', '--pretrained', 'random',
        '--features', 'dense', '--bins', 'outdoor', '--no-flip',
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    assert run.stderr == ''
    for name, size in sizes.items():
        depth_m = np.load(tmp_path / 'out' / f'{Path(name).stem}_depth.npy')
        assert depth_m.shape == size
        assert ((depth_m >= 0.5) & (depth_m <= 80)).all()
