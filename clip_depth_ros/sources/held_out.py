# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of training, those held out to choose by, and those of the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
import math
from typing import Final

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.frames import check_none_is_a_part, open_frames, SourceFrames
from clip_depth_ros.sources.kinds.synthetic import with_end
from clip_depth_ros.sources.registry import FrameRules, known_kinds, one_kind_of, path_or_none
from clip_depth_ros.sources.samples import SampleSource, Subset

Sources = tuple[SampleSource, ...]
"""Frames of training, those that choose the best weights, and those of the test, if any."""

_STREETS: Final = ('0-3999',)
_HELD_OUT_STREETS: Final = ('900000-900049',)
"""Our choice: what is trained on and scored where no data is named."""


def open_for_training(settings: TrainSettings) -> Sources:
    """
    Open the frames of training, those held out to choose by, and those of the test, if any.

    A data set must be whole: unlike in an evaluation, a file that is missing is an error.

    Raises
    ------
    ConfigError
        If settings do not go together, or held-out frames are among those of training.
    DataError
        If files, topics or calibration are missing, or there are too few frames to hold some out.
    OutputError
        If rendered frames cannot be kept.

    """
    n_streets = math.ceil(settings.steps * settings.batch_size / settings.frames_per_seed)
    data = [with_end(source, n_streets) for source in settings.data or _STREETS]
    kind = one_kind_of(data, settings.kind)
    is_rendered = kind == 'synthetic'
    validation = settings.validation_data or (_HELD_OUT_STREETS if is_rendered else ())
    is_shared = not (validation or settings.validation_split)
    _check_share(settings, is_used=is_shared)
    places = {'data': data, 'validation_data': validation, 'test_data': settings.test_data}
    check_apart(kind, places)
    # Nobody knows how far the sky is: it does not count where it is scored.
    train = _opened(settings, kind, data, 'train', settings.split, settings.sky_depth_m)
    shares = [settings.validation_share] if is_shared else []
    shares += [settings.test_share] if settings.test_share else []
    first, *parts = in_time(train, shares, settings.validation_gap_s)
    others: list[SampleSource] = []
    for name, sources, split in (
        ('validation', validation, settings.validation_split),
        ('test', settings.test_data, settings.test_split),
    ):
        if sources or split:
            own = _opened(settings, kind, sources or data, name, split, 0.0)
            if sources:
                check_none_is_a_part({'data': train.files, f'{name}_data': own.files})
            others.append(own)
    return (first, *others, *parts) if not is_shared else (first, *parts, *others)


def _opened(
    settings: TrainSettings, kind: str, data: Sequence[str], part: str, split: str, sky_m: float
) -> SourceFrames:
    rendered_dir = path_or_none(settings.rendered_dir)
    if rendered_dir is not None and len(data) > 1:
        raise ConfigError(f'rendered_dir keeps one range of seeds, got {" and ".join(data)}')
    rules = FrameRules(
        annotated_below=True,
        sky_depth_m=sky_m,
        rendered_dir=rendered_dir / part if rendered_dir else None,
        n_workers=settings.n_workers,
    )
    return open_frames(data, settings.model_copy(update={'kind': kind, 'split': split}), rules)


def _check_share(settings: TrainSettings, *, is_used: bool) -> None:
    if not is_used:
        settings.refuse(
            'validation_share', because='as held-out frames are of their own data or list'
        )


def check_apart(kind: str, places: Mapping[str, Sequence[str]]) -> None:
    """Check that nothing is named for two purposes."""
    parts_of = known_kinds()[kind].parts
    for (one, sources), (other, others) in combinations(places.items(), 2):
        both = {part for source in sources for part in parts_of(source)}
        both &= {part for source in others for part in parts_of(source)}
        if both:
            raise ConfigError(
                f'held-out frames must not be among those of training, but {min(both)} is in '
                f'{one} ({" ".join(sources)}) and in {other} ({" ".join(others)}): change one'
            )


def in_time(source: SampleSource, shares: Sequence[float], gap_s: float) -> list[Subset]:
    """
    Cut the last parts off a source, each in one piece: neighbours in time look alike.

    Parameters
    ----------
    source : SampleSource
        All frames.
    shares : sequence of float
        Parts that are cut off the end, in their order, of all frames; at least one frame each.
    gap_s : float
        Frames of a part that are closer in time to the next part of the same recording are left
        out; those without a time stay.

    Returns
    -------
    list of Subset
        What is left, and the parts.

    Raises
    ------
    DataError
        If that leaves a part without frames.

    """
    sizes = [max(1, round(share * len(source))) for share in shares]
    ends = [len(source) - sum(sizes[number:]) for number in range(len(sizes))]
    starts, ends = [0, *ends], [*ends, len(source)]
    parts = []
    for place, (first, end) in enumerate(zip(starts, ends, strict=True)):
        is_last = place + 1 == len(starts)
        kept = end if is_last else _end_before(source, first, end, gap_s)
        if kept <= first:
            gap = f' with {gap_s:g} s between the parts (validation_gap_s)' if gap_s else ''
            held = ' and '.join(f'{share:g}' for share in shares)
            # Each part but the last loses its frames within the gap.
            least_s = gap_s / max(0.01, min(1 - sum(shares), *shares[:-1], 1))
            enough = f' (a recording of more than {least_s:.0f} s)' if gap_s else ''
            raise DataError(
                f'{source.name} has {len(source)} frames, too few to hold out {held} of them'
                f'{gap}: use more frames{enough}, or name held-out ones in a list'
            )
        parts.append(Subset(source, tuple(range(first, kept))))
    return parts


def _end_before(source: SampleSource, first: int, end: int, gap_s: float) -> int:
    """Return where frames end that are so much earlier than frame ``end``."""
    if gap_s == 0:
        return end
    after = _stamp(source, end)
    for last in range(end - 1, first - 1, -1):
        own = _stamp(source, last)
        if after is None or own is None or own[0] != after[0]:
            return last + 1
        if abs(after[1] - own[1]) >= gap_s * 1e9:
            return last + 1
    return first


def _stamp(source: SampleSource, index: int) -> tuple[str, int] | None:
    """Return recording and stamp of a frame; None if it has none or cannot be read."""
    try:
        sample = source[index]
    except DataError:
        return None
    return None if sample.stamp_ns is None else (sample.recording, sample.stamp_ns)
