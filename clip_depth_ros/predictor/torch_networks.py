# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks whose arithmetic PyTorch does, and which other predictors may share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Generic, TypeVar

from clip_depth_ros.errors import ClipDepthError, DeviceError
from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.clip2depth_weights import Clip2DepthFile
from clip_depth_ros.model.depthclip import check_official, resolve_features
from clip_depth_ros.model.devices import (
    explain_out_of_memory,
    full_float32,
    Precision,
    this_machine,
)
from clip_depth_ros.model.graphs import DepthGraph, WordGraph
from clip_depth_ros.model.towers import ResnetTower
from clip_depth_ros.predictor.self_test import (
    arrays,
    difference,
    Inputs,
    MOST_DIFFERENCE,
    PATCHES,
)
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

_OF_BACKBONE: Final = ('backbone', 'pretrained', 'clip_weights', 'device', 'precision')
"""Settings that decide which frozen CLIP is built."""


Graph = TypeVar('Graph', DepthGraph, WordGraph)
AnyTorch = TypeVar('AnyTorch', 'TorchDepth', 'TorchWords')


class TorchNetwork(Generic[Graph]):
    """
    What both methods have in common: see :class:`clip_depth_ros.predictor.networks.Network`.

    ``refused`` says which faster arithmetic was not taken and why, or nothing.
    """

    engine = 'torch'

    def __init__(self, settings: PredictorSettings, backbone: Backbone, graph: Graph) -> None:
        self._settings = settings
        self.name = backbone.name
        self.weights, self.note = backbone.weights, backbone.note
        self.device: str = backbone.device
        self.likes_batches, self.refused = self.device != 'cpu', ''
        self.stride, self.native_size = backbone.tower.stride, backbone.tower.native_size
        self.precision: str = backbone.precision
        self._backbone: Backbone | None = backbone
        self._graph: Graph | None = graph

    @property
    def backbone(self) -> Backbone:
        """Return the frozen CLIP; ClipDepthError if it was given back."""
        if self._backbone is None:
            raise ClipDepthError('this predictor was closed: build another')
        return self._backbone

    @property
    def graph(self) -> Graph:
        """Return it as a function of tensors; ClipDepthError if it was given back."""
        if self._graph is None:
            raise ClipDepthError('this predictor was closed: build another')
        return self._graph

    def explained(self, work: str) -> AbstractContextManager[None]:
        """Return a context that turns running out of memory into a DeviceError."""
        return explain_out_of_memory(self.device, work)

    def compute_in(self, precision: Precision) -> float:
        """
        Compute in this arithmetic from now on; return how far the self-test is from fp32's answer.

        Where fp32 has none, 0: that the weights lead to no depth is for the predictor to say.
        """
        wanted = self.self_test_answer()
        self.backbone.compute_in(precision)
        self.precision = precision
        is_any = np.isfinite(wanted).all()
        return difference(self.self_test_answer(), wanted) if is_any else 0.0

    def self_test_answer(self) -> NDArray[np.float32]:
        """Return what it answers to :meth:`self_test_inputs`."""
        with self.explained('a test picture'):
            return self._answer(*arrays(self.self_test_inputs()).values())

    def self_test_inputs(self) -> Inputs:
        """Return the type and the shape of each input of the graph, in its order."""
        stride = self.backbone.tower.stride
        height_px, width_px = PATCHES.height * stride.height, PATCHES.width * stride.width
        return {'image': ('uint8', [2, height_px, width_px, 3])}

    def describe(self) -> Mapping[str, str]:
        """Return what arithmetic was refused, and what is allocated on a CUDA device, MB."""
        said = {'refused': self.refused} if self.refused else {}
        if self.device.startswith('cuda'):
            said['device_memory_mb'] = f'{torch.cuda.memory_allocated(self.device) / 1e6:.0f}'
        return said

    def free(self) -> None:
        """Give memory back, on the device too, unless another network shares it."""
        self._backbone = self._graph = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()

    def has_backbone_of(self, settings: PredictorSettings) -> bool:
        """Return whether its CLIP, if still there, is the one that these settings would build."""
        return self._backbone is not None and all(
            getattr(self._settings, name) == getattr(settings, name) for name in _OF_BACKBONE
        )

    @torch.inference_mode()
    def _answer(self, *arrays: NDArray[np.generic]) -> NDArray[np.float32]:
        tensors = [torch.as_tensor(array).to(self.device) for array in arrays]
        with full_float32(self.device, self.backbone.precision):
            answer: Tensor = self.graph(*tensors)
        return _array(answer)


