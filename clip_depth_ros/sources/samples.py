# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images with known depth, wherever they come from: what training and evaluation read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import hashlib
import re
from typing import Final, Protocol

from clip_depth_ros.errors import DataError
from clip_depth_ros.types import Depth, Intrinsics, Rgb
import numpy as np
from numpy.typing import NDArray

_CHECKED: Final = 16
"""Frames that are looked at before training starts."""

_PLAUSIBLE_M: Final = (0.05, 500.0)
"""The median depth of a source lies in between, or its unit is not metres."""

_REASONS: Final = 5
"""So many are told of those why no frame can be used."""

_NUMBER: Final = re.compile(r'\d+')

_LONGEST_PART: Final = 200
"""Characters of the text that says which part of a source a subset is."""


@dataclass(frozen=True, slots=True)
class Classes:
    """
    What each pixel shows.

    Attributes
    ----------
    ids : uint8 (H, W)
    names : mapping of int to str
        By id; pixels of an id without a name belong to no class.

    """

    ids: NDArray[np.uint8]
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """
    Where an image shows a flat surface, and which way it is turned.

    Attributes
    ----------
    mask : bool (H, W)
    normal : float64 (3,)
        In the camera's optical frame, of any length and either sign.

    """

    mask: NDArray[np.bool_]
    normal: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """
    What is marked in an image besides its depth.

    Attributes
    ----------
    edges : bool (H, W), optional
        Where depth steps.
    planes : tuple of Plane

    """

    edges: NDArray[np.bool_] | None = None
    planes: tuple[Plane, ...] = ()


@dataclass(frozen=True, slots=True)
class DepthSample:
    """
    One image with what is known of its depth.

    Attributes
    ----------
    name : str
        How messages and reports call it.
    rgb : uint8 (H, W, 3)
    target_m : float32 (H, W)
        Metres along z; 0 or not finite where nothing is known.
    intrinsics : Intrinsics, optional
        Of the image, where known.
    stamp_ns : int, optional
        When it was taken, nanoseconds, where frames follow each other in time.
    recording : str
        Which recording it is of: frames of different ones do not follow each other.
    classes : Classes, optional
        Where known.
    T_world_camera : float64 (4, 4), optional
        Takes points of the camera's optical frame to a frame that does not move, where known.
    received_ns : int, optional
        When it was received, nanoseconds, where that was recorded.
    notes : mapping of str to int
        What was assumed or left out while it was read, and stands beside the numbers: a sentence,
        with how many things it counts, 0 if it counts none. The counts of all frames are summed.
    is_bent : bool
        Whether the lens bends the image: then the intrinsics hold in the middle alone.
    structure : Structure, optional
        Edges and planes of ``target_m``, where somebody marked them.

    """

    name: str
    rgb: Rgb
    target_m: Depth
    intrinsics: Intrinsics | None = None
    stamp_ns: int | None = None
    recording: str = ''
    classes: Classes | None = None
    T_world_camera: NDArray[np.float64] | None = None
    received_ns: int | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    is_bent: bool = False
    structure: Structure | None = None

    @property
    def pinhole(self) -> Intrinsics | None:
        """Return the intrinsics where they hold all over the image."""
        return None if self.is_bent else self.intrinsics


class SampleSource(Protocol):
    """Samples by number, in any order; may be sent to other processes."""

    @property
    def name(self) -> str:
        """Return how messages call it."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, index: int) -> DepthSample:
        """Return a sample; DataError, naming it, if it cannot be read."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Return all that decides what the samples are."""
        ...


@dataclass(frozen=True, slots=True)
class Subset:
    """Some samples of a source, by their numbers there."""

    source: SampleSource
    indices: tuple[int, ...]

    @property
    def name(self) -> str:
        """Return the name of the whole."""
        return self.source.name

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> DepthSample:
        return self.source[self.indices[index]]

    def describe(self) -> Mapping[str, str]:
        """Return what the whole is, and which part."""
        return {**self.source.describe(), 'part': _ranges(self.indices)}

    def parts(self) -> NDArray[np.intp]:
        """Return the parts of the whole."""
        return parts_of(self.source)[list(self.indices)]


