# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of one or several sources of a kind, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress, permutations
import os.path
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import notes_on
from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.registry import (
    FrameRules,
    known_kinds,
    one_kind_of,
    open_one,
    Source,
)
from clip_depth_ros.sources.samples import DepthSample, Joined, joined_parts, numbered
import numpy as np
from numpy.typing import NDArray

_PROTOCOLS: Final = {'annotated': 'kitti-eigen-garg', 'raw-lidar': 'raw-lidar'}
"""What is usual for a kind of ground truth, where the kind of data does not say."""


def open_for_evaluation(
    sources: Sequence[str],
    settings: SourceSettings,
    *,
    lidar_value: LidarValue = 'z',
    lidar_pixel: LidarPixel = 'nearest',
    images_needed: bool = True,
    pred_topics: Collection[str] = (),
) -> SourceFrames:
    """
    Open frames to be scored: what is missing or damaged is left out, and told.

    Parameters
    ----------
    sources, settings
        As for :func:`open_frames`.
    lidar_value, lidar_pixel
        As in :func:`sparse_depth`.
    images_needed : bool
        Whether anyone looks at the images; if not, depth images in colours stand for them where a
        recording has no others.
    pred_topics : collection of str
        Topics of recordings that are evaluated: none of them is the camera, if there is another.

    Raises
    ------
    ConfigError, DataError
        As :func:`open_frames` does.

    """
    rules = FrameRules(
        lidar_value=lidar_value,
        lidar_pixel=lidar_pixel,
        images_needed=images_needed,
        pred_topics=tuple(pred_topics),
        allow_missing=True,
        as_measured=True,
        one_to_one=True,
    )
    return open_frames(sources, settings, rules)


def open_frames(
    sources: Sequence[str], settings: SourceSettings, rules: FrameRules
) -> SourceFrames:
    """
    Open the frames that sources and settings name.

    Parameters
    ----------
    sources : sequence of str
        Paths, or seeds of rendered streets: one or more of one kind.
    settings : SourceSettings
        Which frames of them, and what is true.
    rules : FrameRules
        What the frames are for.

    Raises
    ------
    ConfigError
        If the kind is unclear, sources are of several kinds or named twice, their ground truth is
        of several kinds, or a setting is missing or not for this kind.
    DataError
        If a source is not there, or cannot be opened: none of them, if ``allow_missing``.

    """
    kind = one_kind_of(sources, settings.kind)
    _check_named_once(sources, kind)
    opened: dict[str, Source] = {}
    errors: dict[str, DataError] = {}
    for source in sources:
        try:
            opened[source] = open_one(kind, source, settings, rules)
        except DataError as error:
            errors[source] = error
    if errors and not (opened and rules.allow_missing):
        raise next(iter(errors.values()))
    check_none_is_a_part({name: source.files for name, source in opened.items()})
    problems = [(source, str(error)) for source, error in errors.items()]
    return SourceFrames(kind, opened, problems, settings)


def _check_named_once(sources: Sequence[str], kind: str) -> None:
    """Refuse a seed, a recording (or one of its files) or a folder named twice, by any link."""
    parts_of = known_kinds()[kind].parts
    counts = Counter(part for source in sources for part in parts_of(source))
    twice = [part for part, count in counts.items() if count > 1]
    if twice:
        raise ConfigError(
            f'{twice[0]} is named twice: its frames would count twice; name it once'
        )


def check_none_is_a_part(files: Mapping[str, Iterable[Path]]) -> None:
    """
    Refuse a source whose files are all files of another one: a drive beside its date.

    ConfigError if there is one, wherever links lead.
    """
    if len(files) < 2:
        return
    resolved = {name: {*map(os.path.realpath, paths)} for name, paths in files.items()}
    for part, whole in permutations(resolved, 2):
        if resolved[part] and resolved[part] <= resolved[whole]:
            raise ConfigError(
                f'all frames of {part!r} are in {whole!r}, too: they would count twice; name one '
                'of the two'
            )


