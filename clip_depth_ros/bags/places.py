# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the messages of a recording are, and which of them belong together, by which clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import struct
from typing import Any, Final

from clip_depth_ros.bags.foreign import why_no_cdr
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.files import PerProcess
from clip_depth_ros.core.stamps import ByStamp, gap_max_s, once_each, PairBy, stamp_ns_of
from clip_depth_ros.errors import RecordingError
from clip_depth_ros.types import RecordedMessage


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a message is: its topic, when it was received and taken (ns), and its frame.

    ``pair_by`` says which of the two times counts for what belongs to it.
    """

    topic: str
    received_ns: int
    stamp_ns: int
    frame_id: str
    pair_by: PairBy = 'header'

    @property
    def time_ns(self) -> int:
        """When it counts as taken, nanoseconds."""
        return self.stamp_ns if self.pair_by == 'header' else self.received_ns


def place_of(message: RecordedMessage, pair_by: PairBy = 'header') -> Place:
    """
    Return the place of a message that starts with a header; what follows is not read.

    Raises
    ------
    RecordingError
        If the message ends within its header, or does not even start as CDR does.

    """
    if message.cdr[:1] not in (b'\x00', b''):
        raise RecordingError(why_no_cdr(message.topic, message.cdr))
    # CDR: four bytes of which the second says the byte order, then int32 and uint32, then the
    # length of the text with its closing zero.
    order = '<' if message.cdr[1:2] == b'\x01' else '>'
    try:
        seconds, nanoseconds, length = struct.unpack_from(f'{order}iII', message.cdr, 4)
        (name,) = struct.unpack_from(f'{max(0, length - 1)}s', message.cdr, 16)
    except struct.error as error:
        raise RecordingError(why_no_cdr(message.topic, message.cdr)) from error
    return Place(
        message.topic,
        message.bag_time_ns,
        seconds * 10**9 + nanoseconds,
        name.decode('utf-8', 'replace'),
        pair_by,
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and the depth that belongs to it: a message, or a file beside the recording."""

    image: Place
    depth: Place | Path


def paired(images: Sequence[Place], depths: Sequence[Place], tolerance_ns: int) -> list[Pair]:
    """
    Return each image with the depth that is nearest in time, where that is near enough.

    Of equally near depths, the one that was received nearest to the image counts, then the earlier
    one; one depth may serve several images.
    """
    by_stamp = ByStamp(depths)
    found = (
        (image, by_stamp.within(image.time_ns, tolerance_ns, image.received_ns))
        for image in images
    )
    return [Pair(image, depth) for image, depth in found if depth is not None]


def depth_once(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs; a depth message stays with the nearest of its images alone."""
    files = [pair for pair in pairs if isinstance(pair.depth, Path)]
    return files + [Pair(image, depth) for image, depth in once_each(_recorded(pairs))]


def stamp_gap_max_s(pairs: Sequence[Pair]) -> float | None:
    """Return the largest difference in time of an image and its depth; None without any."""
    return gap_max_s(_recorded(pairs))


def _recorded(pairs: Sequence[Pair]) -> list[tuple[Place, Place]]:
    return [(pair.image, pair.depth) for pair in pairs if isinstance(pair.depth, Place)]


def open_per_process(path: Path) -> PerProcess[BagReader]:
    """Return a recording that each process, and each pickled copy, opens for itself."""
    return PerProcess(partial(BagReader, path))


def message_at(bag: BagReader, place: Place) -> Any:
    """
    Read and decode the message at a place.

    Raises
    ------
    RecordingError
        If it cannot be read, or is not there.

    """
    time_ns = place.received_ns
    for message in bag.messages([place.topic], start_ns=time_ns, stop_ns=time_ns + 1):
        decoded: Any = bag.decode(message)
        if stamp_ns_of(decoded.header) == place.stamp_ns:
            return decoded
    raise RecordingError(f'the message of {place.topic!r} is gone: did the recording change?')


_GAP_S: Final = 0.01
"""Our choice: at 10 m/s and more, what is 10 ms apart shows in near depth (0.1 m)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """
    What became of the images of a source.

    Attributes
    ----------
    n_images : int
        All images.
    n_without_depth : int
        Have no depth, or none that is near enough.
    n_shared : int
        Are left out because their nearest depth is nearer to another image.
    n_repeated : int
        Share their stamp with another image.
    tolerance_s : float, optional
        Largest difference of stamps that was allowed; None where names say what belongs together.
    stamp_gap_max_s : float, optional
        Largest difference of stamps of an image and its depth that is used, where that is told.

    """

    n_images: int
    n_without_depth: int = 0
    n_shared: int = 0
    n_repeated: int = 0
    tolerance_s: float | None = None
    stamp_gap_max_s: float | None = None

    def describe(self) -> dict[str, str]:
        """Return the facts that decide the frames, for the descriptions of sources."""
        facts = {}
        if self.n_repeated:
            facts['repeated_stamps'] = str(self.n_repeated)
        if self.stamp_gap_max_s is not None:
            facts['stamp_gap_max_s'] = f'{self.stamp_gap_max_s:.4g}'
        return facts


def notes_on(matchings: Sequence[Matching]) -> list[str]:
    """Return the sentences to print beside numbers that come from all of these sources."""
    n_images = sum(each.n_images for each in matchings)
    n_without = sum(each.n_without_depth for each in matchings)
    n_shared = sum(each.n_shared for each in matchings)
    n_repeated = sum(each.n_repeated for each in matchings)
    tolerance_s = max((each.tolerance_s or 0 for each in matchings), default=0)
    gap_s = max((each.stamp_gap_max_s or 0 for each in matchings), default=0)
    by_stamp = any(each.tolerance_s is not None for each in matchings)
    notes = []
    if n_without:
        within = f' within {tolerance_s:g} s' if by_stamp else ''
        has = 'has' if n_without == 1 else 'have'
        notes.append(f'{n_without} of {n_images} images {has} no depth{within}')
    if n_shared:
        are = 'is' if n_shared == 1 else 'are'
        notes.append(
            f'{n_shared} of {n_images} images {are} left out: the depth nearest to each is nearer '
            'to another image'
        )
    if n_repeated:
        how = (
            'matched by receive time'
            if by_stamp
            else 'those of one stamp share a depth map, unless it is 0'
        )
        notes.append(f'{n_repeated} images have a stamp that another one has, too: {how}')
    if gap_s > _GAP_S:
        notes.append(f'images and their depth are up to {gap_s:.3g} s apart')
    return notes
