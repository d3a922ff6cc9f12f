# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Images that were made to do harm: a kilobyte that claims gigabytes, or minutes, or the log.

They are refused before room is made for them, in the node, in recordings and in files.
"""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import struct
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any
import zlib

from bag_files import START_NS, write_ros2
from clip_depth_ros.bags.messages import header, image_message
from clip_depth_ros.bags.writer import recorded
from clip_depth_ros.cli.main import main
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.errors import DataError, ImageError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.files import read_depth, read_rgb
from clip_depth_ros.sources.frames import open_for_evaluation
import cv2
import numpy as np
import pytest
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__CompressedImage as CompressedImage,
)

RGB = np.full((48, 64, 3), 90, np.uint8)


def encoded(extension: str, pixels: Any, *flags: int) -> bytes:
    return bytes(cv2.imencode(extension, pixels, flags)[1])


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = struct.pack('>I', zlib.crc32(name + data))
    return struct.pack('>I', len(data)) + name + data + checksum


def png(width: int, height: int, raw: bytes, *more: bytes, colour: int = 2) -> bytes:
    """Return a PNG that states a size, with any data and more chunks before them."""
    stated = struct.pack('>IIBBBBB', width, height, 8, colour, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', stated), *more, chunk(b'IDAT', zlib.compress(raw, 9)), chunk(b'IEND', b'')]
    )


def bmp(width: int, height: int) -> bytes:
    """Return a BMP of 1,080 bytes: a palette, and run lengths that end at once."""
    info = struct.pack('<IiiHHIIiiII', 40, width, height, 1, 8, 1, 2, 0, 0, 256, 0)
    return b'BM' + struct.pack('<IHHI', 1080, 0, 0, 1078) + info + bytes(1024) + b'\0\1'


def jpeg(width: int, height: int) -> bytes:
    """Return a JPEG that states another size than its data have."""
    data = bytearray(encoded('.jpg', RGB))
    at = data.index(b'\xff\xc0') + 5
    data[at:at + 4] = struct.pack('>HH', height, width)
    return bytes(data)


def webp(kind: bytes, body: bytes) -> bytes:
    """Return the beginning of a WebP with one chunk."""
    size = struct.pack('<I', len(body))
    return b'RIFF' + struct.pack('<I', 12 + len(body)) + b'WEBP' + kind + size + body


def three_bytes(number: int) -> bytes:
    return struct.pack('<I', number)[:3]


SMALL = encoded('.png', RGB)
PROGRESSIVE = encoded('.jpg', np.zeros((400, 400, 3), np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b'\xff\xda'):-2]

TOO_LARGE = {
    'a PNG of hardly any data': png(100_000, 100_000, bytes(50)),
    'a PNG of black': png(10_000, 10_000, bytes(10_000 * 1_251), colour=0),
    'a PNG of one long row': png(2**20, 1, bytes(50)),
    'a JPEG': jpeg(65_500, 65_500),
    'a lossy WebP': webp(
        b'VP8 ', b'\0\0\0\x9d\x01\x2a' + struct.pack('<HH', 16_383, 16_383) + bytes(20)
    ),
    'a lossless WebP': webp(b'VP8L', b'\x2f' + struct.pack('<I', 2**28 - 1) + bytes(20)),
    'a WebP with features': webp(
        b'VP8X', bytes(4) + three_bytes(2**24 - 1) + three_bytes(255) + bytes(20)
    ),
}
"""Bytes that state a size which nobody should make room for."""

UNREADABLE = {
    'a BMP': bmp(10_000, 10_000),
    'a GIF': b'GIF89a' + struct.pack('<HH', 60_000, 60_000) + bytes(20),
    'an HDR': b'#?RADIANCE\n\n-Y 60000 +X 60000\n',
    'a PPM': b'P6 60000 60000 255\n',
    'a TIFF': b'II*\0' + bytes(30),
    'a PNG without a size': b'\x89PNG\r\n\x1a\n' + chunk(b'IEND', b''),
    'a PNG with a bad checksum': SMALL[:45] + b'?' + SMALL[46:],
    'a PNG whose data end early': png(64, 48, bytes(64 * 3))[:-30],
    'a JPEG without a size': b'\xff\xd8\xff\xda' + bytes(50) + b'\xff\xd9',
    'a JPEG of filling': b'\xff\xd8' + b'\xff' * 50_000,
    'a WebP of text': webp(b'TEXT', b'hello'),
    'an empty one': b'',
}
"""Bytes that are no picture, or none that cameras send."""

SLOW = {'a JPEG of a thousand scans': PROGRESSIVE[:-2] + LAST_SCAN * 1000 + b'\xff\xd9'}

HOSTILE = {**TOO_LARGE, **UNREADABLE, **SLOW}


def message(data: bytes, format_: str = 'jpeg') -> Any:
    return SimpleNamespace(format=format_, data=data)


class TestCompressedMessages:
    @pytest.mark.parametrize('name', TOO_LARGE)
    def test_what_states_a_huge_size_is_refused_with_it(self, name: str):
        with pytest.raises(ImageError, match=r'has \d+x\d+ pixels, (more than max_|a side may)'):
            rgb_of(message(TOO_LARGE[name]))

    @pytest.mark.parametrize('name', UNREADABLE)
    def test_what_is_no_picture_of_a_camera_does_not_decode(self, name: str, capfd: Any):
        with pytest.raises(ImageError, match='does not decode: it '):
            rgb_of(message(UNREADABLE[name]))
        assert capfd.readouterr() == ('', '')

    def test_a_jpeg_of_a_thousand_scans_is_refused_at_once(self):
        with pytest.raises(ImageError, match='has 1010 scans, a JPEG should have at most 64'):
            rgb_of(message(*SLOW.values()))

    def test_more_data_than_the_size_needs_stay_packed(self):
        raw = (b'\0' + bytes([90] * 24)) * 8 + bytes(30_000_000)
        rgb = rgb_of(message(png(8, 8, raw)))
        assert (rgb.shape, np.unique(rgb).tolist()) == ((8, 8, 3), [90])

    @pytest.mark.parametrize('more', [
        chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(900_000))) * 100,
        chunk(b'iCCP', b'a\0\0' + zlib.compress(bytes(50_000_000))),
        chunk(b'tEXt', b'a\0' + b'\x1b[31m' * 1000),
        chunk(b'acTL', struct.pack('>II', 2**31 - 1, 0)),
        chunk(b'eXIf', b'MM\0*' + b'\xff' * 100),
    ])
    def test_what_pixels_do_not_come_from_is_not_even_looked_at(self, more: bytes):
        raw = (b'\0' + bytes([90] * 24)) * 8
        assert np.array_equal(rgb_of(message(png(8, 8, raw, more))), RGB[:8, :8])

    def test_metadata_of_a_jpeg_warn_nobody(self, recwarn: Any):
        data = encoded('.jpg', RGB)
        broken = b'Exif\0\0II*\0\x08\0\0\0' + b'\xff' * 60
        segment = b'\xff\xe1' + struct.pack('>H', 2 + len(broken)) + broken
        without_jfif = data[:2] + segment + data[data.index(b'\xff\xdb'):]
        assert rgb_of(message(without_jfif)).shape == RGB.shape
        assert not recwarn.list

    def test_of_a_film_the_first_picture_counts(self):
        from io import BytesIO

        from PIL import Image

        file = BytesIO()
        first, *others = (Image.fromarray(RGB + 20 * n) for n in range(3))
        first.save(file, 'WEBP', save_all=True, append_images=others, lossless=True)
        assert np.array_equal(rgb_of(message(file.getvalue())), RGB)


def test_no_memory_is_spent_on_them():
    """In a process of its own, whose highest use tells; together they claim 80 GB."""
    script = (
        'import resource, test_pictures as t\n'
        'def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n'
        't.rgb_of(t.message(t.SMALL)); before = most()\n'
        'for data in t.HOSTILE.values():\n'
        '    try: t.rgb_of(t.message(data))\n'
        '    except t.ImageError: continue\n'
        '    raise SystemExit(1)\n'
        'print(most() - before)\n'
    )
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), os.environ.get('PYTHONPATH', '')]
    environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [sys.executable, '-c', script], env=environ, text=True, capture_output=True, check=True
    )
    assert float(done.stdout) < 10  # MB
    assert done.stderr == ''


def test_a_size_that_an_image_message_only_claims_costs_nothing():
    claimed = image_message(np.ones((1, 1), np.uint8), 'mono8', stamp_ns=0, frame_id='c')
    claimed.height, claimed.width, claimed.step = 2**32 - 1, 2**32 - 1, 2**32 - 1
    with pytest.raises(ImageError, match='4294967295x4294967295 pixels, more than max_image_pix'):
        rgb_of(claimed)


class TestFiles:
    @pytest.mark.parametrize(('name', 'data'), [
        ('a.bmp', bmp(10_000, 10_000)), ('a.png', TOO_LARGE['a PNG of black']),
        ('a.jpg', TOO_LARGE['a JPEG']), ('a.webp', TOO_LARGE['a lossy WebP']),
        ('a.ppm', b'P6 60000 60000 255\n'),
    ])
    def test_pictures_and_depth_maps_are_bounded_too(
        self, tmp_path: Path, name: str, data: bytes
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ImageError, match=f"image '{path}' has .* pixels, more than max_image"):
            read_rgb(path)
        if name != 'a.ppm':
            with pytest.raises(ImageError, match=f"depth map '{path}' has .* more than max_image"):
                read_depth(path, 256)

    @pytest.mark.parametrize('shape', ['(300000, 300000)', '(1, 2, 3000000000000)', '(-1, 5)'])
    def test_an_array_that_only_claims_a_size_costs_nothing(self, tmp_path: Path, shape: str):
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
        text = text.ljust(117) + b'\n'
        path = tmp_path / 'a.npy'
        path.write_bytes(b'\x93NUMPY\x01\0' + struct.pack('<H', len(text)) + text)
        with pytest.raises(ImageError, match='cannot be read as a plain NumPy array'):
            read_depth(path, 1)

    def test_a_sparse_file_behind_a_claim_is_not_read(self, tmp_path: Path):
        path = tmp_path / 'a.npy'
        np.lib.format.open_memmap(path, 'w+', np.float32, (20_000, 20_000))
        with pytest.raises(ImageError, match='has 20000x20000 pixels, more than max_image_pixels'):
            read_depth(path, 1)

    def test_what_has_no_end_is_not_read(self, tmp_path: Path):
        os.mkfifo(tmp_path / 'pipe.png')
        (tmp_path / 'zero.png').symlink_to('/dev/zero')
        for name in ('pipe.png', 'zero.png'):
            with pytest.raises(RecordingError, match=f'{name}.* should be a file, is a device or'):
                read_rgb(tmp_path / name)

    @pytest.mark.parametrize('limit', [[], ['--max-image-pixels', '3071']])
    def test_predict_says_what_to_do(self, tmp_path: Path, capsys: Any, limit: list[str]):
        path = tmp_path / 'a.png'
        path.write_bytes(SMALL if limit else TOO_LARGE['a PNG of black'])
        assert main(['predict', str(path), '--out', str(tmp_path), *limit]) == 1
        said = capsys.readouterr().err
        assert 'more than --max-image-pixels ' in said
        assert 'raise --max-image-pixels' in said


def compressed(data: bytes, index: int, topic: str = '/cam/image') -> Any:
    """Return a compressed image of a recording, one each second."""
    stamp_ns = START_NS + index * 10**9
    sent = CompressedImage(header(stamp_ns, 'c'), 'jpeg', np.frombuffer(data, np.uint8))
    return recorded(topic, sent, stamp_ns)


def depth(index: int) -> Any:
    stamp_ns = START_NS + index * 10**9
    metres = np.full(RGB.shape[:2], 2, np.float32)
    return recorded(
        '/gt', image_message(metres, '32FC1', stamp_ns=stamp_ns, frame_id='c'), stamp_ns
    )


class TestRecordings:
    def test_each_is_named_and_the_others_are_read(self, tmp_path: Path, capfd: Any):
        images = [SMALL, *HOSTILE.values(), SMALL]
        messages = [m for i, data in enumerate(images) for m in (compressed(data, i), depth(i))]
        bag = write_ros2(tmp_path / 'bag', messages)
        source = open_for_evaluation([str(bag)], SourceSettings())
        assert len(source) == len(images)
        for index in (0, len(images) - 1):
            assert np.array_equal(source[index].rgb, RGB)
        for index in range(1, len(images) - 1):
            with pytest.raises(DataError, match=r'/cam/image at .*: a compressed image of'):
                source[index]
        assert capfd.readouterr() == ('', '')

    def test_the_limit_is_a_setting_that_every_kind_of_file_takes(self, tmp_path: Path):
        bag = write_ros2(tmp_path / 'bag', [compressed(SMALL, 0), depth(0)])
        for limit, is_read in ((3072, True), (3071, False)):
            source = open_for_evaluation([str(bag)], SourceSettings(max_image_pixels=limit))
            if is_read:
                assert source[0].rgb.shape == RGB.shape
            else:
                with pytest.raises(DataError, match='64x48 pixels, more than max_image_pixels=30'):
                    source[0]

    def test_folders_take_it_too(self, tmp_path: Path):
        for name, pixels in (('rgb', RGB), ('depth', np.full((48, 64), 512, np.uint16))):
            (tmp_path / name).mkdir()
            cv2.imwrite(str(tmp_path / name / '1.png'), pixels)
        settings = SourceSettings(
            kind='pattern', images='rgb/*.png', gt_images='depth/*.png', max_image_pixels=3071
        )
        with pytest.raises(ImageError, match=r"rgb/1.png' has 64x48 pixels, more than max_image"):
            open_for_evaluation([str(tmp_path)], settings)[0]


@pytest.fixture
def node(ros_domain: int) -> Iterator[Any]:
    """Return an active node that listens to compressed images, with a constant predictor."""
    from ros_harness import FakePredictor, make_harness

    harness = make_harness(
        ros_domain, lambda *_: FakePredictor(), image_transport='compressed',
        max_image_pixels=10_000_000,
    )
    assert harness.node.start()
    harness.listen('depth')
    yield harness
    harness.close()


@pytest.mark.ros
class TestNode:
    def send(self, node: Any, publisher: Any, data: bytes, stamp_s: int) -> None:
        from sensor_msgs.msg import CompressedImage as Sent

        sent = Sent(format='bgr8; jpeg compressed bgr8', data=data)
        sent.header.stamp.sec = stamp_s
        publisher.publish(sent)

    def test_it_counts_them_and_answers_the_next_good_image(self, node: Any, capfd: Any):
        from sensor_msgs.msg import CompressedImage as Sent

        publisher = node.world.create_publisher(Sent, 'image/compressed', 10)
        node.wait_for(lambda: publisher.get_subscription_count() > 0)
        for number, data in enumerate(HOSTILE.values(), start=1):
            self.send(node, publisher, data, number)
            node.wait_for(lambda n=number: node.counts().get('failed') == n)
        since_s = time.monotonic()
        self.send(node, publisher, SMALL, 1000)
        node.wait_for(lambda: node.received['depth'])
        assert time.monotonic() - since_s < 1
        assert node.received['depth'][0].header.stamp.sec == 1000
        # One warning of the log for all of them within five seconds, and nothing from decoders.
        lines = capfd.readouterr().err.splitlines()
        assert all('image skipped: a compressed image of' in line for line in lines)
        assert len(lines) < 5

    def test_the_limit_changes_while_it_runs(self, node: Any):
        from sensor_msgs.msg import CompressedImage as Sent

        publisher = node.world.create_publisher(Sent, 'image/compressed', 10)
        node.wait_for(lambda: publisher.get_subscription_count() > 0)
        assert node.change(max_image_pixels=3071).successful
        self.send(node, publisher, SMALL, 1)
        node.wait_for(lambda: node.counts().get('failed'))
        assert node.change(max_image_pixels=3072).successful
        self.send(node, publisher, SMALL, 2)
        node.wait_for(lambda: node.received['depth'])
