# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frozen CLIP as the trainer uses it: tokens of a batch, computed or remembered."""

from __future__ import annotations

from contextlib import AbstractContextManager

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.frames.frames import Batch
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor


class FrozenClip:
    """
    A frozen CLIP with all that decides its tokens.

    Parameters
    ----------
    backbone : Backbone
        A vision transformer; its blocks behind the last tap are freed.
    settings : TrainSettings
        taps, pixels and amp are used. ConfigError if amp is fp16 on the cpu.

    Attributes
    ----------
    dtype : torch.dtype
        What networks compute in, while weights stay float32; float32 is no mixed precision.
    hash : str
        Of the backbone's weights.

    """

    def __init__(self, backbone: Backbone, settings: TrainSettings) -> None:
        self.backbone = backbone
        self.dtype = _mixed_precision(settings.amp, backbone.device)
        self._blocks, self._pixels = settings.taps, settings.pixels
        backbone.vit.check_blocks(settings.taps)
        self.hash = backbone.hash  # before a part of what it is computed from goes
        backbone.vit.drop_blocks_after(settings.taps[-1])

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context of mixed precision that networks run in."""
        kind = self.backbone.device.partition(':')[0]
        return torch.autocast(kind, self.dtype, enabled=self.dtype != torch.float32)

    def grid(self, batch: Batch) -> Size:
        """Return the patches per column and row of a batch."""
        return self.backbone.grid(*batch.size)

    def rays(self, batch: Batch) -> Tensor | None:
        """Return where the patches of a batch look, float32 (B, N, 2), on the device."""
        return None if batch.rays is None else batch.rays.to(self.backbone.device)

    def taps(self, batch: Batch) -> list[Tensor]:
        """Return the tokens of a batch, float (B, 1 + N, C) for each tap, on the device."""
        if batch.tokens is not None:
            tokens = batch.tokens.to(self.backbone.device, non_blocking=True)
            return list(tokens.unbind(1))
        if batch.rgbs is None:
            raise TypeError('a batch holds images or tokens, got neither')
        return self._run(batch.rgbs.numpy())

    def encode(self, rgbs: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Return tokens to be kept, float16 (B, n_taps, 1 + N, C), from uint8 (B, H, W, 3)."""
        tokens = torch.stack(self._run(rgbs), dim=1).half().cpu().numpy()
        return np.asarray(tokens, np.float16)

    def _run(self, rgbs: NDArray[np.uint8]) -> list[Tensor]:
        with torch.no_grad(), self.autocast():
            return self.backbone.taps(rgbs, self._blocks, self._pixels)


def _mixed_precision(amp: str, device: str) -> torch.dtype:
    """Return what the setting ``amp`` means on a device."""
    if amp == 'fp16' and device == 'cpu':
        raise ConfigError("amp='fp16' needs cuda: set amp='bf16', 'auto' or 'off'")
    chosen = {'off': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
    if amp in chosen:
        return chosen[amp]
    if device == 'cpu':
        return torch.bfloat16 if cpu_has_bf16() else torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def cpu_has_bf16() -> bool:
    """Return whether the cpu has instructions for bfloat16: without them it is 6 times slower."""
    # Not public in PyTorch 2; where it goes, float32 is always right.
    asked = getattr(torch.cpu, '_is_avx512_bf16_supported', None)
    return bool(asked and asked())