class TorchDepth(TorchNetwork[DepthGraph]):
    """
    CLIP2Depth on the blocks of a frozen CLIP.

    ``model`` is the trained part, its condition computed once; ``file`` says where it is from.
    """

    def __init__(
        self,
        settings: PredictorSettings,
        backbone: Backbone,
        model: Clip2Depth,
        file: Clip2DepthFile,
    ) -> None:
        super().__init__(settings, backbone, DepthGraph(backbone, model))
        self.file = file

    @property
    def model(self) -> Clip2Depth:
        """Return the trained part."""
        return self.graph.model

    def self_test_inputs(self) -> Inputs:
        """Return the type and the shape of each input of the graph, in its order."""
        rays = {'rays': ('float32', [2, PATCHES.height * PATCHES.width, 2])}
        return {**super().self_test_inputs(), **(rays if self.file.settings.rays else {})}

    def depth_m(
        self, batch: NDArray[np.uint8], rays: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return metres behind the camera of the training, float32 (B, height, width)."""
        return self._answer(batch, *([] if rays is None else [rays]))


class TorchWords(TorchNetwork[WordGraph]):
    """
    Patches and sentences in CLIP's joint space.

    ConfigError if the features of patches that are asked for do not go with the backbone.
    """

    def __init__(self, settings: PredictorSettings, backbone: Backbone) -> None:
        features = resolve_features(settings.features, is_resnet=backbone.is_resnet)
        if features == 'official' and isinstance(backbone.tower, ResnetTower):
            check_official(backbone.tower.channels, backbone.embed_dim)
        super().__init__(settings, backbone, WordGraph(backbone, features))
        self.features: str = features
        self.logit_scale = backbone.logit_scale

    def self_test_inputs(self) -> Inputs:
        """Return the type and the shape of each input of the graph, in its order."""
        words = {'words': ('float32', [7, self.backbone.embed_dim])}
        return {**super().self_test_inputs(), **words}

    def cosines(
        self, batch: NDArray[np.uint8], words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how patches go with words, float32 (B, K, grid_h, grid_w)."""
        return self._answer(batch, words)

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of sentences, float32 (N, embed_dim)."""
        with self.explained('the prompts'):
            return _array(self.backbone.text.embed(sentences))

    @torch.inference_mode()
    def image_vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the unit vectors of whole images of the native size."""
        with self.explained('recognising the scene'):
            return _array(self.backbone.image_embeddings(batch))


def _array(answer: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = answer.float().cpu().numpy()
    return array


def shared_backbone(network: object, settings: PredictorSettings) -> Backbone | None:
    """Return the CLIP of another network if it is the one wanted, text tower and all."""
    if not isinstance(network, TorchNetwork) or not network.has_backbone_of(settings):
        return None
    return None if network.backbone.is_trimmed else network.backbone


def new_backbone(settings: PredictorSettings) -> Backbone:
    """
    Build the frozen CLIP of the settings on this machine, still in fp32.

    Raises as ``build_backbone`` does.
    """
    device, _ = this_machine(settings.device, settings.precision)
    backbone = build_backbone(settings, device, 'fp32')
    backbone.fold_norms()
    return backbone


def in_its_precision(make: Callable[[], AnyTorch], settings: PredictorSettings) -> AnyTorch:
    """
    Return a network, made in fp32, in the precision of the settings, if the self-test agrees.

    If not, one that ``auto`` chose is left for fp32; DeviceError if it was asked for by name.
    """
    network = make()
    device, precision = this_machine(settings.device, settings.precision)
    if precision == 'fp32':
        return network
    differs, most = network.compute_in(precision), MOST_DIFFERENCE[precision]
    if differs <= most:
        return network
    refused = (
        f'{precision} on {device}: a test picture differs by {differs:.2g} of its range from what '
        f'fp32 answers, at most {most:g} is allowed'
    )
    if settings.precision != 'auto':
        raise DeviceError(f"{refused}: set precision='fp32' or 'auto'")
    network.free()
    network = make()
    network.refused = refused
    return network
