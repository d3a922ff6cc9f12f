# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo run leaves for a person: preview, page and cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.core.clouds import ply_bytes
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.demo.figures import Pictures
from clip_depth_ros.demo.frames import DemoFrame, read_frames
from clip_depth_ros.demo.methods import NEXT_STEPS
from clip_depth_ros.demo.report import Page, report_html
from clip_depth_ros.demo.words import metric_rows, NO_TRUTH, protocol_of, sentence_of
from clip_depth_ros.evaluation.report.drawing import Picture

if TYPE_CHECKING:
    from clip_depth_ros.demo.plan import DemoPlan

_N_SHOWN: Final = 3
_NODE_FACTS: Final = ('method', 'weights', 'clip2depth_weights', 'trained_on', 'input_size')


def write_pages(plan: DemoPlan, summary: Mapping[str, Any], stamps: Sequence[int]) -> list[Path]:
    """
    Write ``report.html``, and ``preview.png`` and ``cloud.ply`` of the frame in the middle.

    Parameters
    ----------
    plan : DemoPlan
        What was played.
    summary : mapping
        What was seen.
    stamps : sequence of int
        Frames that have all outputs, nanoseconds, in order; without any there are no pictures.

    Returns
    -------
    list of Path
        What was written.

    """
    shown = read_frames(plan.out_dir / 'depth.mcap', plan, spread(stamps, _N_SHOWN))
    settings = plan.methods[0].settings
    pictures = Pictures(settings.min_depth_m, settings.color_far_m())
    files = {'report.html': report_html(_page(plan, summary, pictures, shown)).encode()}
    if shown:
        middle = shown[len(shown) // 2]
        files['preview.png'] = pictures.preview_png(middle, _preview_title(summary))
        files['cloud.ply'] = ply_bytes(middle.xyz_m, middle.point_rgb)
    for name, data in files.items():
        atomic_write_bytes(plan.out_dir / name, data)
    return [plan.out_dir / name for name in files]


def spread(stamps: Sequence[int], n: int) -> list[int]:
    """Give up to n of them, evenly spread, none at the very ends; one is the middle."""
    picked = {(2 * i + 1) * len(stamps) // (2 * n) for i in range(n)}
    return [stamps[i] for i in sorted(picked)] if stamps else []


def _page(
    plan: DemoPlan,
    summary: Mapping[str, Any],
    pictures: Pictures,
    frames: Sequence[DemoFrame],
) -> Page:
    metrics = summary['metrics']
    titles = ' and '.join(method.title for method in plan.methods)
    beside = ' beside the truth' if metrics else ''
    return Page(
        title=f'{titles}{beside}: {plan.source}',
        sentence=sentence_of(summary),
        note=summary['note'],
        problems=summary['problems'],
        next_steps=NEXT_STEPS,
        metrics=metric_rows(metrics) if metrics else [],
        n_methods=len(metrics['methods']) if metrics else 0,
        protocol=protocol_of(metrics) if metrics else NO_TRUTH,
        pictures=_pictures(plan, pictures, frames) if frames else [],
        counts=_counts(summary),
        details=_details(summary),
    )


def _pictures(
    plan: DemoPlan, pictures: Pictures, frames: Sequence[DemoFrame]
) -> list[Picture]:
    has_truth = frames[0].true_depth_m is not None
    truth = ', below them the true depth and the error of each answer' if has_truth else ''
    middle = frames[len(frames) // 2]
    stamps = ', '.join(str(frame.stamp_ns) for frame in frames)
    return [
        Picture(
            f'{len(frames)} of {plan.n_frames} images',
            'The camera image and the depth that was published for it, decoded from depth.mcap'
            f'{truth}. Stamps (ns): {stamps}.',
            pictures.comparison_png(frames),
        ),
        Picture(
            'The cloud',
            f'The cloud that {plan.methods[0].title} published for stamp {middle.stamp_ns} ns.',
            pictures.cloud_png(middle),
        ),
    ]


def _preview_title(summary: Mapping[str, Any]) -> str:
    note: str = summary['note']
    if 'random' in note:
        return 'random weights: depth means nothing, geometry is real'
    return f'{summary["source"]}, weights for synthetic streets only' if note else (
        summary['source']
    )


def _counts(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give a row for each fact with a column for each method."""
    methods = summary['methods'].values()
    columns = {method['title']: _facts_of(summary, method) for method in methods}
    first = next(iter(columns.values()))
    return [
        {'': name, **{title: facts[name] for title, facts in columns.items()}} for name in first
    ]


def _facts_of(summary: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, str]:
    frames, latency, node = method['frames'], method['latency_ms'], method['node']
    error_px = method['max_reprojection_error_px']
    return {
        'images published': str(summary['images_published']),
        'received, answered': f'{frames["received"]}, {frames["processed"]}',
        'dropped, failed': f'{frames["dropped"]}, {frames["failed"]}',
        'each answered exactly once': 'yes' if method['every_frame_answered_once'] else 'no',
        'image to depth, median': _ms(latency['p50']),
        'image to depth, 95 %': _ms(latency['p95']),
        'cloud to its own pixels, at most': '-' if error_px is None else f'{error_px:.3f} px',
        'device': node.get('device', '-'),
        'memory of the node': f'{node.get("memory_mb", "-")} MB',
        **{name.replace('_', ' '): node.get(name, '-') for name in _NODE_FACTS},
    }


def _ms(latency_ms: float | None) -> str:
    return '-' if latency_ms is None else f'{latency_ms:.0f} ms'


def _details(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    tables: dict[str, Mapping[str, Any]] = {}
    for method in summary['methods'].values():
        tables[f'{method["title"]}: parameters'] = method['parameters']
        tables[f'{method["title"]}: last diagnostics'] = method['node']
        tables[f'{method["title"]}: messages by topic'] = method['messages']
    return {**tables, 'Exit codes': summary['exit_codes']}
