# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Sentences as vectors, and by them the scene, recognised zero-shot and smoothed over time.

Words for distance are the vectors of sentences, too, or learned (``clip-depth fit``) and read from
a file, which belongs to one CLIP and says to which.

The DepthCLIP paper proposes it as its next step: depth distributions differ between scenes, so
recognise the scene first and then choose its bins. How it is done here is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import hashlib
from pathlib import Path
from typing import Final

from clip_depth_ros.core.files import check_regular
from clip_depth_ros.core.patches import softmax
from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.predictor.confidence import measured_with
from clip_depth_ros.predictor.networks import WordNetwork
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
from numpy.typing import NDArray

GAP = '{}'

LEARNED: Final = 'clip_depth_ros words 1'
"""The format of learned words, in the metadata of their file."""

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to their unit vectors in CLIP's joint space, float32 (N, embed_dim)."""


class SceneMemory:
    """
    Running scene probabilities: each frame's weigh ``1 - smoothing``, the past ``smoothing``.

    The first frame after a start or a reset counts fully; ``probabilities`` is empty before it.
    """

    def __init__(self, names: Sequence[str], smoothing: float) -> None:
        self.names = tuple(names)
        self.smoothing = smoothing
        self.probabilities: dict[str, float] = {}

    def update(self, probs: NDArray[np.floating]) -> str:
        """Take in the probabilities of one frame, (scenes,), and return the likeliest scene."""
        now, old = dict(zip(self.names, probs.tolist(), strict=True)), self.smoothing
        if past := self.probabilities:
            now = {name: old * past[name] + (1 - old) * now[name] for name in self.names}
        self.probabilities = now
        return max(self.names, key=now.__getitem__)

    def reset(self) -> None:
        """Forget the past, for example after a jump of time."""
        self.probabilities = {}

    def inherit(self, previous: SceneMemory) -> None:
        """Continue from another memory if it is about the same scenes."""
        if previous.names == self.names:
            self.probabilities = previous.probabilities


def scene_probabilities(
    network: WordNetwork, rgbs: NDArray[np.uint8], names: Sequence[str], template: str
) -> NDArray[np.float32]:
    """
    Return the probability of each scene for each image, float32 (B, scenes).

    Parameters
    ----------
    network : WordNetwork
        The frozen CLIP.
    rgbs : uint8 (B, H, W, 3)
        Images of the network's native size, red first.
    names : sequence of str
        Names of the scenes.
    template : str
        Sentence with one gap for the name.

    Notes
    -----
    Zero-shot classification as in the CLIP paper (Radford et al. 2021, section 3.1): softmax over
    CLIP's own logit scale times the cosines of image and sentences.

    """
    sentences = network.embed([fill(template, name) for name in names])
    return softmax(network.logit_scale * network.image_vectors(rgbs) @ sentences.T, axis=-1)


def fill(template: str, *texts: str) -> str:
    """
    Put texts into the gaps ``{}`` of a template, in order.

    The texts are taken as they are, braces included: no formatting language is evaluated.
    """
    parts = template.split(GAP)
    return ''.join(part + text for part, text in zip(parts, (*texts, ''), strict=True))


def sentences_about(word: str, *, templates: Sequence[str], objects: Sequence[str]) -> list[str]:
    """Return every template with every object and the word for distance in its gaps."""
    return [fill(template, thing, word) for template in templates for thing in objects]


def word_vectors(
    embed: Embed, words: Sequence[str], *, templates: Sequence[str], objects: Sequence[str]
) -> NDArray[np.float32]:
    """
    Return one unit vector for each word for distance, float32 (K, embed_dim).

    With several templates or objects, the unit vectors of a word's sentences are averaged and
    brought back to unit length (the ensemble of the CLIP paper, Radford et al. 2021, section
    3.1.4). The released DepthCLIP code has one template, ``This {} is {}``, and one object.
    """
    per_word = [sentences_about(word, templates=templates, objects=objects) for word in words]
    vectors = embed([sentence for group in per_word for sentence in group])
    means = vectors.reshape(len(words), -1, vectors.shape[-1]).mean(axis=1)  # (K, D)
    unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=-1, keepdims=True).clip(1e-12)
    return unit


def words_of(
    settings: PredictorSettings, network: WordNetwork
) -> tuple[NDArray[np.float32], str]:
    """
    Return a unit vector for each word for distance, float32 (K, embed_dim), and what to call them.

    WeightsError if learned words cannot be read or are another CLIP's; ConfigError if they are not
    one for each bin.
    """
    if settings.learned_words:
        path = user_path(settings.learned_words)
        words = read_words(path, network)
        if len(words) != (n_bins := len(settings.resolved_bins_m())):
            raise ConfigError(
                f'learned_words: {str(path)!r} holds {len(words)} words, and there are {n_bins} '
                'bins: take bins_m from the parameter file that was written with it'
            )
        return words, f'learned ({path.name}, sha256 {_digest(words)[:12]})'
    names = settings.resolved_words()
    words = word_vectors(
        network.embed, names, templates=settings.prompt_templates, objects=settings.prompt_objects
    )
    return words, ', '.join(names)


def words_file(words: NDArray[np.float32], network: WordNetwork) -> bytes:
    """Return learned words, unit vectors (K, embed_dim), as a file for this CLIP."""
    from safetensors.numpy import save

    metadata = {'format': LEARNED, 'clip': _clip_of(network), 'sha256': _digest(words)}
    return save({'words': np.ascontiguousarray(words)}, metadata)


def read_words(path: Path, network: WordNetwork) -> NDArray[np.float32]:
    """Read learned words; WeightsError if they are missing, damaged or of another CLIP."""
    from safetensors import safe_open

    named = f'learned_words: {str(path)!r}'
    try:
        check_regular(path)
        path.open('rb').close()  # says plainly what is wrong where safetensors does not
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
            words: NDArray[np.float32] = file.get_tensor('words')
    except OSError as error:
        raise WeightsError(
            f'{named} cannot be read: {error.strerror or error}; name a file that is there, or '
            'nothing'
        ) from error
    except Exception as error:  # changed bytes can be anything
        raise WeightsError(
            f'{named} holds no words that clip-depth fit has written: copy the file again'
        ) from error
    if metadata.get('format') != LEARNED or metadata.get('sha256') != _digest(words):
        raise WeightsError(f'{named} is damaged, or no file of learned words: copy it again')
    if metadata['clip'] != (clip := _clip_of(network)):
        raise WeightsError(
            f'{named} belongs to the CLIP {metadata["clip"]!r}, got {clip!r}: set the backbone, '
            'weights and features that it was fitted with, or fit again'
        )
    return words


def _clip_of(network: WordNetwork) -> str:
    """Return which CLIP this is, and which features of its patches; the same once exported."""
    known = measured_with({'weights': network.weights})['weights']
    return f'{known}, {network.features}'


def _digest(words: NDArray[np.float32]) -> str:
    return hashlib.sha256(f'{words.dtype} {words.shape} '.encode() + words.tobytes()).hexdigest()
