# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run in words: one sentence, and the table of metrics with its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clip_depth_ros.evaluation.results.tables import METRIC_TITLES
from clip_depth_ros.evaluation.results.text import aligned

NO_TRUTH: Final = (
    'The recording has no true depth (/ground_truth/depth), so there are no errors to show and no '
    'metrics.'
)

COLUMNS: Final[Mapping[str, str]] = {
    name: METRIC_TITLES[name] for name in ('abs_rel', 'rmse', 'delta1', 'delta2', 'delta3')
}
"""Metrics of the table and their headings; of the first two less is better, of the others more."""

_IMAGES: Final = 'images'


def sentence_of(summary: Mapping[str, Any]) -> str:
    """Say what went through which nodes, and what came back."""
    methods = summary['methods'].values()
    device = next(iter(methods))['node'].get('device', 'an unknown device')
    nodes = 'the real node' if len(methods) == 1 else f'{len(methods)} real nodes'
    n_sent = summary['images_published']
    answers = ' '.join(_answers_of(method) for method in methods)
    return f'{n_sent} camera images went through {nodes} over DDS on {device}. {answers}'


def protocol_of(metrics: Mapping[str, Any]) -> str:
    """Give the protocol as a sentence, with what was left unanswered."""
    methods = metrics['methods'].values()
    missing = [
        f'{method["title"]} did not answer {metrics["images"] - method["images"]} of them'
        for method in methods
        if method['images'] < metrics['images']
    ]
    gaps = f' {"; ".join(missing)}: they are not counted.' if missing else ''
    return f'{metrics["protocol"]}.{gaps}'


def metric_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the table of metrics: a row for each method, then the controls; texts by heading."""
    entries = [*metrics['methods'].values(), *metrics['controls'].values()]
    return [
        {
            '': entry['title'],
            **{heading: f'{entry[name]:.3f}' for name, heading in COLUMNS.items()},
            _IMAGES: str(entry['images']),
        }
        for entry in entries
    ]


def metric_lines(metrics: Mapping[str, Any] | None) -> list[str]:
    """Give the table of metrics and its protocol as lines of plain text."""
    if metrics is None:
        return [NO_TRUTH]
    rows = metric_rows(metrics)
    lines = aligned([[*rows[0]], *([*row.values()] for row in rows)])
    return [*(f'  {line}' for line in lines), f'  ({protocol_of(metrics)})']


def _answers_of(method: Mapping[str, Any]) -> str:
    counts, latency = method['frames'], method['latency_ms']
    once = 'exactly once' if method['every_frame_answered_once'] else 'not all of them once'
    slow = ' (the machine is slower than that: --hz plays slower)'
    dropped = f'{counts["dropped"]} dropped{slow if counts["dropped"] else ""}'
    time = 'no depth came back' if latency['p50'] is None else (
        f'depth in {latency["p50"]:.0f} ms (median; 95 %: {latency["p95"]:.0f} ms)'
    )
    return f'{method["title"]}: {counts["processed"]} answered ({once}), {dropped}, {time}.'
