# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences about distance, and sentences to vectors; each sentence is encoded once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from clip_depth_ros.errors import ConfigError, MissingDependencyError, WeightsError
from clip_depth_ros.model.weights import first_line
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer
import torch
from torch import Tensor
from torch.nn import functional

_KEPT_SENTENCES: Final = 4096


class Tokenizer(Protocol):
    """Sentences to token ids, int64 (N, context_length)."""

    def __call__(self, texts: list[str]) -> Tensor:
        """Return the token ids of the sentences."""
        ...


class TextTower(Protocol):
    """The part of a CLIP model that reads sentences."""

    def encode_text(self, text: Tensor) -> Tensor:
        """Return vectors (N, embed_dim), not normalised, for token ids (N, context_length)."""
        ...


class TextEncoder:
    """
    The text side of a CLIP model with a memory of what it has read.

    Changing one prompt costs one pass of the text tower over the new sentences; a change of bins
    or temperature costs none.
    """

    def __init__(self, tower: TextTower, tokenizer: Tokenizer, device: str) -> None:
        self._tower = tower
        self._tokenizer = tokenizer
        self._device = device
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def vector(self, sentence: str) -> Tensor:
        """
        Return the vector of one sentence as the tower returns it, float32 (embed_dim,), not unit.

        Raises
        ------
        ConfigError
            If the sentence is longer than the text tower reads.

        """
        return self._tower.encode_text(self._tokenizer([sentence]).to(self._device))[0].float()

    def frame(self) -> Tensor:
        """
        Return the embeddings of start and end of text, (2, text_width).

        Raises
        ------
        ConfigError
            If the tokenizer is not that of OpenAI.

        """
        if not isinstance(self._tokenizer, BpeTokenizer):
            raise ConfigError(
                'mirror_framing needs a backbone with the tokenizer of OpenAI, such as '
                'ViT-B-16-quickgelu: set mirror_framing=false'
            )
        ids = torch.tensor(self._tokenizer.frame_ids, device=self._device)
        tower: Any = self._tower
        rows: Tensor = getattr(tower, 'text', tower).token_embedding(ids)
        return rows

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str]) -> Tensor:
        """
        Return the unit vectors of sentences, float32 (N, embed_dim), on the device.

        Raises
        ------
        ConfigError
            If a sentence is longer than the text tower reads.

        """
        if new := [text for text in dict.fromkeys(sentences) if text not in self._kept]:
            tokens = self._tokenizer(new).to(self._device)
            vectors = functional.normalize(self._tower.encode_text(tokens).float(), dim=-1)
            self._keep(dict(zip(new, vectors, strict=True)), needed=sentences)
        return torch.stack([self._kept[text] for text in sentences])

    def _keep(self, new: Mapping[str, Tensor], *, needed: Sequence[str]) -> None:
        if len(self._kept) + len(new) > _KEPT_SENTENCES:
            self._kept = {text: self._kept[text] for text in needed if text in self._kept}
        self._kept.update(new)


class BpeTokenizer:
    """OpenAI's byte pair encoding, which refuses what open_clip would cut off in silence."""

    def __init__(self, text_config: Mapping[str, Any]) -> None:
        self._length = text_config.get('context_length', DEFAULT_CONTEXT_LENGTH)
        options = text_config.get('tokenizer_kwargs', {})
        self._tokenizer = SimpleTokenizer(context_length=self._length, **options)

    @property
    def frame_ids(self) -> tuple[int, int]:
        """Return the token ids of start and end of text."""
        return self._tokenizer.sot_token_id, self._tokenizer.eot_token_id

    def __call__(self, texts: list[str]) -> Tensor:
        """
        Return the token ids, int64 (N, context_length).

        Raises
        ------
        ConfigError
            If a sentence is too long.

        """
        room = self._length - 2  # start and end of text
        for text in texts:
            if (n_tokens := len(self._tokenizer.encode(text))) > room:
                raise ConfigError(
                    f'a prompt may have {room} tokens, got {n_tokens} in {text!r}: shorten it'
                )
        tokens: Tensor = self._tokenizer(texts)
        return tokens


def tokenizer_for(text_config: Mapping[str, Any], *, allow_download: bool) -> Tokenizer:
    """
    Return the tokenizer that an architecture was trained with.

    Parameters
    ----------
    text_config : mapping
        open_clip's ``text_cfg``.
    allow_download : bool
        Whether a tokenizer that comes from the Hugging Face hub may be fetched.

    Raises
    ------
    MissingDependencyError
        If it needs the package ``transformers`` and that is not installed.
    WeightsError
        If its files are not there.

    """
    name = text_config.get('hf_tokenizer_name')
    if not name:
        return BpeTokenizer(text_config)
    try:
        tokenizer: Tokenizer = HFTokenizer(
            name,
            context_length=text_config.get('context_length', DEFAULT_CONTEXT_LENGTH),
            tokenizer_mode=text_config.get('tokenizer_mode'),
            local_files_only=not allow_download,
            **text_config.get('tokenizer_kwargs', {}),
        )
    except ImportError as error:
        raise MissingDependencyError(
            f'the text tower needs the tokenizer {name!r}: pip install transformers, or choose '
            'a backbone with the tokenizer of OpenAI, such as RN50-quickgelu'
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(
            f'the tokenizer {name!r} of the text tower is not in the local Hugging Face cache: '
            f'set allow_download, or fetch it there ({first_line(error)})'
        ) from error
    return tokenizer


GAP = '{}'


def fill(template: str, *texts: str) -> str:
    """
    Put texts into the gaps ``{}`` of a template, in order.

    The texts are taken as they are, braces included: no formatting language is evaluated.
    """
    parts = template.split(GAP)
    return ''.join(part + text for part, text in zip(parts, (*texts, ''), strict=True))


def sentences_about(
    word: str, *, templates: Sequence[str], objects: Sequence[str]
) -> list[str]:
    """Return every template with every object and the word for distance in its gaps."""
    return [fill(template, thing, word) for template in templates for thing in objects]


@torch.inference_mode()
def prompt_embeddings(
    encoder: TextEncoder,
    words: Sequence[str],
    *,
    templates: Sequence[str],
    objects: Sequence[str],
) -> Tensor:
    """
    Return one unit vector for each word for distance, float32 (K, embed_dim).

    With several templates or objects, the unit vectors of a word's sentences are averaged and
    brought back to unit length (the ensemble of the CLIP paper, Radford et al. 2021, section
    3.1.4). The released DepthCLIP code has one template, ``This {} is {}``, and one object.
    """
    per_word = [sentences_about(word, templates=templates, objects=objects) for word in words]
    vectors = encoder.embed([sentence for group in per_word for sentence in group])
    groups = vectors.reshape(len(words), -1, vectors.shape[-1])  # (K, sentences, D)
    return functional.normalize(groups.mean(dim=1), dim=-1)
