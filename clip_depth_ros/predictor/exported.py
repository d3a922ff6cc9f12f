# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Predictors from an exported model: no PyTorch is loaded, and none needs to be installed.

A folder as ``clip-depth export`` writes it holds ``model.json`` (what the model is, how its input
is made, hashes, and what it answered when it was exported) and ``network.onnx``; for DepthCLIP
also ``text.onnx`` with ``tokenizer.json``, so that words can change, and ``words.safetensors``,
the vectors of the sentences that were in force.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import sha256_of
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError, MissingDependencyError, WeightsError
from clip_depth_ros.predictor.clip2depth import Clip2DepthPredictor
from clip_depth_ros.predictor.depthclip import DepthClipPredictor
from clip_depth_ros.predictor.engines import Engine, open_engine, precisions_to_try
from clip_depth_ros.predictor.self_test import arrays, difference, MOST_DIFFERENCE
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.exported import CARD, read_card
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor
import numpy as np
from numpy.typing import NDArray

NETWORK: Final = 'network.onnx'
TEXT, TOKENIZER, WORDS = 'text.onnx', 'tokenizer.json', 'words.safetensors'


@dataclass(frozen=True)
class Card:
    """What an exported model says of itself: :data:`CARD` in its folder, checked."""

    folder: Path
    method: str
    backbone: Mapping[str, Any]
    clip2depth: Mapping[str, Any]
    self_test: Mapping[str, Any]


@dataclass(frozen=True)
class TrainedPart:
    """What the weights of an exported CLIP2Depth said of themselves."""

    settings: Clip2DepthSettings
    provenance: Mapping[str, Any]
    metrics: Mapping[str, float]
    text: str

    def __str__(self) -> str:
        return self.text


class _ExportedNetwork:
    """What both methods have in common: see :class:`clip_depth_ros.predictor.networks.Network`."""

    def __init__(self, card: Card, settings: PredictorSettings) -> None:
        said = card.backbone
        self.card = card
        self.name, self.weights, self.note = said['name'], said['weights'], said['note']
        self.stride, self.native_size = Size(*said['stride']), Size(*said['native_size'])
        self._settings = settings
        self._network: Engine | None = _open_checked(card, settings)
        self.device, self.precision = self._network.device, self._network.precision
        self.likes_batches = self.device != 'cpu'
        self.engine = f'{self._network.name} ({self._network.why})'

    def explained(self, work: str) -> AbstractContextManager[None]:
        """Return a context for the work; engines say themselves what they lack."""
        return nullcontext()

    def describe(self) -> Mapping[str, str]:
        """Return where the model is from, and how near it is to what was exported."""
        return {'exported_model': str(self.card.folder)}

    def free(self) -> None:
        """Give memory back."""
        self._network = None

    def is_for(self, card: Card, settings: PredictorSettings) -> bool:
        """Return whether it is what these settings would open again."""
        same = all(
            getattr(self._settings, name) == getattr(settings, name)
            for name in ('engine', 'device', 'precision')
        )
        return self._network is not None and card == self.card and same

    def _run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        if self._network is None:
            raise ClipDepthError('this predictor was closed: build another')
        return self._network.run(inputs)


