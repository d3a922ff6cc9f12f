# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which weights a frozen CLIP gets: a named file, the bundled, published or random ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
import urllib.error

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model import open_clip_parts
from clip_depth_ros.model.architecture import Architecture
from clip_depth_ros.model.hub import cached_file, fetch_file, is_offline, start_of_sha256
from clip_depth_ros.model.tensor_files import first_line
from clip_depth_ros.model.weights import read_weights, Weights
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import BUNDLED, PredictorSettings
from huggingface_hub.errors import HfHubHTTPError
import torch

URL_CACHE: Final = Path('~/.cache/clip')
"""Where open_clip and OpenAI's clip keep what they fetch by URL."""

WAYS: Final = (
    'Weights come in three ways: bundled, small and good for a first look at streets '
    '(preset:=synthetic; in a training backbone:=tiny pretrained:=bundled); from a file '
    '(clip_weights:=FILE); by download (allow_download:=true)'
)
"""What every error about weights ends with."""

RANDOM: Final = 'random'
RANDOM_NOTE: Final = 'random initialisation: does not see depth'


_OPENAI_BY_TRANSFORMERS: Final = frozenset({
    'clip-vit-base-patch16', 'clip-vit-base-patch32', 'clip-vit-large-patch14',
    'clip-vit-large-patch14-336',
})
"""OpenAI's repositories on the hub, in the format of transformers."""


class Origin(NamedTuple):
    """Where weights are from, for reports; and what a user should know of them, or nothing."""

    weights: str
    note: str = ''


def find_weights(
    architecture: Architecture, settings: PredictorSettings
) -> tuple[Weights | None, Origin]:
    """
    Read the weights that the settings name, if any, and say where they are from.

    Parameters
    ----------
    architecture : Architecture
        The model that they are for; its activation is compared.
    settings : PredictorSettings
        pretrained, clip_weights and allow_download are used.

    Returns
    -------
    Weights, Origin
        None for a random initialisation.

    Raises
    ------
    WeightsError
        If they are missing, damaged or of another activation; it names the ways to weights.

    """
    try:
        return _find_weights(architecture, settings)
    except WeightsError as error:
        if settings.uses_bundled():
            raise
        raise WeightsError(f'{error}. {WAYS}') from error


def _find_weights(
    architecture: Architecture, settings: PredictorSettings
) -> tuple[Weights | None, Origin]:
    tag = settings.pretrained
    if settings.clip_weights:
        weights = read_weights(user_path(settings.clip_weights))
        note = check_activation(architecture, weights, settings.clip_weights)
        return weights, Origin(str(weights), note)
    if tag == RANDOM:
        return None, Origin(RANDOM_NOTE)
    if tag == BUNDLED:
        weights = read_weights(_bundled())
        return weights, Origin(f'bundled: {weights}')
    path = find_published(architecture, tag, allow_download=settings.allow_download)
    weights = read_weights(path)
    return weights, Origin(f'{tag}: {weights}')


def check_activation(architecture: Architecture, weights: Weights, path: str) -> str:
    """Refuse a file of the other activation; return what to say where its own is not known."""
    if weights.is_openai:
        check_quick_gelu(architecture, True, path)
        return ''
    for name, needed in _published_activations():
        # Folders too: the hub's files all have the same names, and lie in models--owner--name.
        if name in {part.rpartition('--')[2] for part in weights.path.parts}:
            check_quick_gelu(architecture, needed, f'{path} ({name})')
            return ''
    known = open_clip_parts.model_configs()
    is_named = architecture.name in known
    right = _with_activation(architecture, not architecture.quick_gelu)
    if architecture.says_activation or (is_named and right not in known):
        return ''
    own, other = ('QuickGELU', 'GELU') if architecture.quick_gelu else ('GELU', 'QuickGELU')
    remedy = f'set backbone={right!r}' if is_named else 'set "quick_gelu" in your model JSON'
    return (
        f'backbone {architecture.name!r} computes {own}, and nothing tells whether '
        f'{weights.path.name} was trained with it: if it was with {other} (all of OpenAI: '
        f'QuickGELU), depth is wrong everywhere, and you should {remedy}'
    )


def _published_activations() -> Iterator[tuple[str, bool]]:
    """Yield the names of published files and repositories, and whether they need QuickGELU."""
    for model, tag in open_clip_parts.pretrained.list_pretrained():
        source: Mapping[str, Any] = open_clip_parts.pretrained.get_pretrained_cfg(model, tag)
        needed = bool(source.get('quick_gelu', False))
        for name in (source.get('url', '').rpartition('/')[2], _hub_files(source)[0]):
            if name:
                yield name.rpartition('/')[2], needed
    for name in _OPENAI_BY_TRANSFORMERS:
        yield name, True