class SourceFrames:
    """
    Frames with ground truth of one kind; a :class:`SampleSource`.

    Parameters
    ----------
    kind : str
        As in :class:`SourceSettings`, never auto.
    opened : mapping of str to Source
        By what the user has called them.
    problems : sequence of (str, str)
        Sources that cannot be used, and why.
    settings : SourceSettings
        Every n-th frame of each source is used; a kind of ground truth that is named counts.

    Attributes
    ----------
    name : str
        Of all of it.
    names : list of str
        Of the frames, by number, each but once: where several sources have frames of one name,
        or are called the same, all names begin with what tells the sources apart; a frame that is
        listed again is called ``name (2)``.
    kind, gt_kind : str
        What the sources are, and what their ground truth is: annotated, raw-lidar, depth-images
        or exact.
    default_protocol : str
        What is usual for such frames (our choice).
    problems : list of (str, str)
        What cannot be used, and why.
    notes : list of str
        Sentences that should stand beside the numbers: images without depth, repeated stamps,
        images and depth of different times.
    max_image_pixels : int
        Larger images are refused, those that are predicted too.
    recordings : mapping of str to Path
        Where the recordings are, by what their frames' ``recording`` says; empty for folders.

    Raises
    ------
    ConfigError
        If the sources' ground truth is of several kinds.

    Notes
    -----
    A copy that was pickled opens its own files.

    """

    def __init__(
        self,
        kind: str,
        opened: Mapping[str, Source],
        problems: Sequence[tuple[str, str]],
        settings: SourceSettings,
    ) -> None:
        self.kind = kind
        self.gt_kind = settings.gt_kind if settings.gt_kind != 'auto' else _gt_kind(opened)
        self.default_protocol = (
            known_kinds()[kind].protocol or _PROTOCOLS.get(self.gt_kind, 'plain')
        )
        self._stride = settings.frame_stride
        self.max_image_pixels = settings.max_image_pixels
        self._sources = [*opened.values()]
        labels = _labels_of({name: source.names for name, source in opened.items()})
        frames = [
            (labels[name], source, index)
            for name, source in opened.items()
            for index in range(len(source))
        ]
        names = numbered([_called(label, each.names[index]) for label, each, index in frames])
        used = [index % self._stride == 0 for _, _, index in frames]
        self._frames = [*compress(frames, used)]
        self.names = [*compress(names, used)]
        first = self._sources[0].name
        self.name = f'{first} and {len(opened) - 1} more' if len(opened) > 1 else first
        self.problems = [*problems, *(p for source in self._sources for p in source.problems)]
        self.notes = [
            *notes_on([each.matching for each in self._sources if each.matching]),
            *dict.fromkeys(note for each in self._sources for note in each.notes),
        ]
        paths = {name: user_path(name) for name in opened} if kind == 'bag' else {}
        self.recordings = {
            _called(labels[name], path.name): path for name, path in paths.items()
        }

    @property
    def files(self) -> list[Path]:
        """Return the files that the sources are read from, to see whether they change."""
        return list(dict.fromkeys(file for source in self._sources for file in source.files))

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame; DataError, naming it, if it cannot be read."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        label, source, number = self._frames[index]
        sample = source[number]
        return replace(
            sample, name=self.names[index], recording=_called(label, sample.recording)
        )

    def describe(self) -> Mapping[str, str]:
        """Return what decides the frames."""
        whole = Joined(*self._sources) if len(self._sources) > 1 else self._sources[0]
        return {
            'kind': self.kind,
            'gt_kind': self.gt_kind,
            **({'frame_stride': str(self._stride)} if self._stride > 1 else {}),
            **whole.describe(),
            'frames_used': str(len(self)),
        }

    def parts(self) -> NDArray[np.intp]:
        """Return which source each frame is of, or which part of one that has several."""
        numbers = np.concatenate([np.arange(len(source)) for source in self._sources])
        used: NDArray[np.intp] = joined_parts(self._sources)[numbers % self._stride == 0]
        return used

    def close(self) -> None:
        """Close what is open; it is opened again when a frame is asked for."""
        for source in self._sources:
            source.close()


def _called(label: str, name: str) -> str:
    """Return a name with what tells its source apart before it."""
    return '/'.join(part for part in (label, name) if part)


def _gt_kind(opened: Mapping[str, Source]) -> str:
    kinds = {source: one.gt_kind for source, one in opened.items()}
    if len(set(kinds.values())) > 1:
        seen = ', '.join(f'{source!r} has {found}' for source, found in kinds.items())
        raise ConfigError(
            f'ground truth should be of one kind, but {seen}: evaluate each on its own, or name '
            'the topic of the ground truth that all of them have'
        )
    return next(iter(kinds.values()))


def _labels_of(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    Return what tells sources apart, by their paths, as prefixes for the names of their frames.

    It is the parts in which the paths differ: ``one`` and ``two`` for ``one/drive.mcap`` and
    ``two/drive.mcap``. Nothing if neither frames nor last parts of paths have one name.
    """
    counts = Counter(name for of_source in names.values() for name in set(of_source))
    last_parts = {Path(source).name for source in names}
    if len(last_parts) == len(names) and max(counts.values(), default=1) == 1:
        return dict.fromkeys(names, '')
    parts = {source: Path(os.path.abspath(source)).parts for source in names}
    n_first = _n_common([*parts.values()])
    n_last = _n_common([path[n_first:][::-1] for path in parts.values()])
    return {
        source: '/'.join(path[n_first:len(path) - n_last] or path[-1:])
        for source, path in parts.items()
    }


def _n_common(paths: Sequence[Sequence[str]]) -> int:
    """Return how many leading parts all paths share."""
    shared = [len(set(parts)) == 1 for parts in zip(*paths, strict=False)]
    return shared.index(False) if False in shared else len(shared)
