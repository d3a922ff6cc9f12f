# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Metric depth and a point cloud from one camera, with CLIP, for ROS 2.

The names below are what a notebook needs; see docs/python.md. Each is imported when it is first
used, so that importing the package, or any part of it, costs nothing.
"""

from importlib import import_module
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from clip_depth_ros.bags.reader import BagReader
    from clip_depth_ros.evaluation.compare.paired import compare
    from clip_depth_ros.evaluation.compare.text import comparison_text
    from clip_depth_ros.evaluation.results.result import read_result, Result, write_result
    from clip_depth_ros.evaluation.results.summary import summary_text
    from clip_depth_ros.evaluation.run.answers import folder_answers, topic_answers
    from clip_depth_ros.evaluation.run.evaluate import evaluate, open_source
    from clip_depth_ros.evaluation.score.protocols import load_protocol
    from clip_depth_ros.predictor.build import build_predictor
    from clip_depth_ros.settings.predictor import PredictorSettings
    from clip_depth_ros.types import DepthMap, Intrinsics

__version__ = '0.1.0'

__all__ = [
    'BagReader', 'build_predictor', 'compare', 'comparison_text', 'DepthMap', 'evaluate',
    'folder_answers', 'Intrinsics', 'load_protocol', 'open_source', 'PredictorSettings',
    'read_result', 'Result', 'summary_text', 'topic_answers', 'write_result',
]

_ROOMS = {
    'BagReader': 'bags.reader',
    'build_predictor': 'predictor.build',
    'compare': 'evaluation.compare.paired',
    'comparison_text': 'evaluation.compare.text',
    'DepthMap': 'types',
    'evaluate': 'evaluation.run.evaluate',
    'folder_answers': 'evaluation.run.answers',
    'Intrinsics': 'types',
    'load_protocol': 'evaluation.score.protocols',
    'open_source': 'evaluation.run.evaluate',
    'PredictorSettings': 'settings.predictor',
    'read_result': 'evaluation.results.result',
    'Result': 'evaluation.results.result',
    'summary_text': 'evaluation.results.summary',
    'topic_answers': 'evaluation.run.answers',
    'write_result': 'evaluation.results.result',
}
"""Where each name is defined."""


def __getattr__(name: str) -> Any:
    """Import a name of ``__all__`` when it is first used."""
    if name not in _ROOMS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_ROOMS[name]}'), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