def _bundled() -> Path:
    path = assets_dir() / BUNDLED_CLIP
    if not path.is_file():
        raise WeightsError(
            f'the bundled CLIP weights {str(path)!r} are not there: install clip_depth_ros again, '
            'train them with "make weights" in a checkout, or name others with clip_weights'
        )
    return path


def find_published(
    architecture: Architecture, tag: str, *, allow_download: bool, url_cache: Path = URL_CACHE
) -> Path:
    """
    Return the file of published weights, which open_clip names by a tag such as ``openai``.

    The network is used when it is allowed and the local caches do not have the file;
    ``HF_HUB_OFFLINE`` forbids it all the same. WeightsError if the tag is not known, belongs to
    another activation, or the file is not there and may not, or cannot, be fetched.
    """
    source = _source(architecture, tag)
    repository, names = _hub_files(source)
    if found := cached_file(repository, names):
        return found
    if (cached := _cached_url(source, url_cache)).is_file():
        return cached
    if not allow_download:
        raise WeightsError(_absent(architecture, tag, source, 'allow_download is off'))
    if is_offline():
        raise WeightsError(_absent(architecture, tag, source, 'HF_HUB_OFFLINE is set'))
    try:
        if repository:
            return fetch_file(repository, names)
        return download(source['url'], cached)
    except (OSError, HfHubHTTPError, urllib.error.URLError, RuntimeError) as error:
        reason = f'fetching failed ({type(error).__name__}: {first_line(error)})'
        raise WeightsError(_absent(architecture, tag, source, reason)) from error


def check_quick_gelu(architecture: Architecture, needed: bool, weights: str) -> None:
    """
    Refuse weights that were trained with the other activation, naming the backbone to choose.

    open_clip only warns, and the model then answers a little wrong everywhere.
    """
    if architecture.quick_gelu == needed:
        return
    right = _with_activation(architecture, needed)
    raise WeightsError(
        f'weights {weights!r} were trained {"with" if needed else "without"} QuickGELU, backbone '
        f'{architecture.name!r} computes {"without" if needed else "with"} it: set '
        f'backbone={right!r}, or "quick_gelu": {str(needed).lower()} in your model JSON'
    )


def _with_activation(architecture: Architecture, quick_gelu: bool) -> str:
    """Return the name of the backbone that differs in its activation alone."""
    name = architecture.name.removesuffix('-quickgelu')
    return f'{name}-quickgelu' if quick_gelu else name


def _source(architecture: Architecture, tag: str) -> Mapping[str, Any]:
    """Return open_clip's entry for a tag: url, hf_hub and more."""
    name = architecture.name.replace('/', '-')
    source: Mapping[str, Any] = open_clip_parts.pretrained.get_pretrained_cfg(name, tag)
    if not source:
        if open_clip_parts.pretrained.get_pretrained_cfg(name.removesuffix('-quickgelu'), tag):
            check_quick_gelu(architecture, False, tag)
        tags = open_clip_parts.pretrained.list_pretrained_tags_by_model(name)
        known = f'they are {", ".join(tags)}' if tags else 'there are none'
        raise WeightsError(
            f'pretrained must be a tag of published weights for backbone {architecture.name!r}, '
            f'got {tag!r}; {known}. Or point clip_weights to a file, or set pretrained=random'
        )
    check_quick_gelu(architecture, bool(source.get('quick_gelu', False)), tag)
    return source


def _hub_files(source: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the repository and the file names to try, safetensors first, as open_clip does."""
    repository, _, name = source.get('hf_hub', '').rpartition('/')
    if not repository:
        return '', []
    constants = open_clip_parts.constants
    if not name:
        return repository, [constants.HF_SAFE_WEIGHTS_NAME, constants.HF_WEIGHTS_NAME]
    stem, _, suffix = name.rpartition('.')
    return repository, [f'{stem}.safetensors', name] if suffix in ('bin', 'pth') else [name]


def download(url: str, target: Path) -> Path:
    """Fetch a file wholly or not at all; the hash in its address is checked if it has one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(target), start_of_sha256(url), progress=False)
    return target


def _cached_url(source: Mapping[str, Any], url_cache: Path) -> Path:
    return url_cache.expanduser() / (source.get('url', '').rpartition('/')[2] or 'no url')


def _absent(architecture: Architecture, tag: str, source: Mapping[str, Any], why: str) -> str:
    repository, names = _hub_files(source)
    hub = f'https://huggingface.co/{repository} (file {" or ".join(names)})' if names else ''
    places = ' or '.join(place for place in (source.get('url', ''), hub) if place)
    return (
        f'weights {tag!r} of backbone {architecture.name!r} are not in the local cache and {why}; '
        f'as a file they are at {places}'
    )
