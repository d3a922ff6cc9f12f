# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frozen CLIP on its device: built once, shared by everything that asks it about images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from clip_depth_ros.config import PredictorSettings
from clip_depth_ros.model.architecture import Architecture, find_architecture, Rgb01
from clip_depth_ros.model.devices import DTYPES, explain_out_of_memory, Precision
from clip_depth_ros.model.published import check_quick_gelu, find_published
from clip_depth_ros.model.text import TextEncoder, tokenizer_for
from clip_depth_ros.model.towers import ImageTower, ResnetTower, VitTower
from clip_depth_ros.model.weights import load_weights, read_weights
import numpy as np
from numpy.typing import NDArray
from open_clip.model import convert_weights_to_lp
import torch
from torch import nn, Tensor
from torch.nn import functional

RANDOM: Final = 'random'
RANDOM_NOTE: Final = 'random initialisation: does not see depth'


class Backbone:
    """
    A frozen CLIP: patches of images, whole images and sentences in one space.

    Attributes
    ----------
    name : str
        As it was asked for.
    weights : str
        Where the weights are from, for reports.
    device : str
        ``cpu`` or ``cuda:N``.
    precision : str
        Arithmetic of the network; inputs and results are float32.
    mean, std : 3 floats each
        CLIP's own pixel convention for RGB in [0, 1].
    tower : ImageTower
        Pixels to patches.
    text : TextEncoder
        Sentences to unit vectors, each encoded once.

    """

    def __init__(
        self,
        clip: Any,
        architecture: Architecture,
        *,
        weights: str,
        device: str,
        precision: Precision,
        allow_download: bool = False,
    ) -> None:
        self.name, self.weights = architecture.name, weights
        self.device, self.precision = device, precision
        self.mean, self.std = architecture.mean, architecture.std
        self._clip = _frozen(clip, device, precision)
        self._dtype = DTYPES[precision]
        is_resnet = hasattr(clip.visual, 'attnpool')
        self.tower: ImageTower = ResnetTower(clip.visual) if is_resnet else VitTower(clip.visual)
        tokenizer = tokenizer_for(architecture.config['text_cfg'], allow_download=allow_download)
        self.text = TextEncoder(self._clip, tokenizer, device)

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
        """Give what CLIP multiplies cosines with before a softmax (1 / its own temperature)."""
        return float(self._clip.logit_scale.exp())

    def pixels(self, rgbs: NDArray[np.uint8], mean: Rgb01, std: Rgb01) -> Tensor:
        """
        Give the network's input, (B, 3, H, W) on the device, in its arithmetic.

        Parameters
        ----------
        rgbs : uint8 (B, H, W, 3)
            Images, red first.
        mean, std : 3 floats each
            Subtracted from and dividing RGB in [0, 1].

        """
        # (B, H, W, 3) seen as (B, 3, H, W) is PyTorch's channels_last layout: no copy.
        pixels = torch.from_numpy(rgbs).to(self.device).permute(0, 3, 1, 2).float()
        shape = (1, 3, 1, 1)
        pixels /= 255
        pixels -= torch.tensor(mean, device=self.device).view(shape)
        pixels /= torch.tensor(std, device=self.device).view(shape)
        return pixels.to(self._dtype)

    def image_embeddings(self, rgbs: NDArray[np.uint8]) -> Tensor:
        """Give the unit vectors of whole images, float32 (B, embed_dim), at the native size."""
        vectors = self._clip.encode_image(self.pixels(rgbs, self.mean, self.std))
        return functional.normalize(vectors.float(), dim=-1)


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
    model = architecture.new_model(DTYPES[precision])
    note = _fill_weights(model, architecture, settings)
    with explain_out_of_memory(device, f'the weights of backbone {architecture.name!r}'):
        return Backbone(
            model,
            architecture,
            weights=note,
            device=device,
            precision=precision,
            allow_download=settings.allow_download,
        )


def _fill_weights(
    model: nn.Module, architecture: Architecture, settings: PredictorSettings
) -> str:
    """Load the weights that the settings name and say where they are from."""
    tag = settings.pretrained
    if settings.clip_weights:
        weights = read_weights(Path(settings.clip_weights).expanduser())
        if weights.is_openai:
            check_quick_gelu(architecture, True, settings.clip_weights)
        note = str(weights)
    elif tag == RANDOM:
        return RANDOM_NOTE
    else:
        path = find_published(architecture, tag, allow_download=settings.allow_download)
        weights = read_weights(path)
        note = f'{tag}: {weights}'
    load_weights(model, weights, architecture.name)
    return note


def _frozen(clip: Any, device: str, precision: Precision) -> Any:
    frozen = clip.eval().requires_grad_(False).to(device)
    # Convolutions are faster in this layout; it changes nothing else.
    frozen.visual.to(memory_format=torch.channels_last)
    if precision != 'fp32':
        convert_weights_to_lp(frozen, DTYPES[precision])
    return frozen
