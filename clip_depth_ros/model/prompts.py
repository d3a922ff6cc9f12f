# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences about distance, and one vector for each word for distance."""

from __future__ import annotations

from collections.abc import Sequence

from clip_depth_ros.model.text import TextEncoder
import torch
from torch import Tensor
from torch.nn import functional

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
    """Give every template with every object and the word for distance in its gaps."""
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
    Give one unit vector for each word for distance, float32 (K, embed_dim).

    With several templates or objects, the unit vectors of a word's sentences are averaged and
    brought back to unit length (the ensemble of the CLIP paper, Radford et al. 2021, section
    3.1.4). The released DepthCLIP code has one template, ``This {} is {}``, and one object.
    """
    per_word = [sentences_about(word, templates=templates, objects=objects) for word in words]
    vectors = encoder.embed([sentence for group in per_word for sentence in group])
    groups = vectors.reshape(len(words), -1, vectors.shape[-1])  # (K, sentences, D)
    return functional.normalize(groups.mean(dim=1), dim=-1)
