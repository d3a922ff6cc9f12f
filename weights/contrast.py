# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Contrastive training of a small CLIP on regions of the synthetic drive and their captions.

Our choice throughout. Regions are single patches, blocks of patches and the whole frame; the
vector of a region is the mean of its patches' vectors in the joint space (of the whole frame: the
class token's). A region is compared with every caption that the world has; which of them are true
of it, and to what share, is counted in its pixels. There is no depth regression, but this is close
to patch-level classes of depth, named in words: "zero-shot" means here that no depth was ever a
target, not that depth words were never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.model.architecture import Architecture
from clip_depth_ros.model.towers import positions_at
from clip_depth_ros.model.weights import load_weights, read_weights
from clip_depth_ros.training.clip import cpu_has_bf16
from clip_depth_ros.world.rendered_streets import Frames
from open_clip.tokenizer import SimpleTokenizer
import torch
from torch import nn, Tensor
from torch.nn import functional
from weights.captions import Vocabulary
from weights.feed import Feed
from weights.learner import ContrastSettings, Learner

_BLOCKS: Final = ((1, 2), (2, 1), (2, 2), (3, 2), (2, 4), (4, 4))
"""Sizes of blocks in patches; one is drawn for each step."""
_SHARES: Final = {'patches': 0.6, 'blocks': 0.3, 'frame': 0.1}
_TO_IMAGE: Final = 0.2
"""Weight of finding the regions of a caption beside finding the captions of a region."""


