# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The assumptions of CLIP2Depth, each a setting, stored with the weights.

Kim, Kang, Kim, Lee: "CLIP Can Understand Depth", Pattern Recognition 172, 2026, arXiv 2402.03251
("the paper"). Its code is not published: what the paper leaves open comes from CLIPSeg's code,
whose decoder it inherits, or is our choice, and each description says which.
"""

from __future__ import annotations

from collections.abc import Iterator
import itertools
from typing import ClassVar, Final, Literal

from clip_depth_ros.settings.base import (
    depth_range_clash,
    setting,
    Settings,
    zero_or_at_least_one,
)
from clip_depth_ros.types import MAX_FOV_DEG
from pydantic import field_validator

MOST_PIXELS: Final = 2048 * 2048
"""Of the network's input: the work grows with the square, and weights bring their size along."""


class Clip2DepthSettings(Settings):
    """What CLIP2Depth is made of."""

    finds_focal_px: ClassVar[bool] = False
    """Whether a focal length that is not named is that of the images."""

    taps: tuple[int, ...] = setting(
        (3, 6, 9),
        'Blocks of the image tower whose output the decoder reads, counted from 0, ascending '
        "(CLIPSeg's code: 3, 6, 9 of ViT-B/16's 12). Blocks behind the last are not run.",
    )
    condition: Literal['mirror', 'fixed_mirror', 'sentence', 'none'] = setting(
        'mirror',
        'What the decoder is told about the task. mirror: a learned matrix in place of words (the '
        'paper). To compare with: fixed_mirror, a random one that is not trained; sentence, words '
        'in human language; none, no condition at all (our choices).',
    )
    mirror_length: int = setting(
        64, 'Rows of the mirror, each in place of a word (a replication of the paper: 64).',
        ge=1, le=1024,
    )
    mirror_std: float = setting(
        0.02, 'Standard deviation of the mirror before training (our choice).', gt=0.0, le=10.0
    )
    mirror_framing: bool = setting(
        False,
        'Put start and end of text around the mirror, as around words; the text tower then '
        'answers at the end of text, else at the last row (our choice: without).',
    )
    sentence: str = setting(
        'How far is this location from the camera?',
        "The words when condition is sentence (the question is the paper's, which asks it without "
        'words).',
    )
    train_film: bool = setting(
        True,
        'Train the projections that let the condition scale and shift the deepest level. A '
        "replication of the paper keeps them as CLIPSeg's; ours may not start from CLIPSeg.",
    )
    reduce_dim: int = setting(64, "Width of the decoder (CLIPSeg's code).", ge=4, le=1024)
    n_heads: int = setting(4, "Attention heads of the decoder (CLIPSeg's code).", ge=1, le=64)
    mlp_dim: int = setting(
        2048, "Width inside the decoder's blocks (CLIPSeg's code).", ge=1, le=16384
    )
    head: Literal['refined', 'simple', 'smooth'] = setting(
        'refined',
        "From patches to pixels. refined: a convolution and two transposed ones (CLIPSeg's code); "
        "simple: one transposed convolution (CLIPSeg's code); smooth: refined with convolutions "
        'between and after, against seams at patch borders (our choice).',
    )
    output: Literal['sigmoid', 'softplus'] = setting(
        'sigmoid',
        "From the decoder's number x to metres (our choice, the paper is silent). sigmoid: "
        'min_depth_m + (max_depth_m - min_depth_m) * sigmoid(x); softplus: min_depth_m + '
        'softplus(x), cut at max_depth_m.',
    )
    min_depth_m: float = setting(
        0.5, 'Nearest depth that it can answer (our choice).', unit='m', gt=0.0, le=1000.0
    )
    max_depth_m: float = setting(
        80.0, 'Farthest depth that it can answer (our choice: that up to which KITTI is scored).',
        unit='m', gt=0.0, le=1000.0,
    )
    pixels: Literal['clip', 'imagenet'] = setting(
        'clip',
        "Mean and std of the pixels: clip, the backbone's own (our choice); imagenet, as "
        "CLIPSeg's code has them, for training from its weights.",
    )
    input_height_px: int = setting(
        0, 'Height of the images it was trained on; 0: not known, or of many heights.', unit='px',
        ge=0, le=8192,
    )
    input_width_px: int = setting(
        0, 'Width of the images it was trained on; 0: not known, or of many widths.', unit='px',
        ge=0, le=8192,
    )
    focal_px: float = setting(
        0.0,
        "Focal length, in pixels of the network's input, of the images it was trained on; others "
        'are resized to it, and depth goes with what is left. 0: not known, the camera is '
        'ignored.',
        unit='px', ge=0.0, le=10000.0,
    )
    rays: bool = setting(
        False,
        'Tell the decoder where each patch looks, x/z and y/z (our choice: without, as the paper '
        'does). Needs focal_px.',
    )
    hfov_deg: float = setting(
        0.0,
        'Horizontal field of view to assume where the camera of an image is not known; 0: not '
        'known.',
        unit='deg', ge=0.0, le=MAX_FOV_DEG,
    )

    @field_validator('taps')
    @classmethod
    def _check_taps(cls, taps: tuple[int, ...]) -> tuple[int, ...]:
        ascends = all(near < far for near, far in itertools.pairwise(taps))
        if not taps or taps[0] < 0 or not ascends:
            raise ValueError('taps must be one block or more, counted from 0, ascending')
        return taps

    _check_camera = field_validator('focal_px', 'hfov_deg')(zero_or_at_least_one)

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        yield from depth_range_clash(self.min_depth_m, self.max_depth_m)
        if self.reduce_dim % self.n_heads or self.reduce_dim % 4:
            yield (
                f'reduce_dim must be a multiple of n_heads and of 4, got '
                f'reduce_dim={self.reduce_dim}, n_heads={self.n_heads}'
            )
        if self.input_height_px * self.input_width_px > MOST_PIXELS:
            raise ValueError(
                f'input_height_px x input_width_px must be {MOST_PIXELS} pixels at most, got '
                f'{self.input_height_px} x {self.input_width_px}'
            )
        if self.rays and not (self.focal_px or self.finds_focal_px):
            yield 'rays need the focal length they belong to: set focal_px'
        if self.condition == 'sentence' and not self.sentence.strip():
            yield "condition='sentence' needs a sentence"