class ExportedDepth(_ExportedNetwork):
    """An exported CLIP2Depth."""

    def __init__(self, card: Card, settings: PredictorSettings) -> None:
        super().__init__(card, settings)
        said = card.clip2depth
        self.file = TrainedPart(
            Clip2DepthSettings.from_mapping(said['settings']), said['provenance'],
            said['metrics'], said['file'],
        )

    def depth_m(
        self, batch: NDArray[np.uint8], rays: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return metres behind the camera of the training, float32 (B, height, width)."""
        return self._run(image=batch, **({} if rays is None else {'rays': rays}))


class ExportedWords(_ExportedNetwork):
    """An exported CLIP that compares patches with sentences."""

    def __init__(self, card: Card, settings: PredictorSettings) -> None:
        super().__init__(card, settings)
        self.features, self.logit_scale = card.backbone['features'], card.backbone['logit_scale']
        if settings.features not in ('auto', self.features):
            raise ConfigError(
                f'this model was exported with features={self.features!r}, got '
                f"features={settings.features!r}: set features='auto', or export again"
            )
        self._kept = _read_words(card.folder / WORDS)

    def cosines(
        self, batch: NDArray[np.uint8], words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how patches go with words, float32 (B, K, grid_h, grid_w)."""
        return self._run(image=batch, words=words)

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of sentences; the text tower is opened only for new ones."""
        if new := [text for text in dict.fromkeys(sentences) if text not in self._kept]:
            tokens = _tokens(self.card.folder / TOKENIZER, new, self.card.backbone['n_tokens'])
            cpu = self._settings.changed(device='cpu', precision='auto')
            tower = open_engine(self.card.folder / TEXT, cpu, 'fp32')
            self._kept.update(zip(new, tower.run({'tokens': tokens}), strict=True))
        return np.stack([self._kept[text] for text in sentences])

    def image_vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Refuse: whole images are not exported."""
        raise ConfigError(
            'an exported model does not recognise scenes: set scene_aware=false, or use the '
            'weights'
        )


def build_exported_predictor(
    settings: PredictorSettings, folder: Path, previous: DepthPredictor | None
) -> DepthPredictor:
    """
    Build the predictor of an exported model, whose weights count and not those of the settings.

    Raises
    ------
    WeightsError
        If the folder is no exported model, was changed since, or its engine answers otherwise
        than PyTorch did.
    MissingDependencyError
        If no engine is installed for it.

    """
    card = open_card(folder)
    before = getattr(previous, 'network', None)
    shared = isinstance(before, _ExportedNetwork) and before.is_for(card, settings)
    why = 'exported'
    if card.method == 'clip2depth':
        depth = before if shared and isinstance(before, ExportedDepth) else None
        if depth is None:
            depth = ExportedDepth(card, settings)
        return Clip2DepthPredictor(settings, depth, why)
    words = before if shared and isinstance(before, ExportedWords) else None
    if words is None:
        words = ExportedWords(card, settings)
    return DepthClipPredictor(settings, words, why)


def open_card(folder: Path) -> Card:
    """Read what an exported model says of itself; WeightsError if it is none, or was changed."""
    said = read_card(folder)
    try:
        card = Card(
            folder, said['method'], said['backbone'], said['clip2depth'], said['self_test'],
        )
        files = {str(name): sha256 for name, sha256 in said['files'].items()}
    except (KeyError, AttributeError) as error:
        raise WeightsError(
            f'{str(folder / CARD)!r} lacks what describes a model: export it again'
        ) from error
    for name, sha256 in files.items():
        if Path(name).name != name or not _is(folder / name, sha256):
            raise WeightsError(
                f'{str(folder / name)!r} is not the file that was exported: export the model again'
            )
    return card


def encoded(answer: NDArray[np.float32]) -> str:
    """Return the answer of a self-test as text."""
    return base64.b64encode(answer.astype('<f4').tobytes()).decode()


def _open_checked(card: Card, settings: PredictorSettings) -> Engine:
    """Open the network in the first arithmetic in which it answers as it should."""
    path, precisions = card.folder / NETWORK, precisions_to_try(settings)
    for precision in precisions[:-1]:
        try:
            engine = open_engine(path, settings, precision)
            check_answer(card, engine)
        except ClipDepthError:
            continue
        return engine
    engine = open_engine(path, settings, precisions[-1])
    check_answer(card, engine)
    return engine


def check_answer(card: Card, engine: Engine) -> None:
    """Compare what the engine answers with what PyTorch did; WeightsError with both numbers."""
    test = card.self_test
    wanted = np.frombuffer(base64.b64decode(test['answer']), '<f4')
    differs = difference(engine.run(arrays(test['inputs'], test['seed'])), wanted)
    if not differs <= (most := MOST_DIFFERENCE[engine.precision]):
        raise WeightsError(
            f'{engine.name} in {engine.precision} does not answer as PyTorch did when the model '
            f'was exported: the test picture differs by {differs:.2g} of its range, at most '
            f'{most:g} is allowed: choose another engine or precision'
        )


def _read_words(path: Path) -> dict[str, NDArray[np.float32]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f'cannot read {str(path)!r}: export the model again') from error


def _tokens(path: Path, sentences: Sequence[str], length: int) -> NDArray[np.int64]:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingDependencyError(
            'new words need the package tokenizers to be read: pip install tokenizers, or keep '
            'the words that the model was exported with'
        ) from error
    tokenizer = Tokenizer.from_file(str(path))
    tokens = np.zeros((len(sentences), length), np.int64)
    for row, text in zip(tokens, sentences, strict=True):
        ids = tokenizer.encode(text).ids
        if len(ids) > length:
            raise ConfigError(
                f'a prompt may have {length - 2} tokens, got {len(ids) - 2} in {text!r}: '
                'shorten it'
            )
        row[:len(ids)] = ids
    return tokens


def _is(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False
