# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether one answer is really better than another: paired differences, frame by frame.

Frames that are hard for one are hard for the other, so the difference on the same frame says more
than the difference of two means. Where its interval holds 0, no difference is shown, and where too
few of the frames are independent, there is no verdict: a film is one scene seen many times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.compare.cautions import alike, dependent, differing, unanswered
from clip_depth_ros.evaluation.compare.matching import examples, shared_frames, SharedFrames
from clip_depth_ros.evaluation.results.camera_use import use_words
from clip_depth_ros.evaluation.results.result import Estimate, PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import own_alignment
from clip_depth_ros.evaluation.score.intervals import (
    Columns,
    frames_needed,
    mean_intervals,
    Resampling,
)
from clip_depth_ros.evaluation.score.parts import is_part
from clip_depth_ros.evaluation.score.score import is_judged, is_more_better
import numpy as np
from numpy.typing import NDArray

Verdict = Literal['A better', 'B better', 'no difference shown', 'too few frames to tell']


class Contender(NamedTuple):
    """
    One answer that is compared.

    Attributes
    ----------
    label : str
        What tables call it.
    result : Result
        An evaluation.
    predictor : str
        Whose answers of it.
    short : str
        What sentences call it; by default the label.

    """

    label: str
    result: Result
    predictor: str
    short: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    How A and B differ in one value, over the frames where both have it.

    Attributes
    ----------
    name : str
        By the names of :class:`FrameScore`'s values.
    mean_a, mean_b : float
        Means over these frames.
    difference : Estimate
        Mean of B - A by frame, with its bootstrap 95 % interval.
    a_better, b_better : float
        Share of these frames where it is; the rest are ties.
    verdict : str
        'no difference shown' where the interval holds 0, 'too few frames to tell' where there is
        none, or fewer than ``ENOUGH_INDEPENDENT`` independent frames.
    times_needed : float
        How many times as many such frames would show a difference of this size; NaN if unknown.

    """

    name: str
    mean_a: float
    mean_b: float
    difference: Estimate
    a_better: float
    b_better: float
    verdict: Verdict
    times_needed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """
    Two that are compared.

    Attributes
    ----------
    a, b : str
        Their labels.
    n_frames : int
        Frames that both have answered.
    n_recordings : int
        Of which they come.
    film_s : float
        How long these last together, seconds; NaN where frames have no stamps.
    differences : sequence of Difference
        Of every value that both have and that is judged, see :func:`is_judged`; in A's order.
    parts : sequence of Difference
        Of abs_rel in parts of the images (by depth, region, class) that both have.
    short_a, short_b : str
        What sentences call them.
    judged_by : str
        The value that decides: abs_rel under the protocol's alignment.
    warnings : sequence of str
        What to bear in mind.

    """

    a: str
    b: str
    n_frames: int
    n_recordings: int
    film_s: float
    differences: Sequence[Difference]
    parts: Sequence[Difference]
    short_a: str
    short_b: str
    judged_by: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    The first against each other one.

    Attributes
    ----------
    title : str
        The protocol in words: that of the first.
    resampling : Resampling
        How frames were drawn for the intervals.
    pairs : sequence of Pair
        A is the first in all of them.

    """

    title: str
    resampling: Resampling
    pairs: Sequence[Pair]


def compare(
    *contenders: Result | Contender,
    resampling: Resampling | None = None,
    allow_different: bool = False,
) -> Comparison:
    """
    Compare the first with each other one, on the frames that both have.

    Parameters
    ----------
    contenders : Result or Contender
        Two or more; a result stands for the first of its predictors. Of a single result, all
        other predictors are compared with the first.
    resampling : Resampling, optional
        How frames are drawn for the intervals.
    allow_different : bool
        Compare numbers of different protocols nevertheless, with a warning.

    Raises
    ------
    ConfigError
        If there are fewer than two, a predictor is not in its result, or protocols differ.
    DataError
        If two have no frame in common.

    """
    first, *others = named(contenders)
    if not others:
        raise ConfigError('two or more are needed to compare, got 1')
    for each in (first, *others):
        if not each.result.predictors:
            raise ConfigError(f'{each.label} has no predictors: name the result of an evaluation')
        if each.predictor not in each.result.predictors:
            raise ConfigError(
                f'{each.label} has no predictor {each.predictor!r}; it has '
                f'{", ".join(each.result.predictors)}'
            )
    drawn = resampling or Resampling()
    pairs = [_pair(first, other, drawn, allow_different) for other in others]
    return Comparison(title=first.result.title, resampling=drawn, pairs=pairs)


