# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether confidence is what it says: the share of right pixels beside it."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from clip_depth_ros.evaluation.results.result import PredictorResult, Result
from clip_depth_ros.evaluation.results.tables import Cell, number, Row, Table, UNKNOWN
from clip_depth_ros.evaluation.score.score import CONFIDENCE_EDGES
import numpy as np
from numpy.typing import NDArray

_HEADINGS: Final = ('pixels', 'said', 'true')
_NOTE: Final = (
    'Of all pixels of all frames that come with a confidence: the share in each step, the mean of '
    'what was said, and the share within 1.25 of the truth. Expected calibration error (ECE): the '
    'mean difference of the two.'
)


class Reliability(NamedTuple):
    """
    What was said, and what was true, in each step between ``CONFIDENCE_EDGES``.

    Attributes
    ----------
    n : float64 (10,)
        Pixels.
    said, true : float64 (10,)
        Mean confidence, and share of pixels within 1.25 of the truth; NaN where there are none.

    """

    n: NDArray[np.float64]
    said: NDArray[np.float64]
    true: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Return the expected calibration error: the mean over pixels of |said - true|."""
        off = np.where(self.n > 0, np.abs(self.said - self.true), 0)
        return float((off * self.n).sum() / self.n.sum())


def reliability(found: PredictorResult) -> Reliability | None:
    """Return how reliable confidence is; None where there is none, and in older results."""
    n, said, right = (
        np.asarray(found.sums.get(f'confidence/{name}', ()), np.float64)
        for name in ('n', 'said', 'delta1')
    )
    if not n.sum() or n.shape != said.shape:
        return None
    with np.errstate(invalid='ignore'):  # 0 / 0 where there are no pixels
        return Reliability(n, said / n, right / n)


def reliability_table(result: Result) -> Table | None:
    """Return what was said beside what was true of each predictor that gives confidence."""
    known = {
        name: each
        for name, found in result.predictors.items()
        if (each := reliability(found)) is not None
    }
    if not known:
        return None
    steps = pairwise(CONFIDENCE_EDGES)
    rows = [
        Row(
            f'{low:g} to {high:g}',
            tuple(cell for each in known.values() for cell in _cells(each, step)),
        )
        for step, (low, high) in enumerate(steps)
        if any(each.n[step] for each in known.values())
    ]
    ends = (
        cell for each in known.values() for cell in (Cell(''), Cell(''), Cell(number(each.ece)))
    )
    return Table(
        title='Reliability of confidence',
        columns=tuple((name, heading) for name in known for heading in _HEADINGS),
        rows=(*rows, Row('ECE', tuple(ends))),
        note=_NOTE,
    )


def _cells(each: Reliability, step: int) -> tuple[Cell, ...]:
    if not each.n[step]:
        return (Cell(UNKNOWN),) * len(_HEADINGS)
    share = 100 * each.n[step] / each.n.sum()
    return Cell(f'{share:.1f} %'), Cell(number(each.said[step])), Cell(number(each.true[step]))
