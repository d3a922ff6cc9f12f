# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frozen CLIP on its device: built once, shared by everything that needs its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.model import open_clip_parts
from clip_depth_ros.model.architecture import (
    Architecture,
    find_architecture,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Rgb01,
)
from clip_depth_ros.model.devices import DTYPES, explain_out_of_memory, Precision
from clip_depth_ros.model.pretrained import find_weights, Origin, RANDOM
from clip_depth_ros.model.text import TextEncoder, tokenizer_for
from clip_depth_ros.model.towers import fold_norms, ResnetTower, VitTower
from clip_depth_ros.model.weights import hash_of_values, load_weights
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional

_TEXT_PARTS: Final = (
    'text', 'transformer', 'token_embedding', 'positional_embedding', 'ln_final',
    'text_projection', 'attn_mask',
)
"""What open_clip's models have for sentences: a module of its own, or parts of the model."""


Images = NDArray[np.uint8] | Tensor
"""uint8 (B, H, W, 3), red first."""


class Backbone:
    """
    A frozen CLIP: patches of images, whole images and sentences in one space.

    Attributes
    ----------
    name : str
        As requested.
    weights, note : str
        Where the weights are from, for reports, and what a user should know of them, or nothing.
    device : str
        ``cpu`` or ``cuda:N``.
    precision : str
        Arithmetic of the network; inputs and results are float32.
    mean, std : 3 floats each
        CLIP's own pixel convention for RGB in [0, 1].
    tower : ResnetTower or VitTower
        Pixels to patches.
    is_trimmed : bool
        Whether :meth:`trim` has freed parts of it.

    """

    def __init__(
        self,
        clip: Any,
        architecture: Architecture,
        *,
        origin: Origin,
        device: str,
        precision: Precision,
        allow_download: bool = False,
    ) -> None:
        self.name = architecture.name
        self.weights, self.note = origin
        self.device = device
        self.mean, self.std = architecture.mean, architecture.std
        self.is_trimmed = False
        self._hash = ''
        self._conventions: dict[tuple[Rgb01, Rgb01], Tensor] = {}
        self._clip = clip.eval().requires_grad_(False).to(device)
        # Convolutions are faster in this layout; it changes nothing else.
        clip.visual.to(memory_format=torch.channels_last)
        self.compute_in(precision)
        is_resnet = hasattr(clip.visual, 'attnpool')
        self.tower = ResnetTower(clip.visual) if is_resnet else VitTower(clip.visual)
        tokenizer = tokenizer_for(architecture.config['text_cfg'], allow_download=allow_download)
        self._text = TextEncoder(self._clip, tokenizer, device)

    @property
    def hash(self) -> str:  # noqa: A003, RUF100
        """
        Return the SHA-256 of the weights as they were loaded, 64 hexadecimal digits.

        What was trained on one CLIP is meaningless on another; this tells them apart, whatever
        file they came from and whatever arithmetic they compute in.
        """
        if not self._hash:
            self._hash = hash_of_values(self._clip.state_dict())
        return self._hash

    @property
    def text(self) -> TextEncoder:
        """Sentences to vectors, each unit vector encoded once; ClipDepthError if it was freed."""
        self._check_text()
        return self._text

    @property
    def text_tower(self) -> Any:
        """Return open_clip's CLIP or the TextTransformer in it; ClipDepthError if it was freed."""
        self._check_text()
        return getattr(self._clip, 'text', self._clip)

    @property
    def vit(self) -> VitTower:
        """Return the image tower, with blocks to read tokens from; ConfigError if a ResNet."""
        if not isinstance(self.tower, VitTower):
            raise ConfigError(
                f'CLIP2Depth needs a vision transformer such as ViT-B-16-quickgelu, got '
                f'backbone={self.name!r}'
            )
        return self.tower

    @property
    def is_resnet(self) -> bool:
        """Whether the image tower is a ResNet, which the released DepthCLIP code needs."""
        return isinstance(self.tower, ResnetTower)

    @property
    def embed_dim(self) -> int:
        """Length of the vectors in the joint space."""
        return int(self._clip.visual.output_dim)

    @property
    def logit_scale(self) -> float:
        """Return what CLIP multiplies cosines with before a softmax (1 / its own temperature)."""
        return float(self._clip.logit_scale.exp())

    @property
    def visual(self) -> nn.Module:
        """Return open_clip's image tower, which holds the weights."""
        visual: nn.Module = self._clip.visual
        return visual

    def pixels(self, rgbs: Images, mean: Rgb01, std: Rgb01) -> Tensor:
        """
        Return the network's input, (B, 3, H, W) on the device, in its arithmetic.

        Of images, uint8 (B, H, W, 3), red first; ``mean`` is subtracted from RGB in [0, 1], which
        ``std`` then divides.
        """
        if (mean, std) not in self._conventions:  # kept: making them would wait for a GPU
            self._conventions[mean, std] = torch.tensor([mean, std], device=self.device)
        means, stds = self._conventions[mean, std].view(2, 3, 1, 1)
        # (B, H, W, 3) seen as (B, 3, H, W) is PyTorch's channels_last layout: no copy.
        pixels = torch.as_tensor(rgbs).to(self.device).permute(0, 3, 1, 2).float()
        pixels /= 255
        pixels -= means
        pixels /= stds
        return pixels.to(self._dtype)

    def grid(self, height_px: int, width_px: int) -> Size:
        """Return the patches per column and row of an image of whole patches."""
        return Size(height_px // self.tower.stride.height, width_px // self.tower.stride.width)

    @torch.no_grad()
    def taps(
        self,
        rgbs: Images,
        blocks: Sequence[int],
        pixels: Literal['clip', 'imagenet'] = 'clip',
    ) -> list[Tensor]:
        """
        Return the tokens after some blocks of the image tower, in its arithmetic.

        Parameters
        ----------
        rgbs : uint8 (B, H, W, 3)
            Images, an array or a tensor, red first; H and W whole multiples of the stride.
        blocks : sequence of int
            Counted from 0; see :meth:`VitTower.taps`.
        pixels : str
            Mean and std of the pixels: the backbone's own or, as CLIPSeg's code has them,
            ImageNet's.

        Returns
        -------
        list of Tensor (B, 1 + N, C)
            In the order of ``blocks``; the class token first.

        Raises
        ------
        ConfigError
            If the image tower is a ResNet, or has no such block.

        """
        own = (self.mean, self.std)
        mean, std = own if pixels == 'clip' else (IMAGENET_MEAN, IMAGENET_STD)
        return self.vit.taps(self.pixels(rgbs, mean, std), blocks)

    def compute_in(self, precision: Precision) -> None:
        """Compute in this arithmetic from now on; :attr:`hash` stays that of what was loaded."""
        self.precision, self._dtype = precision, DTYPES[precision]
        if precision != 'fp32':
            _ = self.hash
            open_clip_parts.model.convert_weights_to_lp(self._clip, self._dtype)

    def fold_norms(self) -> None:
        """
        Fold the batch norms of a ResNet into the convolutions before them.

        It answers the same but for rounding, faster; :attr:`hash` is unchanged. Nothing is done to
        a transformer, which has none.
        """
        if self.is_resnet:
            _ = self.hash
            fold_norms(self.visual)

    def trim(self, last_block: int) -> None:
        """
        Free the text tower and the blocks of the image tower after one.

        Afterwards only taps can be computed; :attr:`hash` is unchanged. ConfigError if the image
        tower is a ResNet.
        """
        tower, _ = self.vit, self.hash
        tower.drop_blocks_after(last_block)
        for name in _TEXT_PARTS:
            if hasattr(self._clip, name):
                delattr(self._clip, name)
        del self._text  # with its vocabulary, 20 MB
        self.is_trimmed = True

    def image_embeddings(self, rgbs: NDArray[np.uint8]) -> Tensor:
        """
        Return the unit vectors of whole images, float32 (B, embed_dim), at the native size.

        ClipDepthError if blocks of the image tower were freed.
        """
        if self.is_trimmed:
            raise ClipDepthError('the last blocks of this image tower were freed: build another')
        vectors = self._clip.encode_image(self.pixels(rgbs, self.mean, self.std))
        return functional.normalize(vectors.float(), dim=-1)

    def _check_text(self) -> None:
        if self.is_trimmed:
            raise ClipDepthError('the text tower of this backbone was freed: build another')


def build_backbone(settings: PredictorSettings, device: str, precision: Precision) -> Backbone:
    """
    Build the frozen CLIP that the settings name.

    Parameters
    ----------
    settings : PredictorSettings
        backbone, pretrained, clip_weights and allow_download are used.
    device, precision : str
        As :mod:`clip_depth_ros.model.devices` decides.

    Raises
    ------
    ConfigError
        If there is no such architecture.
    WeightsError
        If the weights are missing, damaged or of another model.
    MissingDependencyError
        If the text tower needs a tokenizer that is not installed.
    DeviceError
        If the device has not enough memory.

    """
    use_tag = not settings.clip_weights and settings.pretrained != RANDOM
    architecture = find_architecture(settings.backbone, settings.pretrained if use_tag else '')
    # First: where they are missing, nobody waits for the model.
    weights, origin = find_weights(architecture, settings)
    model = architecture.new_model()
    if weights is not None:
        load_weights(model, weights, architecture.name)
    with explain_out_of_memory(device, f'the weights of backbone {architecture.name!r}'):
        return Backbone(
            model, architecture, origin=origin, device=device, precision=precision,
            allow_download=settings.allow_download,
        )
