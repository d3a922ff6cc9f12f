# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every setting of a fit of DepthCLIP to a place: which frames, what is held out and fitted."""

from __future__ import annotations

from collections.abc import Iterator

from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.source import SourceSettings


class FitSettings(SourceSettings):
    """What a fit is made of; bins, words and scenes to start from are the predictor's settings."""

    learn_words: bool = setting(
        False,
        'Also learn the vectors that stand before each word for distance, from those of '
        'prompt_templates; takes minutes for large text towers.',
    )
    max_frames: int = setting(
        100,
        'Frames that are fitted to, at most, and as many that are held out: evenly spaced among '
        'all.',
        ge=2, le=10_000,
    )
    validation_data: tuple[str, ...] = setting(
        (), 'Where the held-out frames are, if not in the sources that are fitted to.'
    )
    validation_share: float = setting(
        0.2,
        'Share of the frames, at their end, that is held out if validation_data names none.',
        gt=0.0, lt=1.0,
    )
    validation_gap_s: float = setting(
        1.0,
        'Frames closer in time than this to the held-out part of their recording are left out, '
        'because neighbours look alike. Frames without a time are kept.',
        unit='s', ge=0.0, le=3600.0,
    )
    leave_one_out: bool = setting(
        False,
        'For a few frames: hold out each in turn, fit to the others, and print the mean; the fit '
        'that is written is to all of them.',
    )

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        if self.leave_one_out and self.validation_data:
            yield (
                'leave_one_out and validation_data both say which frames are held out: leave one '
                'of them out'
            )
