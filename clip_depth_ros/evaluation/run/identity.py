# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that decides the numbers of an evaluation: only frames that agree in it belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
import json
import re
from typing import Any, Final

from clip_depth_ros import __version__
from clip_depth_ros.core.files import fingerprint
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import SampleSource

_VARIES: Final = {'device_memory_mb'}
"""What predictors say of themselves that changes as they work."""

_LONGEST: Final = 80
"""Characters of a value that an error message shows."""

_MOST: Final = 3
"""Differences that it names."""


def identity_of(
    source: SampleSource,
    predictors: Mapping[str, Mapping[str, str]],
    protocol: EvaluationProtocol,
    batch_size: int,
) -> dict[str, Any]:
    """
    Return all that decides the numbers, as plain values.

    Parameters
    ----------
    source : SampleSource
        The frames. Where it has ``files``, what these are: while they change, so may the frames.
    predictors : mapping of str to mapping
        What each says of itself, by name, before it is asked anything. The number of a cuda
        device is left out, as processes that share the work have one each.
    protocol : EvaluationProtocol
        How answers are compared.
    batch_size : int
        Networks round differently in batches of another size.

    """
    files = getattr(source, 'files', ())
    return {
        'version': __version__,
        'protocol': protocol.model_dump(mode='json'),
        'source': {'name': source.name, 'n_frames': len(source), **source.describe()},
        **({'files': fingerprint(files)} if files else {}),
        'predictors': {name: _steady(described) for name, described in predictors.items()},
        'batch_size': batch_size,
    }


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return in what two identities differ, in words; empty if they do not."""
    return '; '.join(islice(_differences(there, here, ''), _MOST))


def _steady(described: Mapping[str, str]) -> dict[str, str]:
    return {
        key: re.sub(r'^cuda:\d+$', 'cuda', value)
        for key, value in described.items()
        if key not in _VARIES
    }


def _differences(there: Any, here: Any, name: str) -> Iterator[str]:
    """Yield what was and what is, for each plain value that differs."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in {**there, **here}:
            below = f'{name}.{key}' if name else key
            yield from _differences(there.get(key), here.get(key), below)
    elif there != here and name == 'files':
        yield 'the files of the source have changed'
    elif there != here:
        yield f'{name} was {_short(there)}, is {_short(here)}'


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'
