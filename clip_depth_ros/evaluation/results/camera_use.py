# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the camera, in words: used, assumed or ignored, by whom, for how many frames."""

from __future__ import annotations

from clip_depth_ros.evaluation.results.result import PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import is_baseline


def heading(result: Result) -> str:
    """Return what stands over every table: the protocol, and what became of the camera."""
    words = camera_words(result)
    return f'{result.title}, {words}' if words else result.title


def camera_words(result: Result) -> str:
    """
    Return what became of the camera: ``camera used``, or by whom it was not.

    Empty where no predictor was shown images, or nothing was written down of it.
    """
    uses = {name: use_words(found) for name, found in result.predictors.items()}
    compared = {use for name, use in uses.items() if use or not is_baseline(result, name)}
    if len(compared) == 1:
        [use] = compared
        return f'camera {use}' if use else ''
    return 'camera ' + ', '.join(f'{use} by {name}' for name, use in uses.items() if use)


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
