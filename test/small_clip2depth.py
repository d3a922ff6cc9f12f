# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small CLIP2Depth weights with seeded random numbers for a small CLIP, and ways to break them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import pickle
from typing import Any

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth import build_clip2depth
from clip_depth_ros.model.clip2depth_weights import save_clip2depth
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from small_clips import SMALL_VIT, write_json
import torch

# Five blocks of which the last two feed no tap.
DEEP_VIT = {**SMALL_VIT, 'vision_cfg': {**SMALL_VIT['vision_cfg'], 'layers': 5}}
TRAINED_SIZE = Size(32, 48)
METRICS = {'abs_rel': 0.1234567, 'sq_rel': 1.0, 'rmse': 5.6789, 'delta1': 0.9}


def small_settings(**changes: Any) -> Clip2DepthSettings:
    """Return the settings of a small decoder, trained at TRAINED_SIZE for 1 to 80 m."""
    values: dict[str, Any] = {
        'taps': (0, 1, 2), 'mirror_length': 8, 'mlp_dim': 32, 'min_depth_m': 1.0,
        'max_depth_m': 80.0, 'input_height_px': TRAINED_SIZE.height,
        'input_width_px': TRAINED_SIZE.width,
    }
    return Clip2DepthSettings.from_mapping({**values, **changes})


def deep_backbone(folder: Path, name: str = 'deep.json', **vision: Any) -> str:
    """Write the description of a small CLIP with enough blocks; give its path as a setting."""
    config = {**DEEP_VIT, 'vision_cfg': {**DEEP_VIT['vision_cfg'], **vision}}
    return write_json(folder, config, name)


def write_clip2depth(path: Path, backbone: str, *, seed: int = 3, **changes: Any) -> Path:
    """Write trained weights, random in truth, for a backbone at its random initialisation."""
    clip = build_backbone(PredictorSettings(backbone=backbone, pretrained='random'), 'cpu', 'fp32')
    settings = small_settings(**changes)
    model = build_clip2depth(settings, clip)
    make_lively(model, seed)
    save_clip2depth(
        path, model, settings, backbone=clip.name, backbone_hash=clip.hash,
        provenance={'data': 'made up', 'protocol': 'none'}, metrics=METRICS,
    )
    return path


def make_lively(model: torch.nn.Module, seed: int) -> None:
    """Give every parameter a value that shows when it is forgotten, so that depth varies."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2.0)
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=random))


def _flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 0x40
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({'weights': [1, 2, 3]}))


BREAKS: dict[str, Callable[[Path], None]] = {
    'flipped byte': _flip_a_byte, 'truncated': _truncate, 'pickle': _pickle,
    'empty': lambda path: path.write_bytes(b''), 'missing': Path.unlink,
}
"""Ways to break a weights file, by name."""
