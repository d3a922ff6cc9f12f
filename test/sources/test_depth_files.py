# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth maps as floats: NumPy's archives, portable float maps, OpenEXR; masks of them."""

from __future__ import annotations

from pathlib import Path
import sys
from typing import Any

from clip_depth_ros.errors import ImageError, MissingDependencyError
from clip_depth_ros.sources.files import read_depth, read_mask
import cv2
import numpy as np
import pytest

DEPTH = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
"""Metres; no two alike, so that rows that are upside down are seen."""


def write_npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def write_pfm(path: Path, order: str = '<', kind: str = 'Pf') -> Path:
    scale = {'<': '-1.0', '>': '1.0'}[order]
    rows = DEPTH[::-1].astype(f'{order}f4').tobytes()
    path.write_bytes(f'{kind}\n4 3\n{scale}\n'.encode() + rows)
    return path


class TestNumpyArchives:
    def test_the_only_array_is_depth(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', anything=DEPTH.astype(np.float64))
        np.testing.assert_array_equal(read_depth(path, 1), DEPTH)

    def test_of_several_the_one_of_that_name(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', K=np.eye(3), depth=DEPTH[..., np.newaxis])
        np.testing.assert_array_equal(read_depth(path, 1), DEPTH)

    def test_others_are_named(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', K=np.eye(3), z=DEPTH)
        with pytest.raises(ImageError, match=r"a\.npz.* one named depth, has \['K', 'z'\]"):
            read_depth(path, 1)
        with pytest.raises(ImageError, match='should have one array'):
            read_depth(write_npz(tmp_path / 'none.npz'), 1)

    def test_integers_say_no_unit(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', depth=DEPTH.astype(np.uint16))
        with pytest.raises(ImageError, match=r'should be float metres .*, is uint16'):
            read_depth(path, 1)

    def test_nothing_in_them_is_run(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', depth=np.array([[print]], object))
        with pytest.raises(ImageError, match=r'a\.npz.*cannot be read as NumPy arrays'):
            read_depth(path, 1)

    def test_what_unpacks_to_too_much_is_refused_unread(self, tmp_path: Path) -> None:
        path = write_npz(tmp_path / 'a.npz', depth=np.zeros((4000, 4000)))
        assert path.stat().st_size < 200_000
        with pytest.raises(ImageError, match='has 128000128 bytes, at most 8000 fit'):
            read_depth(path, 1, max_pixels=1000)

    @pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'no archive'])
    def test_damage_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / 'a.npz').write_bytes(content)
        with pytest.raises(ImageError, match=r'a\.npz.*copy it again'):
            read_depth(tmp_path / 'a.npz', 1)


class TestPortableFloatMaps:
    @pytest.mark.parametrize('order', ['<', '>'])
    def test_rows_come_from_the_bottom_in_either_order_of_bytes(
        self, tmp_path: Path, order: str
    ) -> None:
        np.testing.assert_array_equal(read_depth(write_pfm(tmp_path / 'a.pfm', order), 1), DEPTH)

    def test_opencv_s_are_read(self, tmp_path: Path) -> None:
        assert cv2.imwrite(str(tmp_path / 'a.pfm'), DEPTH)
        np.testing.assert_array_equal(read_depth(tmp_path / 'a.pfm', 1), DEPTH)

    def test_colours_are_no_depth(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match='should be a grey PFM'):
            read_depth(write_pfm(tmp_path / 'a.pfm', kind='PF'), 1)

    def test_a_header_that_promises_more_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / 'a.pfm').write_bytes(b'Pf\n99999 99999\n-1\n')
        with pytest.raises(ImageError, match='more than max_image_pixels'):
            read_depth(tmp_path / 'a.pfm', 1)
        path = write_pfm(tmp_path / 'b.pfm')
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ImageError, match=r'b\.pfm.*should have 48 bytes .* has 47: copy it'):
            read_depth(path, 1)


class TestOpenExr:
    def write(self, path: Path, channels: dict[str, Any]) -> Path:
        exr = pytest.importorskip('OpenEXR')
        header = {'compression': exr.ZIP_COMPRESSION, 'type': exr.scanlineimage}
        with exr.File(header, channels) as file:
            file.write(str(path))
        return path

    @pytest.mark.parametrize('channels', [
        {'Z': DEPTH}, {'Y': DEPTH}, {'whatever': DEPTH.astype(np.float16)},
        {'Z': DEPTH, 'A': np.zeros((3, 4), np.float32)},
        {'RGB': np.stack([DEPTH] * 3, axis=-1)},
    ], ids=['Z', 'grey', 'one', 'Z and alpha', 'colours that are alike'])
    def test_depth_is_found(self, tmp_path: Path, channels: dict[str, Any]) -> None:
        path = self.write(tmp_path / 'a.exr', channels)
        np.testing.assert_array_equal(read_depth(path, 1), DEPTH)

    def test_colours_are_no_depth(self, tmp_path: Path) -> None:
        path = self.write(
            tmp_path / 'a.exr', {'RGB': np.stack([DEPTH, DEPTH + 1, DEPTH], axis=-1)}
        )
        with pytest.raises(ImageError, match=r"channel Z, or a single one, has \['B', 'G', 'R'\]"):
            read_depth(path, 1)

    def test_size_and_damage_are_seen(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / 'a.exr', {'Z': DEPTH})
        with pytest.raises(ImageError, match='more than max_image_pixels=11'):
            read_depth(path, 1, max_pixels=11)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(ImageError, match=r'a\.exr.*cannot be read as OpenEXR.*copy it again'):
            read_depth(path, 1)

    def test_where_it_is_not_installed_the_error_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, 'OpenEXR', None)
        with pytest.raises(MissingDependencyError, match=r"pip install 'OpenEXR>=3\.3', or save"):
            read_depth(tmp_path / 'a.exr', 1)


class TestMasks:
    def test_what_is_above_zero_counts(self, tmp_path: Path) -> None:
        stored = np.zeros((3, 4, 3), np.uint8)
        stored[1, 2, 0] = 1
        assert cv2.imwrite(str(tmp_path / 'a.png'), stored)
        np.save(tmp_path / 'b.npy', np.where(stored > 0, 0.5, np.nan)[..., :1])
        assert np.argwhere(read_mask(tmp_path / 'a.png')).tolist() == [[1, 2]]
        assert read_mask(tmp_path / 'b.npy').shape == (3, 4)

    def test_one_bit_will_do(self, tmp_path: Path) -> None:
        assert cv2.imwrite(
            str(tmp_path / 'a.png'), np.eye(3, dtype=np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1]
        )
        np.testing.assert_array_equal(read_mask(tmp_path / 'a.png'), np.eye(3) > 0)

    def test_text_is_no_mask(self, tmp_path: Path) -> None:
        np.save(tmp_path / 'a.npy', np.full((3, 4), 'yes'))
        with pytest.raises(ImageError, match=r'mask .*a\.npy.* should be \(H, W\), is <U3'):
            read_mask(tmp_path / 'a.npy')
