# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The seam below the predictor: where the arithmetic of a frozen CLIP runs.

Arrays in, arrays out; who answers may be PyTorch (``torch_networks.py``) or an exported model in
another engine (``exported.py``). Same input, same output; how equal is checked when one is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray


class Network(Protocol):
    """
    A frozen CLIP on its device.

    Attributes
    ----------
    name : str
        Of the backbone, as requested.
    weights, note : str
        Where the weights are from, for reports, and what a user should know of them, or nothing.
    engine, device, precision : str
        What computes, where (``cpu`` or ``cuda:N``), and in which arithmetic.
    stride : Size
        Pixels of one patch.
    likes_batches : bool
        Whether several images at once take less time than one by one.

    """

    name: str
    weights: str
    note: str
    engine: str
    device: str
    precision: str
    stride: Size
    likes_batches: bool

    def explained(self, work: str) -> AbstractContextManager[None]:
        """Return a context that turns running out of memory into a DeviceError."""

    def describe(self) -> Mapping[str, str]:
        """Return what else an operator should know of it, such as its memory."""

    def free(self) -> None:
        """Give memory back; ClipDepthError from whoever asks afterwards."""


class Trained(Protocol):
    """What weights of CLIP2Depth say of themselves; its text is the name of the file."""

    @property
    def settings(self) -> Clip2DepthSettings:
        """Return what the model is made of."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Return how it was trained."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Return how good it was in validation."""


class DepthNetwork(Network, Protocol):
    """A CLIP2Depth."""

    @property
    def file(self) -> Trained:
        """Return what its weights say of themselves."""

    def depth_m(
        self, batch: NDArray[np.uint8], rays: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """
        Return metres behind the camera of the training, float32 (B, height, width).

        Parameters
        ----------
        batch : uint8 (B, height, width, 3)
            Images of whole patches, red first.
        rays : float32 (B, N, 2), optional
            As :func:`clip_depth_ros.core.camera.patch_rays` has it, where the settings want them.

        """


class WordNetwork(Network, Protocol):
    """
    A CLIP that compares patches with sentences.

    Attributes
    ----------
    features : str
        Of patches, ``official`` or ``dense``.
    native_size : Size
        Of whole images, pixels.
    logit_scale : float
        What CLIP multiplies cosines with before a softmax (1 / its own temperature).

    """

    features: str
    native_size: Size
    logit_scale: float

    def cosines(
        self, batch: NDArray[np.uint8], words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """
        Return how patches go with words, float32 (B, K, grid_h, grid_w).

        Parameters
        ----------
        batch : uint8 (B, height, width, 3)
            Images of whole patches, red first.
        words : float32 (K, embed_dim)
            Unit vectors.

        """

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of sentences, float32 (N, embed_dim); ConfigError if long."""

    def image_vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the unit vectors of whole images of the native size, float32 (B, embed_dim)."""


def is_stuck(depth_m: Depth, near_m: float, far_m: float) -> bool:
    """Return whether an answer is nothing but one end of the range, which is none."""
    return bool((depth_m <= np.float32(near_m)).all() or (depth_m >= np.float32(far_m)).all())
