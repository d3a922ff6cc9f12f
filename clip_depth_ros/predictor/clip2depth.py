# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP2Depth behind the predictor's seam: trained weights, input size, range and sharing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.architecture import find_architecture
from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.clip2depth_weights import (
    Clip2DepthFile,
    load_clip2depth,
    read_clip2depth,
)
from clip_depth_ros.model.devices import explain_out_of_memory, full_float32, this_machine
from clip_depth_ros.predictor.base import (
    BackboneHolder,
    check_all,
    closed_error,
    depth_size,
    describe_backbone,
    device_memory,
    network_input,
    predict_in_groups,
    whole_backbone,
    within_range,
    work_on,
)
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor, Rgb
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

_HEADLINE: Final = ('abs_rel', 'rmse', 'delta1')


def build_clip2depth_predictor(
    settings: PredictorSettings,
    weights_path: Path,
    previous: DepthPredictor | None = None,
    *,
    why: str = 'as set',
) -> Clip2DepthPredictor:
    """
    Build it, sharing what the previous predictor has and these settings would build again.

    Parameters
    ----------
    settings : PredictorSettings
        What to build.
    weights_path : Path
        Trained weights.
    previous : DepthPredictor, optional
        A predictor from before. Of a CLIP2Depth with the same weights everything is shared; of a
        DepthCLIP with the same backbone, the frozen CLIP.
    why : str
        Why this method, for reports.

    Raises
    ------
    ConfigError
        If the backbone is no vision transformer, whose blocks CLIP2Depth reads.
    WeightsError
        If the weights are missing, damaged or of another backbone.
    DeviceError
        If the device or precision is not there, or its memory is too small.

    """
    if isinstance(previous, Clip2DepthPredictor) and previous.serves(settings, weights_path):
        return Clip2DepthPredictor(
            settings, previous.backbone, previous.model, previous.file, why=why
        )
    file = read_clip2depth(weights_path)
    _check_transformer(settings)
    shared = whole_backbone(previous, settings)
    backbone = shared or _new_backbone(settings)
    with explain_out_of_memory(backbone.device, 'the CLIP2Depth decoder'):
        model = load_clip2depth(file, backbone)
        model.freeze_condition(backbone)
    if shared is None:
        backbone.trim(max(file.settings.taps))
    return Clip2DepthPredictor(settings, backbone, model, file, why=why)


