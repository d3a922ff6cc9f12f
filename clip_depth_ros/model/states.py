# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""State dicts: whether they fit a model, whether their numbers can be, and which they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import hashlib
from typing import Final

from torch import Tensor

_NAMED: Final = 3
"""How many wrong tensors an error names."""


def misfits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Say which tensors are missing, unknown or of another shape than a model's own."""
    return [
        *(f'{name} is missing' for name in expected if name not in state),
        *(f'{name} is unknown' for name in state if name not in expected),
        *(
            f'{name} is {list(state[name].shape)}, not {list(tensor.shape)}'
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ),
    ]


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Give the names of tensors with a NaN or an infinity."""
    return [name for name, tensor in state.items() if not tensor.isfinite().all()]


def some(texts: Iterable[str]) -> str:
    """Give the first few texts and how many more there are."""
    named = list(texts)
    rest = len(named) - _NAMED
    return ', '.join(named[:_NAMED]) + (f' and {rest} more' if rest > 0 else '')


def hash_of_values(state: Mapping[str, Tensor]) -> str:
    """
    Give the SHA-256 over names, shapes and float32 values, sorted by name.

    Our choice: of values as they are used, so that a file's format does not change it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f'{name} {list(tensor.shape)} '.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
