# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What words of a user name pictures, and which error names the command that is meant."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.sources.pictures import find_pictures, UserPicture
import cv2
import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with two images and what is none."""
    for name in ('b.png', 'a.JPG', 'a_depth.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 6, 3), np.uint8))
    (tmp_path / 'notes.txt').write_text('none')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def images(*paths: Path) -> list[UserPicture]:
    return [UserPicture(path, is_video=False) for path in paths]


def test_a_folder_is_its_images_in_order_without_what_we_made_of_them(folder: Path):
    assert find_pictures([str(folder)]) == images(folder / 'a.JPG', folder / 'b.png')


def test_a_pattern_is_the_files_that_are_like_it(folder: Path):
    assert find_pictures(['*.png']) == images(Path('a_depth.png'), Path('b.png'))
    assert find_pictures(['*.[pJ]*']) == images(Path('a.JPG'), Path('b.png'))


def test_a_picture_that_is_named_twice_is_there_once(folder: Path):
    assert find_pictures(['b.png', 'b.png']) == images(Path('b.png'))


def test_an_image_is_told_by_its_bytes_and_all_else_may_be_a_video(folder: Path):
    (folder / 'b.png').rename('no_suffix')
    assert find_pictures(['no_suffix']) == images(Path('no_suffix'))
    assert find_pictures(['notes.txt']) == [UserPicture(Path('notes.txt'), is_video=True)]


def test_a_number_is_a_webcam_unless_a_file_has_that_name(folder: Path):
    assert find_pictures(['0']) == [UserPicture(0, is_video=True)]
    assert find_pictures(['0'])[0].name == 'webcam0'
    (folder / 'b.png').rename('0')
    assert find_pictures(['0']) == images(Path('0'))


@pytest.mark.parametrize(('word', 'error', 'message'), [
    ('64', ConfigError, 'webcams have numbers from 0 to 63, got 64'),
    ('photo.png', RecordingError, "there is no 'photo.png': name an image, a folder, a pattern"),
    ('*.bmp', RecordingError, r"no file like '\*.bmp'"),
    ('rtsp://cam/1', ConfigError, 'is a stream: clip-depth live --rtsp rtsp://cam/1'),
    ('empty', RecordingError, "'empty' holds no image .*; it holds film.mp4: name"),
    ('bag', ConfigError, 'is a recording: clip-depth demo --bag bag plays it'),
    ('drive.mcap', ConfigError, 'clip-depth evaluate drive.mcap'),
])
def test_what_is_no_picture_is_said_with_what_to_do(
    folder: Path, word: str, error: type[Exception], message: str
):
    (folder / 'empty').mkdir()
    (folder / 'empty' / 'film.mp4').touch()
    (folder / 'bag').mkdir()
    (folder / 'bag' / 'metadata.yaml').touch()
    (folder / 'drive.mcap').write_bytes(b'\x89MCAP0\r\n')
    with pytest.raises(error, match=message):
        find_pictures([word])
