# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The seam between pictures and depth: uint8 RGB in, metres out.

Importing this module is cheap; PyTorch is loaded when a predictor is built from weights, and not
for an exported model.
"""

from __future__ import annotations

from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor


def build_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None = None
) -> DepthPredictor:
    """
    Build the predictor that the settings describe.

    Parameters
    ----------
    settings : PredictorSettings
        What to build.
    previous : DepthPredictor, optional
        A predictor from an earlier call. If backbone, pretrained, clip_weights, device and
        precision are the same, its frozen CLIP is shared and so is the text it has encoded: a
        change of prompts costs one pass of the text tower over what is new, other changes cost
        nothing. For CLIP2Depth, the trained part is shared as well if clip2depth_weights is the
        same. The previous predictor still works and may be closed.

    Raises
    ------
    ConfigError
        If the backbone is not known, or does not go with the method or the feature mode.
    WeightsError
        If the weights are missing, damaged or of another model.
    DeviceError
        If the device or precision is not there, or its memory is too small.
    MissingDependencyError
        If a package is needed that is not installed.

    """
    if settings.exported_model:
        from clip_depth_ros.predictor.exported import build_exported_predictor

        return build_exported_predictor(settings, user_path(settings.exported_model), previous)
    from clip_depth_ros.predictor.from_weights import build_from_weights

    return build_from_weights(settings, previous)
