# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run showed: as plain values for JSON, with what is wrong, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import textwrap
from typing import Any

from clip_depth_ros.demo.facts import DemoFacts, MethodFacts
from clip_depth_ros.demo.plan import DemoMethod, DemoPlan, note_of
from clip_depth_ros.demo.truth import CONSTANT, Evaluated
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import (
    heading_lines,
    metric_tables,
    own_alignment,
    SHUFFLED,
    table_lines,
)
from clip_depth_ros.evaluation.score.score import METRICS
from clip_depth_ros.settings.node import OUTPUTS
import numpy as np


def summary_of(plan: DemoPlan, facts: DemoFacts, evaluated: Evaluated | str) -> dict[str, Any]:
    """
    Return what a run showed, as plain values for JSON.

    Parameters
    ----------
    plan : DemoPlan
        What was played.
    facts : DemoFacts
        What the recording holds, and how the processes ended.
    evaluated : Evaluated or str
        How good the depth is, or why that is not known.

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
    problems = [*_problems(plan, facts, methods)]
    return {
        'ok': not problems,
        'problems': problems,
        'note': note_of(plan.methods[0].settings),
        'source': plan.source,
        'bag': plan.bag.name,
        'image_topic': plan.image_topic,
        'images_published': len(facts.sent),
        'images_per_s': plan.hz,
        'metrics': None if isinstance(evaluated, str) else _metrics(plan, evaluated.result),
        'methods': methods,
        'exit_codes': dict(facts.exit_codes),
    }


def _method_summary(method: DemoMethod, facts: MethodFacts, sent: list[int]) -> dict[str, Any]:
    node = {key: value for key, value in facts.diagnostics.items() if value}
    names = ('received', 'processed', 'dropped', 'failed')
    error_px = facts.max_reprojection_error_px
    return {
        'title': method.title,
        'frames': {name: int(node.get(f'images_{name}', 0)) for name in names},
        'messages': {method.topic(output): len(facts.stamps[output]) for output in OUTPUTS},
        'every_frame_answered_once': facts.answered_once(sent),
        'latency_ms': {'p50': facts.latency_ms(50), 'p95': facts.latency_ms(95)},
        'max_reprojection_error_px': round(error_px, 6) if np.isfinite(error_px) else None,
        'mismatched': facts.mismatched,
        'parameters': {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in method.parameters.items()
        },
        'node': node,
    }


def _metrics(plan: DemoPlan, result: Result) -> dict[str, Any]:
    """Return the metrics of methods and controls under the protocol, with its caption."""
    own = own_alignment(result)
    scores = {
        title: {
            'title': title,
            'images': found.n_frames,
            **{
                metric: estimate.mean
                for metric in METRICS if (estimate := found.estimates.get(f'{own}/{metric}'))
            },
        }
        for title, found in result.predictors.items() if found.n_frames
    }
    names = {method.title: method.name for method in plan.methods}
    n_images = scores[CONSTANT]['images']
    return {
        'protocol': f'{plan.source}, {n_images} images, {result.title}',
        'images': n_images,
        'methods': {names[title]: score for title, score in scores.items() if title in names},
        'controls': {
            'best_constant': scores[CONSTANT],
            **{
                f'{names[title]}_shuffled': scores[SHUFFLED + title]
                for title in names if SHUFFLED + title in scores
            },
        },
    }


def _problems(
    plan: DemoPlan, facts: DemoFacts, methods: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Say what is unexplained: failed processes, images neither answered nor dropped."""
    for name, code in facts.exit_codes.items():
        if code:
            yield f'{name} ended with {code}'
    logs = f'look into {plan.out_dir}/*.log'
    if len(facts.sent) != plan.n_frames:
        yield f'{len(facts.sent)} of {plan.n_frames} images were recorded; {logs}'
    for name, method in methods.items():
        for problem in _problems_of(method, facts.methods[name], len(facts.sent), logs):
            yield f'{method["title"]}: {problem}'


def _problems_of(
    summary: Mapping[str, Any], facts: MethodFacts, n_sent: int, logs: str
) -> Iterator[str]:
    yield from facts.mismatched[:3]
    frames = summary['frames']
    processed, n_depths = frames['processed'], len(facts.stamps['depth'])
    if lost := n_sent - frames['received']:
        yield f'{lost} images never reached the node; try again, or slower with --hz 1'
    if frames['failed']:
        yield f'{frames["failed"]} images could not be read; {logs}'
    if n_depths != processed:
        yield f'the node answered {processed} images and {n_depths} depth images came back; {logs}'
    if (n_clouds := len(facts.stamps['cloud'])) < processed:
        reason = facts.diagnostics.get('camera_problem') or logs
        yield f'{processed - n_clouds} images got no cloud: {reason}'
    if not processed:
        yield f'no image was answered; {logs}'


def sentence_of(summary: Mapping[str, Any]) -> str:
    """Say what went through which nodes, and what came back."""
    methods = summary['methods'].values()
    device = next(iter(methods))['node'].get('device', 'an unknown device')
    nodes = 'the real node' if len(methods) == 1 else f'{len(methods)} real nodes'
    n_sent = summary['images_published']
    answers = ' '.join(_answers_of(method) for method in methods)
    return f'{n_sent} camera images went through {nodes} over DDS on {device}. {answers}'


def _answers_of(method: Mapping[str, Any]) -> str:
    counts, latency = method['frames'], method['latency_ms']
    once = 'exactly once' if method['every_frame_answered_once'] else 'not all of them once'
    slow = ' (the machine is slower than that: --hz plays slower)'
    dropped = f'{counts["dropped"]} dropped{slow if counts["dropped"] else ""}'
    time = 'no depth came back' if latency['p50'] is None else (
        f'depth in {latency["p50"]:.0f} ms (median; 95 %: {latency["p95"]:.0f} ms)'
    )
    return f'{method["title"]}: {counts["processed"]} answered ({once}), {dropped}, {time}.'


def metric_lines(evaluated: Evaluated | str) -> list[str]:
    """Return the metrics under their protocol as lines of text, or why there are none."""
    if isinstance(evaluated, str):
        return [evaluated]
    result = evaluated.result
    heading = [part for line in heading_lines(result) for part in textwrap.wrap(line, 100)]
    return [*heading, '', *table_lines(metric_tables(result)[0])]
