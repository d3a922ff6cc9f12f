# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
An answer and the truth brought together, pixel by pixel, as a protocol says.

The order is the field's: the answer is resampled to the size of the truth, the window is cut, the
truth that lies in the range counts; then the answer is aligned, and clamped last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple

from clip_depth_ros.core.alignment import fit_alignment
from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.core.metrics import PixelErrors, valid_pixels
from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.evaluation.score.crops import WINDOWS
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import Depth, DepthMap
import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_ASPECT_TOLERANCE: Final = 1.05
"""How much the ratio of an answer's sides may differ from that of its image."""


class Clamp(NamedTuple):
    """
    What an answer is brought into once it is aligned, metres; NaN stays.

    ``beyond_m`` is what +Inf (beyond range, REP 117) becomes where there is no farthest depth.
    """

    nearest_m: float
    farthest_m: float
    beyond_m: float

    @classmethod
    def of(cls, gt: NDArray[np.float32], protocol: EvaluationProtocol) -> Clamp:
        """Return what a protocol clamps to; ``gt`` is the truth that counts, (N,)."""
        cap_m = protocol.depth_cap_m
        farthest_m = {'range': cap_m, 'none': np.inf}.get(protocol.clamp) or float(gt.max())
        return cls(protocol.min_depth_m, farthest_m, cap_m)

    def __call__(self, depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return depth within the limits, (N,)."""
        if np.isinf(self.farthest_m):
            depth_m = np.where(np.isposinf(depth_m), self.beyond_m, depth_m)
        return np.clip(depth_m, self.nearest_m, self.farthest_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """
    What is compared of one frame; all arrays are of the size of the truth, (H, W).

    Attributes
    ----------
    gt : float32
        The truth as it came, metres.
    valid : bool
        Where it counts: within the window, and strictly within the range.
    counted : bool
        Where, besides, there is an answer: what metrics are about.
    answer : float32
        The answer at the size of the truth, metres, neither aligned nor clamped. NaN is unknown;
        +Inf and -Inf are fitted by nobody, and become the ends of the range when clamped.
    is_relative : bool
        The answer is inverse depth up to scale and shift.
    protocol : EvaluationProtocol

    """

    gt: Depth
    valid: Mask
    counted: Mask
    answer: Depth
    is_relative: bool
    protocol: EvaluationProtocol

    @property
    def coverage(self) -> float:
        """Return the share of the truth that counts for which there is an answer."""
        return int(np.count_nonzero(self.counted)) / int(np.count_nonzero(self.valid))

    @property
    def pred(self) -> Depth:
        """Return the answer aligned and clamped, as it is compared; NaN where it is unknown."""
        fit = fit_alignment(
            self.protocol.alignment, self.answer[self.counted], self.gt[self.counted],
            is_inverse=self.is_relative,
        )
        clamp = Clamp.of(self.gt[self.counted], self.protocol)
        return clamp(fit.apply(self.answer)).astype(np.float32)

    @property
    def shown_gt(self) -> Depth:
        """Return the truth where it counts, NaN elsewhere."""
        return np.where(self.valid, self.gt, np.float32(np.nan))


def valid_gt(gt: Depth, protocol: EvaluationProtocol) -> Mask:
    """
    Return where the truth counts, whatever is answered, bool (H, W).

    That is within the evaluated window, and strictly within the range. DataError if the frame is
    too small for a crop, or of another size than the crop is for.
    """
    x, y, width, height = evaluated_window(Size(*gt.shape), protocol)
    here = (slice(y, y + height), slice(x, x + width))
    valid = np.zeros(gt.shape, bool)
    valid[here] = valid_pixels(
        gt[here], min_depth_m=protocol.min_depth_m, depth_cap_m=protocol.depth_cap_m,
        with_ends=protocol.range_ends == 'included',
    )
    return valid


def is_right(pred: Depth, gt: Depth) -> Mask:
    """Return which answers are within a factor of 1.25 of the truth, as delta1 counts, bool."""
    return PixelErrors.of(pred.astype(np.float64), gt.astype(np.float64)).is_below(1.25)


def no_truth(size: Size, protocol: EvaluationProtocol) -> str:
    """Return as text that no truth of a frame of this size counts."""
    x, y, width, height = evaluated_window(size, protocol)
    return (
        f'no ground truth between {protocol.min_depth_m:g} and {protocol.depth_cap_m:g} m in the '
        f'evaluated window ({width}x{height} at {x}, {y})'
    )


def evaluated_window(size: Size, protocol: EvaluationProtocol) -> Window:
    """
    Return the window of the truth that is evaluated: of what ``gt_crop`` leaves, the eval crop.

    DataError if the frame is too small for a crop, or of another size than the crop is for.
    """
    outer = WINDOWS[protocol.gt_crop](size)
    x, y, width, height = WINDOWS[protocol.eval_crop](Size(outer.height, outer.width))
    return Window(outer.x + x, outer.y + y, width, height)


def at_size(answer: DepthMap, size: Size, protocol: EvaluationProtocol) -> Depth:
    """
    Return an answer at a size, float32, metres; NaN where there is none (0 and below, too).

    Relative inverse depth is any number, and resampled as it is, as MiDaS and all after it do.
    ImageError if its shape is not that of an image of this size; see :func:`check_shape`.
    """
    depth_m = answer.depth_m
    check_shape(Size(*depth_m.shape), size)
    if answer.is_relative:
        return resized(depth_m, size, align_corners=protocol.align_corners)
    no_depth = (depth_m <= 0) & ~np.isneginf(depth_m)
    if no_depth.any():
        depth_m = np.where(no_depth, np.float32(np.nan), depth_m)
    return resized(depth_m, size, protocol.resize, align_corners=protocol.align_corners)


def check_shape(own: Size, whole: Size) -> None:
    """
    Refuse an answer that cannot be for the whole of an image: it would be stretched over it.

    It may be of any scale. Our choice: the ratio of its sides may differ by 5 % from that of the
    image, as networks round their input to whole patches or fixed sizes (monodepth2's 1024x320 for
    KITTI: 3.5 %), or by what less than one pixel of the answer at each side makes (grids of
    patches). ImageError names both sizes.
    """
    if not (_stretch(own, whole) <= _ASPECT_TOLERANCE or _is_rounded(own, whole)):
        raise ImageError(
            f'an answer should have the shape of its image, {whole.text}, at any scale, and has '
            f'{own.text}: it is for a part of the image, or for one that was squeezed; bring the '
            'depth back to where it belongs in the whole image before it is evaluated'
        )


def squeezing(own: Size, whole: Size) -> str:
    """Return by how much an answer is stretched, as text; empty if that is but rounding."""
    if _is_rounded(own, whole):
        return ''
    return (
        f'answers of {own.text} for images of {whole.text} are stretched by '
        f'{100 * (_stretch(own, whole) - 1):.1f} %: no plain scale of them'
    )


def _stretch(own: Size, whole: Size) -> float:
    """Return by which factor the ratio of an answer's sides differs from that of its image."""
    ratios = own.width * whole.height, own.height * whole.width
    return max(ratios) / min(ratios)


def _is_rounded(own: Size, whole: Size) -> bool:
    """Return whether less than a pixel of the answer at each side makes the difference."""
    return (
        (own.width - 1) * whole.height < (own.height + 1) * whole.width
        and (own.height - 1) * whole.width < (own.width + 1) * whole.height
    )


def prepare(answer: DepthMap, sample: DepthSample, protocol: EvaluationProtocol) -> Prepared:
    """
    Bring an answer and the truth together.

    Parameters
    ----------
    answer : DepthMap
        Of any scale, for the whole image; see :func:`check_shape`. NaN, 0 and below: no answer;
        +Inf (beyond range) and -Inf (too near) are answers (REP 117).
    sample : DepthSample
        The frame with its truth.
    protocol : EvaluationProtocol
        How.

    Raises
    ------
    DataError
        If no truth counts, or nothing is answered where it does; if a crop does not fit, or the
        answer is of another shape.

    """
    gt = sample.target_m
    valid = valid_gt(gt, protocol)
    if not valid.any():
        raise DataError(f'{sample.name}: {no_truth(Size(*gt.shape), protocol)}')
    depth_m = at_size(answer, Size(*gt.shape), protocol)
    answered = valid & ~np.isnan(depth_m)
    if not answered.any():
        raise DataError(
            f'{sample.name}: nothing is answered where there is ground truth; of the whole answer '
            f'{np.mean(np.isfinite(answer.depth_m) & (answer.depth_m > 0)):.0%} is depth'
        )
    return Prepared(
        gt=gt, valid=valid, counted=answered, answer=depth_m, is_relative=answer.is_relative,
        protocol=protocol,
    )


Rule = Literal['depth', 'inverse-depth', 'nearest']


def resized(
    values: Depth, size: Size, rule: Rule = 'depth', *, align_corners: bool = False
) -> Depth:
    """
    Return an array at a size.

    Parameters
    ----------
    values : float32 (h, w)
        NaN is unknown; +Inf and -Inf are answers.
    size : Size
        Wanted; of an array that has it, nothing changes.
    rule : {'depth', 'inverse-depth', 'nearest'}
        Bilinear in the values; bilinear in 1 / value (monodepth2), where values of 0 and below
        are unknown; or the nearest value.
    align_corners : bool
        As torch calls it: the centres of the outermost pixels stay where they are.

    Returns
    -------
    float32 (H, W)
        Our choice: what touches an unknown value is unknown; what touches an infinite one is the
        nearest value, since there is nothing between.

    Notes
    -----
    Convention: pixel centres as OpenCV has them, (x + 0.5) * w / W - 0.5, or with aligned corners
    x * (w - 1) / (W - 1); no smoothing before a picture is made smaller, as in the known
    evaluation codes.

    """
    if values.shape == size:
        return values
    nearest_by, bilinear_by = _RESAMPLING[align_corners]
    if rule == 'nearest':
        return nearest_by(values, size)
    if rule == 'inverse-depth':
        values = np.where(values > 0, values, np.where(np.isneginf(values), values, np.nan))
    finite = np.isfinite(values)
    known = values if finite.all() else np.where(finite, values, np.float32(1))
    between = (
        np.reciprocal(bilinear_by(np.reciprocal(known), size))
        if rule == 'inverse-depth'
        else bilinear_by(known, size)
    )
    if known is values:
        return between
    # A bilinear value above 0 has a part of a marked pixel in it.
    touches_inf, touches_nan = (
        bilinear_by(mark(values).astype(np.float32), size) > 0 for mark in (np.isinf, np.isnan)
    )
    between = np.where(touches_inf, nearest_by(values, size), between)
    return np.where(touches_nan, np.float32(np.nan), between)


def _nearest_between_corners(values: Depth, size: Size) -> Depth:
    rows, columns = (
        np.floor(_between_corners(*each) + 0.5).astype(np.intp)
        for each in zip(values.shape, size, strict=True)
    )
    return values[rows[:, np.newaxis], columns]


def _bilinear_between_corners(values: Depth, size: Size) -> Depth:
    across = _between(values, _between_corners(values.shape[1], size.width))
    down = _between(across.T, _between_corners(values.shape[0], size.height))
    return np.ascontiguousarray(down.T)


def _between_corners(n: int, n_wanted: int) -> NDArray[np.float64]:
    """Return where among ``n`` pixels those lie that are wanted, corner on corner."""
    return np.arange(n_wanted) * (n - 1) / max(n_wanted - 1, 1)


def _between(values: Depth, places: NDArray[np.float64]) -> Depth:
    """Return values, (h, w), at places between columns."""
    before = np.minimum(places.astype(np.intp), values.shape[1] - 1)
    after = np.minimum(before + 1, values.shape[1] - 1)
    share = (places - before).astype(np.float32)
    found: Depth = values[:, before] * (1 - share) + values[:, after] * share
    return found


def _resample(values: Depth, size: Size, how: int) -> Depth:
    return np.asarray(cv2.resize(values, (size.width, size.height), interpolation=how), np.float32)


_Resample = Callable[[Depth, Size], Depth]

_RESAMPLING: Final[Mapping[bool, tuple[_Resample, _Resample]]] = {
    False: (
        partial(_resample, how=cv2.INTER_NEAREST_EXACT), partial(_resample, how=cv2.INTER_LINEAR)
    ),
    True: (_nearest_between_corners, _bilinear_between_corners),
}
"""Nearest and bilinear, by whether corners are aligned."""
