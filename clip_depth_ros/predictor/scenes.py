# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which scene the camera is in, recognised zero-shot and smoothed over time.

The DepthCLIP paper proposes it as its next step: depth distributions differ between scenes, so
recognise the scene first and then choose its bins. How it is done here is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from clip_depth_ros.core.patches import softmax
from clip_depth_ros.predictor.networks import WordNetwork
from clip_depth_ros.predictor.words import fill
import numpy as np
from numpy.typing import NDArray


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
