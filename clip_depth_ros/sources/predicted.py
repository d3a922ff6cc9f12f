# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth that something else has predicted: maps in a folder, or a topic beside the images.

Which file of a folder is of which frame is decided by one rule for all frames, the one that finds
most of them (of equals, the first)::

    path    <name of the frame>.npy or .png, below the folder: rgb/0000000005.npy
    kitti   drive and number of KITTI, as BTS names its PNGs:
            2011_09_26_drive_0002_sync_0000000005.png
    stem    the last part of the name, in any folder below: 0000000005.npy
    stamp   the time of the frame in nanoseconds: 1600000000123456789.npy
    order   as many files as frames, and none of the above: the first is of the first

A rule under which two frames would share a file does not count: 0000000005 of two drives. Where
no rule fits (none), a frame still has the file that its stamp names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
import re
from typing import Final

from clip_depth_ros.bags.clocks import remedy
from clip_depth_ros.bags.damage import Damage, readable_messages
from clip_depth_ros.bags.places import message_at, open_per_process, Place, place_of
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import check_depth_topic, first_message
from clip_depth_ros.core.depth_images import decode_depth, MM_PER_METRE
from clip_depth_ros.core.files import fingerprint, PerProcess
from clip_depth_ros.core.images import encoding_of, is_depth
from clip_depth_ros.core.stamps import ByStamp, PairBy
from clip_depth_ros.errors import ConfigError, DataError, RecordingError, TopicError
from clip_depth_ros.sources.files import IN_METRES, read_depth
from clip_depth_ros.sources.frame_reader import named_in_errors
from clip_depth_ros.sources.kinds.pattern import natural
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, MAX_IMAGE_PIXELS
import numpy as np

_SUFFIXES: Final = ('.png', *IN_METRES)  # where a file has both, the latter: it is not rounded
_IMAGE_SUFFIXES: Final = re.compile(
    r'\.(png|jpe?g|ppm|bmp|tiff?|npy|npz|exr|pfm)$', re.IGNORECASE
)
_REPEATED: Final = re.compile(r' \(\d+\)$')
"""What is added to the name of a frame that is there twice."""

_DRIVE: Final = re.compile(r'(\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract))(?!.*_drive_)(.*)')
_KITTI_NUMBER: Final = re.compile(r'(?<!\d)(\d{10})(?!\d)| (\d+) [lr]$')
_RIGHT: Final = re.compile(r'image_03| r$')

_BY_STAMP: Final = ('stamp', 'none')
"""Rules under which files have the stamps of frames for names, if any do."""

_DIGITS_OF_A_STAMP: Final = 16
"""Nanoseconds since 1970 had so many from April of that year on."""


class PredictedFiles:
    """
    The files of a folder as depth of frames.

    Parameters
    ----------
    folder : Path
        ``.npy`` (``.npz``, ``.exr``, ``.pfm``) with float metres, or 16-bit PNGs, in it or below.
    per_metre : float
        What a PNG stores for each metre; 0 is unknown.
    names : sequence of str
        Names of all frames, in their order.
    max_pixels : int
        Larger files are refused.

    Raises
    ------
    ConfigError
        If ``per_metre`` is not positive.
    RecordingError
        If the folder is not there or has no such files.

    """

    def __init__(
        self,
        folder: Path,
        per_metre: float,
        names: Sequence[str],
        max_pixels: int = MAX_IMAGE_PIXELS,
    ) -> None:
        if not per_metre > 0:
            raise ConfigError(f'a PNG must store more than 0 for each metre, got {per_metre}')
        self._folder, self._per_metre, self._n_frames = folder, per_metre, len(names)
        self._max_pixels = max_pixels
        self._files = _files_below(folder)
        if not self._files:
            raise RecordingError(
                f'{str(folder)!r} has no predictions: looked for .npy and .png files in it and '
                'below; check pred_dir'
            )
        self._has_pngs = any(path.suffix == '.png' for path in self._files.values())
        self.rule, self._found = _matched(self._files, names)
        self._by_stem = _unique({key: _last_part(key) for key in self._files})

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """
        Return what was predicted for a frame; NaN where it is unknown.

        Raises
        ------
        DataError
            If there is no file for it, saying what was looked for, or it does not decode.

        """
        key = self._found.get(sample.name)
        if self.rule in _BY_STAMP and sample.stamp_ns is not None:
            key = self._by_stem.get(str(sample.stamp_ns))
        if key is None:
            raise DataError(self._not_found(sample))
        path = self._files[key]
        depth_m = read_depth(path, self._per_metre, self._max_pixels)
        if path.suffix not in IN_METRES:
            depth_m[depth_m == 0] = np.nan
        return DepthMap(depth_m)

    def describe(self) -> Mapping[str, str]:
        """Return the folder, the rule, and what changes when a file is written again."""
        return {
            'predictions': str(self._folder),
            **({'per_metre': f'{self._per_metre:g}'} if self._has_pngs else {}),
            'files': str(len(self._files)),
            'files_sha256': fingerprint(self._files.values()),
            'found_by': self.rule,
        }

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _not_found(self, sample: DepthSample) -> str:
        plain = _plain(sample.name)
        wanted = [repr(name) for name in dict.fromkeys((plain, _last_part(plain)))]
        if sample.stamp_ns is not None:
            wanted.append(f'{sample.stamp_ns} (the stamp)')
        example = next(iter(self._files.values())).relative_to(self._folder)
        rule = (
            f'no rule fits its {len(self._files)} files, such as {str(example)!r}, to the '
            f'{self._n_frames} frames'
            if self.rule == 'none'
            else f'its {len(self._files)} files, such as {str(example)!r}, are found by '
            f'{self.rule}'
        )
        return (
            f'{sample.name}: no prediction in {str(self._folder)!r}: {rule}; looked for .npy or '
            f'.png of the name {" or ".join(wanted)}, or as many files as frames'
        )


