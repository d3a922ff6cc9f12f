# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How many independent frames those of a film are worth: its neighbours score alike.

The mean of n frames whose values have the autocorrelation rho_k at a distance of k frames is as
sure as that of n / tau independent ones, tau = 1 + 2 sum_k rho_k (Bayley and Hammersley 1946).
Here, the sum counts the pairs of frames that there are: of one recording, in the order of stamps,
with what is missing between them.

tau is read in two ways, and the larger counts, as both err on the side of too little:

- the sum of what was measured up to where it is noise: Geyer's initial monotone sequence (1992),
  with the part that was taken away with the mean put back;
- the sum of rho_k = rho_1 phi^(k - 1), a process that forgets evenly (AR(1)), with noise of single
  frames on top: phi is rho_2 / rho_1, or rho_1 if that is larger. Both are corrected for the bias
  of short series (Kendall 1954; Marriott and Pope 1954).

A rho_1 within its standard error (1 / sqrt(pairs), Bartlett 1946) counts as none, within two of
them phi is rho_1, as ratios of noise may be anything. Nothing is told of fewer than ten frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

ENOUGH_INDEPENDENT: Final = 10
"""Independent frames: of fewer, no verdict is given."""

_LONGEST_GAP: Final = 20
"""Frames: after a longer gap, those of a recording are taken for those of another one."""

_AT_ONCE: Final = 500_000
"""Numbers in memory at a time, 4 MB."""

_Floats = NDArray[np.float64]


class Film(NamedTuple):
    """
    Frames that follow each other: their rows, and their places in time, counted in frames.

    Both int (F,); places begin with 0 and rise.
    """

    rows: NDArray[np.intp]
    places: NDArray[np.intp]


def films(recordings: Sequence[str], stamps_ns: Sequence[int | None]) -> Iterator[Film]:
    """
    Yield the frames of each recording, in the order of stamps if all of them are known.

    The distance of two frames is counted in the usual distance of the recording, the median, and
    is at least one.
    """
    names, of = np.unique(np.asarray(recordings, dtype=np.str_), return_inverse=True)
    by_recording = np.argsort(of, kind='stable')
    for rows in np.split(by_recording, np.bincount(of, minlength=len(names)).cumsum()[:-1]):
        stamps = [stamps_ns[row] for row in rows]
        known = [stamp for stamp in stamps if stamp is not None]
        gaps = np.ones(max(len(rows) - 1, 0), np.intp)
        if len(known) == len(rows):
            rows = rows[np.argsort(known, kind='stable')]
            gaps = _in_frames(np.array(known, np.int64))
        yield from _parted(rows, gaps)


