# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of training and the held-out ones that settings name."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Final

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.frames import check_none_is_a_part, open_frames, SourceFrames
from clip_depth_ros.sources.kinds.synthetic import with_end
from clip_depth_ros.sources.registry import FrameRules, known_kinds, one_kind_of, path_or_none
from clip_depth_ros.sources.samples import SampleSource, Subset

Sources = tuple[SampleSource, SampleSource]
"""Frames of training, and held-out frames."""

_STREETS: Final = ('0-3999',)
_HELD_OUT_STREETS: Final = ('900000-900049',)
"""Our choice: what is trained on and scored where no data is named."""


def open_for_training(settings: TrainSettings) -> Sources:
    """
    Open the frames of training and the held-out ones.

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
    _check_apart(kind, data, validation)
    # Nobody knows how far the sky is: it does not count where it is scored.
    train = _opened(settings, kind, data, 'train', settings.split, settings.sky_depth_m)
    if is_shared:
        return held_out(train, settings.validation_share)
    others = _opened(
        settings, kind, validation or data, 'validation', settings.validation_split, 0.0
    )
    if validation:
        check_none_is_a_part({'data': train.files, 'validation_data': others.files})
    return train, others


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


def _check_apart(kind: str, data: Sequence[str], validation: Sequence[str]) -> None:
    parts_of = known_kinds()[kind].parts
    both = {part for source in data for part in parts_of(source)}
    both &= {part for source in validation for part in parts_of(source)}
    if both:
        raise ConfigError(
            f'held-out frames must not be among those of training, but {min(both)} is in data '
            f'({" ".join(data)}) and in validation_data ({" ".join(validation)}): change one'
        )


def held_out(source: SampleSource, share: float) -> Sources:
    """
    Hold out the last part of a source, in one piece: neighbours in time look alike.

    Parameters
    ----------
    source : SampleSource
        All frames.
    share : float
        Part that is held out, between 0 and 1; at least one frame.

    Raises
    ------
    DataError
        If that leaves no frame to train on.

    """
    n_train = len(source) - max(1, round(share * len(source)))
    if n_train < 1:
        raise DataError(
            f'{source.name} has {len(source)} frames, too few to hold out {share:g} of them: use '
            'more frames, or name held-out ones in a list'
        )
    return (
        Subset(source, tuple(range(n_train))),
        Subset(source, tuple(range(n_train, len(source)))),
    )