def named(contenders: Sequence[Result | Contender]) -> list[Contender]:
    """Return who is compared, in order."""
    if len(contenders) == 1 and isinstance(only := contenders[0], Result):
        return [Contender(name, only, name) for name in only.predictors]
    return [
        each
        if isinstance(each, Contender)
        else Contender(first := next(iter(each.predictors), ''), each, first)
        for each in contenders
    ]


def _pair(a: Contender, b: Contender, resampling: Resampling, allow_different: bool) -> Pair:
    if a.result.title != b.result.title and not allow_different:
        raise ConfigError(
            f'numbers of different protocols do not compare: {a.label} is {a.result.title!r}, '
            f'{b.label} is {b.result.title!r}; evaluate both by one protocol, or compare them '
            'nevertheless with --allow-different'
        )
    shared = shared_frames(a.result.frames, b.result.frames)
    if shared is None:
        raise DataError(
            f'{a.label} and {b.label} have no frame in common: {examples(a.result.frames)} '
            f'against {examples(b.result.frames)}; evaluate both on the same frames'
        )
    rows_a, rows_b = shared.rows_a, shared.rows_b
    shared_names = [name for name in _values(a) if name in _values(b)]
    names = [name for name in shared_names if is_judged(name)]
    of_parts = [name for name in shared_names if _is_error_of_part(name)]
    order = _Order.of(a, rows_a)
    columns_a, columns_b = _columns(a, rows_a, names), _columns(b, rows_b, names)
    differences = [*_differences(names, columns_a, columns_b, resampling, order)]
    parts = _differences(
        of_parts, _columns(a, rows_a, of_parts), _columns(b, rows_b, of_parts), resampling, order
    )
    names_of = [each.short or each.label for each in (a, b)]
    if names_of[0] == names_of[1]:
        names_of = [f'{letter} ({name})' for letter, name in zip('AB', names_of, strict=True)]
    answered_a, answered_b = (_is_answered(names, each) for each in (columns_a, columns_b))
    return Pair(
        a=a.label,
        b=b.label,
        n_frames=int(np.count_nonzero(answered_a & answered_b)),
        n_recordings=len({*order.recordings}),
        film_s=order.film_s(),
        differences=differences,
        parts=[*parts],
        short_a=names_of[0],
        short_b=names_of[1],
        judged_by=f'{own_alignment(a.result)}/abs_rel',
        warnings=[
            *_warnings(a, b, shared),
            *dependent([each.difference for each in differences]),
            *unanswered({'A': answered_a, 'B': answered_b}),
        ],
    )


def _is_error_of_part(name: str) -> bool:
    group, _, metric = name.rpartition('/')
    return metric == 'abs_rel' and is_part(group)


def _columns(of: Contender, rows: NDArray[np.intp], names: Sequence[str]) -> Columns:
    values = [np.asarray(_values(of)[name])[rows] for name in names]
    return np.asarray(np.reshape(values, (len(names), len(rows))).T, np.float64)


def _is_answered(names: Sequence[str], columns: Columns) -> NDArray[np.bool_]:
    """Return for which frames there is more than the coverage, which is 0 without an answer."""
    kept = [column for column, name in enumerate(names) if name != 'coverage']
    return np.asarray(np.isfinite(columns[:, kept]).any(axis=1) | (not kept))


