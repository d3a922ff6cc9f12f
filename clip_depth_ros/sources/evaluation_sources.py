# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of an evaluation: sources of one kind as one, each frame with a name of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clip_depth_ros.bags.places import notes_on
from clip_depth_ros.core.frame_names import labels_of, numbered
from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.evaluation import SourceSettings
from clip_depth_ros.sources.evaluation_openers import FrameRules, NamedSource, open_one, Opened
from clip_depth_ros.sources.joined import Joined
from clip_depth_ros.sources.kinds import check_there, kind_of
from clip_depth_ros.sources.named_once import check_named_once, check_none_is_a_part
from clip_depth_ros.sources.samples import DepthSample

_PROTOCOLS_OF_KIND: Final = {'kitti-selection': 'kitti-benchmark', 'nyu': 'nyu-eigen'}
_PROTOCOLS_OF_GT: Final = {'annotated': 'kitti-eigen-garg', 'raw-lidar': 'raw-lidar'}


def open_for_evaluation(
    sources: Sequence[str],
    settings: SourceSettings,
    *,
    lidar_value: LidarValue = 'z',
    lidar_pixel: LidarPixel = 'nearest',
    images_needed: bool = True,
    pred_topics: Collection[str] = (),
) -> EvaluationFrames:
    """
    Open the frames that sources and settings name.

    Parameters
    ----------
    sources : sequence of str
        Paths, or seeds of the rendered drive: one or more of one kind.
    settings : SourceSettings
        Which frames of them, and what is true.
    lidar_value, lidar_pixel
        As in :func:`sparse_depth`.
    images_needed : bool
        Whether anyone looks at the images; if not, depth images in colours stand for them where a
        recording has no others.
    pred_topics : collection of str
        Topics of recordings that are evaluated: none of them is the camera, if there is another.

    Raises
    ------
    ConfigError
        If the kind is unclear, sources are of several kinds or named twice, their ground truth is
        of several kinds, or a setting is missing or not for this kind.
    DataError
        If a source is not there, or none of them can be opened.

    """
    kind = _kind(sources, settings.kind)
    check_named_once(sources, kind)
    rules = FrameRules(lidar_value, lidar_pixel, images_needed, tuple(pred_topics))
    opened: dict[str, Opened] = {}
    errors: dict[str, DataError] = {}
    for source in sources:
        try:
            opened[source] = open_one(kind, source, settings, rules)
        except DataError as error:
            errors[source] = error
    if not opened:
        raise next(iter(errors.values()))
    if kind != 'bag':
        check_none_is_a_part({source: one.source.files for source, one in opened.items()})
    problems = [(source, str(error)) for source, error in errors.items()]
    return EvaluationFrames(kind, opened, problems, stride=settings.frame_stride)


class EvaluationFrames:
    """
    Frames with ground truth of one kind; a :class:`SampleSource`.

    Parameters
    ----------
    kind : str
        As in :class:`SourceSettings`, never auto.
    opened : mapping of str to Opened
        By what the user has called them.
    problems : sequence of (str, str)
        Sources that cannot be used, and why.
    stride : int
        Use every n-th frame of each source.

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
        opened: Mapping[str, Opened],
        problems: Sequence[tuple[str, str]] = (),
        *,
        stride: int = 1,
    ) -> None:
        self.kind, self.gt_kind = kind, _gt_kind(opened)
        self.default_protocol = _PROTOCOLS_OF_KIND.get(
            kind, _PROTOCOLS_OF_GT.get(self.gt_kind, 'plain')
        )
        labels = labels_of({source: one.source.names for source, one in opened.items()})
        parts = [_Part(labels[source], one.source) for source, one in opened.items()]
        self._stride = stride
        self._frames = parts[0] if len(parts) == 1 else Joined(*parts)
        self._sources = [one.source for one in opened.values()]
        self._picks = _every(stride, [len(part) for part in parts])
        names = numbered([name for part in parts for name in part.names])
        self.names = [names[pick] for pick in self._picks]
        self.name = _name(opened)
        self.problems = [*problems, *(p for one in opened.values() for p in one.problems)]
        self.notes = notes_on([one.matching for one in opened.values() if one.matching])
        self.recordings: dict[str, Path] = {}
        if kind == 'bag':
            paths = [Path(source).expanduser() for source in opened]
            self.recordings = {
                part.called(path.name): path for part, path in zip(parts, paths, strict=True)
            }

    @property
    def files(self) -> list[Path]:
        """Give the files that the sources are read from, to see whether they change."""
        return list(dict.fromkeys(file for source in self._sources for file in source.files))

    def __len__(self) -> int:
        return len(self._picks)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame; DataError, naming it, if it cannot be read."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return replace(self._frames[self._picks[index]], name=self.names[index])

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        stride = {'frame_stride': str(self._stride)} if self._stride > 1 else {}
        return {
            'kind': self.kind,
            'gt_kind': self.gt_kind,
            **stride,
            **self._frames.describe(),
            'frames_used': str(len(self)),
        }

    def close(self) -> None:
        """Close what is open; it is opened again when a frame is asked for."""
        for source in self._sources:
            close = getattr(source, 'close', None)
            if close is not None:
                close()


@dataclass(frozen=True)
class _Part:
    """One source among others; what tells it from them, if needed, stands before its names."""

    label: str
    source: NamedSource

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def names(self) -> list[str]:
        return [self.called(name) for name in self.source.names]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> DepthSample:
        sample = self.source[index]
        recording = self.called(sample.recording)
        return replace(sample, name=self.called(sample.name), recording=recording)

    def describe(self) -> Mapping[str, str]:
        return self.source.describe()

    def called(self, name: str) -> str:
        """Give a name with what tells the source apart before it."""
        return '/'.join(part for part in (self.label, name) if part)


def _kind(sources: Sequence[str], kind: str) -> str:
    """Give the one kind that all sources are of."""
    if not sources:
        raise ConfigError('name at least one source: a recording, a folder, or seeds')
    if kind == 'synthetic':
        return kind
    for source in sources:
        check_there(source, may_be_seeds=kind == 'auto')
    if kind != 'auto':
        return kind
    kinds = {source: kind_of(source) for source in sources}
    if len(set(kinds.values())) > 1:
        seen = ', '.join(f'{source!r} is {found}' for source, found in kinds.items())
        raise ConfigError(
            f'sources should be of one kind, but {seen}: evaluate each kind on its own'
        )
    return kinds[sources[0]]


def _gt_kind(opened: Mapping[str, Opened]) -> str:
    kinds = {source: one.gt_kind for source, one in opened.items()}
    if len(set(kinds.values())) > 1:
        seen = ', '.join(f'{source!r} has {found}' for source, found in kinds.items())
        raise ConfigError(
            f'ground truth should be of one kind, but {seen}: evaluate each on its own, or name '
            'the topic of the ground truth that all of them have'
        )
    return next(iter(kinds.values()))


def _name(opened: Mapping[str, Opened]) -> str:
    first, *others = (one.source.name for one in opened.values())
    return f'{first} and {len(others)} more' if others else first


def _every(stride: int, lengths: Sequence[int]) -> list[int]:
    """Give the numbers, in the whole, of every n-th frame of each source."""
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    return [
        start + index
        for start, length in zip(starts, lengths, strict=True)
        for index in range(0, length, stride)
    ]
