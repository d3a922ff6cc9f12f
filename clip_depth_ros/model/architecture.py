# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which CLIP to build: sizes and input convention, by name or file, or told by its weights."""

from __future__ import annotations

from collections.abc import Mapping
import copy
from dataclasses import dataclass
import difflib
import json
from pathlib import Path
import re
from typing import Any, Final, NamedTuple

from clip_depth_ros.core.files import check_regular
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.model import open_clip_parts
from clip_depth_ros.settings.installation import assets_dir
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import TINY
import torch
from torch import nn, Tensor

Rgb01 = tuple[float, float, float]
"""A number for red, green and blue each, on the scale where white is 1."""

CLIP_MEAN: Final[Rgb01] = open_clip_parts.constants.OPENAI_DATASET_MEAN
CLIP_STD: Final[Rgb01] = open_clip_parts.constants.OPENAI_DATASET_STD
IMAGENET_MEAN: Final[Rgb01] = open_clip_parts.constants.IMAGENET_MEAN
IMAGENET_STD: Final[Rgb01] = open_clip_parts.constants.IMAGENET_STD
_KEYS: Final = ('embed_dim', 'vision_cfg', 'text_cfg')
_INITIAL_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Architecture:
    """
    A CLIP model without weights.

    Attributes
    ----------
    name : str
        As requested.
    config : mapping
        open_clip's model description: ``embed_dim``, ``vision_cfg``, ``text_cfg`` and more.
    mean, std : 3 floats each
        What is subtracted from and then divides RGB in [0, 1]: CLIP's own convention.

    """

    name: str
    config: Mapping[str, Any]
    mean: Rgb01 = CLIP_MEAN
    std: Rgb01 = CLIP_STD

    @property
    def quick_gelu(self) -> bool:
        """Whether it uses OpenAI's approximation of GELU, x * sigmoid(1.702 x)."""
        return bool(self.config.get('quick_gelu', False))

    @property
    def says_activation(self) -> bool:
        """Whether it is described, for certain weights, with the activation that they need."""
        is_said = self.name.endswith('.json') and 'quick_gelu' in self.config
        return is_said or self.name == TINY

    def new_model(self) -> nn.Module:
        """
        Build the model on the cpu, float32, with the same random weights every time.

        Converted to 16 bits, its norms keep computing in float32. PyTorch's global random
        generator is left as it was. ConfigError if the description does not fit together.
        """
        config = copy.deepcopy(dict(self.config))
        custom_text = config.pop('custom_text', False)
        parts = open_clip_parts.model
        model_class = parts.CustomTextCLIP if custom_text else parts.CLIP
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(_INITIAL_SEED)
            try:
                model: nn.Module = model_class(**config, cast_dtype=torch.float16)
            except (TypeError, ValueError, KeyError, AssertionError, RuntimeError) as error:
                raise ConfigError(
                    f'backbone {self.name!r} does not describe an open_clip model: {error}'
                ) from error
        return model


def find_architecture(name: str, tag: str = '') -> Architecture:
    """
    Return the architecture of a name or file.

    Parameters
    ----------
    name : str
        A name open_clip lists (``RN50-quickgelu``), the path of a JSON file (open_clip's model
        description, alone or as ``model_cfg`` of a hub's ``open_clip_config.json``), or ``tiny``.
    tag : str
        Published weights that will be loaded: their pixel mean and std are used. Without, those
        on which all published weights of the architecture agree, else those of OpenAI.

    Raises
    ------
    ConfigError
        If there is no such architecture, or it yields no patch features in CLIP's joint space.

    """
    if name == TINY:
        architecture = _from_json(TINY, assets_dir() / 'tiny_clip.json')
    elif name.endswith('.json'):
        architecture = _from_json(name, user_path(name))
    else:
        architecture = _from_open_clip(name.replace('/', '-'), tag)
    if reason := _obstacle(architecture.config):
        raise ConfigError(
            f'backbone {name!r} {reason}, so it gives no patch features in the space of the '
            f'sentences; backbones that do: {", ".join(supported_names())}'
        )
    return architecture


def supported_names() -> list[str]:
    """Return the names of open_clip's architectures that work here."""
    configs = open_clip_parts.model_configs()
    return [name for name, config in configs.items() if not _obstacle(config)]


