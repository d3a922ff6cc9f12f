# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the settings say is done to frames before the network sees them."""

from __future__ import annotations

from functools import partial

from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.augment import Augmentation
from clip_depth_ros.training.frames import Change, Crop
import numpy as np


def crop_of(settings: TrainSettings) -> Crop | None:
    """Give what takes the part of every frame that is used; None: all of it."""
    if settings.crop == 'none':
        return None
    # Cropping throws no dice.
    return partial(Augmentation(crop=settings.crop), dice=np.random.default_rng(0))


def change_of(settings: TrainSettings) -> Change:
    """Give what augments training frames, once they are cropped and resized."""
    return Augmentation(
        rotate_deg=settings.augment_rotate_deg,
        window_height_px=settings.augment_crop_height_px,
        window_width_px=settings.augment_crop_width_px,
        flip=settings.augment_flip,
        gamma=settings.augment_gamma,
        brightness=settings.augment_brightness,
        color=settings.augment_color,
    )
