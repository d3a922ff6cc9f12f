# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The kinds of data there are, and how a source of any of them is opened.

A kind is one module of :mod:`clip_depth_ros.sources.kinds`, which has its name and a ``KIND``.
Training and evaluation open all of them alike; what they want differently is in
:class:`FrameRules`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
import functools
import importlib
import os.path
from pathlib import Path
import pkgutil
from typing import Final, TYPE_CHECKING

from clip_depth_ros.core.projection import LidarPixel, LidarValue
from clip_depth_ros.errors import ConfigError, did_you_mean, RecordingError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources import kinds
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import MAX_IMAGE_PIXELS

if TYPE_CHECKING:  # the command line asks for the names of kinds, and must not load readers
    from clip_depth_ros.bags.places import Matching

_SHOWN: Final = 8  # of the entries of a folder that nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRules:
    """
    What frames are opened for: how training and evaluation differ.

    Attributes
    ----------
    lidar_value, lidar_pixel : str
        What a point of a LiDAR stands for, and where it falls; see :func:`sparse_depth`.
    images_needed : bool
        Whether anyone looks at the images; if not, a recording need not have any.
    pred_topics : collection of str
        Depth that is evaluated: no camera.
    allow_missing : bool
        Leave out listed files that are not there, and what is damaged of a recording, as
        ``problems``, rather than raise.
    as_measured : bool
        Of NYU's labelled file, take depth as measured rather than with its holes filled.
    one_to_one : bool
        Whether a message of depth is the truth of its nearest image alone, or of all images that
        it is the nearest to.
    annotated_below : bool
        Of KITTI's listed frames, look for annotated depth below the images where ``gt_dir`` names
        no other place, rather than take the LiDAR.
    sky_depth_m : float
        What the sky of rendered streets counts as; 0: nothing is known there.
    rendered_dir : Path, optional
        Folder where rendered frames are kept.
    n_workers : int
        Processes that render them.

    """

    lidar_value: LidarValue = 'z'
    lidar_pixel: LidarPixel = 'nearest'
    images_needed: bool = True
    pred_topics: Collection[str] = ()
    allow_missing: bool = False
    as_measured: bool = False
    one_to_one: bool = False
    annotated_below: bool = False
    sky_depth_m: float = 0.0
    rendered_dir: Path | None = None
    n_workers: int = 1


class Source(ABC):
    """
    Frames of one kind, from one place: a :class:`SampleSource`.

    Attributes
    ----------
    name : str
        How messages call it.
    names : sequence of str
        Of all frames, known without reading them.
    gt_kind : str
        Where depth comes from: annotated, raw-lidar, depth-images or exact.
    problems : sequence of (str, str)
        What cannot be used, and why.
    notes : sequence of str
        Sentences that should stand beside the numbers, known without reading the frames.
    matching : Matching, optional
        What became of the images, where some may be without depth.
    max_image_pixels : int
        Larger images are refused before they are decoded.

    """

    name: str
    names: Sequence[str]
    gt_kind: str = 'depth-images'
    problems: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    matching: Matching | None = None
    max_image_pixels: int = MAX_IMAGE_PIXELS

    @property
    def files(self) -> list[Path]:
        """Return the files that frames are read from; some may be missing, where they may be."""
        return []

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame; DataError, naming it, if it cannot be read."""

    @abstractmethod
    def describe(self) -> Mapping[str, str]:
        """Return what decides the frames."""

    def close(self) -> None:  # noqa: B027 (most have nothing open)
        """Close what is open; it is opened again when a frame is asked for."""


def _own_path(source: str) -> list[str]:
    return [os.path.realpath(user_path(source))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    A kind of data.

    Attributes
    ----------
    looks_like : str
        How it is recognised, for messages; empty if it never is.
    recognises : callable
        Says whether a path is of this kind.
    uses : collection of str
        Names of the settings that it uses, of those that not all kinds use.
    opened : callable
        Opens a path (or seeds) with settings, for a purpose. Raises ConfigError if a setting is
        missing or out of its range, DataError if it cannot be opened or has no frames.
    parts : callable
        What a source is made of, so that nothing of it is named twice; by default the path.
    protocol : str
        Protocol that is usual for it, if its kind of ground truth does not say.
    is_path : bool
        Whether sources are files or folders.
    searches : bool
        Whether recognising it looks at many files: it is asked after all others.

    """

    looks_like: str = ''
    recognises: Callable[[Path], object]
    uses: Collection[str]
    opened: Callable[[Path, SourceSettings, FrameRules], Source]
    parts: Callable[[str], Iterable[str]] = _own_path
    protocol: str = ''
    is_path: bool = True
    searches: bool = False


