# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever answers with depth: a predictor, a topic of a bag, a folder of files, a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

from clip_depth_ros.core.depth_images import MM_PER_METRE
from clip_depth_ros.core.image_plan import Size, Window
from clip_depth_ros.core.stamps import PairBy
from clip_depth_ros.errors import ConfigError, DataError, ImageError
from clip_depth_ros.evaluation.run.recorded_depth import RecordedDepth
from clip_depth_ros.evaluation.score.crops import KB_SIZE, WINDOWS
from clip_depth_ros.evaluation.score.prepare import check_shape, resized
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.sources.frames import SourceFrames
from clip_depth_ros.sources.predicted import PredictedFiles
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import (
    Depth,
    DepthMap,
    DepthPredictor,
    Intrinsics,
    PRED_KIND,
    PredKind,
    RELATIVE_KINDS,
    Rgb,
)
import numpy as np
from numpy.typing import NDArray

_RAMP_FROM: Final = 0.05
_RAMP_STEEPNESS: Final = 20.0


@runtime_checkable
class Answers(Protocol):
    """Gives depth for frames; one thread at a time asks."""

    def answer(self, samples: Sequence[DepthSample]) -> Sequence[DepthMap | DataError]:
        """Return the depth of each frame, of any size; where there is none, an error."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Return what a report should say of it: method, weights, hash, device, topic."""
        ...

    def close(self) -> None:
        """Free memory and files."""
        ...


class ImageAnswers:
    """
    A predictor that looks at images, as a protocol shows them to it, each with its camera.

    Parameters
    ----------
    predictor : DepthPredictor
        Is closed with this.
    protocol : EvaluationProtocol
        Its ``input_crop`` and ``flip`` are used.

    """

    def __init__(self, predictor: DepthPredictor, protocol: EvaluationProtocol) -> None:
        self.predictor, self._protocol = predictor, protocol

    def answer(self, samples: Sequence[DepthSample]) -> Sequence[DepthMap | DataError]:
        """Return the depth of each image; what lies outside of ``input_crop`` is unknown."""
        try:
            return self._answer(samples)
        except DataError as error:
            # One image that cannot be used must not cost the others their answers.
            return [error] if len(samples) == 1 else [self.answer([s])[0] for s in samples]

    def describe(self) -> Mapping[str, str]:
        """Return what the predictor says of itself."""
        return self.predictor.describe()

    def close(self) -> None:
        """Close the predictor."""
        self.predictor.close()

    def _answer(self, samples: Sequence[DepthSample]) -> list[DepthMap | DataError]:
        sizes = [Size(*sample.rgb.shape[:2]) for sample in samples]
        windows = [input_window(size, self._protocol) for size in sizes]
        shown = [_shown(*each) for each in zip(samples, windows, strict=True)]
        rgbs, cameras = [rgb for rgb, _ in shown], [camera for _, camera in shown]
        answers = self.predictor.predict_batch(rgbs, cameras)
        if self._protocol.flip != 'none':
            flipped = self.predictor.predict_batch(
                [np.ascontiguousarray(rgb[:, ::-1]) for rgb in rgbs],
                [camera and camera.flipped() for camera in cameras],
            )
            answers = [
                flip_averaged(answer, other, rule=self._protocol.flip)
                for answer, other in zip(answers, flipped, strict=True)
            ]
        return [
            answer if window is None else _put_back(answer, window, size, self._protocol)
            for answer, window, size in zip(answers, windows, sizes, strict=True)
        ]


class Lookup(Protocol):
    """Depth that was predicted before: in a bag, in files."""

    def depth_of(self, sample: DepthSample) -> DepthMap:
        """Return what was predicted for a frame; DataError if there is nothing."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Return where it comes from."""
        ...

    def close(self) -> None:
        """Close files."""
        ...


