# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
An answer and the truth brought together, pixel by pixel, as a protocol says.

The order is the field's: the answer is resampled to the size of the truth, the window is cut, the
truth that lies in the range counts; then the answer is aligned, and clamped last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from clip_depth_ros.core.alignment import fit_alignment
from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.core.metrics import clamp_depth, valid_pixels
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
    protocol : EvaluationProtocol

    """

    gt: Depth
    valid: Mask
    counted: Mask
    answer: Depth
    protocol: EvaluationProtocol

    @property
    def coverage(self) -> float:
        """Return the share of the truth that counts for which there is an answer."""
        return int(np.count_nonzero(self.counted)) / int(np.count_nonzero(self.valid))

    @property
    def pred(self) -> Depth:
        """Return the answer aligned and clamped, as it is compared; NaN where it is unknown."""
        fit = fit_alignment(
            self.protocol.alignment, self.answer[self.counted], self.gt[self.counted]
        )
        limits = (self.protocol.min_depth_m, self.protocol.depth_cap_m)
        return clamp_depth(fit.apply(self.answer).astype(np.float32), *limits)

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
        gt[here], min_depth_m=protocol.min_depth_m, depth_cap_m=protocol.depth_cap_m
    )
    return valid


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

    ImageError if its shape is not that of an image of this size; see :func:`check_shape`.
    """
    depth_m = answer.depth_m
    check_shape(Size(*depth_m.shape), size)
    no_depth = (depth_m <= 0) & ~np.isneginf(depth_m)
    if no_depth.any():
        depth_m = np.where(no_depth, np.float32(np.nan), depth_m)
    return resized(depth_m, size, protocol.resize)


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
    return Prepared(gt=gt, valid=valid, counted=answered, answer=depth_m, protocol=protocol)


Rule = Literal['depth', 'inverse-depth', 'nearest']


def resized(values: Depth, size: Size, rule: Rule = 'depth') -> Depth:
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

    Returns
    -------
    float32 (H, W)
        Our choice: what touches an unknown value is unknown; what touches an infinite one is the
        nearest value, since there is nothing between.

    Notes
    -----
    Convention: pixel centres as OpenCV has them, (x + 0.5) * w / W - 0.5; no smoothing before a
    picture is made smaller, as in the known evaluation codes.

    """
    if values.shape == size:
        return values
    if rule == 'nearest':
        return _resample(values, size, cv2.INTER_NEAREST_EXACT)
    if rule == 'inverse-depth':
        values = np.where(values > 0, values, np.where(np.isneginf(values), values, np.nan))
    finite = np.isfinite(values)
    known = values if finite.all() else np.where(finite, values, np.float32(1))
    between = _bilinear(known, size, rule)
    if known is values:
        return between
    nearest = _resample(values, size, cv2.INTER_NEAREST_EXACT)
    between = np.where(_touches(np.isinf(values), size), nearest, between)
    return np.where(_touches(np.isnan(values), size), np.float32(np.nan), between)


def _bilinear(values: Depth, size: Size, rule: Rule) -> Depth:
    if rule == 'inverse-depth':
        return np.reciprocal(_resample(np.reciprocal(values), size, cv2.INTER_LINEAR))
    return _resample(values, size, cv2.INTER_LINEAR)


def _touches(marked: Mask, size: Size) -> Mask:
    """Return where a bilinear value has a part of a marked pixel in it."""
    return _resample(marked.astype(np.float32), size, cv2.INTER_LINEAR) > 0


def _resample(values: Depth, size: Size, how: int) -> Depth:
    return np.asarray(cv2.resize(values, (size.width, size.height), interpolation=how), np.float32)
