# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences to vectors; each sentence is encoded once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Any, Final

from clip_depth_ros.errors import ConfigError, MissingDependencyError, WeightsError
from clip_depth_ros.model.hub import offline_unless
from clip_depth_ros.model.open_clip_parts import tokenizer as open_clip
from clip_depth_ros.model.tensor_files import first_line
import torch
from torch import Tensor
from torch.nn import functional

_KEPT_SENTENCES: Final = 4096


Tokenizer = Callable[[list[str]], Tensor]
"""Sentences to token ids, int64 (N, context_length)."""


class TextEncoder:
    """
    The text side of a CLIP model with a memory of what it has read.

    Changing one prompt costs one pass of the text tower over the new sentences; a change of bins
    or temperature costs none. ``tower.encode_text`` makes vectors (N, embed_dim), not normalised,
    of token ids. A sentence that is longer than it reads is a ConfigError.
    """

    def __init__(self, tower: Any, tokenizer: Tokenizer, device: str) -> None:
        self._tower = tower
        self._tokenizer = tokenizer
        self._device = device
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def vector(self, sentence: str) -> Tensor:
        """Return the vector of one sentence as the tower makes it, float32 (embed_dim,)."""
        vectors: Tensor = self._tower.encode_text(self._tokenizer([sentence]).to(self._device))
        return vectors[0].float()

    def tokens(self, sentences: Sequence[str]) -> Tensor:
        """Return the token ids of sentences, int64 (N, context_length); ConfigError if long."""
        return self._tokenizer([*sentences])

    def encode(self, tokens: Tensor) -> Tensor:
        """Return the vectors of token ids as the tower makes them, (N, embed_dim)."""
        vectors: Tensor = self._tower.encode_text(tokens)
        return vectors

    def tokenizer_json(self) -> str:
        """
        Return the tokenizer as a file of the library ``tokenizers``.

        MissingDependencyError if that is not installed; ConfigError if it has no such form.
        """
        if not isinstance(self._tokenizer, BpeTokenizer):
            raise ConfigError(
                'only the tokenizer of OpenAI can be exported: choose a backbone with it, such as '
                'RN50-quickgelu'
            )
        return self._tokenizer.as_json()

    def frame(self) -> Tensor:
        """Return start and end of text in OpenAI's tokenizer, embedded, (2, text_width)."""
        return self._rows([*self._bpe('mirror_framing').frame_ids])

    def rows(self, sentence: str) -> Tensor:
        """
        Return a sentence from start to end of text, embedded, (n, text_width).

        ConfigError if it is too long, or the tokenizer is not OpenAI's.
        """
        tokenizer = self._bpe('learn_words')
        ids: list[int] = tokenizer([sentence])[0].tolist()
        return self._rows(ids[:ids.index(tokenizer.frame_ids[1]) + 1])

    def pieces(self, text: str) -> list[str]:
        """Return the pieces that a text is read in; a word of the vocabulary is one piece."""
        if not isinstance(self._tokenizer, BpeTokenizer):
            return text.lower().split()
        return self._tokenizer.pieces(text)

    def _bpe(self, setting: str) -> BpeTokenizer:
        if not isinstance(self._tokenizer, BpeTokenizer):
            raise ConfigError(
                f'{setting} needs a backbone with the tokenizer of OpenAI, such as '
                f'ViT-B-16-quickgelu: set {setting}=false'
            )
        return self._tokenizer

    def _rows(self, ids: Sequence[int]) -> Tensor:
        table = getattr(self._tower, 'text', self._tower).token_embedding
        rows: Tensor = table(torch.tensor(ids, device=self._device))
        return rows

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Return the unit vectors of sentences, float32 (N, embed_dim), on the device."""
        if new := [text for text in dict.fromkeys(sentences) if text not in self._kept]:
            tokens = self._tokenizer(new).to(self._device)
            vectors = functional.normalize(self._tower.encode_text(tokens).float(), dim=-1)
            if len(self._kept) + len(new) > _KEPT_SENTENCES:
                self._kept = {text: self._kept[text] for text in sentences if text in self._kept}
            self._kept.update(zip(new, vectors, strict=True))
        return torch.stack([self._kept[text] for text in sentences])


class BpeTokenizer:
    """OpenAI's byte pair encoding, which refuses what open_clip would cut off in silence."""

    def __init__(self, text_config: Mapping[str, Any]) -> None:
        self._length = text_config.get('context_length', open_clip.DEFAULT_CONTEXT_LENGTH)
        options = text_config.get('tokenizer_kwargs', {})
        self._tokenizer = (
            open_clip.SimpleTokenizer(context_length=self._length, **options) if options
            else _plain_tokenizer(self._length)
        )

    @property
    def frame_ids(self) -> tuple[int, int]:
        """Return the token ids of start and end of text."""
        return self._tokenizer.sot_token_id, self._tokenizer.eot_token_id

    def pieces(self, text: str) -> list[str]:
        """Return the pieces that a text is read in; a word of the vocabulary is one piece."""
        decoder = self._tokenizer.decoder
        return [decoder[index].removesuffix('</w>') for index in self._tokenizer.encode(text)]

    def as_json(self) -> str:
        """Return it as a file of the library ``tokenizers``, which has the same steps."""
        try:
            from tokenizers import (
                decoders,
                models,
                normalizers,
                pre_tokenizers,
                processors,
                Regex,
                Tokenizer as HubTokenizer,
            )
        except ImportError as error:
            raise MissingDependencyError(
                'to export a text tower, the package tokenizers is needed: pip install tokenizers'
            ) from error
        own = self._tokenizer
        start, end = (own.decoder[index] for index in self.frame_ids)
        ranked = sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__)
        tokenizer = HubTokenizer(models.BPE(
            vocab=own.encoder, merges=ranked, end_of_word_suffix='</w>', unk_token=end,
        ))
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.NFC(), normalizers.Replace(Regex(r'\s+'), ' '), normalizers.Lowercase(),
        ])
        words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(words), behavior='removed', invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f'{start} $A {end}',
            special_tokens=list(zip((start, end), self.frame_ids, strict=True)),
        )
        text: str = tokenizer.to_str()
        return text

    def __call__(self, texts: list[str]) -> Tensor:
        """Return token ids, int64 (N, context_length); ConfigError if a sentence is too long."""
        room = self._length - 2  # start and end of text
        for text in texts:
            if (n_tokens := len(self._tokenizer.encode(text))) > room:
                raise ConfigError(
                    f'a prompt may have {room} tokens, got {n_tokens} in {text!r}: shorten it'
                )
        tokens: Tensor = self._tokenizer(texts)
        return tokens


@functools.cache
def _plain_tokenizer(length: int) -> Any:
    """Return open_clip's tokenizer, which reads its long table once."""
    return open_clip.SimpleTokenizer(context_length=length)


def tokenizer_for(text_config: Mapping[str, Any], *, allow_download: bool) -> Tokenizer:
    """
    Return the tokenizer of open_clip's ``text_cfg``, fetched from the hub where that is allowed.

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
        with offline_unless(allow_download):
            tokenizer: Tokenizer = open_clip.HFTokenizer(
                name,
                context_length=text_config.get('context_length', open_clip.DEFAULT_CONTEXT_LENGTH),
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
