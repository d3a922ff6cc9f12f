# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The mirror: a learned matrix that takes the place of words before the frozen text tower."""

from __future__ import annotations

from typing import Any

from clip_depth_ros.errors import ConfigError
import torch
from torch import nn, Tensor


def mirror_vector(text_tower: Any, mirror: Tensor, frame: Tensor | None = None) -> Tensor:
    """
    Read a matrix as if it were the embeddings of words.

    Parameters
    ----------
    text_tower : open_clip.CLIP or open_clip's TextTransformer
        Frozen; gradients reach the mirror through it.
    mirror : float (s, text_width)
        One row in place of each word (the paper).
    frame : float (2, text_width), optional
        Embeddings of start and end of text to put around it (our choice: without).

    Returns
    -------
    float32 (text_dim,)
        Not brought to unit length (CLIPSeg's code does not either).

    Raises
    ------
    ConfigError
        If there are more rows than the text tower has positions.

    Notes
    -----
    Our choice, as the paper is silent: positions 0 to s - 1 are added, the causal mask is kept and
    the answer is that at the last position, the only one that sees every row under that mask.
    open_clip pools by token ids, which a mirror does not have, so its parts are called here.

    """
    rows = mirror if frame is None else torch.cat([frame[:1], mirror, frame[1:]])
    length = len(rows)
    check_length(text_tower, length)
    dtype = text_tower.transformer.get_cast_dtype()
    states = (rows + text_tower.positional_embedding[:length]).to(dtype).unsqueeze(0)
    mask = text_tower.attn_mask
    mask = None if mask is None else mask[:length, :length]
    states = text_tower.transformer(states, attn_mask=mask)  # (1, s, text_width)
    last = text_tower.ln_final(states[:, -1])
    projection = text_tower.text_projection
    if isinstance(projection, nn.Linear):
        last = projection(last)
    elif projection is not None:
        last = last @ projection
    vector: Tensor = last[0].float()
    return vector


def check_length(text_tower: Any, length: int) -> None:
    """
    Make sure that the text tower has a position for each row.

    Raises
    ------
    ConfigError
        Naming both.

    """
    n_positions = len(text_tower.positional_embedding)
    if length > n_positions:
        raise ConfigError(
            f'the text tower of this backbone reads {n_positions} rows, the mirror with its '
            f'framing has {length}: lower mirror_length, or choose a backbone with a longer '
            'context_length'
        )