class RecordedAnswers:
    """
    Depth that was predicted before, frame by frame.

    Parameters
    ----------
    lookup : Lookup
        Where it is; is closed with this.
    protocol : EvaluationProtocol
        Its ``input_crop``: what was predicted for that part of the image, and has its size, is put
        back where it belongs (as BTS does with its PNG files).

    """

    def __init__(self, lookup: Lookup, protocol: EvaluationProtocol) -> None:
        self._lookup, self._protocol = lookup, protocol

    def answer(self, samples: Sequence[DepthSample]) -> Sequence[DepthMap | DataError]:
        """Return what was predicted for each frame."""
        return [self._one(sample) for sample in samples]

    def describe(self) -> Mapping[str, str]:
        """Return where it comes from."""
        return self._lookup.describe()

    def close(self) -> None:
        """Close files."""
        self._lookup.close()

    def _one(self, sample: DepthSample) -> DepthMap | DataError:
        try:
            return self._in_place(self._lookup.depth_of(sample), sample)
        except DataError as error:
            return error

    def _in_place(self, answer: DepthMap, sample: DepthSample) -> DepthMap:
        own, size = Size(*answer.depth_m.shape), Size(*sample.rgb.shape[:2])
        window = input_window(size, self._protocol)
        if window is not None and own == (window.height, window.width):
            return _put_back(answer, window, size, self._protocol)
        if window is None and _is_kb(own) and not _is_kb(size):
            raise ImageError(
                f'{sample.name}: depth should be for the whole image, {size.width}x{size.height}, '
                f"and has the shape of KITTI's benchmark crop, {own.width}x{own.height}: if it "
                'was predicted for that, bring it to 1216x352 and add --override input_crop=kb'
            )
        return answer


def topic_answers(
    frames: SourceFrames,
    topic: str,
    protocol: EvaluationProtocol,
    sync_tolerance_s: float = 0.05,
    pair_by: PairBy = 'header',
    per_metre: float = MM_PER_METRE,
    kind: PredKind | None = None,
) -> RecordedAnswers:
    """
    Return the depth images of a topic, of the recordings that the frames are from.

    Parameters
    ----------
    frames : SourceFrames
        What is evaluated.
    topic : str
        Depth images that any node has published, 32FC1 metres or 16UC1 millimetres, maybe
        compressed; or ``stereo_msgs/DisparityImage``.
    protocol : EvaluationProtocol
        By which they are evaluated.
    sync_tolerance_s : float
        Largest difference in time of an image and its depth, seconds.
    pair_by : {'header', 'receive'}
        Whether their stamps are compared, or when they were received.
    per_metre : float
        What 16UC1 stores for each metre.
    kind : {'depth', 'disparity', 'inverse-depth', 'relative'}, optional
        What the images hold, if it is not depth (or the disparity of ``DisparityImage``).

    Raises
    ------
    ConfigError
        If the frames are from no recordings, the topic is their truth, the protocol averages over
        flips, or the kind is not that of the messages.
    TopicError
        If the topic is in none of the recordings.

    """
    _check_no_flip(protocol)
    if not frames.recordings:
        raise ConfigError(
            f'pred_topic needs recordings, the source is of kind {frames.kind!r}: name '
            'recordings, or use pred_dir'
        )
    truths = {value for key, value in frames.describe().items() if key.endswith('depth_topic')}
    if topic in truths:
        raise ConfigError(
            f'pred_topic {topic!r} is what is taken for the truth, too: name the true depth '
            'with depth_topic, lidar_topic or gt_dir'
        )
    lookup = RecordedDepth(
        frames.recordings, topic, sync_tolerance_s, frames.max_image_pixels, pair_by, per_metre,
        kind,
    )
    return RecordedAnswers(lookup, protocol)


def folder_answers(
    frames: SourceFrames,
    folder: str | Path,
    protocol: EvaluationProtocol,
    per_metre: float = 256.0,
    kind: PredKind = 'depth',
) -> RecordedAnswers:
    """
    Return depth maps from a folder.

    Parameters
    ----------
    frames : SourceFrames
        What is evaluated: files have their names, or are as many in the same order.
    folder : str or Path
        ``.npy`` in metres, or 16-bit PNG.
    protocol : EvaluationProtocol
        By which they are evaluated.
    per_metre : float
        What a PNG stores for each metre.
    kind : {'depth', 'disparity', 'inverse-depth', 'relative'}
        What the files hold.

    Raises
    ------
    ConfigError
        If the protocol averages over flips.
    DataError
        If files do not belong to the frames.

    """
    _check_no_flip(protocol)
    path = user_path(folder)
    lookup = PredictedFiles(path, per_metre, frames.names, frames.max_image_pixels, kind)
    return RecordedAnswers(lookup, protocol)


def is_relative(answers: Answers) -> bool:
    """Return whether answers are inverse depth up to scale and shift."""
    return answers.describe().get(PRED_KIND) in RELATIVE_KINDS


def check_scale(settings: EvaluateSettings, answers: Mapping[str, Answers]) -> None:
    """
    Refuse, with ConfigError, a ``pred_per_metre`` that says nothing certain.

    No answer is stored in 16 bits, or topics are as well as files, which have other usual scales.
    """
    described = [each.describe() for each in answers.values()]
    stored = [facts for facts in described if 'per_metre' in facts]
    if not stored:
        settings.refuse(
            'pred_per_metre', because='as no answer is stored in 16 bits (PNG or 16UC1)'
        )
    is_both = len({'pred_topic' in facts for facts in stored}) > 1
    if is_both and 'pred_per_metre' in settings.given():
        raise ConfigError(
            'pred_per_metre would be for 16UC1 topics and for PNG files alike: evaluate each on '
            'its own'
        )


