# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the camera, in words: used, assumed or ignored, by whom, for how many frames."""

from __future__ import annotations

from collections.abc import Mapping

from clip_depth_ros.evaluation.results.result import PredictorResult, Result


def heading(result: Result) -> str:
    """Return what stands over every table: the protocol, and what became of the camera."""
    words = camera_words(result.predictors)
    return f'{result.title}, {words}' if words else result.title


def camera_words(predictors: Mapping[str, PredictorResult]) -> str:
    """
    Return what became of the camera: ``camera used``, or by which predictor it was not.

    Empty where no predictor was shown images, or nothing was written down of it.
    """
    uses = {name: use for name, found in predictors.items() if (use := use_words(found))}
    if not uses:
        return ''
    if len({*uses.values()}) == 1:
        return f'camera {next(iter(uses.values()))}'
    return 'camera ' + ', '.join(f'{use} by {name}' for name, use in uses.items())


def use_words(found: PredictorResult) -> str:
    """Return what became of the camera with one predictor; empty where that is not known."""
    counts = {use: n_frames for use, n_frames in found.cameras.items() if n_frames}
    total = sum(counts.values())
    return ' and '.join(
        f'{use}{_field_of_view(found, use)}'
        + (f' for {n_frames} of {total} frames' if len(counts) > 1 else '')
        for use, n_frames in sorted(counts.items(), reverse=True)
    )


def _field_of_view(found: PredictorResult, use: str) -> str:
    degrees = found.describe.get('assumed_hfov_deg', '') if use == 'assumed' else ''
    return f' to be {degrees} degrees wide' if degrees else ''
