# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``clip-depth evaluate`` leaves behind: JSON, CSV, Markdown, and the page with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
import shutil
from typing import Final

from clip_depth_ros.cli.evaluate_answers import Evaluated
from clip_depth_ros.core.files import atomic_path, atomic_write_bytes
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.report.frames import (
    frame_caption,
    report_frames,
    ReportFrame,
)
from clip_depth_ros.evaluation.report.page import write_report
from clip_depth_ros.evaluation.results.files import frames_csv, write_result
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import is_baseline
from clip_depth_ros.evaluation.results.text import summary_markdown
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.score.prepare import prepare
from clip_depth_ros.types import Depth
import numpy as np

_ENDS_PERCENT: Final = (1.0, 99.0)


def write_outputs(
    result: Result,
    evaluated: Evaluated,
    answers: Mapping[str, Answers],
    outputs: Mapping[str, Sequence[Path]],
) -> None:
    """Write every file, and its copies."""
    write_result(result, outputs['json'][0])
    with (
        atomic_path(outputs['csv'][0]) as temporary,
        temporary.open('w', encoding='utf-8', newline='') as file,
    ):
        file.writelines(frames_csv(result))
    atomic_write_bytes(outputs['markdown'][0], summary_markdown(result).encode())
    shown = {name: each for name, each in answers.items() if not is_baseline(result, name)}
    pictures = [
        picture
        for kind, index in report_frames(result)
        if (picture := _picture(frame_caption(result, kind, index), index, evaluated, shown))
    ]
    near_m, far_m = _range_m(pictures, evaluated)
    write_report(result, pictures, outputs['html'][0], near_m=near_m, far_m=far_m)
    for first, *copies in outputs.values():
        for copy in copies:
            with atomic_path(copy) as temporary:
                shutil.copyfile(first, temporary)


def _picture(
    caption: str, index: int, evaluated: Evaluated, answers: Mapping[str, Answers]
) -> ReportFrame | None:
    """Read a frame again and give what is shown of it; None if it is not there any more."""
    try:
        sample = evaluated.frames[index]
    except DataError:
        return None
    preds: dict[str, Depth] = {}
    gt_m = np.full(sample.target_m.shape, np.nan, np.float32)
    for name, each in answers.items():
        [answer] = each.answer([sample])
        if isinstance(answer, DataError):
            continue
        with suppress(DataError):  # told among the problems
            prepared = prepare(answer, sample, evaluated.protocol)
            preds[name], gt_m = prepared.pred, prepared.shown_gt
    return ReportFrame(
        caption=caption,
        rgb=sample.rgb,
        gt_m=gt_m,
        preds=preds,
        intrinsics=sample.intrinsics,
    )


def _range_m(pictures: Sequence[ReportFrame], evaluated: Evaluated) -> tuple[float, float]:
    """Return the ends of the colours: nearly all of the truth that is shown lies between."""
    known = [p.gt_m[np.isfinite(p.gt_m)] for p in pictures]
    depths_m = np.concatenate([*known, np.empty(0, np.float32)])
    if not depths_m.size:
        return evaluated.protocol.min_depth_m, evaluated.protocol.depth_cap_m
    near_m, far_m = np.percentile(depths_m, _ENDS_PERCENT)
    return float(near_m), float(max(far_m, near_m * 1.1))