def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds, as settings have them: ``kitti-object``."""
    names = (module.name for module in pkgutil.iter_modules(kinds.__path__))
    return tuple(sorted(name.replace('_', '-') for name in names))


@functools.cache
def known_kinds() -> Mapping[str, Kind]:
    """Return all kinds by name."""
    modules = {name: f'{kinds.__name__}.{name.replace("-", "_")}' for name in kind_names()}
    return {name: importlib.import_module(module).KIND for name, module in modules.items()}


def kind_of(source: str) -> str:
    """
    Return the kind of a source: what ``SourceSettings.kind`` is when it is not auto.

    Raises
    ------
    RecordingError
        If there is no such file or folder.
    ConfigError
        If it is of no kind that can be seen, or could be of several; it says what was seen.

    """
    path = user_path(source)
    found: list[str] = []
    for searches in (False, True):
        found = found or [
            name for name, kind in known_kinds().items()
            if kind.searches is searches and kind.recognises(path)
        ]
    if len(found) == 1:
        return found[0]
    _check_there(path)
    raise ConfigError(_unclear(path, found))


def one_kind_of(sources: Sequence[str], kind: str) -> str:
    """
    Return the one kind that all sources (paths or seeds) are of; auto looks at them.

    Raises
    ------
    RecordingError
        If a file or folder is not there.
    ConfigError
        If there is no such kind, none can be seen, or sources are of several.

    """
    if not sources:
        raise ConfigError('name at least one source: a recording, a folder, or seeds')
    if kind != 'auto':
        if kind not in known_kinds():
            names = ('auto', *known_kinds())
            raise ConfigError(
                f'kind: no {kind!r} among {", ".join(names)}{did_you_mean(kind, names)}'
            )
        for source in sources if known_kinds()[kind].is_path else ():
            _check_there(user_path(source))
        return kind
    found = {source: kind_of(source) for source in sources}
    if len(set(found.values())) > 1:
        seen = ', '.join(f'{source!r} is {kind}' for source, kind in found.items())
        raise ConfigError(f'sources should be of one kind, but {seen}: use each kind on its own')
    return found[sources[0]]


def open_one(kind: str, source: str, settings: SourceSettings, rules: FrameRules) -> Source:
    """
    Open a source (a path, or seeds) of a kind.

    Raises
    ------
    ConfigError
        If a setting is missing, out of its range, or not for this kind.
    DataError
        If it cannot be opened or has no frames.

    """
    _check_used(kind, settings)
    opened = known_kinds()[kind].opened(user_path(source), settings, rules)
    opened.max_image_pixels = settings.max_image_pixels
    return opened


def _check_used(kind: str, settings: SourceSettings) -> None:
    """Refuse settings that are named and a kind does not use, naming the kinds that do."""
    used = {
        name: {*each.uses, *(['validation_split'] if 'split' in each.uses else [])}
        for name, each in known_kinds().items()
    }
    for name in sorted(set().union(*used.values()) & settings.given() - used[kind]):
        others = ', '.join(other for other, names in used.items() if name in names)
        raise ConfigError(
            f'{name} is not for kind {kind}, it is for {others}: leave it out, or name another '
            '`kind`'
        )


def path_or_none(text: str) -> Path | None:
    """Return the path that a setting names, ~ being the home folder; None if it is empty."""
    return user_path(text) if text else None


def _check_there(path: Path) -> None:
    """Refuse a path with a slip of the pen."""
    if not path.exists():
        raise RecordingError(
            f'{str(path)!r} is not there: check the path (or name seeds of rendered streets, such '
            'as 1000000 or 1000000-1000009)'
        )


def _unclear(path: Path, found: list[str]) -> str:
    if found:
        return (
            f'{str(path)!r} could be of kind {" or ".join(found)}: say which (kind), or name the '
            'folder of one of them'
        )
    names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    more = ', ...' if len(names) > _SHOWN else ''
    holds = f'it holds {", ".join(names[:_SHOWN]) or "nothing"}{more}' if path.is_dir() else (
        f'it is a file with the suffix {path.suffix!r}'
    )
    known = ', '.join(
        f'{name} ({kind.looks_like})' for name, kind in known_kinds().items() if kind.looks_like
    )
    return (
        f'{str(path)!r} is of no known kind: {holds}. Known are {known}. Any other folder of '
        'images with depth maps: kind=pattern, with `images` and gt_images such as rgb/*.png '
        'and depth/*.png'
    )
