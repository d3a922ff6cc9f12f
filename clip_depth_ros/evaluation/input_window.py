# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The part of an image that a protocol shows to a predictor."""

from __future__ import annotations

from clip_depth_ros.core.crops import WINDOWS
from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.evaluation.protocol import EvaluationProtocol


def input_window(size: Size, protocol: EvaluationProtocol) -> Window | None:
    """
    Give the window of an image that is seen; None for all of it.

    Raises
    ------
    DataError
        If the image is too small for the protocol's crop.

    """
    return None if protocol.input_crop == 'none' else WINDOWS[protocol.input_crop](size)
