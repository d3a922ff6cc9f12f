# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the records of frames to a result: columns, means, intervals."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
import math
from typing import Final

from clip_depth_ros.evaluation.results.result import (
    Estimate,
    FrameTable,
    PredictorResult,
    Problem,
    Result,
)
from clip_depth_ros.evaluation.run.answers import Answers, ImageAnswers
from clip_depth_ros.evaluation.run.frames import FrameRecord, UNANSWERED
from clip_depth_ros.evaluation.score.intervals import (
    Intervals,
    mean_intervals,
    over_pixels,
    Resampling,
)
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import FrameScore, value_range
import numpy as np
from numpy.typing import NDArray

_COLUMNS: Final = 40
"""Columns that are resampled at a time."""


def collect(
    records: Iterable[FrameRecord],
    *,
    answers: Mapping[str, Answers],
    title: str,
    protocol: EvaluationProtocol,
    source: Mapping[str, str],
    settings: Mapping[str, str],
    versions: Mapping[str, str],
    n_frames: int,
    source_problems: Iterable[tuple[str, str]] = (),
    resampling: Resampling,
) -> Result:
    """
    Sum up what is known of each frame.

    The records are of all frames of the source, in their order, the predictors in that of the
    tables: they describe themselves when all frames are there. The protocol says whether means are
    over images or over pixels. What of the source is not even a frame, and why, are
    ``source_problems``; the rest is as :class:`Result` has it.
    """
    table = _Table(answers)
    problems = [Problem(what, why) for what, why in source_problems]
    notes = _Notes()
    sizes: Counter[str] = Counter()
    cameras: dict[str, Counter[str]] = {
        name: Counter() for name, each in answers.items() if isinstance(each, ImageAnswers)
    }
    for record in records:
        table.add(record)
        notes.add(record)
        sizes.update([record.image_size] if record.scores and record.image_size else [])
        problems += record.problems
        for name, counts in cameras.items():
            counts.update([record.cameras[name]] if name in record.cameras else [])
    over_all = protocol.aggregation == 'pixel'
    return Result(
        title=title,
        protocol={name: str(value) for name, value in protocol.model_dump(mode='json').items()},
        source={**notes.beside(source), **_image_sizes(sizes)},
        settings=settings,
        versions=versions,
        n_frames=n_frames,
        problems=problems,
        predictors={
            name: _result(
                scores, answers[name].describe(), cameras.get(name, {}), resampling, table,
                over_all,
            )
            for name, scores in table.scores.items()
        },
        frames=table.frames(),
    )


def _image_sizes(sizes: Counter[str]) -> dict[str, str]:
    """Return the sizes of the images, the most frequent first: depth depends on them."""
    return {'image_sizes': ', '.join(size for size, _ in sizes.most_common())} if sizes else {}


class _Notes:
    """What was noted while frames were read, each sentence once."""

    def __init__(self) -> None:
        self._n_read = 0
        self._counts: Counter[str] = Counter()
        self._n_frames: Counter[str] = Counter()

    def add(self, record: FrameRecord) -> None:
        """Add the notes of a frame."""
        self._n_read += bool(record.scores or record.notes)
        self._counts.update(record.notes)
        self._n_frames.update(record.notes.keys())

    def beside(self, source: Mapping[str, str]) -> Mapping[str, str]:
        """Return what is said of the source with these notes behind its own."""
        lines = [*self._lines()]
        if not lines:
            return source
        return {**source, 'notes': '; '.join([*filter(None, [source.get('notes')]), *lines])}

    def _lines(self) -> Iterator[str]:
        """Yield each note, with what it counts in all and in how many frames it holds."""
        for text, n_frames in self._n_frames.items():
            count = f': {self._counts[text]}' if self._counts[text] else ''
            some = f' (in {n_frames} of {self._n_read} frames)' if n_frames < self._n_read else ''
            # A semicolon parts one note from the next: reasons of errors hold some.
            yield text.replace('; ', ', ') + count + some


