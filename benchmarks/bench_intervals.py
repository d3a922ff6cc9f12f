# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How often intervals hold the truth, and comparisons of equals find a better one, on made-up films.

    python benchmarks/bench_intervals.py
    python benchmarks/bench_intervals.py --noise 0.1        of each frame's variance

Two predictors that are equally good: their abs_rel are two films of the same kind, whose values
are correlated with phi from frame to frame (AR(1)). Each film has so many frames, all in one drive
or in five. ``clip-depth compare`` is asked which one is better. Before: each frame is taken for
independent, as it is where each is its own recording.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from clip_depth_ros.evaluation.compare.paired import compare, Contender, Difference
from clip_depth_ros.evaluation.results.result import FrameTable, PredictorResult, Result
from clip_depth_ros.evaluation.score.intervals import Resampling
import numpy as np

PHIS = (0.0, 0.5, 0.9, 0.98)
N_FRAMES = (30, 100, 400)
N_DRIVES = (1, 5)
PERIOD_NS = 100_000_000
FILMS = tuple(f'film {i}' for i in range(31))  # compared at once, as each is on its own


class Held(NamedTuple):
    """Shares of comparisons: with an interval, one that holds 0, a verdict, a wrong one."""

    told: float
    held: float
    judged: float
    wrong: float


def main() -> None:
    """Print one line for each kind of film."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--films', type=int, default=2000, help='comparisons of each kind')
    parser.add_argument(
        '--noise', type=float, default=0.0, help='share of the variance that single frames have'
    )
    parser.add_argument('--level', type=float, default=0.0, help='deviation of the drives, in sd')
    parser.add_argument('--phi', type=float, nargs='+', default=PHIS, help='correlations')
    parser.add_argument('--frames', type=int, nargs='+', default=N_FRAMES, help='lengths of films')
    parser.add_argument('--drives', type=int, nargs='+', default=N_DRIVES, help='drives in each')
    args = parser.parse_args()
    print('phi  frames drives   held: before now   "better": before now   interval  verdict')
    for phi in args.phi:
        for n_frames in args.frames:
            for n_drives in args.drives:
                films = Films(phi, n_frames, n_drives, args.noise, args.level)
                before, now = (held(films, args.films, is_film) for is_film in (False, True))
                print(
                    f'{phi:<4} {n_frames:6} {n_drives:6} {before.held:14.0%} {now.held:4.0%} '
                    f'{before.wrong:17.1%} {now.wrong:5.1%} {now.told:9.0%} {now.judged:8.0%}',
                    flush=True,
                )


class Films:
    """Draws errors of films whose mean is known."""

    def __init__(
        self, phi: float, n_frames: int, n_drives: int, noise: float = 0.0, level: float = 0.0
    ) -> None:
        self.n_frames = n_frames
        self.drives = np.arange(n_frames) * n_drives // n_frames
        self._phi, self._noise, self._level = phi, noise, level

    def draw(self, n_films: int, dice: np.random.Generator) -> np.ndarray:
        """Return values of mean 1 and deviation 0.1, (films, frames)."""
        fresh = dice.normal(size=(n_films, self.n_frames))
        wander = fresh.copy()
        for at in range(1, self.n_frames):
            if self.drives[at] == self.drives[at - 1]:
                step = np.sqrt(1 - self._phi**2) * fresh[:, at]
                wander[:, at] = self._phi * wander[:, at - 1] + step
        single = dice.normal(size=wander.shape)
        level = dice.normal(size=(n_films, self.drives[-1] + 1))[:, self.drives]
        of_both = np.sqrt(1 - self._noise) * wander + np.sqrt(self._noise) * single
        return 1 + 0.1 * (of_both + self._level * level)


def held(films: Films, n_films: int, is_film: bool) -> Held:
    """Compare equals so many times, several at once, as each value is compared on its own."""
    dice = np.random.default_rng(0)
    some = [
        each
        for _ in range(-(-n_films // len(FILMS)))
        for each in _compared(films, dice, is_film)
    ]
    told = [each for each in some if each.difference.low <= each.difference.high]
    return Held(
        len(told) / len(some),
        float(np.mean([each.difference.low <= 0 <= each.difference.high for each in told]))
        if told else float('nan'),
        float(np.mean([each.verdict != 'too few frames to tell' for each in some])),
        float(np.mean([each.verdict in ('A better', 'B better') for each in some])),
    )


def _compared(films: Films, dice: np.random.Generator, is_film: bool) -> Iterator[Difference]:
    a, b = (_result(films, films.draw(len(FILMS), dice), is_film) for _ in 'ab')
    pair = compare(Contender('a', a, 'a'), Contender('b', b, 'a'), resampling=Resampling(500))
    yield from pair.pairs[0].differences


def _result(films: Films, values: np.ndarray, is_film: bool) -> Result:
    rows = range(films.n_frames)
    recordings = films.drives if is_film else rows
    columns = {name: column.tolist() for name, column in zip(FILMS, values, strict=True)}
    return Result(
        title='made up', protocol={}, source={}, settings={}, versions={},
        n_frames=films.n_frames, problems=[],
        predictors={'a': PredictorResult(
            describe={}, n_frames=films.n_frames, estimates={}, scale_spread=0.0, sums={}
        )},
        frames=FrameTable(
            indices=rows, names=[f'{row}' for row in rows],
            recordings=[f'drive {drive}' for drive in recordings],
            stamps_ns=[PERIOD_NS * row for row in rows], values={'a': columns},
        ),
    )


if __name__ == '__main__':
    main()
