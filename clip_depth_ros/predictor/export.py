# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write a predictor as an exported model; ``exported.py`` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any, Final
import warnings

from clip_depth_ros import __version__
from clip_depth_ros.core.files import atomic_path, atomic_write_bytes, make_folder, sha256_of
from clip_depth_ros.errors import ConfigError, MissingDependencyError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.predictor.confidence import table_path
from clip_depth_ros.predictor.exported import (
    encoded,
    NETWORK,
    TEXT,
    TOKENIZER,
    WORDS,
)
from clip_depth_ros.predictor.from_weights import build_from_weights
from clip_depth_ros.predictor.scenes import sentences_about
from clip_depth_ros.predictor.self_test import arrays
from clip_depth_ros.predictor.torch_networks import TorchDepth, TorchWords
from clip_depth_ros.settings.exported import CARD, FORMAT, VERSION
from clip_depth_ros.settings.predictor import PredictorSettings
import safetensors.numpy
import torch
from torch import nn, Tensor
from torch.nn import functional

_OPSET: Final = 20
"""Of ONNX: with LayerNormalization and Gelu, and read by engines of 2024 and later."""


def export_predictor(settings: PredictorSettings, folder: Path) -> Path:
    """
    Write the predictor that the settings describe as an exported model.

    Parameters
    ----------
    settings : PredictorSettings
        As for :func:`clip_depth_ros.predictor.build.build_predictor`; built on the cpu, in fp32.
    folder : Path
        To write to; files in it are replaced. :data:`CARD` is written last, so that a folder
        with it is whole.

    Returns
    -------
    Path
        Of the card.

    Raises
    ------
    MissingDependencyError
        If the packages that write ONNX are not installed.
    ConfigError
        If the settings ask for what is not exported: recognising scenes, or a mirror of text
        towers with tokenizers that no file describes.

    """
    _check_exporter()
    if settings.scene_aware:
        raise ConfigError('recognising scenes is not exported: set scene_aware=false')
    predictor: Any = build_from_weights(settings.changed(device='cpu', precision='fp32'))
    network: TorchDepth | TorchWords = predictor.network
    clip2depth: Mapping[str, Any] = {}
    said: dict[str, Any] = {
        'name': network.name, 'weights': network.weights, 'note': network.note,
        'stride': network.stride, 'native_size': network.native_size,
    }
    make_folder(folder)
    names = [NETWORK]
    if isinstance(network, TorchDepth):
        method, file = 'clip2depth', network.file
        clip2depth = {
            'settings': file.settings.model_dump(mode='json'), 'file': str(file),
            'provenance': dict(file.provenance), 'metrics': dict(file.metrics),
        }
    else:
        method = 'depthclip'
        said |= {'features': network.features, 'logit_scale': network.logit_scale}
        said['n_tokens'] = _export_text(network, settings, folder)
        names += [TEXT, TOKENIZER, WORDS]
    if table := predictor.confidence.path:
        kept = table_path(folder)
        atomic_write_bytes(kept, table.read_bytes())
        names.append(kept.name)
    inputs = network.self_test_inputs()
    self_test = {'seed': 0, 'inputs': inputs, 'answer': encoded(network.self_test_answer())}
    tensors = {name: torch.as_tensor(array) for name, array in arrays(inputs).items()}
    _export(network.graph, tensors, _moving(inputs), folder / NETWORK)
    card = {
        'format': FORMAT, 'version': VERSION, 'written_by': f'clip_depth_ros {__version__}',
        'method': method, 'backbone': said, 'clip2depth': clip2depth, 'self_test': self_test,
        'settings': {'method': method, 'backbone': settings.backbone,
                     'pretrained': settings.pretrained},
        'files': {name: sha256_of(folder / name) for name in names},
    }
    atomic_write_bytes(folder / CARD, (json.dumps(card, indent=1) + '\n').encode())
    predictor.close()
    return folder / CARD


def _export_text(network: TorchWords, settings: PredictorSettings, folder: Path) -> int:
    """Write what turns sentences into vectors, and return how many tokens it reads."""
    backbone = network.backbone
    sentences = [
        sentence
        for word in settings.resolved_words()
        for sentence in sentences_about(
            word, templates=settings.prompt_templates, objects=settings.prompt_objects
        )
    ]
    vectors = dict(zip(sentences, network.embed(sentences), strict=True))
    atomic_write_bytes(folder / WORDS, safetensors.numpy.save(vectors))
    atomic_write_bytes(folder / TOKENIZER, backbone.text.tokenizer_json().encode())
    # Two: a batch of one would be traced as the only size there is.
    tokens = backbone.text.tokens(sentences[:1] * 2)
    _export(_Sentences(backbone), {'tokens': tokens}, {'tokens': (0,)}, folder / TEXT)
    return int(tokens.shape[1])


class _Sentences(nn.Module):
    """Token ids, int64 (N, length), to unit vectors."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.tower = backbone.text_tower
        self._encode = backbone.text.encode

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.normalize(self._encode(tokens).float(), dim=-1)


def _moving(inputs: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    """Return which axes of each input may have any length."""
    return {name: {'image': (0, 1, 2), 'rays': (0, 1), 'words': (0,)}[name] for name in inputs}


def _export(
    graph: nn.Module, tensors: Mapping[str, Tensor], moving: Mapping[str, Sequence[int]],
    path: Path,
) -> None:
    """Write one graph by PyTorch's exporter, with all of its weights in the file."""
    shapes = tuple(dict.fromkeys(moving[name], torch.export.Dim.AUTO) for name in tensors)
    with warnings.catch_warnings(), torch.no_grad(), atomic_path(path) as new:
        warnings.simplefilter('ignore')  # of the exporter, about itself
        traced = torch.export.export(graph.eval(), tuple(tensors.values()), dynamic_shapes=shapes)
        program: Any = torch.onnx.export(
            traced, dynamo=True, input_names=[*tensors], output_names=['answer'],
            opset_version=_OPSET, verbose=False,
        )
        program.save(new, external_data=False)


def _check_exporter() -> None:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'to export a model, the packages onnx and onnxscript are needed: pip install onnx '
            'onnxscript'
        ) from error