class _Scores:
    """What is known of one predictor: a column for each value, sums."""

    def __init__(self) -> None:
        self.n_rows = self.n_frames = 0
        self.sums: dict[str, NDArray[np.float64]] = {}
        self._columns: dict[str, array[float]] = {}
        self._names: list[str] = []  # in the order of the frames, whatever each of them lacks

    def add(self, score: FrameScore | None) -> None:
        """Add a row; one without a score is NaN."""
        if score:
            self.n_frames += score.values.keys() != UNANSWERED.values.keys()
            self._add_names(score.values)
            for name, value in score.values.items():
                self._filled(name).append(value)
            for name, vector in score.sums.items():
                self.sums[name] = self.sums.get(name, 0.0) + np.asarray(vector, np.float64)
        self.n_rows += 1

    def columns(self) -> dict[str, array[float]]:
        """Return all columns, each as long as the table."""
        return {name: self._filled(name) for name in self._names}

    def _add_names(self, values: Mapping[str, float]) -> None:
        """Put new names after those that they follow in this frame."""
        if values.keys() <= self._columns.keys():
            return
        place = 0
        for name in values:
            if name not in self._columns:
                self._columns[name] = array('d')
                self._names.insert(place, name)
            place = self._names.index(name) + 1

    def _filled(self, name: str) -> array[float]:
        column = self._columns[name]
        column.extend([math.nan] * (self.n_rows - len(column)))
        return column


class _Table:
    """The frames that have any score, column by column: numbers are not kept as objects."""

    def __init__(self, predictors: Iterable[str]) -> None:
        self.scores = {name: _Scores() for name in predictors}
        self.recordings: list[str] = []
        self._indices: array[int] = array('q')
        self._names: list[str] = []
        self.stamps_ns: list[int | None] = []

    def add(self, record: FrameRecord) -> None:
        """Add a frame, if it has any score."""
        if not record.scores:
            return
        self._indices.append(record.index)
        self._names.append(record.name)
        self.recordings.append(record.recording)
        self.stamps_ns.append(record.stamp_ns)
        for name, scores in self.scores.items():
            scores.add(record.scores.get(name))

    def frames(self) -> FrameTable:
        """Return the table."""
        return FrameTable(
            indices=self._indices,
            names=self._names,
            recordings=self.recordings,
            stamps_ns=self.stamps_ns,
            values={name: scores.columns() for name, scores in self.scores.items()},
        )


def _result(
    scores: _Scores,
    described: Mapping[str, str],
    cameras: Mapping[str, int],
    resampling: Resampling,
    table: _Table,
    over_all: bool,
) -> PredictorResult:
    columns = scores.columns()
    estimates: dict[str, Estimate] = {}
    for names in _some_at_a_time([*columns]):
        values = np.array([columns[name] for name in names], np.float64).T
        of = (
            over_pixels(values, names, resampling, table.recordings, table.stamps_ns)
            if over_all
            else mean_intervals(
                values, resampling, recordings=table.recordings, stamps_ns=table.stamps_ns
            )
        )
        for column, name in enumerate(names):
            estimates[name] = _estimate(of, column, value_range(name))
    return PredictorResult(
        describe=described,
        n_frames=scores.n_frames,
        estimates=estimates,
        scale_spread=_log_spread(columns.get('scale', ())),
        sums={name: tuple(vector.tolist()) for name, vector in scores.sums.items()},
        cameras=cameras,
    )


def _estimate(of: Intervals, column: int, within: tuple[float, float]) -> Estimate:
    """Return a mean with its interval, which ends where its values do."""
    low, high = (float(np.clip(end[column], *within)) for end in (of.low, of.high))
    return Estimate(
        float(of.mean[column]), low, high, int(of.n_frames[column]), float(of.n_effective[column])
    )


def _some_at_a_time(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield names in lists that keep groups of pixels together: resampling needs memory."""
    some: list[str] = []
    for _, group in groupby(names, key=lambda name: name.rpartition('/')[0]):
        some += group
        if len(some) >= _COLUMNS:
            yield some
            some = []
    if some:
        yield some


def _log_spread(scales: Sequence[float]) -> float:
    """Return the standard deviation of ln of what is known (n - 1); NaN below two."""
    known = np.asarray(scales, np.float64)
    known = known[np.isfinite(known) & (known > 0)]
    return float(np.std(np.log(known), ddof=1)) if known.size > 1 else math.nan