def _in_frames(stamps_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the distances of stamps, one after the other, in the usual one."""
    stamps_ns = np.sort(stamps_ns)
    distances_ns = stamps_ns[1:] - stamps_ns[:-1]
    forward = distances_ns[distances_ns > 0]
    usual = float(np.median(forward)) if len(forward) else 1.0
    return np.maximum(np.rint(distances_ns / usual), 1).astype(np.intp)


def _parted(rows: NDArray[np.intp], gaps: NDArray[np.intp]) -> Iterator[Film]:
    if not len(rows):
        return
    ends = np.flatnonzero(gaps > _LONGEST_GAP) + 1
    places = np.concatenate([[0], gaps.cumsum()])
    for some, at in zip(np.split(rows, ends), np.split(places, ends), strict=True):
        yield Film(some, at - at[0])


def independent_frames(changes: _Floats, known: NDArray[np.bool_], of: Sequence[Film]) -> _Floats:
    """
    Return how many independent frames those are worth that have a value, (V,).

    Parameters
    ----------
    changes : float64 (N, V)
        How far each frame moves the mean; its mean over the frames is 0.
    known : bool (N, V)
        Which frames have a value; ``changes`` is 0 elsewhere.
    of : sequence of Film
        How the frames follow each other; each row is in one of them.

    Returns
    -------
    float64 (V,)
        1 to the number of frames that have a value.

    """
    n_frames = known.sum(axis=0).astype(np.float64)
    longest = max((film.places[-1] + 1 for film in of), default=1)
    worth: _Floats = n_frames.copy()
    if longest < 3:
        return worth
    at_once = max(1, _AT_ONCE // longest)
    for first in range(0, changes.shape[1], at_once):
        some = slice(first, first + at_once)
        sums, pairs = _lag_sums(changes[:, some], known[:, some], of, longest)
        worth[some] = _worth(sums, pairs)
    return worth


def _lag_sums(
    changes: _Floats, known: NDArray[np.bool_], of: Sequence[Film], longest: int
) -> tuple[_Floats, _Floats]:
    """Return sum of x_t x_(t + k), and number of pairs, for distances k of 0 to longest - 1."""
    sums, pairs = (np.zeros((longest, changes.shape[1])) for _ in range(2))
    alone = np.array([film.rows[0] for film in of if len(film.rows) == 1], np.intp)
    sums[0] += np.square(changes[alone]).sum(axis=0)
    pairs[0] += known[alone].sum(axis=0)
    for film in of:
        if len(film.rows) == 1:
            continue
        n_places = film.places[-1] + 1
        for total, values in ((sums, changes), (pairs, known)):
            placed = np.zeros((n_places, changes.shape[1]))
            placed[film.places] = values[film.rows]
            total[:n_places] += _autocorrelation(placed)
    return sums, np.rint(pairs)


def _autocorrelation(placed: _Floats) -> _Floats:
    """Return the sum of x_t x_(t + k) over t, for each k, by columns (T, V)."""
    size = 1 << (2 * len(placed) - 1).bit_length()
    spectrum = np.fft.rfft(placed, size, axis=0)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(np.fft.irfft(power, size, axis=0)[:len(placed)], np.float64)


def _worth(sums: _Floats, pairs: _Floats) -> _Floats:
    """Return n / tau, from sums and numbers of pairs by distance, (L, V)."""
    n_frames = pairs[0]
    first, second = _correlation(sums, pairs, 1), _correlation(sums, pairs, 2)
    first, second = _unbiased(first, 1, first, n_frames), _unbiased(second, 2, first, n_frames)
    standard_error = _ratio(1.0, np.sqrt(pairs[1]))
    is_alike = (first > standard_error) & (n_frames >= ENOUGH_INDEPENDENT)
    with np.errstate(all='ignore'):  # where nothing is alike, nothing of this counts
        ratio = np.where(first > 2 * standard_error, second / first, 0.0)
        phi = np.clip(np.maximum(ratio, first), 0.0, 1.0)
        least = np.minimum(_by_process(first, phi, pairs), _by_sequence(sums, pairs))
    return np.where(is_alike, np.clip(least, 1.0, n_frames), n_frames)


def _correlation(sums: _Floats, pairs: _Floats, distance: int) -> _Floats:
    return _ratio(_ratio(sums[distance], pairs[distance]), _ratio(sums[0], pairs[0]))


def _unbiased(rho: _Floats, distance: int, phi: _Floats, n_frames: _Floats) -> _Floats:
    """Put back what the correlation of a short series lacks on average (Kendall 1954)."""
    phi = np.clip(phi, 0.0, 0.999)
    lost = (1 + phi) / (1 - phi) * (1 - phi**distance) + 2 * distance * phi**distance
    return np.clip(rho + _ratio(lost, n_frames), 0.0, 1.0)


def _by_process(first: _Floats, phi: _Floats, pairs: _Floats) -> _Floats:
    """Return n / tau of a process that forgets evenly, with noise of single frames on top."""
    powers = phi ** np.arange(len(pairs) - 1)[:, np.newaxis]
    n_frames = pairs[0]
    tau: _Floats = 1 + 2 * first * (pairs[1:] * powers).sum(axis=0) / n_frames
    worth: _Floats = n_frames / tau
    return worth


def _by_sequence(sums: _Floats, pairs: _Floats) -> _Floats:
    """Return n / tau by Geyer's initial monotone sequence: sums of two neighbouring distances."""
    n_twos = len(sums) // 2
    twos = (sums[:2 * n_twos] / sums[0]).reshape(n_twos, 2, -1).sum(axis=1)
    counts = np.logical_and.accumulate(twos > 0, axis=0)
    falling = np.minimum.accumulate(np.where(counts, twos, 0.0), axis=0)
    tau = 2 * falling.sum(axis=0) - 1
    # The variance of the mean was taken from each product, as the mean itself is one of them: in
    # n + 2 (pairs up to the last distance) of n^2 products.
    used = pairs[0] + 2 * np.where(
        np.repeat(counts, 2, axis=0)[1:], pairs[1:2 * n_twos], 0.0
    ).sum(axis=0)
    n_frames = pairs[0]
    worth: _Floats = 1 + n_frames * (1 - used / np.square(n_frames)) / tau
    return worth


def _ratio(part: _Floats | float, whole: _Floats) -> _Floats:
    """Return part / whole, 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
