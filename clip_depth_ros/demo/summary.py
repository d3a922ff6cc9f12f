# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run showed, as plain values for JSON, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TYPE_CHECKING

from clip_depth_ros.demo.facts import MethodFacts, RecordingFacts
from clip_depth_ros.demo.methods import DemoMethod, note_of
from clip_depth_ros.settings.node import OUTPUTS
import numpy as np

if TYPE_CHECKING:
    from clip_depth_ros.demo.plan import DemoPlan, DemoResult
    from clip_depth_ros.demo.scores import Scores


def summary_of(
    plan: DemoPlan, result: DemoResult, facts: RecordingFacts, scores: Scores | None
) -> dict[str, Any]:
    """
    Give what a run showed, as plain values for JSON.

    Parameters
    ----------
    plan : DemoPlan
        What was played.
    result : DemoResult
        How the processes ended.
    facts : RecordingFacts
        What the recording holds.
    scores : Scores, optional
        How good the depth is; None without a truth.

    Notes
    -----
    ``latency_ms`` is from an image's arrival at the recorder to that of its depth: transport,
    inference and publishing, as a robot's next node would see them. ``node`` holds a node's own
    last diagnostics.

    """
    methods = {
        method.name: _method_summary(method, facts.methods[method.name], facts.sent)
        for method in plan.methods
    }
    problems = _problems(plan, result, facts, methods)
    return {
        'ok': not problems,
        'problems': problems,
        'note': note_of(plan.methods[0].settings),
        'source': plan.source,
        'bag': plan.bag.name,
        'image_topic': plan.image_topic,
        'images_published': len(facts.sent),
        'images_per_s': plan.hz,
        'metrics': None if scores is None else scores.summary(plan.source),
        'methods': methods,
        'exit_codes': dict(result.exit_codes),
    }


def _method_summary(method: DemoMethod, facts: MethodFacts, sent: list[int]) -> dict[str, Any]:
    node = {key: value for key, value in facts.diagnostics.items() if value}
    names = ('received', 'processed', 'dropped', 'failed')
    return {
        'title': method.title,
        'frames': {name: int(node.get(f'images_{name}', 0)) for name in names},
        'messages': {method.topic(output): len(facts.stamps[output]) for output in OUTPUTS},
        'every_frame_answered_once': facts.answered_once(sent),
        'latency_ms': {'p50': facts.latency_ms(50), 'p95': facts.latency_ms(95)},
        'max_reprojection_error_px': _json_number(facts.max_reprojection_error_px),
        'mismatched': facts.mismatched,
        'parameters': {key: _json_value(value) for key, value in method.parameters.items()},
        'node': node,
    }


def _problems(
    plan: DemoPlan,
    result: DemoResult,
    facts: RecordingFacts,
    methods: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Say what is unexplained: failed processes, images neither answered nor dropped."""
    problems = [f'{name} ended with {code}' for name, code in result.exit_codes.items() if code]
    logs = f'look into {plan.out_dir}/*.log'
    if len(facts.sent) != plan.n_frames:
        problems.append(f'{len(facts.sent)} of {plan.n_frames} images were recorded; {logs}')
    for name, method in methods.items():
        found = _problems_of(method, facts.methods[name], len(facts.sent), logs)
        problems += [f'{method["title"]}: {problem}' for problem in found]
    return problems


def _problems_of(
    summary: Mapping[str, Any], facts: MethodFacts, n_sent: int, logs: str
) -> list[str]:
    frames = summary['frames']
    processed, n_depths = frames['processed'], len(facts.stamps['depth'])
    problems = facts.mismatched[:3]
    if lost := n_sent - frames['received']:
        problems.append(f'{lost} images never reached the node; try again, or slower with --hz 1')
    if frames['failed']:
        problems.append(f'{frames["failed"]} images could not be read; {logs}')
    if n_depths != processed:
        problems.append(
            f'the node answered {processed} images and {n_depths} depth images came back; {logs}'
        )
    if (n_clouds := len(facts.stamps['cloud'])) < processed:
        reason = facts.diagnostics.get('camera_problem') or logs
        problems.append(f'{processed - n_clouds} images got no cloud: {reason}')
    if not processed:
        problems.append(f'no image was answered; {logs}')
    return problems


def _json_number(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None


def _json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
