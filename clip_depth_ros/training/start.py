# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where training starts from: settings, model and sizes of step 0."""

from __future__ import annotations

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError, DataError, WeightsError
from clip_depth_ros.model.clip2depth import build_clip2depth, Clip2Depth
from clip_depth_ros.model.clip2depth_weights import (
    Clip2DepthFile,
    load_clip2depth,
    read_clip2depth,
)
from clip_depth_ros.model.clipseg import load_clipseg
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import BUNDLED
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.training.augment import used_part, window_of
from clip_depth_ros.training.clip import FrozenClip
import torch

_TRIED = 20  # frames that are looked at for their size


def resolve_settings(settings: TrainSettings) -> TrainSettings:
    """
    Return the settings with the model of the weights that training starts from, if it does.

    Weights only fit the model that they were trained as, so its settings come with them: all but
    the input size, where one is asked for. WeightsError if they cannot be read.
    """
    file = initial_weights(settings)
    if file is None:
        return settings
    model = file.settings.model_dump()
    size = {
        name: getattr(settings, name) or model[name]
        for name in ('input_height_px', 'input_width_px')
    }
    resolved: TrainSettings = settings.changed(**{**model, **size})
    return resolved


def initial_weights(settings: TrainSettings) -> Clip2DepthFile | None:
    """Read the weights that training starts from, if any; WeightsError if they cannot be read."""
    if settings.init_weights == BUNDLED:
        path = assets_dir() / BUNDLED_CLIP2DEPTH
        if not path.is_file():
            raise WeightsError(
                'this installation has no bundled CLIP2Depth weights: name a file in '
                'init_weights, or leave it empty to start afresh'
            )
        return read_clip2depth(path)
    if settings.init_weights:
        return read_clip2depth(user_path(settings.init_weights))
    return None


def start_model(settings: TrainSettings, clip: FrozenClip) -> Clip2Depth:
    """
    Return the model of step 0 on its device: fresh by the seed, from CLIPSeg, or from weights.

    ConfigError or WeightsError if settings, backbone and weights do not fit together.
    """
    torch.manual_seed(settings.seed)
    model = build_clip2depth(settings.model_settings(), clip.backbone)
    if settings.clipseg_weights:
        load_clipseg(model, user_path(settings.clipseg_weights))
    file = initial_weights(settings)
    if file is not None:
        model.load_state_dict(load_clip2depth(file, clip.backbone).state_dict())
    return model.to(clip.backbone.device)


def frame_size(source: SampleSource, settings: TrainSettings) -> Size:
    """
    Return the size of what is used of a source's frames; the first that can be read decides.

    DataError if none of the first can be read.
    """
    problem: DataError | None = None
    for index in range(min(_TRIED, len(source))):
        try:
            return Size(*used_part(source[index], settings.crop).rgb.shape[:2])
        except DataError as error:
            problem = error
    raise DataError(
        f'none of the first {_TRIED} frames of {source.name} can be read: {problem}'
    ) from problem


def input_size(settings: TrainSettings, frame: Size, stride: Size) -> Size:
    """
    Return the size that frames are resized to for the network.

    ``frame`` is the size of frames after cropping, ``stride`` that of one patch, pixels. Where
    input_height_px or input_width_px is 0, it is the frame's, rounded down to whole patches.
    ConfigError if a size that is asked for is not of whole patches, a frame is smaller than one,
    or the window that augmentation cuts out does not fit.
    """
    asked = Size(settings.input_height_px, settings.input_width_px)
    window = window_of(settings)
    _check_patches('input_height_px and input_width_px', asked, stride)
    _check_patches('augment_crop_height_px and augment_crop_width_px', window or asked, stride)
    size = Size(
        asked.height or frame.height // stride.height * stride.height,
        asked.width or frame.width // stride.width * stride.width,
    )
    if min(size) == 0:
        raise ConfigError(
            f'frames of {frame.height} x {frame.width} pixels are smaller than one patch, '
            f'{stride.height} x {stride.width}: set input_height_px and input_width_px'
        )
    if window and (window.height > size.height or window.width > size.width):
        raise ConfigError(
            f'a window of {window.height} x {window.width} pixels (augment_crop_height_px, '
            f'augment_crop_width_px) does not fit into frames of {size.height} x {size.width}'
        )
    return size


def _check_patches(names: str, size: Size, stride: Size) -> None:
    if size.height % stride.height or size.width % stride.width:
        raise ConfigError(
            f'{names} must be multiples of the patch, {stride.height} x {stride.width}, got '
            f'{size.height} x {size.width}'
        )
