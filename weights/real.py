# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Real frames that nobody trained on or chose by, where a folder of them is given.

The folder holds ``kitti_depth/`` (``rgb/*.png``, ``depth/*.png`` as KITTI's benchmark has it) or
``kitti_object/`` (KITTI's object detection), or both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.compare.paired import compare, Contender
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.run.baselines import Constant, fit_constant
from clip_depth_ros.evaluation.run.evaluate import evaluate, open_source
from clip_depth_ros.evaluation.score.protocols import load_protocol
from clip_depth_ros.types import DepthPredictor
from weights.table import CONSTANT, rows_of

_KINDS: Final[Mapping[str, tuple[str, str, dict[str, Any]]]] = {
    'kitti_depth': ('KITTI frames, annotated depth', 'kitti-eigen-garg', {
        'kind': 'pattern', 'images': 'rgb/*.png', 'gt_images': 'depth/*.png',
        'gt_per_metre': 256.0, 'gt_kind': 'annotated',
        'intrinsics': (721.5377, 721.5377, 609.5593, 172.854, 1242.0, 375.0),
    }),
    'kitti_object': ('KITTI object frames, LiDAR', 'raw-lidar', {'kind': 'kitti-object'}),
}
"""By folder: title, protocol, how it is opened."""

_VERDICTS: Final = {'A better': 'better', 'B better': 'worse'}


def judged(
    folder: Path, predictors: Mapping[str, DepthPredictor | Answers]
) -> Iterator[dict[str, Any]]:
    """
    Yield a table for each kind of frames in a folder, with title, rows and a note.

    The note says of each predictor whether it is better than the best constant. DataError if there
    are no frames of a known kind.
    """
    there = [name for name in _KINDS if (folder / name).is_dir()]
    if not there:
        raise DataError(
            f'{str(folder)!r} holds none of {", ".join(_KINDS)}: name a folder of real frames'
        )
    for name in there:
        title, protocol, settings = _KINDS[name]
        source = open_source(folder / name, protocol=protocol, **settings)
        constant = Constant(fit_constant(source, load_protocol(protocol), 0))
        result = evaluate(source, {**predictors, CONSTANT: constant}, protocol)
        verdicts = []
        for predictor in predictors:
            found = compare(Contender(predictor, result, predictor),
                            Contender(CONSTANT, result, CONSTANT))
            [abs_rel] = [
                each for each in found.pairs[0].differences if each.name == 'none/abs_rel'
            ]
            verdict = _VERDICTS.get(abs_rel.verdict, abs_rel.verdict)
            verdicts.append(f'{predictor}: {verdict}')
        yield {
            'title': f'{title} ({result.title})',
            'rows': rows_of(result),
            'note': f'abs_rel against the {CONSTANT}: {"; ".join(verdicts)}.',
        }