def train_contrast(
    architecture: Architecture,
    frames: Sequence[Frames],
    vocabulary: Vocabulary,
    settings: ContrastSettings,
    *,
    device: str,
    start: Path | None = None,
    checkpoint: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[Any, list[float]]:
    """
    Train a CLIP from its random initialisation, or further.

    Parameters
    ----------
    architecture : Architecture
        With a vision transformer.
    frames : sequence of Frames
        What it sees; each of one size, whole patches.
    vocabulary : Vocabulary
        What is said about it.
    settings : ContrastSettings
        The recipe.
    device : str
        ``cpu`` or ``cuda:N``.
    start : Path, optional
        Weights of the same architecture to begin from.
    checkpoint : Path, optional
        A file to go on from, if it is there, as if the training had never stopped; written now
        and then. Who has saved the CLIP may remove it.
    on_step : callable, optional
        Called with step and loss after each step.

    Returns
    -------
    clip, list of float
        The CLIP, and the loss of every step.

    Raises
    ------
    DataError
        If the loss is not finite, naming the step; or if the checkpoint is that of another
        training, or damaged.

    """
    clip: Any = architecture.new_model()
    begun_from = ''
    if start:
        weights = read_weights(start)
        load_weights(clip, weights, architecture.name)
        begun_from = weights.sha256
    clip = clip.to(device).train()
    feed = Feed(
        frames, vocabulary, batch=settings.batch, patch=tuple(clip.visual.patch_size),
        seed=settings.seed, device=device,
    )
    captions = [_tokens(vocabulary, template, device) for template in vocabulary.templates]
    facts = {
        'settings': asdict(replace(settings, save_interval=0)),
        'vocabulary': asdict(vocabulary),
        'architecture': architecture.config,
        'frames': [each.depth_m.shape for each in frames],
        'start': begun_from,
    }
    learner = Learner(clip, settings, json.loads(json.dumps(facts)))
    if checkpoint and checkpoint.is_file():
        learner.restore(checkpoint)
    while (step := len(learner.losses)) < settings.steps:
        rgb, shares, rng = feed.batch(step)
        tokens = captions[0 if rng.random() < 0.5 else rng.integers(len(captions))]
        with autocast(device):
            vectors = encode_patches(clip, _pixels(rgb, architecture))
            sentences = encode_captions(clip, tokens)
        block = _BLOCKS[rng.integers(len(_BLOCKS))]
        loss = contrast_loss(clip, vectors.float(), sentences.float(), shares, block)
        learner.learn(loss)
        if on_step:
            on_step(step, learner.losses[-1])
        if checkpoint and (step + 1) % settings.save_interval == 0:
            learner.save(checkpoint)
    return clip.eval(), learner.losses


def autocast(device: str) -> torch.autocast:
    """Return the context of bfloat16, on devices that have it: others are slow with it."""
    is_cpu = device == 'cpu'
    has_bf16 = cpu_has_bf16() if is_cpu else torch.cuda.is_bf16_supported()
    return torch.autocast('cpu' if is_cpu else 'cuda', torch.bfloat16, enabled=has_bf16)


def used_tokens(vocabulary: Vocabulary) -> list[int]:
    """Return the ids of all tokens that captions are made of, ascending."""
    captions = [
        caption for template in vocabulary.templates for caption in vocabulary.captions(template)
    ]
    return sorted({int(token) for token in SimpleTokenizer()(captions).flatten()})


def encode_patches(clip: Any, pixels: Tensor) -> Tensor:
    """
    Return class token and patches in the joint space, (B, 1 + N, D), not normalised.

    The same numbers as :meth:`VitTower.dense`, with attention written out: in bfloat16 on the cpu
    that trains half as fast again as PyTorch's fused kernel.
    """
    visual = clip.visual
    maps = visual.conv1(pixels)
    positions = positions_at(
        Size(*maps.shape[-2:]), visual.positional_embedding, Size(*visual.grid_size)
    )
    tokens = maps.flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
    tokens = torch.cat([first, tokens], dim=1) + positions
    tokens = _blocks(visual.transformer, visual.ln_pre(tokens), None)
    vectors: Tensor = visual.ln_post(tokens) @ visual.proj
    return vectors


def encode_captions(clip: Any, tokens: Tensor) -> Tensor:
    """Return captions in the joint space, (N, D), not normalised; tokens may be cut short."""
    length = tokens.shape[1]
    states = clip.token_embedding(tokens) + clip.positional_embedding[:length]
    states = _blocks(clip.transformer, states, clip.attn_mask[:length, :length])
    states = clip.ln_final(states)
    ends = states[torch.arange(len(tokens)), tokens.argmax(dim=-1)]  # the end has the largest id
    vectors: Tensor = ends @ clip.text_projection
    return vectors


def contrast_loss(
    clip: Any, vectors: Tensor, sentences: Tensor, shares: Tensor, block: tuple[int, int]
) -> Tensor:
    """
    Compare regions with captions, both ways.

    Parameters
    ----------
    clip : open_clip.CLIP
        Its logit scale is used.
    vectors : float32 (B, 1 + N, D)
        Class token and patches.
    sentences : float32 (C, D)
        Vectors of all captions.
    shares : float32 (B, grid_h, grid_w, C)
        To what share each caption is true of each patch; sums to 1 over C.
    block : (int, int)
        Height and width of the blocks, in patches.

    Returns
    -------
    Tensor
        Mean over regions of the cross-entropy to their captions, plus the same for captions.

    """
    grid_h, grid_w = shares.shape[1:3]
    maps = vectors[:, 1:].reshape(len(vectors), grid_h, grid_w, -1)
    regions = {
        'patches': (maps.flatten(0, 2), shares.flatten(0, 2)),
        'blocks': (_pooled(maps, block), _pooled(shares, block)),
        'frame': (vectors[:, 0], shares.mean(dim=(1, 2))),
    }
    directions = clip.logit_scale.exp() * functional.normalize(sentences, dim=-1)
    losses = [
        _SHARES[name] * _cross_entropies(functional.normalize(seen, dim=-1) @ directions.T, said)
        for name, (seen, said) in regions.items()
    ]
    return torch.stack(losses).sum()


def _cross_entropies(logits: Tensor, shares: Tensor) -> Tensor:
    """Return the loss of regions (rows) that look for captions (columns), and the other way."""
    to_caption = -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean()
    said = shares.sum(dim=0)
    to_region = -(shares * logits.log_softmax(dim=0)).sum(dim=0)[said > 0] / said[said > 0]
    return (to_caption + _TO_IMAGE * to_region.mean()) / (1 + _TO_IMAGE)


def _pooled(maps: Tensor, block: tuple[int, int]) -> Tensor:
    """Return means over blocks that do not overlap, (regions, channels); the rest is left out."""
    return functional.avg_pool2d(maps.movedim(-1, 1), block).movedim(1, -1).flatten(0, 2)


def _blocks(transformer: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    for block in transformer.resblocks:
        states = states + _attention(block.attn, block.ln_1(states), mask)
        states = states + block.mlp(block.ln_2(states))
    return states


def _attention(attention: nn.MultiheadAttention, states: Tensor, mask: Tensor | None) -> Tensor:
    qkv = functional.linear(states, attention.in_proj_weight, attention.in_proj_bias)
    heads = qkv.reshape(*qkv.shape[:2], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = heads.unbind(0)  # (B, heads, N, C / heads) each
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    mixed = scores.softmax(dim=-1).to(value.dtype) @ value
    return attention.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def _pixels(rgb: Tensor, architecture: Architecture) -> Tensor:
    """Return the network's input, (B, 3, H, W), from RGB in [0, 1], (B, H, W, 3)."""
    mean = torch.tensor(architecture.mean, device=rgb.device)
    std = torch.tensor(architecture.std, device=rgb.device)
    return ((rgb - mean) / std).permute(0, 3, 1, 2)


def _tokens(vocabulary: Vocabulary, template: str, device: str) -> Tensor:
    """Return the captions' token ids, (C, longest caption)."""
    tokens: Tensor = SimpleTokenizer()(vocabulary.captions(template))
    longest = int((tokens != 0).sum(dim=1).max())
    return tokens[:, :longest].to(device)
