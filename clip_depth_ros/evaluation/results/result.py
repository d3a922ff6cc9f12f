# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluation: what tables, pages, files and comparisons are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FORMAT: Final = 'clip_depth_ros evaluation 1'


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A mean over frames with its bootstrap 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        NaN for the interval where there are fewer than two frames.
    n_frames : int
        Frames that have this value.

    """

    mean: float
    low: float
    high: float
    n_frames: int


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something that was not used, and why.

    Attributes
    ----------
    what : str
        A frame, a recording, or a predictor's answer for a frame.
    why : str
        The reason.

    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorResult:
    """
    How good one predictor was.

    Attributes
    ----------
    describe : mapping of str to str
        What it is: method, weights and their hash, device.
    n_frames : int
        Frames with a score.
    estimates : mapping of str to Estimate
        By the names of :class:`FrameScore`'s values.
    scale_spread : float
        Standard deviation over frames of ln ``scale``: 0.1 is about 10 %; NaN below two frames.
    sums : mapping of str to tuple of float
        :class:`FrameScore`'s, added up.

    """

    describe: Mapping[str, str]
    n_frames: int
    estimates: Mapping[str, Estimate]
    scale_spread: float
    sums: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTable:
    """
    Everything by frame, in the order of the source; one entry a frame that has any score.

    Attributes
    ----------
    indices, names, recordings, stamps_ns : sequences
        Which frame; stamps are None where there is none.
    values : mapping of str to mapping of str to sequence of float
        By predictor, then by the names of :class:`FrameScore`'s values; NaN where not known.

    """

    indices: Sequence[int]
    names: Sequence[str]
    recordings: Sequence[str]
    stamps_ns: Sequence[int | None]
    values: Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    An evaluation.

    Attributes
    ----------
    title : str
        The protocol in words; stands over every table, plot and file.
    protocol, source, settings, versions : mapping of str to str
        All that decides the numbers.
    n_frames : int
        Frames of the source.
    problems : sequence of Problem
        What was not used.
    predictors : mapping of str to PredictorResult
        In the order of the tables; the first is the one that is evaluated.
    frames : FrameTable

    """

    title: str
    protocol: Mapping[str, str]
    source: Mapping[str, str]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    n_frames: int
    problems: Sequence[Problem]
    predictors: Mapping[str, PredictorResult]
    frames: FrameTable
