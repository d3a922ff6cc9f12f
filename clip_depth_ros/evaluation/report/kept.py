# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of an evaluation whose pictures are kept: comparisons show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.report.frames import (
    Ask,
    report_frame,
    report_frames,
    ReportFrame,
    shown_asks,
)
from clip_depth_ros.evaluation.report.panels import is_wide, panels, PictureColors, shrunk
from clip_depth_ros.evaluation.results.pictures import FramePictures, spread
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.types import Rgb
import cv2

_WIDTH_PX: Final = 480
_QUALITY: Final = 90


def kept_colors(near_m: float, far_m: float) -> PictureColors:
    """Return the colours of kept pictures: over what counts by the protocol, as far as is seen."""
    return PictureColors(max(near_m, far_m / 100), far_m)


def kept_pictures(
    result: Result, source: SampleSource, asks: Mapping[str, Ask], protocol: EvaluationProtocol
) -> Iterator[FramePictures]:
    """
    Yield pictures of a dozen frames, evenly over the source, and of those of the report.

    Arguments are as :func:`read_frames_again` has. Frames are read one at a time; those that
    cannot be read any more are left out.
    """
    colors = kept_colors(protocol.min_depth_m, protocol.depth_cap_m)
    shown, frames = shown_asks(result, asks), result.frames
    of_report = {list(frames.indices).index(index) for _, index in report_frames(result)}
    for place in sorted({*spread(len(frames.indices)).tolist(), *of_report}):
        with suppress(DataError):
            frame = report_frame('', source[frames.indices[place]], shown, protocol)
            yield _frame_pictures(frame, colors, frames.recordings[place], frames.names[place])


def _frame_pictures(
    frame: ReportFrame, colors: PictureColors, recording: str, name: str
) -> FramePictures:
    image, truth, *answers = (_jpeg(pixels) for _, pixels in panels(frame, colors, _WIDTH_PX))
    return FramePictures(
        recording=recording, name=name, is_wide=is_wide(frame),
        shared={'image': image, 'ground truth': truth},
        of={
            predictor: {'prediction': prediction, 'error': error}
            for predictor, prediction, error in zip(
                frame.preds, answers[::2], answers[1::2], strict=True
            )
        },
    )


def _jpeg(rgb: Rgb) -> bytes:
    pixels = shrunk(rgb, _WIDTH_PX)[..., ::-1]
    _, jpeg = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return jpeg.tobytes()
