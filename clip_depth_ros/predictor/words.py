# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences about distance, and one vector for each word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

GAP = '{}'

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to their unit vectors in CLIP's joint space, float32 (N, embed_dim)."""


def fill(template: str, *texts: str) -> str:
    """
    Put texts into the gaps ``{}`` of a template, in order.

    The texts are taken as they are, braces included: no formatting language is evaluated.
    """
    parts = template.split(GAP)
    return ''.join(part + text for part, text in zip(parts, (*texts, ''), strict=True))


def sentences_about(word: str, *, templates: Sequence[str], objects: Sequence[str]) -> list[str]:
    """Return every template with every object and the word for distance in its gaps."""
    return [fill(template, thing, word) for template in templates for thing in objects]


def word_vectors(
    embed: Embed, words: Sequence[str], *, templates: Sequence[str], objects: Sequence[str]
) -> NDArray[np.float32]:
    """
    Return one unit vector for each word for distance, float32 (K, embed_dim).

    With several templates or objects, the unit vectors of a word's sentences are averaged and
    brought back to unit length (the ensemble of the CLIP paper, Radford et al. 2021, section
    3.1.4). The released DepthCLIP code has one template, ``This {} is {}``, and one object.
    """
    per_word = [sentences_about(word, templates=templates, objects=objects) for word in words]
    vectors = embed([sentence for group in per_word for sentence in group])
    means = vectors.reshape(len(words), -1, vectors.shape[-1]).mean(axis=1)  # (K, D)
    unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=-1, keepdims=True).clip(1e-12)
    return unit
