# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos: read in order and bounded, written as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

from clip_depth_ros.errors import ImageError, OutputError, RecordingError
from clip_depth_ros.sources.video import VideoReader, written_video
from made_up_video import frame, SIZE, write_video
import pytest


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / 'film.mp4')


def test_what_was_written_is_read_in_order_red_first(video: Path):
    with VideoReader(video) as reader:
        assert (reader.size, reader.hz, reader.n_frames) == (SIZE, 15.0, 5)
        seen = [rgb[24, 10].tolist() for rgb in reader]
    assert len(seen) == 5
    for index, (red, _, blue) in enumerate(seen):
        assert abs(red - (20 + 40 * index)) < 12
        assert abs(blue - 40) < 12


def test_nothing_is_left_of_a_video_that_was_not_finished(tmp_path: Path):
    def fail() -> None:
        with written_video(tmp_path / 'film.mp4', SIZE, 15.0) as add:
            add(frame(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [*tmp_path.iterdir()] == []


def test_frames_that_are_too_large_are_refused(video: Path):
    with pytest.raises(ImageError, match='has 64x48 pixels, more than max_image_pixels=100'):
        VideoReader(video, 100)


@pytest.mark.parametrize('content', [b'', b'no film' * 100])
def test_what_is_no_video_is_an_error_without_noise(tmp_path: Path, capfd, content: bytes):
    path = tmp_path / 'film.mp4'
    path.write_bytes(content)
    with pytest.raises(RecordingError, match='is no image, and does not open as a video'):
        VideoReader(path)
    assert capfd.readouterr().err == ''


def test_a_stream_that_is_not_there_is_an_error(capfd):
    with pytest.raises(RecordingError, match='check the address'):
        VideoReader('rtsp://127.0.0.1:9/none')


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / 'taken').touch()
    with (
        pytest.raises(OutputError, match='cannot write'),
        written_video(tmp_path / 'taken' / 'film.mp4', SIZE, 15.0),
    ):
        pass