class Clip2DepthPredictor(BackboneHolder):
    """
    Metric depth of images of any size by a trained decoder on a frozen CLIP.

    Attributes
    ----------
    settings : PredictorSettings
        What it was built from.
    file : Clip2DepthFile
        Where the trained part is from.

    Notes
    -----
    Build it with :func:`clip_depth_ros.predictor.build.build_predictor`. An answer depends on its
    image alone. One thread at a time may call it.

    """

    def __init__(
        self,
        settings: PredictorSettings,
        backbone: Backbone,
        model: Clip2Depth,
        file: Clip2DepthFile,
        *,
        why: str = 'as set',
    ) -> None:
        super().__init__(settings, backbone)
        self.file = file
        self._model: Clip2Depth | None = model
        self._why = why

    @property
    def model(self) -> Clip2Depth:
        """
        Give the trained part, its condition computed once.

        Raises
        ------
        ClipDepthError
            If the predictor was closed.

        """
        if self._model is None:
            raise closed_error()
        return self._model

    def serves(self, settings: PredictorSettings, weights_path: Path) -> bool:
        """Say whether its network, if still there, is the one these settings would build."""
        return self.file.path == weights_path and self.has_backbone_of(settings)

    def predict(self, rgb: Rgb) -> DepthMap:
        """
        Give the depth of one image.

        Parameters
        ----------
        rgb : uint8 (H, W, 3)
            Red first; any size.

        Returns
        -------
        DepthMap
            ``depth_m`` at the size of the image times ``depth_scale``: finite, within the range
            it was trained for, but -Inf and +Inf outside of min_depth_m to max_depth_m. There is
            no grid and no confidence.

        Raises
        ------
        ImageError
            If it is not a uint8 array (H, W, 3).
        DeviceError
            If the memory of the device is too small for it.

        """
        return self.predict_batch([rgb])[0]

    def predict_batch(self, rgbs: Sequence[Rgb]) -> list[DepthMap]:
        """Give the depth of several images, in their order; equal sizes share a forward pass."""
        check_all(rgbs)
        return predict_in_groups(
            rgbs, lambda group: self._predict_group([rgbs[i] for i in group])
        )

    def describe(self) -> Mapping[str, str]:
        """Give what an operator or a report should know."""
        settings, backbone, trained = self.settings, self.backbone, self.file.settings
        requested = self._requested()
        return {
            'method': f'clip2depth, trained ({self._why})',
            **describe_backbone(backbone),
            'clip2depth_weights': str(self.file),
            'trained_on': str(self.file.provenance.get('data', 'not said')),
            'trained_metrics': _headline(self.file.metrics),
            'trained_protocol': str(self.file.provenance.get('protocol', 'not said')),
            'trained_size': _size_text(trained.input_width_px, trained.input_height_px),
            'trained_range_m': f'{trained.min_depth_m:g} to {trained.max_depth_m:g}',
            'input_size': _size_text(requested.width, requested.height),
            'condition': trained.condition,
            'head': f'{trained.head}, {trained.output}',
            'flip': 'on' if settings.flip else 'off',
            **device_memory(backbone.device),
        }

    def reset(self) -> None:
        """Do nothing: an answer depends on its image alone."""

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares it."""
        self._model = None
        super().close()

    def _requested(self) -> Size:
        """Give the wanted input size: the settings', else that of training; 0: the image's."""
        settings, trained = self.settings, self.file.settings
        return Size(
            settings.input_height_px or trained.input_height_px,
            settings.input_width_px or trained.input_width_px,
        )

    def _predict_group(self, rgbs: Sequence[Rgb]) -> list[DepthMap]:
        """Give the depth of images of one size."""
        size, trained = depth_size(rgbs[0], self.settings), self.file.settings
        return [
            DepthMap(
                within_range(
                    _resize_depth(depth_m, size),
                    trained.min_depth_m,
                    trained.max_depth_m,
                    self.settings,
                )
            )
            for depth_m in self._depth_m(rgbs)
        ]

    def _depth_m(self, rgbs: Sequence[Rgb]) -> NDArray[np.float32]:
        """Give depth at the size of the network's input, float32 (B, height, width)."""
        backbone = self.backbone
        plan, batch = network_input(rgbs, self._requested(), backbone.tower.stride)
        if self.settings.flip:
            batch = np.concatenate([batch, batch[:, :, ::-1]])
        with explain_out_of_memory(backbone.device, work_on(batch)):
            depth_m = self._forward(batch, plan.size)
        if not self.settings.flip:
            return depth_m
        # Our choice: the mean of the depths, as DepthCLIP's released code has it.
        straight, flipped = depth_m[: len(rgbs)], depth_m[len(rgbs):, :, ::-1]
        mean_m: NDArray[np.float32] = (straight + flipped) * np.float32(0.5)
        return mean_m

    @torch.inference_mode()
    def _forward(self, batch: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
        backbone, trained = self.backbone, self.file.settings
        grid = backbone.grid(size.height, size.width)
        with full_float32(backbone.device, backbone.precision):
            taps = backbone.taps(batch, trained.taps, trained.pixels)
            answer: NDArray[np.float32] = self.model(taps, grid).float().cpu().numpy()
        return answer


def _check_transformer(settings: PredictorSettings) -> None:
    """Refuse a ResNet before its weights are looked for."""
    vision = find_architecture(settings.backbone).config['vision_cfg']
    # A list of blocks for each stage makes a ResNet of open_clip; its default is one number.
    if isinstance(vision.get('layers'), (list, tuple)):
        raise ConfigError(
            f'CLIP2Depth reads the blocks of a vision transformer, which {settings.backbone!r} '
            'does not have: set backbone to a ViT, such as ViT-B-16-quickgelu, or '
            "method='depthclip'"
        )


def _new_backbone(settings: PredictorSettings) -> Backbone:
    device, precision = this_machine(settings.device, settings.precision)
    return build_backbone(settings, device, precision)


def _resize_depth(depth_m: Depth, size: Size) -> Depth:
    """
    Resample depth, bilinear between pixel centres: float32 (H, W) to (height, width), a new array.

    As the image was resized, so that depth falls on its own pixels; not averaged when it shrinks,
    which would make points in the air between near and far (our choice).
    """
    resized = cv2.resize(depth_m, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return np.array(resized, np.float32)


def _size_text(width: int, height: int) -> str:
    """Give width x height, pixels; a side of 0 is any, that of the image."""
    return f'{width or "any"}x{height or "any"}'


def _headline(metrics: Mapping[str, float]) -> str:
    """Give the metrics that papers compare by, in one line, to three digits."""
    named = [f'{name} {metrics[name]:.3g}' for name in _HEADLINE if name in metrics]
    return ', '.join(named) or 'not said'
