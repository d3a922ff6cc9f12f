# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures beside a result read back as they were; what is damaged is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
import zipfile

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.results.pictures import (
    FORMAT,
    FramePictures,
    read_pictures,
    spread,
    write_pictures,
)
import pytest


def frame(name: str) -> FramePictures:
    return FramePictures(
        recording='r', name=name, is_wide=True, shared={'image': b'\xff1', 'ground truth': b'2'},
        of={'/a topic/../x': {'prediction': b'3', 'error': b'4'}},
    )


def test_they_read_back_as_they_were(tmp_path: Path):
    frames = [frame('a'), frame('../b')]
    write_pictures(tmp_path / 'x.zip', iter(frames))
    assert read_pictures(tmp_path / 'x.zip') == frames


def test_the_same_pictures_make_the_same_bytes(tmp_path: Path):
    for name in 'xy':
        write_pictures(tmp_path / name, [frame('a')])
    assert (tmp_path / 'x').read_bytes() == (tmp_path / 'y').read_bytes()


def test_without_a_file_there_are_none(tmp_path: Path):
    assert read_pictures(tmp_path / 'absent.zip') == []


@pytest.mark.parametrize('index', [
    None, '[', '[]', '{"format": "another 1", "frames": []}',
    json.dumps({'format': FORMAT, 'frames': 3}),
    json.dumps({'format': FORMAT, 'frames': [{'name': 'a'}]}),
    json.dumps({'format': FORMAT, 'frames': [
        {'recording': '', 'name': '', 'is_wide': True, 'shared': {'image': 'absent'}, 'of': {}},
    ]}),
    json.dumps({'format': FORMAT, 'frames': [
        {'recording': '', 'name': '', 'is_wide': True, 'shared': {'image': 'huge'}, 'of': {}},
    ]}),
])
def test_what_is_damaged_is_refused_by_name(tmp_path: Path, index: str | None):
    path = tmp_path / 'x.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        if index is not None:
            file.writestr('index.json', index)
        file.writestr('huge', bytes(4_000_001))
    with pytest.raises(DataError, match=r'x\.zip.*evaluate again'):
        read_pictures(path)


@pytest.mark.parametrize('data', [b'', b'no zip'])
def test_so_is_what_is_no_zip(tmp_path: Path, data: bytes):
    path = tmp_path / 'x.zip'
    path.write_bytes(data)
    with pytest.raises(DataError, match='without pictures'):
        read_pictures(path)


@pytest.mark.parametrize(('n_frames', 'places'), [
    (0, []), (1, [0]), (3, [0, 1, 2]), (12, [*range(12)]), (111, [*range(0, 111, 10)]),
])
def test_a_dozen_frames_are_kept_evenly_from_the_first_to_the_last(n_frames, places):
    assert spread(n_frames).tolist() == places
