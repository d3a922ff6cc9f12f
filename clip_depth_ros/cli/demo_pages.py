# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo run leaves for a person: preview, page and cloud."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TYPE_CHECKING

from clip_depth_ros.cli.demo_report import preview_png, report_html
from clip_depth_ros.cli.demo_summary import read_frame
from clip_depth_ros.data.ply import ply_bytes
from clip_depth_ros.data.topics import TRUE_DEPTH
from clip_depth_ros.files import atomic_write_bytes

if TYPE_CHECKING:
    from clip_depth_ros.cli.demo_run import DemoPlan


def sentence_of(summary: Mapping[str, Any]) -> str:
    """Say in one sentence what was seen."""
    counts, latency = summary['frames'], summary['latency_ms']
    p50 = 'no depth came back' if latency['p50'] is None else (
        f'depth came back in {latency["p50"]:.0f} ms (median; 95 %: {latency["p95"]:.0f} ms)'
    )
    once = 'exactly once' if summary['every_frame_answered_once'] else 'not all of them once'
    slow = ' (the machine is slower than the recording: --hz 1 plays slower)'
    dropped = f'{counts["dropped"]} dropped{slow if counts["dropped"] else ""}'
    return (
        f'{counts["published"]} camera images went through the real node over DDS on '
        f'{summary["node"].get("device", "an unknown device")}: {counts["processed"]} were '
        f'answered ({once}), {dropped}, and {p50}.'
    )


def write_pages(plan: DemoPlan, summary: Mapping[str, Any], far_m: float) -> list[Path]:
    """
    Write ``preview.png``, ``cloud.ply`` and ``report.html`` of the frame in the middle.

    Returns
    -------
    list of Path
        What was written; empty when no frame has all outputs.

    """
    stamp_ns = summary['preview_stamp_ns']
    if stamp_ns is None:
        return []
    recording = plan.out_dir / 'depth.mcap'
    frame = read_frame(recording, plan.image_topic, TRUE_DEPTH, stamp_ns)
    if frame is None:
        return []
    title = summary['note'] and 'random weights: depth means nothing, geometry is real'
    preview = preview_png(frame, far_m=far_m, title=title or 'clip_depth_ros demo')
    page = report_html(
        sentence=sentence_of(summary),
        note=summary['note'],
        caption=_caption(stamp_ns, has_truth=frame.true_depth_m is not None),
        preview_png=preview,
        tables=_tables(summary),
    )
    files = {
        'preview.png': preview,
        'cloud.ply': ply_bytes(frame.xyz_m, frame.point_rgb),
        'report.html': page.encode(),
    }
    for name, data in files.items():
        atomic_write_bytes(plan.out_dir / name, data)
    return [plan.out_dir / name for name in files]


def _caption(stamp_ns: int, *, has_truth: bool) -> str:
    truth = 'the true depth, ' if has_truth else ''
    return (
        f'The frame with stamp {stamp_ns} ns: the camera image, the depth that the node published '
        f'for it, {truth}and the published cloud from above and from the side.'
    )


def _tables(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    plain = {
        key: value for key, value in summary.items() if not isinstance(value, (dict, list))
    }
    nested = {
        key.replace('_', ' '): value for key, value in summary.items() if isinstance(value, dict)
    }
    return {'summary': {k: v for k, v in plain.items() if k != 'note'}, **nested}
