# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether another arithmetic or engine answers as PyTorch does in fp32: on a picture of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from clip_depth_ros.core.image_plan import Size
import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, tuple[str, Sequence[int]]]
"""The type and the shape of each input of a network, by name."""

PATCHES: Final = Size(4, 6)
"""Of the two pictures that are looked at."""

MOST_DIFFERENCE: Final = {'fp32': 1e-3, 'bf16': 0.05, 'fp16': 0.05}
"""What :func:`difference` may be, by the arithmetic that is tested."""


def arrays(inputs: Inputs, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Return noise for each input: bytes, or unit vectors."""
    rng = np.random.default_rng(seed)
    made: dict[str, NDArray[np.generic]] = {}
    for name, (kind, shape) in inputs.items():
        if kind == 'uint8':
            made[name] = rng.integers(0, 256, shape, np.uint8)
        else:
            noise = rng.standard_normal(shape, np.float32)
            made[name] = noise / np.linalg.norm(noise, axis=-1, keepdims=True)
    return made


def difference(answer: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """
    Return how far an answer is from the one that is wanted; infinite if it is not finite.

    The median over numbers, as a share of the range between the 5th and the 95th hundredth of
    what is wanted (our choice).
    """
    if answer.size != wanted.size or not np.isfinite(answer).all():
        return float('inf')
    spread = float(np.subtract(*np.percentile(wanted, [95, 5]))) or 1.0
    return float(np.median(abs(answer.ravel() - wanted.ravel()))) / spread
