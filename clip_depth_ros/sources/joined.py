# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of several sources as one."""

from __future__ import annotations

from collections.abc import Mapping

from clip_depth_ros.sources.samples import DepthSample, SampleSource


class Joined:
    """
    The frames of several sources, one after the other.

    Parameters
    ----------
    sources : SampleSource
        The name of the first is the name of all.

    """

    def __init__(self, *sources: SampleSource) -> None:
        self.name = sources[0].name
        self._sources = sources

    def __len__(self) -> int:
        return sum(map(len, self._sources))

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        place = index
        for source in self._sources:
            if 0 <= place < len(source):
                return source[place]
            place -= len(source)
        raise IndexError(index)

    def describe(self) -> Mapping[str, str]:
        """Give the descriptions of all, numbered."""
        return {
            f'{number}.{name}': value
            for number, source in enumerate(self._sources)
            for name, value in source.describe().items()
        }
