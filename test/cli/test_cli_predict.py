# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``clip-depth predict``: one image file in, depth files out."""

import os
import subprocess
import sys

from clip_depth_ros.cli.main import main
from clip_depth_ros.core.depth_images import colorize
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.predictor import PredictorSettings
import cv2
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
    settings = PredictorSettings(backbone=backbone, pretrained='random', **values)
    return build_predictor(settings).predict(rgb)


def test_it_writes_depth_in_metres_and_a_picture(tmp_path, image, backbone):
    assert predict(image, tmp_path / 'out', backbone) == 0

    expected = answer_for(blobs(60, 100), backbone)
    depth_m = np.load(tmp_path / 'out' / 'street_depth.npy')
    picture = cv2.imread(str(tmp_path / 'out' / 'street_depth.png'))[..., ::-1]
    assert depth_m.dtype == np.float32
    np.testing.assert_array_equal(depth_m, expected.depth_m)
    np.testing.assert_array_equal(
        picture, colorize(depth_m, near_m=1.0, far_m=3.0, color_map='turbo')
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
    assert lines[3].startswith(f'{tmp_path}/street_depth.npy: 100x60 float32, ')
    assert lines[4] == f'{tmp_path}/street_depth.png: turbo, 1 m (red) to 3 m (blue)'
    assert lines[5].startswith(f'{tmp_path}/street_grid.npy: 6x4 float32, ')
    assert len(lines) == 6


def test_the_picture_spans_the_bins_of_all_scenes(tmp_path, image, backbone, capsys):
    scenes = ['--scene-aware', '--scene-bins', 'kitchen: scene3', 'hall: 2 3 4 5 6 7 20']
    predict(image, tmp_path, backbone, *scenes)

    assert '1 m (red) to 20 m (blue)' in capsys.readouterr().out


def test_one_bin_alone_is_shown_over_the_depth_range(tmp_path, image, backbone, capsys):
    predict(image, tmp_path, backbone, '--depth-words', 'far', '--bins-m', '5')

    assert '0.5 m (red) to 80 m (blue)' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['street_depth.npy', 'street_depth.png'])
def test_results_are_not_overwritten_unless_forced(tmp_path, image, backbone, name, capsys):
    (tmp_path / name).write_bytes(b'precious')

    assert predict(image, tmp_path, backbone) == 1
    assert f'{name} exists already: name another place, or add --force' in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b'precious'

    assert predict(image, tmp_path, backbone, '--force') == 0
    assert (tmp_path / name).read_bytes() != b'precious'


@pytest.mark.parametrize('content', [b'', b'no picture', None])
def test_what_is_no_image_is_an_error(tmp_path, backbone, capsys, content):
    path = tmp_path / 'street.png'
    if content is not None:
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
    (['--method', 'clip2depth'], 'train them with clip-depth train and set clip2depth_weights'),
    (['--clip2depth-weights', 'absent.safetensors'], "'absent.safetensors'"),
    (['--clip2depth-weights', 'w.safetensors', '--save-grid'], 'has no depth per patch'),
    (['--pretrained', 'bundled'], "goes with backbone='tiny' alone"),
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
@pytest.mark.parametrize(('name', 'size'), [
    ('kitti_object/training/image_2/000000.png', (370, 1224)),
    ('kitti_depth/rgb/0000000005.png', (375, 1242)),
    ('nyu/rgb/rgb_00000.jpg', (480, 640)),
])
def test_real_frames_of_any_size(tmp_path, samples, name, size):
    """The bundled architecture, as a process, on what real cameras give."""
    command = [
        sys.executable, '-m', 'clip_depth_ros.cli.main', 'predict', str(samples / name),
        '--out', str(tmp_path), '--backbone', 'tiny', '--pretrained', 'random',
        '--features', 'dense', '--bins', 'outdoor', '--no-flip',
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    (path,) = tmp_path.glob('*.npy')
    depth_m = np.load(path)
    assert run.stderr == ''
    assert depth_m.shape == size
    assert ((depth_m >= 0.5) & (depth_m <= 80)).all()