class Joined:
    """
    The frames of several sources, one after the other.

    Parameters
    ----------
    sources : SampleSource
        The name of the first is the name of all.

    """

    def __init__(self, *sources: SampleSource) -> None:
        self.name = sources[0].name
        self._sources = sources

    def __len__(self) -> int:
        return sum(map(len, self._sources))

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame."""
        place = index
        for source in self._sources:
            if 0 <= place < len(source):
                return source[place]
            place -= len(source)
        raise IndexError(index)

    def describe(self) -> Mapping[str, str]:
        """Return the descriptions of all, numbered."""
        return {
            f'{number}.{name}': value
            for number, source in enumerate(self._sources)
            for name, value in source.describe().items()
        }

    def parts(self) -> NDArray[np.intp]:
        """Return the parts of all, one after the other."""
        return joined_parts(self._sources)


def parts_of(source: SampleSource) -> NDArray[np.intp]:
    """
    Return the number of the part that each frame is of, (n,): those of one are of one camera.

    A source that has several says so by a method ``parts``; others are one part.
    """
    own: Callable[[], NDArray[np.intp]] | None = getattr(source, 'parts', None)
    return np.zeros(len(source), np.intp) if own is None else own()


def joined_parts(sources: Sequence[SampleSource]) -> NDArray[np.intp]:
    """Return the parts of sources one after the other, none of them shared."""
    each = [np.zeros(0, np.intp)]
    for source in sources:
        each.append(parts_of(source) + max(int(parts.max(initial=-1)) + 1 for parts in each))
    return np.concatenate(each)


def numbered(names: Sequence[str]) -> list[str]:
    """Return names without repetition: a second one is called ``name (2)``."""
    seen: Counter[str] = Counter()
    each = []
    for name in names:
        seen[name] += 1
        each.append(name if seen[name] == 1 else f'{name} ({seen[name]})')
    return each


def reasons_text(reasons: Sequence[str]) -> str:
    """
    Return why frames were of no use, most frequent first: each reason with how often it was.

    Those that differ in numbers alone (of frames, stamps, files) are one; its first one is told.
    """
    first: dict[str, str] = {}
    counts = Counter(_NUMBER.sub('#', reason) for reason in reasons)
    for reason in reasons:
        first.setdefault(_NUMBER.sub('#', reason), reason)
    told = [f'{count} x {first[kind]}' for kind, count in counts.most_common(_REASONS)]
    more = len(counts) - len(told)
    return '; '.join([*told, *([f'and {more} other reasons'] if more else [])])


def _ranges(indices: Sequence[int]) -> str:
    """Return numbers as text, neighbours together: 0-7 9; too many of them as their hash."""
    text = ''
    for place, index in enumerate(indices):
        goes_on = place > 0 and index == indices[place - 1] + 1
        is_end = place + 1 == len(indices) or indices[place + 1] != index + 1
        if not goes_on:
            text += f' {index}'
        elif is_end:
            text += f'-{index}'
    text = text.strip()
    if len(text) <= _LONGEST_PART:
        return text
    return f'{len(indices)} frames, sha256 {hashlib.sha256(text.encode()).hexdigest()}'


def check_source(source: SampleSource) -> None:
    """
    Look at some frames before anything is computed.

    Raises
    ------
    DataError
        If there is no frame, none of those looked at can be read, none has depth, or depth is in
        another unit than metres.

    """
    if not len(source):
        raise DataError(f'{source.name} has no frames: check its list, folder or topics')
    indices = np.unique(np.linspace(0, len(source) - 1, _CHECKED).astype(int)).tolist()
    medians, problems = _medians_m(source, indices)
    if not medians:
        unread = f' ({reasons_text(problems)})' if problems else ''
        raise DataError(
            f'none of the frames of {source.name} that were looked at has any depth: check that '
            f'images and depth belong together{unread}'
        )
    typical, (least, most) = float(np.median(medians)), _PLAUSIBLE_M
    if not least <= typical <= most:
        raise DataError(
            f'the median depth of {source.name} is {typical:.4g} m, outside of {least:g} to '
            f'{most:g}: its unit is not metres (millimetres want / 1000, KITTI PNGs / 256)'
        )


def _medians_m(
    source: SampleSource, indices: Sequence[int]
) -> tuple[list[float], list[str]]:
    """Return the median depth of frames that have any, and why others cannot be read."""
    medians, problems = [], []
    for index in indices:
        try:
            target_m = source[index].target_m
        except DataError as error:
            problems.append(str(error))
            continue
        known = target_m[np.isfinite(target_m) & (target_m > 0)]
        if known.size:
            medians.append(float(np.median(known)))
    if len(problems) == len(indices):
        raise DataError(
            f'none of {len(problems)} frames of {source.name} could be read: '
            f'{reasons_text(problems)}'
        )
    return medians, problems
