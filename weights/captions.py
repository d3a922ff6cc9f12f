# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Captions of the regions of a frame: what is there, and how far, in words.

All of this is our choice. A caption reads "This car is close": one of the kinds of the synthetic
drive, or "object", and one of DepthCLIP's words for distance. Each word stands for a depth, evenly
spaced in log depth; a depth between two of them is called by the nearer word or the farther one,
in proportion to how near it lies, so that the words' depths, weighted by how often they are said,
give the depth itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Final

import torch
from torch import Tensor

ANYTHING = 'object'
"""The kind that every surface is, as in DepthCLIP's prompts."""

_PARTS: Final = 1 << 12
"""A pixel's word is counted in so many parts."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """
    What captions are made of.

    Attributes
    ----------
    kinds : strings
        Name of each class id, from 0 on.
    words : strings
        Words for distance, nearest first.
    bins_m : floats
        Depth that each word stands for, metres, ascending.
    templates : strings
        Sentences with two gaps: kind, then word. The first is said in half of the cases.

    """

    kinds: tuple[str, ...]
    words: tuple[str, ...]
    bins_m: tuple[float, ...]
    templates: tuple[str, ...] = ('This {} is {}',)

    def captions(self, template: str) -> list[str]:
        """Return all captions of one template: by kind, then by word; ``object`` comes last."""
        kinds = (*self.kinds, ANYTHING)
        return [template.format(kind, word) for kind in kinds for word in self.words]


def patch_histograms(
    depth_m: Tensor, class_ids: Tensor, patch: tuple[int, int], vocabulary: Vocabulary
) -> Tensor:
    """
    Return how much of each patch each caption (without template) describes.

    Parameters
    ----------
    depth_m : float (B, H, W)
        Metres; what is nearer or farther than all words, +Inf too, is called by the last of them.
    class_ids : int64 (B, H, W)
        Index into ``vocabulary.kinds``.
    patch : (int, int)
        Height and width of a patch in pixels; H and W are multiples.
    vocabulary : Vocabulary
        Words and kinds.

    Returns
    -------
    float32 (B, H / patch height, W / patch width, kinds, words)
        Share of the pixels; sums to 1 over the last two.

    """
    n_images, height, width = depth_m.shape
    n_kinds, n_words = len(vocabulary.kinds), len(vocabulary.words)
    nearer, share = word_shares(depth_m, vocabulary.bins_m)
    shape = (n_images, height // patch[0], width // patch[1], n_kinds, n_words)
    cells = torch.arange(math.prod(shape[:3]), device=depth_m.device).reshape(shape[:3])
    cells = cells.repeat_interleave(patch[0], dim=1).repeat_interleave(patch[1], dim=2)
    said = ((cells * n_kinds + class_ids) * n_words + nearer).flatten()
    # Whole numbers add up to the same sum in any order, on any device.
    farther = (share * _PARTS).round().long().flatten()
    counts = torch.zeros(math.prod(shape), dtype=torch.int64, device=depth_m.device)
    counts.scatter_add_(0, said, _PARTS - farther)
    counts.scatter_add_(0, said + 1, farther)
    return counts.reshape(shape).float() / (_PARTS * patch[0] * patch[1])


def word_shares(depth_m: Tensor, bins_m: Sequence[float]) -> tuple[Tensor, Tensor]:
    """
    Return which word is said of a depth, and how often the next farther one instead.

    Returns
    -------
    nearer : int64, of the shape of the depth
        Index of the word at or before the depth, at most the last but one.
    share : float32, of the shape of the depth
        How often the word after that is said, 0 to 1: linear between the two depths, so that
        ``(1 - share) * bins_m[nearer] + share * bins_m[nearer + 1]`` is the depth, within bins.

    """
    bins = torch.tensor(bins_m, dtype=torch.float32, device=depth_m.device)
    inside = depth_m.float().clamp(bins[0], bins[-1])
    nearer = (torch.bucketize(inside, bins, right=True) - 1).clamp(0, len(bins) - 2)
    return nearer, (inside - bins[nearer]) / (bins[nearer + 1] - bins[nearer])
