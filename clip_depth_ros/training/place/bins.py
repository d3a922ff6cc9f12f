# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Temperature, bins and words of DepthCLIP, fitted to what its frozen CLIP sees in frames.

The DepthCLIP paper proposes learnable bins for each kind of scene as its next step; how they are
learned here is our choice throughout, made on rendered streets (docs/fit.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import math
from typing import Final, NamedTuple

from clip_depth_ros.core.metrics import relative_error
from clip_depth_ros.core.patches import LOGIT_FACTOR
from clip_depth_ros.settings.depth_bins import log_spaced
from clip_depth_ros.training.place.seen import Seen
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional

_LEAST_SHARE: Final = 1e-3
"""Of the range of log depth, between a bin and the next: written bins ascend strictly."""

_HOLD: Final = 0.04
"""Weight of what holds bins where they start: those of words that no patch answers to stay."""

_HOLD_UNMEASURED: Final = 0.2
"""Weight of what holds depth where nobody measured any while words are learned: sky stays far."""

_SPREAD: Final = (0.02, 0.98)
"""Quantiles of true depth that the second start has its outer bins at."""

_TEMPERATURES: Final = (1e-4, 100.0)
"""What the setting takes."""

_DIGITS: Final = 5
_ITERATIONS: Final = 60
_WORD_STEPS: Final = 120
_WORD_RATE, _BIN_RATE = 0.003, 0.01


@dataclass(frozen=True, slots=True)
class Fitted:
    """
    What a fit has found, rounded as it is written.

    Attributes
    ----------
    temperature : float
    bins_m : mapping of (str or None) to tuple of float
        By scene, None for all of them together.
    words : float32 (K, embed_dim), optional
        Unit vectors, if they were learned.

    """

    temperature: float
    bins_m: Mapping[str | None, tuple[float, ...]]
    words: NDArray[np.float32] | None = None


class Range(NamedTuple):
    """
    What depths are within.

    Attributes
    ----------
    near_m, far_m : float
        Bins lie between.
    cap_m : float
        Answers beyond are taken for this where they are scored.
    are_corners_aligned : bool
        Whether maps are aligned with images by their corners.

    """

    near_m: float
    far_m: float
    cap_m: float
    are_corners_aligned: bool


class Bins(nn.Module):
    """
    Temperature and ascending bins between two depths, for any real parameters.

    The shares of the range of log depth between bins, and beyond the outer ones, are a softmax.
    """

    def __init__(self, start: Fitted, limits: Range) -> None:
        super().__init__()
        self.scenes = [*start.bins_m]
        self._near = math.log(limits.near_m)
        self._length = math.log(limits.far_m) - self._near
        shares = torch.stack([self._shares_of(bins_m) for bins_m in start.bins_m.values()])
        self.log_temperature = nn.Parameter(torch.tensor(math.log(start.temperature)))
        self.logits = nn.Parameter((shares - _LEAST_SHARE).log())
        self._start = self.log_bins().detach()

    def log_bins(self) -> Tensor:
        """Return ln of the bins of each scene, metres, (scenes, K)."""
        n_shares = self.logits.shape[1]
        shares = _LEAST_SHARE + (1 - n_shares * _LEAST_SHARE) * self.logits.softmax(dim=1)
        return self._near + self._length * shares.cumsum(dim=1)[:, :-1]

    def distance(self) -> Tensor:
        """Return how far bins are from where they started, the mean square of their log ratios."""
        return (self.log_bins() - self._start).square().mean()

    def fitted(self, words: NDArray[np.float32] | None = None) -> Fitted:
        """Return what the parameters stand for now."""
        with torch.no_grad():
            rows = self.log_bins().double().exp().tolist()
            bins_m = {
                scene: tuple(_rounded(depth_m) for depth_m in row)
                for scene, row in zip(self.scenes, rows, strict=True)
            }
            temperature = float(self.log_temperature.exp().clamp(*_TEMPERATURES))
            return Fitted(_rounded(temperature), bins_m, words)

    def _shares_of(self, bins_m: Sequence[float]) -> Tensor:
        places = (np.log(bins_m) - self._near) / self._length
        shares = np.diff([0.0, *places.clip(0, 1), 1.0]).clip(min=2 * _LEAST_SHARE)
        return torch.tensor(shares / shares.sum(), dtype=torch.float32)


def fit_bins(seen: Sequence[Seen], start: Fitted, limits: Range) -> Fitted:
    """
    Fit temperature and bins to frames: those of each scene of ``start``, or all together.

    Parameters
    ----------
    seen : sequence of Seen
        With cosines.
    start : Fitted
        Where to start from. With the bins of all together, a second start, evenly spaced in log
        depth over what is seen, is tried as well.
    limits : Range
        What bins stay within.

    Returns
    -------
    Fitted
        The start, if nothing with a lower abs_rel on these frames was found.

    """
    groups, starts = grouped(seen), [start]
    if [*start.bins_m] == [None]:
        depths_m = np.concatenate([frame.target_m for frame in seen])
        near_m, far_m = np.quantile(depths_m, _SPREAD).clip(limits.near_m, limits.far_m).tolist()
        spread_m = log_spaced(near_m, max(far_m, near_m * 1.01), len(start.bins_m[None]))
        starts.append(replace(start, bins_m={None: spread_m}))
    found = [_descended(Bins(each, limits), groups, limits) for each in starts]
    losses = {loss: bins for loss, bins in found if math.isfinite(loss)}
    if not losses:
        return start
    return better(seen, start, losses[min(losses)].fitted(start.words), limits)


def learn_words(
    seen: Sequence[Seen], start: Fitted, words: nn.Module, limits: Range
) -> Fitted:
    """
    Learn words, with temperature and bins, from frames with the vectors of their patches.

    Parameters
    ----------
    seen : sequence of Seen
        With vectors.
    start : Fitted
        What was fitted to the words as they are, which are its ``words``.
    words : nn.Module
        Returns the unit vectors of words, (K, embed_dim), as its parameters have them.
    limits : Range
        What bins stay within.

    Returns
    -------
    Fitted
        The start, if nothing with a lower abs_rel on these frames was found.

    """
    bins, groups = Bins(start, limits), grouped(seen)
    optimiser = torch.optim.Adam([
        {'params': [*words.parameters()], 'lr': _WORD_RATE},
        {'params': [*bins.parameters()], 'lr': _BIN_RATE},
    ])
    before = torch.as_tensor(start.words)
    with torch.no_grad():
        held = [_unmeasured_logs(bins, group, before) for group in groups]
    for _ in range(_WORD_STEPS):
        optimiser.zero_grad()
        now = words()
        loss = _loss(bins, groups, limits, now)
        for group, logs in zip(groups, held, strict=True):
            if logs.numel():
                change = (_unmeasured_logs(bins, group, now) - logs).abs().mean()
                loss = loss + _HOLD_UNMEASURED * change * len(group.scenes) / len(seen)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        learned: NDArray[np.float32] = words().float().cpu().numpy()
    return better(seen, start, bins.fitted(learned), limits)


def better(seen: Sequence[Seen], start: Fitted, found: Fitted, limits: Range) -> Fitted:
    """Return which of two has the lower abs_rel on frames, the start if neither."""
    return found if error_on(seen, found, limits) < error_on(seen, start, limits) else start


def error_on(seen: Sequence[Seen], fitted: Fitted, limits: Range) -> float:
    """Return abs_rel over some pixels of each frame, what is made small: the mean over frames."""
    words = None if fitted.words is None else torch.as_tensor(fitted.words)
    bins = {scene: torch.tensor(bins_m) for scene, bins_m in fitted.bins_m.items()}
    total = 0.0
    for group in grouped(seen):
        bins_m = torch.stack([bins[scene if scene in bins else None] for scene in group.scenes])
        depth_m = _depth_m(group, bins_m, fitted.temperature, limits, words)
        depth_m = depth_m.clamp(max=limits.cap_m)
        errors = relative_error(depth_m.numpy(), group.target_m.numpy())
        total += float(np.abs(errors).mean(axis=1).sum())
    return total / len(seen)


class Group(NamedTuple):
    """Frames of one grid: the fields of :class:`Seen`, stacked."""

    maps: Tensor
    places: Tensor
    target_m: Tensor
    unmeasured: Tensor
    scenes: Sequence[str | None]


def grouped(seen: Sequence[Seen]) -> list[Group]:
    """Return frames in groups whose maps have one shape."""
    by_shape: dict[tuple[int, ...], list[Seen]] = defaultdict(list)
    for frame in seen:
        by_shape[frame.maps.shape].append(frame)
    return [_group(frames) for frames in by_shape.values()]


def _group(frames: Sequence[Seen]) -> Group:
    maps, places, target_m, unmeasured = (
        torch.from_numpy(np.stack([getattr(frame, name) for frame in frames]))
        for name in ('maps', 'places', 'target_m', 'unmeasured')
    )
    return Group(maps, places, target_m, unmeasured, [frame.scene for frame in frames])


def _depth_m(
    group: Group,
    bins_m: Tensor,
    temperature: Tensor | float,
    limits: Range,
    words: Tensor | None,
) -> Tensor:
    """Return depth at the places of B frames, (B, N), as the predictor does; bins_m is (B, K)."""
    grid = _grid_m(group, bins_m, temperature, words)
    at = functional.grid_sample(
        grid[:, None], group.places[:, None], mode='bilinear', padding_mode='border',
        align_corners=limits.are_corners_aligned,
    )
    return at[:, 0, 0]


def _grid_m(
    group: Group, bins_m: Tensor, temperature: Tensor | float, words: Tensor | None
) -> Tensor:
    """Return depth of the patches of B frames, (B, grid_h, grid_w); bins_m is (B, K)."""
    maps = group.maps
    cosines = maps if words is None else torch.einsum('bfdhw,kd->bfkhw', maps, words)
    probs = (cosines * (LOGIT_FACTOR / temperature)).softmax(dim=2).mean(dim=1)
    return torch.einsum('bkhw,bk->bhw', probs, bins_m)


def _unmeasured_logs(bins: Bins, group: Group, words: Tensor) -> Tensor:
    """Return ln of the depth of patches without any that was measured, (M,)."""
    rows = [_row(bins.scenes, scene) for scene in group.scenes]
    bins_m = bins.log_bins().exp()[rows]
    return _grid_m(group, bins_m, bins.log_temperature.exp(), words)[group.unmeasured].log()


def _loss(
    bins: Bins, groups: Sequence[Group], limits: Range, words: Tensor | None = None
) -> Tensor:
    """
    Return what is made small: half abs_rel, half the mean of |ln pred - ln gt|.

    abs_rel alone is small where depth is said to be too near, which costs a fifth of rmse; the
    logarithm alone has a few per cent more abs_rel.
    """
    temperature, all_bins_m = bins.log_temperature.exp(), bins.log_bins().exp()
    total, n_frames = torch.zeros(()), 0
    for group in groups:
        rows = [_row(bins.scenes, scene) for scene in group.scenes]
        depth_m = _depth_m(group, all_bins_m[rows], temperature, limits, words)
        relative = (depth_m / group.target_m - 1).abs()
        logarithmic = (depth_m.log() - group.target_m.log()).abs()
        total = total + (relative + logarithmic).mean(dim=1).sum() / 2
        n_frames += len(rows)
    return total / n_frames + _HOLD * bins.distance()


def _row(scenes: Sequence[str | None], scene: str | None) -> int:
    return scenes.index(scene if scene in scenes else None)


def _descended(
    bins: Bins, groups: Sequence[Group], limits: Range
) -> tuple[float, Bins]:
    optimiser = torch.optim.LBFGS(
        bins.parameters(), max_iter=_ITERATIONS, line_search_fn='strong_wolfe'
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = _loss(bins, groups, limits)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return float(_loss(bins, groups, limits)), bins


def _rounded(number: float) -> float:
    return float(f'{number:.{_DIGITS}g}')
