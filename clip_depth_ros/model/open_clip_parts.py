# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The modules of open_clip that this package uses, without what it does not.

``import open_clip`` loads timm, transformers and, through torchvision, PyTorch's compiler: 200 MB
of memory and seconds for what a depth node never calls. Here the files of open_clip run as they
are, but not the first file of its package, which loads all of it. Afterwards nothing of that is
left behind: whoever imports one of these packages later gets it whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import functools
import importlib.util
import json
from pathlib import Path
import re
import sys
from types import ModuleType
from typing import Any, Final

_OPTIONAL: Final = ('timm', 'transformers')
"""What open_clip can do without."""

_PACKAGES: Final = ('torchvision', 'torchvision.ops', 'open_clip')
"""Packages of which single files are needed, and not what their first file loads."""


@contextmanager
def _first_files_unread() -> Iterator[None]:
    """Let imports of single files not load their packages, nor what is optional."""
    before = set(sys.modules)
    try:
        for name in _OPTIONAL:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # as if not installed
        for name in _PACKAGES:
            if name not in before and (spec := importlib.util.find_spec(name)):
                sys.modules[name] = importlib.util.module_from_spec(spec)
        yield
    finally:
        tops = {name.partition('.')[0] for name in (*_OPTIONAL, *_PACKAGES)}
        for name in set(sys.modules) - before:
            if name.partition('.')[0] in tops:
                del sys.modules[name]


def _import_parts() -> tuple[ModuleType, ...]:
    import open_clip.constants
    import open_clip.model
    import open_clip.pretrained
    import open_clip.tokenizer

    return open_clip.constants, open_clip.model, open_clip.pretrained, open_clip.tokenizer


def _load_parts() -> tuple[ModuleType, ...]:
    if 'open_clip' in sys.modules:
        return _import_parts()  # somebody has loaded all of it: there is nothing to save
    try:
        with _first_files_unread():
            return _import_parts()
    except (ImportError, AttributeError):  # other versions may need more of these packages
        return _import_parts()


constants, model, pretrained, tokenizer = _load_parts()


@functools.cache
def model_configs() -> Mapping[str, Mapping[str, Any]]:
    """Return open_clip's descriptions of models by name, in its order: numbers count as such."""
    folder = Path(str(model.__file__)).parent / 'model_configs'
    paths = sorted(folder.glob('*.json'), key=lambda path: _natural(path.stem))
    return {path.stem: json.loads(path.read_bytes()) for path in paths}


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r'(\d+)', name.lower())
    return [(int(part), '') if part.isdigit() else (-1, part) for part in parts]
