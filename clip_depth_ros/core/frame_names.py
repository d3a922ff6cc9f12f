# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names that tell the frames of several sources apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
import os.path
from pathlib import Path


def labels_of(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    Return what tells sources apart, as prefixes for the names of their frames.

    Parameters
    ----------
    names : mapping of str to sequence of str
        Names of the frames of each source, by its path.

    Returns
    -------
    dict of str
        By path, the parts in which the paths differ: ``one`` and ``two`` for ``one/drive.mcap``
        and ``two/drive.mcap``. Nothing if neither frames nor last parts of paths have one name.

    """
    counts = Counter(name for of_source in names.values() for name in set(of_source))
    last_parts = {Path(source).name for source in names}
    if len(last_parts) == len(names) and max(counts.values(), default=1) == 1:
        return dict.fromkeys(names, '')
    parts = {source: Path(os.path.abspath(source)).parts for source in names}
    n_first = _n_common([*parts.values()])
    n_last = _n_common([path[n_first:][::-1] for path in parts.values()])
    return {
        source: '/'.join(path[n_first:len(path) - n_last] or path[-1:])
        for source, path in parts.items()
    }


def numbered(names: Sequence[str]) -> list[str]:
    """Return names without repetition: a second one is called ``name (2)``."""
    seen: Counter[str] = Counter()
    each = []
    for name in names:
        seen[name] += 1
        each.append(name if seen[name] == 1 else f'{name} ({seen[name]})')
    return each


def _n_common(paths: Sequence[Sequence[str]]) -> int:
    """Return how many leading parts all paths share."""
    shared = [len(set(parts)) == 1 for parts in zip(*paths, strict=False)]
    return shared.index(False) if False in shared else len(shared)
