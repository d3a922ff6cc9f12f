# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
CLIPSeg's decoder: a few levels of patch tokens to one number for each pixel.

Lueddecke, Ecker: "Image Segmentation Using Text and Image Prompts", CVPR 2022; "CLIPSeg's code" is
that of the paper and of the transformers library, which agree. Both take square images only.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError
from torch import nn, Tensor
from torch.nn import functional


class Decoder(nn.Module):
    """
    Levels of patch tokens, deepest first, each added to a running state and mixed by a block.

    It reads tokens of C = ``width`` channels; its blocks have ``reduce_dim`` channels, ``n_heads``
    attention heads and ``mlp_dim`` hidden channels. For ``head`` see :func:`new_head`; ``patch``
    is the pixels of one patch; with ``rays``, it is told where patches look.
    """

    def __init__(
        self,
        n_levels: int,
        width: int,
        *,
        reduce_dim: int,
        n_heads: int,
        mlp_dim: int,
        head: str,
        patch: Size,
        rays: bool = False,
    ) -> None:
        super().__init__()
        self.reduces = nn.ModuleList(nn.Linear(width, reduce_dim) for _ in range(n_levels))
        # The norm after each sum and the ReLU are CLIPSeg's, unlike CLIP's own blocks.
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                reduce_dim, n_heads, mlp_dim, dropout=0.0, activation='relu', batch_first=True
            )
            for _ in range(n_levels)
        )
        self.head = new_head(head, reduce_dim, patch)
        self.rays = nn.Linear(2, reduce_dim) if rays else None
        if self.rays is not None:
            # Our choice: it starts as a decoder that is not told.
            nn.init.zeros_(self.rays.weight)
            nn.init.zeros_(self.rays.bias)

    def forward(
        self,
        taps: Sequence[Tensor],
        grid: Size,
        film: tuple[Tensor, Tensor] | None = None,
        rays: Tensor | None = None,
    ) -> Tensor:
        """
        Return one number for each pixel.

        Parameters
        ----------
        taps : sequence of float (B, 1 + N, C)
            Tokens of each level, class token first; the deepest level last, as
            :meth:`VitTower.taps` returns them.
        grid : Size
            Patches per column and row; N is their product. Never guessed from N, so images need
            not be square.
        film : (gamma, beta), each float (reduce_dim,), optional
            Scales and shifts the deepest level before its block: gamma * x + beta, without "+ 1"
            (CLIPSeg's code).
        rays : float (B, N, 2), optional
            x/z and y/z of each patch, row by row. Added, projected, to the patches of the deepest
            level before they are conditioned (our choice); not looked at by a decoder that is not
            told.

        Returns
        -------
        float32 (B, grid_h * patch_h, grid_w * patch_w)
            Unbounded.

        Raises
        ------
        ClipDepthError
            If it is told rays, and there are none.

        """
        levels = zip(reversed(taps), self.reduces, self.blocks, strict=True)
        deepest, reduce, block = next(levels)
        state = reduce(deepest.float())  # (B, 1 + N, reduce_dim)
        if self.rays is not None:
            if rays is None:
                raise ClipDepthError(
                    'this decoder is told where patches look: pass rays, as patch_rays gives them'
                )
            state = state + functional.pad(self.rays(rays), (0, 0, 1, 0))  # not the class token
        if film is not None:
            gamma, beta = film
            state = gamma * state + beta
        state = block(state)
        for tokens, reduce, block in levels:
            state = block(reduce(tokens.float()) + state)
        maps = state[:, 1:].transpose(1, 2).unflatten(2, grid)  # (B, reduce_dim, grid_h, grid_w)
        logits: Tensor = self.head(maps).squeeze(1).float()
        return logits

    @property
    def last_bias(self) -> nn.Parameter:
        """Return the bias of the last layer, (1,): what a decoder that knows nothing answers."""
        last = self.head if isinstance(self.head, nn.ConvTranspose2d) else self.head[-1]
        return last.get_parameter('bias')


def new_head(kind: str, channels: int, patch: Size) -> nn.Sequential | nn.ConvTranspose2d:
    """
    Build the layers from (B, channels, grid_h, grid_w) to (B, 1, grid_h * h, grid_w * w).

    Parameters
    ----------
    kind : str
        ``simple``: one transposed convolution (CLIPSeg's code). ``refined``: a convolution and two
        transposed convolutions (CLIPSeg's code). ``smooth``: the same with a convolution after
        each, which sees across the borders that transposed convolutions leave (our choice).
    channels : int
        A multiple of 4.
    patch : Size
        Pixels of one patch.

    """
    if kind == 'simple':
        return nn.ConvTranspose2d(channels, 1, patch, stride=patch)
    first, second = _two_steps(patch)
    half, quarter = channels // 2, channels // 4
    start = (
        _conv(channels, channels), nn.ReLU(),
        _enlarge(channels, half, first), nn.ReLU(),
    )
    if kind == 'refined':
        return nn.Sequential(*start, _enlarge(half, 1, second))
    return nn.Sequential(
        *start,
        _conv(half, half), nn.ReLU(),
        _enlarge(half, quarter, second), nn.ReLU(),
        _conv(quarter, 1),
    )


def _two_steps(patch: Size) -> tuple[Size, Size]:
    """Split the enlargement: 16 is 4 x 4 (CLIPSeg's code), others as evenly (our choice)."""
    # The smallest divisor that is not below the square root.
    first = Size(*(
        next(n for n in range(math.isqrt(pixels - 1) + 1, pixels + 1) if pixels % n == 0)
        for pixels in patch
    ))
    return first, Size(patch.height // first.height, patch.width // first.width)


def _conv(channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, padding=1)


def _enlarge(channels: int, out_channels: int, factor: Size) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, out_channels, factor, stride=factor)
