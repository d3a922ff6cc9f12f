# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is done to rendered frames so that no two steps are alike, on the device that trains.

Windows that move and zoom: what is seen z times larger is z times nearer to a network that knows
one focal length (Metric3D, Yin et al., arXiv 2307.10984), so depth is divided by z. Then light,
colour, blur, noise and patches that are cut out (DeVries and Taylor, arXiv 1708.04552). How much
of each is our choice.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn import functional

Rng = np.random.Generator
Numbers = NDArray[Any]

ZOOM: Final = 1.5
"""Windows are seen up to so many times larger, or smaller where there is room; half are not."""
_SMALLEST: Final = 0.6
"""Share of the side of a frame that a window has at least; half of the steps see all of it."""
_FEWEST_PATCHES: Final = 4

_GAMMA: Final = 0.35
_GAIN: Final = 0.35
_CHANNEL_GAIN: Final = 0.15
"""Up and down, of the logarithm."""
_CONTRAST: Final = (0.6, 1.3)
_SATURATION: Final = (0.2, 1.6)
_GREY: Final = 0.1
_BLURRED: Final = 0.3
_MOST_BLUR_PX: Final = 1.2
_NOISY: Final = 0.5
_MOST_NOISE: Final = 0.06
_CUT: Final = 0.3
_LARGEST_CUT: Final = 0.35
"""Of the height and the width."""
_KERNEL: Final = 7


class Seen(NamedTuple):
    """
    What a step sees.

    Attributes
    ----------
    rgb : float32 (B, H, W, 3)
        In [0, 1].
    depth_m : float32 (B, H, W)
        Metres as the network is to see them; +Inf for sky.
    class_ids : int64 (B, H, W)

    """

    rgb: Tensor
    depth_m: Tensor
    class_ids: Tensor


class Windows(NamedTuple):
    """
    Parts of frames, seen larger or smaller, mirrored or not.

    Attributes
    ----------
    height, width : int
        What they become, pixels.
    zoom : float64 (B,)
        How many times larger than in the frame.
    tops, lefts : float64 (B,)
        Where they begin in the frame, pixels.
    flips : bool (B,)
        Whether left and right are exchanged.

    """

    height: int
    width: int
    zoom: Numbers
    tops: Numbers
    lefts: Numbers
    flips: Numbers


def draw_windows(rng: Rng, n: int, size: tuple[int, int], patch: tuple[int, int]) -> Windows:
    """Draw windows of frames of a size; all become as large, in whole patches."""
    height, width = size
    if rng.random() < 0.5:
        height, width = (
            one * _some(rng, side // one) for one, side in zip(patch, size, strict=True)
        )
    least = max(height / size[0], width / size[1], 1 / ZOOM)
    zoom = np.exp(rng.uniform(np.log(least), np.log(ZOOM), n))
    zoom[rng.random(n) < 0.5] = 1
    tops, lefts = (
        # What is not zoomed need not be interpolated.
        np.where(zoom == 1, np.round(begin), begin)
        for begin in (rng.random(n) * (size[0] - height / zoom),
                      rng.random(n) * (size[1] - width / zoom))
    )
    return Windows(height, width, zoom, tops, lefts, rng.random(n) < 0.5)


def _some(rng: Rng, count: int) -> int:
    """Draw how many of so many patches in a row are seen."""
    fewest = min(count, max(_FEWEST_PATCHES, math.ceil(_SMALLEST * count)))
    return int(rng.integers(fewest, count + 1))


def look_through(windows: Windows, rgb: Tensor, depth_m: Tensor, class_ids: Tensor) -> Seen:
    """
    Return what is seen in windows of frames.

    Colours are interpolated; depth and classes are those of the nearest pixel, so that no two
    surfaces are mixed.

    Parameters
    ----------
    windows : Windows
        One for each frame.
    rgb, depth_m, class_ids : uint8 (B, H, W, 3), float (B, H, W), uint8 (B, H, W)
        The frames; metres.

    """
    n, height, width = depth_m.shape
    device = depth_m.device
    zoom = windows.zoom[:, np.newaxis]
    across = np.arange(windows.width)[np.newaxis].repeat(n, axis=0)
    across[windows.flips] = across[windows.flips, ::-1]
    v = windows.tops[:, np.newaxis] + (np.arange(windows.height) + 0.5) / zoom - 0.5
    u = windows.lefts[:, np.newaxis] + (across + 0.5) / zoom - 0.5
    rows, columns = (
        torch.from_numpy(np.round(at).clip(0, side - 1).astype(np.int64)).to(device)
        for at, side in ((v, height), (u, width))
    )
    images = torch.arange(n, device=device)[:, None, None]
    picked = (images, rows[:, :, None], columns[:, None])
    nearer = torch.from_numpy(windows.zoom.astype(np.float32)).to(device)
    if (windows.zoom == 1).all():
        seen = rgb[picked].float() / 255
    else:
        y, x = (
            torch.from_numpy((2 * at + 1) / side - 1).float().to(device)
            for at, side in ((v, height), (u, width))
        )
        shape = (n, windows.height, windows.width)
        grid = torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape)], dim=-1)
        maps = rgb.permute(0, 3, 1, 2).float() / 255
        seen = functional.grid_sample(
            maps, grid, mode='bilinear', padding_mode='border', align_corners=False
        ).permute(0, 2, 3, 1)
    return Seen(
        seen, depth_m[picked].float() / nearer[:, None, None], class_ids[picked].long()
    )


