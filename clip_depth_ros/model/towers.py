# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The image towers of open_clip, made to return patches at any image size, not one vector."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError
import torch
from torch import nn, Tensor
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_KEPT_GRIDS: Final = 8


class ResnetTower:
    """
    CLIP's modified ResNet: stride 32, attention pool at the end.

    Of every tower ``stride`` is the size of one patch and ``native_size`` the image size that it
    was made for, pixels.
    """

    stride = Size(32, 32)

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self.native_size = Size(visual.image_size, visual.image_size)
        grid = Size(*(side // 32 for side in self.native_size))
        self._positions = _Positions(visual.attnpool.positional_embedding, grid)

    @property
    def channels(self) -> int:
        """Return the number of channels of layer 4."""
        return int(self._visual.attnpool.v_proj.in_features)

    def layer4(self, pixels: Tensor) -> Tensor:
        """Return the maps before the attention pool, (B, C, grid_h, grid_w)."""
        maps: Tensor = self._visual.stem(pixels)
        for layer in ('layer1', 'layer2', 'layer3', 'layer4'):
            maps = getattr(self._visual, layer)(maps)
        return maps  # (B, C, grid_h, grid_w)

    def dense(self, pixels: Tensor) -> Tensor:
        """
        Return patches in CLIP's joint space, (B, embed_dim, grid_h, grid_w).

        Our choice: position embedding, value and output projection of the attention pool at each
        position, no attention across positions. If the pool attended to all positions equally,
        its answer would be the mean of these over the positions (and the mean token).
        """
        maps = self.layer4(pixels)
        grid = Size(*maps.shape[-2:])
        pool = self._visual.attnpool
        tokens = maps.flatten(2).transpose(1, 2)  # (B, N, C)
        tokens = tokens + self._positions.at(grid)[1:].to(tokens.dtype)
        patches = pool.c_proj(pool.v_proj(tokens))  # (B, N, D)
        return _as_maps(patches, grid)


class VitTower:
    """CLIP's vision transformer."""

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self._positions = _Positions(visual.positional_embedding, Size(*visual.grid_size))
        self.stride = Size(*visual.patch_size)
        self.native_size = Size(*visual.image_size)
        self._n_all_blocks = self.n_blocks

    @property
    def n_blocks(self) -> int:
        """Return the number of blocks that are (still) there."""
        return len(self._visual.transformer.resblocks)

    @property
    def width(self) -> int:
        """Return the number of channels of its tokens."""
        return int(self._visual.conv1.out_channels)

    def dense(self, pixels: Tensor) -> Tensor:
        """
        Return patches in CLIP's joint space, (B, embed_dim, grid_h, grid_w).

        Our choice: each patch token goes through the final norm and the projection, as the class
        token does.

        Raises
        ------
        ClipDepthError
            If blocks were dropped.

        """
        visual = self._visual
        if self.n_blocks < self._n_all_blocks:
            raise ClipDepthError('the last blocks of this image tower were dropped: build another')
        tokens, grid = self._tokens(pixels)
        tokens = visual.transformer(tokens)[:, 1:]  # (B, N, C)
        return _as_maps(visual.ln_post(tokens) @ visual.proj, grid)

    def taps(self, pixels: Tensor, blocks: Sequence[int]) -> list[Tensor]:
        """
        Return the tokens after some blocks, without the final norm, (B, 1 + N, C) each.

        In the order of ``blocks``, which are counted from 0, and the class token first. Blocks
        after the last of them do not run; ConfigError if there is no such block. H and W of the
        pixels (B, 3, H, W) are whole multiples of the stride.
        """
        self.check_blocks(blocks)
        tokens, _ = self._tokens(pixels)
        seen: dict[int, Tensor] = {}
        for index, block in enumerate(self._visual.transformer.resblocks[:max(blocks) + 1]):
            tokens = block(tokens)
            if index in blocks:
                seen[index] = tokens
        return [seen[index] for index in blocks]

    def check_blocks(self, blocks: Sequence[int]) -> None:
        """Check that these blocks exist; ConfigError naming them and how many there are."""
        if not blocks or min(blocks) < 0 or max(blocks) >= self.n_blocks:
            raise ConfigError(
                f'taps must be blocks of the image tower, 0 to {self.n_blocks - 1}, '
                f'got {list(blocks)}'
            )

    def drop_blocks_after(self, block: int) -> None:
        """Free the blocks after one, counted from 0; :meth:`dense` fails from then on."""
        transformer = self._visual.transformer
        transformer.resblocks = transformer.resblocks[:block + 1]

    def _tokens(self, pixels: Tensor) -> tuple[Tensor, Size]:
        """Return what the first block reads, (B, 1 + N, C), and the patch grid."""
        visual = self._visual
        maps = visual.conv1(pixels)  # (B, C, grid_h, grid_w)
        grid = Size(*maps.shape[-2:])
        tokens = maps.flatten(2).transpose(1, 2)  # (B, N, C)
        # Not len(), which is one number for all batches in an exported model.
        class_token = visual.class_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        tokens = torch.cat([class_token, tokens], dim=1)
        return visual.ln_pre(tokens + self._positions.at(grid).to(tokens.dtype)), grid


def fold_norms(visual: nn.Module) -> None:
    """Fold each batch norm of open_clip's ResNet into the convolution before it."""
    for module in list(visual.modules()):
        pairs = [(f'conv{number}', f'bn{number}') for number in (1, 2, 3)]
        if isinstance(module, nn.Sequential):  # of a shortcut: pooling '-1', these two
            pairs = [('0', '1')]
        for convolution, norm in pairs:
            if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                folded = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                setattr(module, convolution, folded.requires_grad_(False))
                setattr(module, norm, nn.Identity())
    visual.to(memory_format=torch.channels_last)


def positions_at(grid: Size, embedding: Tensor, native: Size) -> Tensor:
    """
    Return a position embedding (1 + N, C) for another grid; its first row is kept as it is.

    Bicubic, align_corners=False, without antialiasing: as CLIPSeg resamples CLIP's (open_clip's
    own loader antialiases). That of the native grid is not touched.
    """
    if not torch.compiler.is_exporting() and grid == native:
        return embedding
    first, rows = embedding[:1].float(), embedding[1:].float()
    maps = _as_maps(rows.unsqueeze(0), native)
    resampled = functional.interpolate(maps, size=grid, mode='bicubic', align_corners=False)
    return torch.cat([first, resampled.flatten(2).transpose(1, 2)[0]])


class _Positions:
    """A position embedding (1 + N, C) for any grid; the last are kept."""

    def __init__(self, embedding: nn.Parameter, grid: Size) -> None:
        self._embedding = embedding
        self._native = grid
        self._kept: OrderedDict[Size, Tensor] = OrderedDict()

    def at(self, grid: Size) -> Tensor:
        if torch.compiler.is_exporting():  # for any grid: computed with each image
            return positions_at(grid, self._embedding, self._native)
        if grid == self._native:
            return self._embedding
        if grid not in self._kept:
            self._kept[grid] = positions_at(grid, self._embedding, self._native)
            if len(self._kept) > _KEPT_GRIDS:
                self._kept.popitem(last=False)
        return self._kept[grid]


def _as_maps(tokens: Tensor, grid: Size) -> Tensor:
    """Return (B, C, grid_h, grid_w) from (B, N, C)."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, *grid)