def _values(of: Contender) -> Mapping[str, Sequence[float]]:
    return of.result.frames.values[of.predictor]


def _found(of: Contender) -> PredictorResult:
    return of.result.predictors[of.predictor]


class _Order(NamedTuple):
    """Of which recordings frames are, and when they were taken: what follows what."""

    recordings: Sequence[str]
    stamps_ns: Sequence[int | None]

    @classmethod
    def of(cls, contender: Contender, rows: NDArray[np.intp]) -> _Order:
        frames = contender.result.frames
        return cls(
            [frames.recordings[row] for row in rows], [frames.stamps_ns[row] for row in rows]
        )

    def film_s(self) -> float:
        """Return how long the recordings last together, seconds; NaN if a stamp is missing."""
        stamps_ns: dict[str, list[int]] = {}
        for recording, stamp_ns in zip(self.recordings, self.stamps_ns, strict=True):
            if stamp_ns is None:
                return float('nan')
            stamps_ns.setdefault(recording, []).append(stamp_ns)
        return sum(max(each) - min(each) for each in stamps_ns.values()) / 1e9


def _differences(
    names: Sequence[str], a: Columns, b: Columns, resampling: Resampling, order: _Order
) -> Iterator[Difference]:
    if not names:
        return
    of = mean_intervals(b - a, resampling, **order._asdict())
    for column, name in enumerate(names):
        known = np.isfinite(a[:, column]) & np.isfinite(b[:, column])
        if not known.any():
            continue
        one, other = a[known, column], b[known, column]
        better, worse = (one > other, one < other) if is_more_better(name) else (
            one < other, one > other
        )
        mean, low, high, n_effective = (
            float(each[column]) for each in (of.mean, of.low, of.high, of.n_effective)
        )
        difference = Estimate(mean, low, high, len(one), n_effective)
        yield Difference(
            name=name,
            mean_a=float(one.mean()),
            mean_b=float(other.mean()),
            difference=difference,
            a_better=float(better.mean()),
            b_better=float(worse.mean()),
            verdict=_verdict(name, difference),
            times_needed=frames_needed(mean, low, high, n_effective) / n_effective,
        )


def _verdict(name: str, difference: Estimate) -> Verdict:
    """Return who is better, as far as the interval tells."""
    if not difference.is_enough:
        return 'too few frames to tell'
    if difference.low > 0:
        return 'B better' if is_more_better(name) else 'A better'
    if difference.high < 0:
        return 'A better' if is_more_better(name) else 'B better'
    return 'no difference shown'


def _warnings(a: Contender, b: Contender, shared: SharedFrames) -> Iterator[str]:
    n_shared = len(shared.rows_a)
    if shared.is_guess:
        yield 'frames were matched by their time and by the end of their names'
    if a.result.title != b.result.title:
        yield f'protocols differ: A is {a.result.title}; B is {b.result.title}'
    elif unequal := differing(a.result.protocol, b.result.protocol):
        yield f'protocols differ in {", ".join(unequal)}'
    if a.result.protocol.get('aggregation') == 'pixel':
        yield (
            'the protocol is over all pixels together; here, each frame has one value and one say'
        )
    unequal = [n for n in differing(a.result.source, b.result.source) if n != 'notes']
    if unequal == ['files']:
        yield (
            'the files of the sources differ in path, size or time: frames of one name may not '
            'be the same'
        )
    elif unequal:
        yield f'sources differ in {", ".join(unequal)}'
    for name, each in (('A', a), ('B', b)):
        n_frames = len(each.result.frames.names)
        if n_shared < n_frames:
            yield f'{n_frames - n_shared} of {n_frames} frames of {name} are not in the other'
    uses = [use_words(_found(each)) for each in (a, b)]
    if all(uses) and uses[0] != uses[1]:
        yield f'the camera was {uses[0]} for A, and {uses[1]} for B'
    described = (
        {**_found(each).describe, **({'camera': use} if use else {})}
        for each, use in zip((a, b), uses, strict=True)
    )
    yield from alike(*described)
