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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import math
from typing import Any, Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.model.architecture import Architecture
from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
import torch
from torch import nn, Tensor
from torch.nn import functional
from weights.captions import patch_histograms, Vocabulary

_BLOCKS: Final = ((1, 2), (2, 1), (2, 2), (3, 2), (2, 4), (4, 4))
"""Sizes of blocks in patches; one is drawn for each step."""
_SHARES: Final = {'patches': 0.6, 'blocks': 0.3, 'frame': 0.1}
_TO_IMAGE: Final = 0.2
"""Weight of finding the regions of a caption beside finding the captions of a region."""
_HISTOGRAM_CHUNK: Final = 64


@dataclass(frozen=True, slots=True)
class ContrastSettings:
    """How the small CLIP is trained; what is not here is in the module's constants."""

    steps: int
    batch: int = 32
    lr: float = 1.5e-3
    weight_decay: float = 0.05
    warmup: float = 0.04
    seed: int = 0


def train_contrast(
    architecture: Architecture,
    frames: Frames,
    vocabulary: Vocabulary,
    settings: ContrastSettings,
    *,
    device: str,
    on_step: Callable[[int, float, nn.Module], None] | None = None,
) -> Any:
    """
    Train a CLIP from its random initialisation and give it.

    Parameters
    ----------
    architecture : Architecture
        With a vision transformer whose native size is that of the frames.
    frames : Frames
        What it sees.
    vocabulary : Vocabulary
        What is said about it.
    settings : ContrastSettings
        The recipe.
    device : str
        ``cpu`` or ``cuda:N``.
    on_step : callable, optional
        Called with step, loss and model after each step.

    Raises
    ------
    DataError
        If the loss is not finite, naming the step.

    """
    torch.manual_seed(settings.seed)
    clip: Any = architecture.new_model(torch.float32).to(device).train()
    histograms = _histograms(frames, tuple(clip.visual.patch_size), vocabulary)
    captions = [_tokens(vocabulary, template, device) for template in vocabulary.templates]
    rng = np.random.default_rng(settings.seed)
    optimizer = _optimizer(clip, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _one_cycle(settings))
    for step, indices in enumerate(_batches(len(frames), settings, rng)):
        rgb, shares = _batch(
            frames, histograms, indices, rng, len(vocabulary.words), device
        )
        tokens = captions[0 if rng.random() < 0.5 else rng.integers(len(captions))]
        with torch.autocast(device.partition(':')[0], dtype=torch.bfloat16):
            vectors = encode_patches(clip, _pixels(rgb, architecture))
            sentences = encode_captions(clip, tokens)
        block = _BLOCKS[rng.integers(len(_BLOCKS))]
        loss = contrast_loss(clip, vectors.float(), sentences.float(), shares, block)
        if not torch.isfinite(loss):
            raise DataError(f'the contrastive loss is {loss.item()} at step {step}: lower lr')
        _learn(clip, loss, optimizer)
        schedule.step()
        if on_step:
            on_step(step, loss.item(), clip)
    return clip.eval()


def _learn(clip: Any, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
    optimizer.step()
    clip.logit_scale.data.clamp_(0, math.log(100))  # as CLIP does


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
    tokens = visual.conv1(pixels).flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
    tokens = torch.cat([first, tokens], dim=1) + visual.positional_embedding
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


def _histograms(
    frames: Frames, patch: tuple[int, ...], vocabulary: Vocabulary
) -> NDArray[np.float16]:
    """Count the pixels of all frames once, (N, grid_h, grid_w, kinds x words)."""
    size = (patch[0], patch[1])
    chunks = [
        patch_histograms(
            frames.depth_m[i:i + _HISTOGRAM_CHUNK],
            frames.class_ids[i:i + _HISTOGRAM_CHUNK],
            size,
            vocabulary,
        ).astype(np.float16)
        for i in range(0, len(frames), _HISTOGRAM_CHUNK)
    ]
    counted = np.concatenate(chunks)
    return counted.reshape(*counted.shape[:3], -1)


def _batches(
    n_frames: int, settings: ContrastSettings, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Return indices of frames for each step; every frame comes once before any comes again."""
    order: NDArray[np.int64] = np.empty(0, np.int64)
    for _ in range(settings.steps):
        while len(order) < settings.batch:
            order = np.concatenate([order, rng.permutation(n_frames)])
        yield np.sort(order[:settings.batch])  # in the order of the file
        order = order[settings.batch:]


def _batch(
    frames: Frames,
    histograms: NDArray[np.float16],
    indices: NDArray[np.int64],
    rng: np.random.Generator,
    n_words: int,
    device: str,
) -> tuple[Tensor, Tensor]:
    """
    Return images and to what share each caption is true of their patches.

    Half of the images are flipped. ``object`` is said as often as the kind.
    """
    rgb = torch.from_numpy(frames.rgb[indices]).to(device).float() / 255
    kinds = torch.from_numpy(histograms[indices]).to(device).float()
    flips = torch.from_numpy(rng.random(len(indices)) < 0.5).to(device)
    rgb[flips], kinds[flips] = rgb[flips].flip(2), kinds[flips].flip(2)
    anything = kinds.reshape(*kinds.shape[:-1], -1, n_words).sum(dim=-2)
    return _relit(rgb, rng), torch.cat([kinds, anything], dim=-1) / 2


def _relit(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary gamma, brightness and colour by a tenth, as is usual in training depth (BTS)."""

    def drawn(*shape: int) -> Tensor:
        factors = rng.uniform(0.9, 1.1, shape).astype(np.float32)
        return torch.from_numpy(factors).to(rgb.device)

    n = len(rgb)
    varied: Tensor = rgb ** drawn(n, 1, 1, 1) * drawn(n, 1, 1, 1) * drawn(n, 1, 1, 3)
    return varied.clamp(0, 1)


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


def _optimizer(clip: nn.Module, settings: ContrastSettings) -> torch.optim.Optimizer:
    """Return AdamW; only matrices decay."""
    matrices = [p for p in clip.parameters() if p.ndim > 1]
    others = [p for p in clip.parameters() if p.ndim <= 1]
    groups = [
        {'params': matrices, 'weight_decay': settings.weight_decay},
        {'params': others, 'weight_decay': 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), eps=1e-6)


def _one_cycle(settings: ContrastSettings) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: up in a line, down along a cosine."""
    up = max(1, round(settings.warmup * settings.steps))

    def factor(step: int) -> float:
        if step < up:
            return (step + 1) / up
        return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, settings.steps - up)))

    return factor
