# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which method settings lead to: all that can be said before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP2DEPTH
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """Which method the settings lead to."""

    method: Literal['clip2depth', 'depthclip']
    why: str  # for people
    weights_path: Path | None = None  # of CLIP2Depth; DepthCLIP has none


def choose_method(settings: PredictorSettings) -> MethodChoice:
    """
    Return the method that the settings lead to, and why.

    All that can be said of settings before PyTorch is loaded.

    Raises
    ------
    WeightsError
        If clip2depth is asked for and no weights are named or bundled for the backbone; the
        message says how to get them.
    ConfigError
        If the settings turn out to mean depthclip, and its words and bins do not go together.

    """
    if settings.exported_model:
        return MethodChoice(
            'clip2depth' if settings.method == 'clip2depth' else 'depthclip', 'exported'
        )
    if settings.method == 'depthclip':
        return MethodChoice('depthclip', 'as set')
    is_auto = settings.method == 'auto'
    if settings.clip2depth_weights:
        path = user_path(settings.clip2depth_weights)
        why = 'auto: clip2depth_weights names trained weights' if is_auto else 'as set'
        return MethodChoice('clip2depth', why, path)
    bundled = assets_dir() / BUNDLED_CLIP2DEPTH
    if settings.uses_bundled() and bundled.is_file():
        why = 'auto: trained weights are bundled for this backbone' if is_auto else 'as set'
        return MethodChoice('clip2depth', why, bundled)
    if not is_auto:
        raise _no_weights(settings, bundled)
    if settings.means_clip2depth():
        # Nothing is bundled, so words and bins matter after all: checked now.
        settings.changed(method='depthclip')
    return MethodChoice(
        'depthclip', 'auto: no trained CLIP2Depth weights are named or bundled for this backbone'
    )


def _no_weights(settings: PredictorSettings, bundled: Path) -> WeightsError:
    if settings.uses_bundled():
        return WeightsError(
            f'the bundled CLIP2Depth weights {str(bundled)!r} are not there: install '
            'clip_depth_ros again, or train them with "make weights" in a checkout'
        )
    return WeightsError(
        f"method='clip2depth' needs weights trained for backbone {settings.backbone!r}, and none "
        'are named. They come bundled (preset:=synthetic), or from a file that clip-depth train '
        'has written (clip2depth_weights:=FILE); a download there is for the zero-shot method '
        'alone (method:=depthclip allow_download:=true)'
    )