def _check_no_flip(protocol: EvaluationProtocol) -> None:
    """Refuse a protocol that averages over flips, with ConfigError."""
    if protocol.flip != 'none':
        raise ConfigError(
            f'protocol {protocol.name!r} averages over left-right flips, which needs the '
            'predictor itself, not what it has predicted before: --override flip=none'
        )


def input_window(size: Size, protocol: EvaluationProtocol) -> Window | None:
    """
    Return the window of an image that a protocol shows to a predictor; None for all of it.

    DataError if the image is too small for the protocol's crop.
    """
    return None if protocol.input_crop == 'none' else WINDOWS[protocol.input_crop](size)


def _shown(sample: DepthSample, window: Window | None) -> tuple[Rgb, Intrinsics | None]:
    """Return what a predictor is shown of a frame: image and camera of a window, None for all."""
    if window is None:
        return sample.rgb, sample.intrinsics
    x, y, width, height = window
    rgb = np.ascontiguousarray(sample.rgb[y:y + height, x:x + width])
    return rgb, sample.intrinsics and sample.intrinsics.cropped(*window)


def _is_kb(size: Size) -> bool:
    """Return whether this is the shape of KITTI's benchmark crop, at any scale."""
    return size.width * KB_SIZE.height == size.height * KB_SIZE.width


def _put_back(
    answer: DepthMap, window: Window, size: Size, protocol: EvaluationProtocol
) -> DepthMap:
    """Return an answer for a window as one for the whole image, unknown elsewhere."""
    check_shape(Size(*answer.depth_m.shape), Size(window.height, window.width))

    def whole(values: Depth) -> Depth:
        canvas = np.full(size, np.nan, np.float32)
        x, y, width, height = window
        canvas[y:y + height, x:x + width] = resized(
            values, Size(height, width), align_corners=protocol.align_corners
        )
        return canvas

    return replace(
        answer,
        depth_m=whole(answer.depth_m),
        grid_depth_m=None,
        confidence=None if answer.confidence is None else whole(answer.confidence),
    )


def flip_averaged(
    answer: DepthMap, of_flipped: DepthMap, *, rule: Literal['average', 'ramps']
) -> DepthMap:
    """
    Combine the answer for an image with that for the left-right flipped image, as it came.

    Both depth and confidence (its mean) are unknown where one of both is. ImageError if the two
    differ in size.

    ``average``: the mean of both depths (AdaBins). ``ramps``: inverse depth; the mean, but at the
    left border (10 % of the width, fading from 5 % on) that of the flipped image alone, at the
    right border that of the image alone (Godard et al., CVPR 2017, section 3; monodepth2 does the
    same for models that were trained on stereo pairs).
    """
    first, second = answer.depth_m, of_flipped.depth_m[:, ::-1]
    if first.shape != second.shape:
        raise ImageError(
            f'an image and its flipped one should get answers of one size, got {first.shape} and '
            f'{second.shape}'
        )
    combined = _mean(first, second) if rule == 'average' else _with_ramps(first, second)
    confidence = None
    if answer.confidence is not None and of_flipped.confidence is not None:
        confidence = _mean(answer.confidence, of_flipped.confidence[:, ::-1])
    return replace(answer, depth_m=combined, grid_depth_m=None, confidence=confidence)


def _mean(first: Depth, second: Depth) -> Depth:
    with np.errstate(invalid='ignore'):  # +Inf and -Inf: unknown
        return ((first + second) / 2).astype(np.float32)


def _with_ramps(first: Depth, second: Depth) -> Depth:
    with np.errstate(divide='ignore', invalid='ignore'):
        near, other = 1 / first.astype(np.float64), 1 / second.astype(np.float64)
        left = _left_ramp(first.shape[1])
        right = left[::-1]
        inverse = right * near + left * other + (1 - left - right) * (near + other) / 2
        return (1 / inverse).astype(np.float32)


def _left_ramp(width: int) -> NDArray[np.float64]:
    """Return 1 over the first twentieth of the width, falling to 0 at its tenth."""
    across = np.linspace(0, 1, width)
    return 1 - np.clip(_RAMP_STEEPNESS * (across - _RAMP_FROM), 0, 1)