def _files_below(folder: Path) -> dict[str, Path]:
    """Return the files by their paths below the folder without suffix, in the order of numbers."""
    found = {
        path.relative_to(folder).with_suffix('').as_posix(): path
        for suffix in _SUFFIXES
        for path in folder.rglob(f'*{suffix}')
        if path.is_file() and not path.name.startswith('.')
    }
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def _matched(
    files: Mapping[str, Path], names: Sequence[str]
) -> tuple[str, Mapping[str, str]]:
    """Return the rule, and the file (by its path without suffix) of each frame that has one."""
    plain = {name: _plain(name) for name in names}
    best: tuple[str, Mapping[str, str]] = ('none', {})
    for rule, key_of in _RULES.items():
        keys = _unique({path: key_of(path) for path in files})
        found = {name: keys[key] for name in names if (key := key_of(plain[name])) in keys}
        n_frames = len({plain[name] for name in found})
        if n_frames == len(set(found.values())) and len(found) > len(best[1]):
            best = (rule, found)
    if best[1]:
        return best
    if len(files) == len(names) and not all(map(_is_stamp, files)):
        return 'order', dict(zip(names, files, strict=True))
    return 'stamp' if any(map(_is_stamp, files)) else 'none', {}


def _unique(keys: Mapping[str, Hashable]) -> dict[Hashable, str]:
    """Turn a mapping around; what stands for several, or is nothing, is left out."""
    counts = Counter(keys.values())
    return {key: path for path, key in keys.items() if key is not None and counts[key] == 1}


def _plain(name: str) -> str:
    """Return the name of a frame without the suffix of its image."""
    return _IMAGE_SUFFIXES.sub('', _REPEATED.sub('', name))


def _whole(path: str) -> str:
    return PurePosixPath(path).as_posix()


def _last_part(path: str) -> str:
    return path.rpartition('/')[2]


def _kitti_key(path: str) -> tuple[str, int, bool] | None:
    """Return drive, number and whether it is the right camera, where a text names them."""
    drive = _DRIVE.search(path)
    number = _KITTI_NUMBER.search(drive[2]) if drive else None
    if drive is None or number is None:
        return None
    return drive[1], int(number[1] or number[2]), bool(_RIGHT.search(drive[2]))


def _is_stamp(path: str) -> bool:
    stem = _last_part(path)
    return stem.isdecimal() and len(stem) >= _DIGITS_OF_A_STAMP


_RULES: Final[Mapping[str, Callable[[str], Hashable]]] = {
    'path': _whole, 'kitti': _kitti_key, 'stem': _last_part,
}


