# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Words for distance that are learned: vectors that stand before each word in place of the sentence.

One context for all words, as few-shot prompt learning has it (Zhou et al., "Learning to Prompt for
Vision-Language Models", IJCV 2022), and for depth Hu et al. (WACV 2024) and Auty & Mikolajczyk
(ICCVW 2023). Our choice: it starts as the sentence, so that nothing is lost to begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.clip2depth import mirror_vector
from clip_depth_ros.model.text import TextEncoder
from clip_depth_ros.predictor.scenes import sentences_about
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional

_ALIKE: Final = 1 - 1e-6
"""Cosine of what is read alike."""


class ContextWords(nn.Module):
    """
    Unit vectors of words for distance, with a context to learn.

    ``context`` are the vectors that all sentences begin with, (n, text_width): at first those of
    the tokens of ``This object is``.

    Raises
    ------
    ConfigError
        If there are several sentences for each word, or the tokenizer of the backbone is not
        OpenAI's.

    """

    def __init__(self, backbone: Backbone, settings: PredictorSettings) -> None:
        super().__init__()
        templates, objects = settings.prompt_templates, settings.prompt_objects
        if len(templates) * len(objects) > 1:
            raise ConfigError(
                'learn_words starts from one sentence, got '
                f'{len(templates)} prompt_templates and {len(objects)} prompt_objects: name one '
                'of each'
            )
        self._tower = backbone.text_tower
        rows = [
            backbone.text.rows(sentence).detach().float()
            for word in settings.resolved_words()
            for sentence in sentences_about(word, templates=templates, objects=objects)
        ]
        shortest, first = min(map(len, rows)), 1  # after the start of text
        while first + 1 < shortest and all(row[first].equal(rows[0][first]) for row in rows):
            first += 1
        self.context = nn.Parameter(rows[0][1:first].clone())
        self._start, self._rests = rows[0][:1], [row[first:] for row in rows]

    def forward(self) -> Tensor:
        """Return the unit vectors, float32 (K, embed_dim), on the cpu."""
        vectors = [
            mirror_vector(self._tower, torch.cat([self._start, self.context, rest]))
            for rest in self._rests
        ]
        return functional.normalize(torch.stack(vectors), dim=-1).cpu()


def check_told_apart(
    names: Sequence[str], vectors: NDArray[np.float32], setting: str
) -> None:
    """
    Refuse, with ConfigError, two texts of a setting that CLIP reads alike.

    Those that it has never learned can be: the bundled CLIP knows few words.
    """
    same = np.argwhere(np.triu(vectors @ vectors.T > _ALIKE, 1))
    if len(same):
        one, other = (names[index] for index in same[0])
        raise ConfigError(
            f'{setting}: this CLIP reads {one!r} and {other!r} alike, so that nothing can be '
            'fitted to each of them: use words of its vocabulary that differ'
        )


def vocabulary_notes(text: TextEncoder, words: Sequence[str]) -> list[str]:
    """Return, as a note, which words for distance are not in the vocabulary of CLIP."""
    read = {word: text.pieces(word) for word in words}
    unknown = [
        f'{word!r} ({" + ".join(pieces) or "nothing"})'
        for word, pieces in read.items() if len(pieces) != len(word.split())
    ]
    if not unknown:
        return []
    return [
        f'{len(unknown)} of depth_words are not in the vocabulary of CLIP, and read in pieces: '
        f'{", ".join(unknown)}'
    ]
