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
from typing import Any

import numpy as np
from numpy.typing import NDArray

ANYTHING = 'object'
"""The kind that every surface is, as in DepthCLIP's prompts."""


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
    depth_m: NDArray[Any],
    class_ids: NDArray[np.uint8],
    patch: tuple[int, int],
    vocabulary: Vocabulary,
) -> NDArray[np.float32]:
    """
    Return how much of each patch each caption (without template) describes.

    Parameters
    ----------
    depth_m : float (B, H, W)
        Metres; what is nearer or farther than all words, +Inf too, is called by the last of them.
    class_ids : uint8 (B, H, W)
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
    cells = np.arange(n_images * shape[1] * shape[2]).reshape(shape[:3])
    cells = cells.repeat(patch[0], axis=1).repeat(patch[1], axis=2)
    first = (cells * n_kinds + class_ids) * n_words + nearer
    counts = np.bincount(first.ravel(), (1 - share).ravel(), minlength=int(np.prod(shape)))
    counts += np.bincount(first.ravel() + 1, share.ravel(), minlength=int(np.prod(shape)) + 1)[
        :counts.size
    ]
    return (counts.reshape(shape) / (patch[0] * patch[1])).astype(np.float32)


def word_shares(
    depth_m: NDArray[Any], bins_m: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Return which word is said of a depth, and how often the next farther one instead.

    Returns
    -------
    nearer : int64, of the shape of the depth
        Index of the word at or before the depth, at most the last but one.
    share : float64, of the shape of the depth
        How often the word after that is said, 0 to 1: linear between the two depths, so that
        ``(1 - share) * bins_m[nearer] + share * bins_m[nearer + 1]`` is the depth, within bins.

    """
    bins = np.asarray(bins_m, np.float64)
    inside = np.clip(depth_m.astype(np.float64), bins[0], bins[-1])
    nearer = np.clip(np.searchsorted(bins, inside, side='right') - 1, 0, len(bins) - 2)
    share = (inside - bins[nearer]) / (bins[nearer + 1] - bins[nearer])
    return nearer, share