def _from_open_clip(name: str, tag: str) -> Architecture:
    config = open_clip_parts.model_configs().get(name)
    if config is None:
        close = difflib.get_close_matches(name, supported_names(), n=4, cutoff=0.4)
        raise ConfigError(
            f'backbone must be an open_clip architecture, the path of an open_clip model JSON or '
            f'{TINY!r}, got {name!r}; did you mean one of {close}?'
        )
    tags = [tag] if tag else open_clip_parts.pretrained.list_pretrained_tags_by_model(name)
    published = [open_clip_parts.pretrained.get_pretrained_cfg(name, tag) for tag in tags]
    conventions = {(tuple(each['mean']), tuple(each['std'])) for each in published if each}
    mean, std = conventions.pop() if len(conventions) == 1 else (CLIP_MEAN, CLIP_STD)
    return Architecture(name, config, mean, std)


def _from_json(name: str, path: Path) -> Architecture:
    try:
        check_regular(path)
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f'cannot read backbone {name!r} as JSON: {error}') from error
    config = content.get('model_cfg', content) if isinstance(content, dict) else {}
    if not isinstance(config, dict):
        raise ConfigError(f'backbone {name!r}: model_cfg must be a JSON object, got {config!r}')
    if missing := [key for key in _KEYS if key not in config]:
        raise ConfigError(
            f'backbone {name!r} is no open_clip model description: it lacks {missing}'
        )
    pixels = content.get('preprocess_cfg', {})
    parts = (config['vision_cfg'], config['text_cfg'], pixels)
    if not all(isinstance(part, dict) for part in parts):
        raise ConfigError(
            f'backbone {name!r}: vision_cfg, text_cfg and preprocess_cfg must be JSON objects'
        )
    mean = _three_numbers(name, 'mean', pixels.get('mean', CLIP_MEAN))
    std = _three_numbers(name, 'std', pixels.get('std', CLIP_STD))
    return Architecture(name, config, mean, std)


def _three_numbers(name: str, key: str, value: Any) -> Rgb01:
    is_plain = isinstance(value, (list, tuple)) and len(value) == 3
    lowest = 1e-6 if key == 'std' else 0
    if not is_plain or not all(isinstance(n, (int, float)) and lowest <= n < 10 for n in value):
        raise ConfigError(
            f'backbone {name!r}: preprocess_cfg {key} must be three numbers (red, green, blue, '
            f'for pixels in 0 to 1; std above 0), got {value!r}'
        )
    return (float(value[0]), float(value[1]), float(value[2]))


def _obstacle(config: Mapping[str, Any]) -> str:
    """Return why an architecture cannot be used; empty when it can."""
    vision, text = config['vision_cfg'], config['text_cfg']
    if vision.get('timm_model_name'):
        return f'has an image tower of timm ({vision["timm_model_name"]})'
    if vision.get('attentional_pool'):
        return 'pools its patches by cross-attention'
    if 'multimodal_cfg' in config:
        return 'is a captioning model (CoCa)'
    if text.get('hf_model_name'):
        return f'has a text tower of Hugging Face ({text["hf_model_name"]})'
    return ''


class _Signature(NamedTuple):
    """Shapes that tell CLIP models apart."""

    first_convolution: tuple[int, ...]
    image_positions: int
    image_blocks: int
    text_projection: tuple[int, ...]
    vocabulary: int


def fitting_backbones(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of open_clip's architectures whose shapes these weights have."""
    found = _signature_of_weights(state)
    if found is None:
        return []
    configs = open_clip_parts.model_configs()
    return [name for name in supported_names() if _signature_of_config(configs[name]) == found]


def _signature_of_weights(state: Mapping[str, Tensor]) -> _Signature | None:
    """Return the signature of a state dict; None if it is not one of a CLIP model."""
    shapes = {name.removeprefix('text.'): tuple(t.shape) for name, t in state.items()}
    positions = shapes.get('visual.positional_embedding') or shapes.get(
        'visual.attnpool.positional_embedding'
    )
    first, projection = shapes.get('visual.conv1.weight'), shapes.get('text_projection')
    vocabulary = shapes.get('token_embedding.weight')
    if not (positions and first and projection and vocabulary):
        return None
    block = re.compile(r'visual\.(?:transformer\.resblocks|layer\d)\.\d+')
    blocks = {found[0] for found in map(block.match, shapes) if found}
    return _Signature(first, positions[0], len(blocks), projection, vocabulary[0])


def _signature_of_config(config: Mapping[str, Any]) -> _Signature:
    vision, text = config['vision_cfg'], config['text_cfg']
    is_resnet = isinstance(vision['layers'], list)
    patch = 32 if is_resnet else vision['patch_size']
    width = vision['width']
    return _Signature(
        (width // 2, 3, 3, 3) if is_resnet else (width, 3, patch, patch),
        (vision['image_size'] // patch) ** 2 + 1,
        sum(vision['layers']) if is_resnet else vision['layers'],
        (text['width'], config['embed_dim']),
        text['vocab_size'],
    )