def relit(rgb: Tensor, rng: Rng, noise: torch.Generator) -> Tensor:
    """Return images (B, H, W, 3) in [0, 1] in another light, through another camera."""
    n = len(rgb)

    def of_each(numbers: Numbers, *channels: int) -> Tensor:
        shaped = numbers.astype(np.float32).reshape(n, 1, 1, *(channels or (1,)))
        return torch.from_numpy(shaped).to(rgb.device)

    gamma = np.exp(_GAMMA * rng.uniform(-1, 1, n))
    gains = np.exp(
        _GAIN * rng.uniform(-1, 1, (n, 1)) + _CHANNEL_GAIN * rng.uniform(-1, 1, (n, 3))
    )
    saturation = rng.uniform(*_SATURATION, n)
    saturation[rng.random(n) < _GREY] = 0
    lit = rgb.clamp_min(1e-6) ** of_each(gamma) * of_each(gains, 3)
    mean = lit.mean(dim=(1, 2, 3), keepdim=True)
    lit = mean + (lit - mean) * of_each(rng.uniform(*_CONTRAST, n))
    grey = lit.mean(dim=3, keepdim=True)
    lit = grey + (lit - grey) * of_each(saturation)
    blur_px = rng.uniform(0.3, _MOST_BLUR_PX, n) * (rng.random(n) < _BLURRED)
    if blur_px.any():
        lit = _blurred(lit, blur_px)
    levels = rng.uniform(0, _MOST_NOISE, n) * (rng.random(n) < _NOISY)
    noises = torch.randn(lit.shape, generator=noise, device=rgb.device)
    lit = lit + of_each(levels) * noises
    return _cut_out(lit, rng).clamp(0, 1)


def _blurred(rgb: Tensor, sigmas_px: Numbers) -> Tensor:
    """Blur each image by a Gaussian of its own; 0 leaves it as it is."""
    n, height, width, _ = rgb.shape
    offsets = np.arange(_KERNEL) - _KERNEL // 2
    sigmas = np.maximum(sigmas_px, 1e-3)[:, np.newaxis]
    kernels = np.exp(-0.5 * (offsets / sigmas) ** 2)
    kernels = (kernels / kernels.sum(axis=1, keepdims=True)).repeat(3, axis=0).astype(np.float32)
    weights = torch.from_numpy(kernels).to(rgb.device)[:, None]  # (3 B, 1, K)
    maps = rgb.permute(0, 3, 1, 2).reshape(1, 3 * n, height, width)
    for shape, pad in (((-1, 1, _KERNEL, 1), (0, 0, 3, 3)), ((-1, 1, 1, _KERNEL), (3, 3, 0, 0))):
        padded = functional.pad(maps, pad, mode='replicate')
        maps = functional.conv2d(padded, weights.reshape(shape), groups=3 * n)
    return maps.reshape(n, 3, height, width).permute(0, 2, 3, 1)


def _cut_out(rgb: Tensor, rng: Rng) -> Tensor:
    """Paint over a rectangle of some images, each in one colour."""
    n, height, width, _ = rgb.shape
    is_inside = []
    for side in (height, width):
        length = side * rng.uniform(0.05, _LARGEST_CUT, (n, 1))
        begin = rng.uniform(0, 1, (n, 1)) * (side - length)
        at = np.arange(side)
        is_inside.append((at >= begin) & (at < begin + length))
    rows, columns = is_inside
    rows[rng.random(n) >= _CUT] = False
    cut = torch.from_numpy(rows[:, :, np.newaxis] & columns[:, np.newaxis]).to(rgb.device)
    colours = torch.from_numpy(rng.random((n, 1, 1, 3)).astype(np.float32)).to(rgb.device)
    return torch.where(cut[..., None], colours, rgb)
