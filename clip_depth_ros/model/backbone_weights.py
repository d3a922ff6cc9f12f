# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which weights a frozen CLIP gets: a named file, the bundled, published or random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.architecture import Architecture
from clip_depth_ros.model.published import check_quick_gelu, find_published
from clip_depth_ros.model.weights import load_weights, read_weights
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP
from clip_depth_ros.settings.predictor import BUNDLED, PredictorSettings
from torch import nn

RANDOM: Final = 'random'
RANDOM_NOTE: Final = 'random initialisation: does not see depth'


def fill_weights(model: nn.Module, architecture: Architecture, settings: PredictorSettings) -> str:
    """
    Load the weights that the settings name and say where they are from.

    Parameters
    ----------
    model : nn.Module
        As ``architecture`` built it; it is changed.
    architecture : Architecture
        What it is.
    settings : PredictorSettings
        pretrained, clip_weights and allow_download are used.

    Raises
    ------
    WeightsError
        If they are missing, damaged or of another model.

    """
    tag = settings.pretrained
    if settings.clip_weights:
        weights = read_weights(Path(settings.clip_weights).expanduser())
        if weights.is_openai:
            check_quick_gelu(architecture, True, settings.clip_weights)
        note = str(weights)
    elif tag == RANDOM:
        return RANDOM_NOTE
    elif tag == BUNDLED:
        weights = read_weights(_bundled())
        note = f'bundled: {weights}'
    else:
        path = find_published(architecture, tag, allow_download=settings.allow_download)
        weights = read_weights(path)
        note = f'{tag}: {weights}'
    load_weights(model, weights, architecture.name)
    return note


def _bundled() -> Path:
    path = assets_dir() / BUNDLED_CLIP
    if not path.is_file():
        raise WeightsError(
            f'the bundled CLIP weights {str(path)!r} are not there: install clip_depth_ros again, '
            'train them with "make weights" in a checkout, or name others with clip_weights'
        )
    return path
