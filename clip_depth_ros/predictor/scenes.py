# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Sentences as vectors, and by them the scene, recognised zero-shot and smoothed over time.

The DepthCLIP paper proposes it as its next step: depth distributions differ between scenes, so
recognise the scene first and then choose its bins. How it is done here is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clip_depth_ros.core.patches import softmax
from clip_depth_ros.predictor.networks import WordNetwork
import numpy as np
from numpy.typing import NDArray

GAP = '{}'

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to their unit vectors in CLIP's joint space, float32 (N, embed_dim)."""


class SceneMemory:
    """
    Running scene probabilities: each frame's weigh ``1 - smoothing``, the past ``smoothing``.

    The first frame after a start or a reset counts fully; ``probabilities`` is empty before it.
    """

    def __init__(self, names: Sequence[str], smoothing: float) -> None:
        self.names = tuple(names)
        self.smoothing = smoothing
        self.probabilities: dict[str, float] = {}

    def update(self, probs: NDArray[np.floating]) -> str:
        """Take in the probabilities of one frame, (scenes,), and return the likeliest scene."""
        now, old = dict(zip(self.names, probs.tolist(), strict=True)), self.smoothing
        if past := self.probabilities:
            now = {name: old * past[name] + (1 - old) * now[name] for name in self.names}
        self.probabilities = now
        return max(self.names, key=now.__getitem__)

    def reset(self) -> None:
        """Forget the past, for example after a jump of time."""
        self.probabilities = {}

    def inherit(self, previous: SceneMemory) -> None:
        """Continue from another memory if it is about the same scenes."""
        if previous.names == self.names:
            self.probabilities = previous.probabilities


def scene_probabilities(
    network: WordNetwork, rgbs: NDArray[np.uint8], names: Sequence[str], template: str
) -> NDArray[np.float32]:
    """
    Return the probability of each scene for each image, float32 (B, scenes).

    Parameters
    ----------
    network : WordNetwork
        The frozen CLIP.
    rgbs : uint8 (B, H, W, 3)
        Images of the network's native size, red first.
    names : sequence of str
        Names of the scenes.
    template : str
        Sentence with one gap for the name.

    Notes
    -----
    Zero-shot classification as in the CLIP paper (Radford et al. 2021, section 3.1): softmax over
    CLIP's own logit scale times the cosines of image and sentences.

    """
    sentences = network.embed([fill(template, name) for name in names])
    return softmax(network.logit_scale * network.image_vectors(rgbs) @ sentences.T, axis=-1)


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
