# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The seam between pictures and depth: uint8 RGB in, metres out.

Importing this module is cheap; PyTorch is loaded when a predictor is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import time

from clip_depth_ros.config import PredictorSettings
from clip_depth_ros.core.rgb import check_rgb
from clip_depth_ros.types import DepthMap, DepthPredictor, Rgb
import numpy as np


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
        nothing. The previous predictor still works and may be closed.

    Raises
    ------
    ConfigError
        If the backbone is not known, or does not go with the feature mode.
    WeightsError
        If the weights are missing, damaged or of another model.
    DeviceError
        If the device or precision is not there, or its memory is too small.
    MissingDependencyError
        If a package is needed that is not installed.

    """
    from clip_depth_ros.depthclip_predictor import build_depthclip_predictor

    return build_depthclip_predictor(settings, previous)


class ConstantPredictor:
    """
    A predictor that answers the same depth everywhere: for tests, and for trying ROS wiring.

    Parameters
    ----------
    depth_m : float
        The answer, metres; NaN and infinities are allowed.
    delay_s : float
        How long each image takes, seconds.

    """

    def __init__(self, depth_m: float, delay_s: float = 0.0) -> None:
        self.depth_m = depth_m
        self.delay_s = delay_s

    def predict(self, rgb: Rgb) -> DepthMap:
        """
        Give the constant at the size of the image.

        Raises
        ------
        ImageError
            If it is not a uint8 array (H, W, 3).

        """
        return self.predict_batch([rgb])[0]

    def predict_batch(self, rgbs: Sequence[Rgb]) -> list[DepthMap]:
        """Give the constant at the size of each image."""
        for rgb in rgbs:
            check_rgb(rgb)
        time.sleep(self.delay_s * len(rgbs))
        return [DepthMap(np.full(rgb.shape[:2], self.depth_m, np.float32)) for rgb in rgbs]

    def describe(self) -> Mapping[str, str]:
        """Say what this is."""
        return {'method': f'constant {self.depth_m} m: does not see depth', 'device': 'cpu'}

    def reset(self) -> None:
        """Do nothing: there is no past to forget."""

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