class RecordedDepth:
    """
    The depth images of a topic as answers for images of the same recordings.

    Parameters
    ----------
    paths : mapping of str to Path
        The recording of each ``DepthSample.recording``.
    topic : str
        Depth images, 32FC1 metres or 16UC1 millimetres, of any size, maybe compressed.
    tolerance_s : float
        Largest difference in time of an image and its depth; of what is equally near the one
        counts that was received nearest to the image.
    max_pixels : int
        Larger images are refused.
    pair_by : {'header', 'receive'}
        Whether their stamps are compared, or when they were received.
    per_metre : float
        What 16 bits store for each metre.

    Raises
    ------
    TopicError
        If the topic is in none of the recordings that can be opened, or holds no depth images.

    Notes
    -----
    A recording is read through once, when the first of its frames is asked for; one at a time is
    open. What is damaged is left out: its frames have no depth then. One thread at a time may ask.

    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        topic: str,
        tolerance_s: float,
        max_pixels: int = MAX_IMAGE_PIXELS,
        pair_by: PairBy = 'header',
        per_metre: float = MM_PER_METRE,
    ) -> None:
        self._paths, self._topic, self._tolerance_s = dict(paths), topic, tolerance_s
        self._max_pixels, self._per_metre = max_pixels, per_metre
        self._pair_by: PairBy = pair_by
        self._by_stamp: dict[str, ByStamp[Place]] = {}
        self._open: tuple[str, PerProcess[BagReader]] | None = None
        self._is_16_bit = _encoding_somewhere(topic, self._paths) == '16UC1'

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """
        Return the depth of a frame: of the message that was taken nearest to it.

        Raises
        ------
        DataError
            If the frame is of none of the recordings, the topic has no depth near enough, or that
            does not decode; it names the frame.

        """
        with named_in_errors(sample.name):
            return self._depth_of(sample)

    def describe(self) -> Mapping[str, str]:
        """Return what decides the answers."""
        by_receipt = {'pair_by': 'receive'} if self._pair_by == 'receive' else {}
        per_metre = {'per_metre': f'{self._per_metre:g}'} if self._is_16_bit else {}
        return {
            'pred_topic': self._topic, 'tolerance_s': f'{self._tolerance_s:g}', **by_receipt,
            **per_metre,
        }

    def close(self) -> None:
        """Close the recording; it is opened again when a frame is asked for."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _depth_of(self, sample: DepthSample) -> DepthMap:
        if sample.recording not in self._paths or sample.stamp_ns is None:
            raise DataError(
                f'a frame with a stamp, of one of the recordings {[*self._paths]}, can have depth '
                f'on {self._topic!r}; this one is of {sample.recording!r}'
            )
        bag = self._bag(sample.recording)
        if sample.recording not in self._by_stamp:
            check_depth_topic(bag, self._topic)
            places = _readable_places(bag, self._topic, self._pair_by)
            self._by_stamp[sample.recording] = ByStamp(places)
        received_ns = sample.received_ns or 0
        time_ns = sample.stamp_ns if self._pair_by == 'header' else received_ns
        nearest = self._by_stamp[sample.recording].nearest(time_ns, received_ns)
        if nearest is None:
            raise DataError(f'{self._topic!r} has no messages')
        apart_s = abs(nearest.time_ns - time_ns) / 1e9
        if apart_s > self._tolerance_s:
            raise DataError(
                f'{self._topic!r} has no depth within sync_tolerance_s={self._tolerance_s:g}, the '
                f'nearest is {apart_s:.3f} s away{remedy(apart_s, self._pair_by)}'
            )
        message = message_at(bag, nearest)
        if not is_depth(message):
            raise DataError(_no_depth(self._topic, encoding_of(message)))
        return DepthMap(decode_depth(message, self._max_pixels, self._per_metre))

    def _bag(self, recording: str) -> BagReader:
        """Return an open recording; the one before it is closed."""
        if self._open is None or self._open[0] != recording:
            self.close()
            self._open = (recording, open_per_process(self._paths[recording]))
        return self._open[1].get()


def _readable_places(bag: BagReader, topic: str, pair_by: PairBy) -> Iterator[Place]:
    for message in readable_messages(bag, [topic], Damage()):
        with suppress(RecordingError):
            yield place_of(message, pair_by)


def _encoding_somewhere(topic: str, paths: Mapping[str, Path]) -> str:
    """
    Return the encoding of a topic in the first recording that has it; empty without messages.

    TopicError, before anything is computed, if it is in none, or is no depth.
    """
    reasons = []
    for path in paths.values():
        try:
            with BagReader(path) as bag:
                check_depth_topic(bag, topic)
                image = first_message(bag, topic)
                if image is not None and not is_depth(image):
                    raise TopicError(_no_depth(topic, encoding_of(image)))
                return '' if image is None else encoding_of(image)
        except RecordingError as error:
            reasons.append(error)
    if reasons:
        raise TopicError(f'pred_topic: {reasons[0]}') from reasons[0]
    return ''


def _no_depth(topic: str, encoding: str) -> str:
    return (
        f"{topic!r} has images of encoding {encoding!r}, depth should be '32FC1' or '16UC1': name "
        'the topic on which the depth itself was published'
    )
