# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo run leaves for people: page, preview and cloud; the words are in ``templates/``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.clouds import ply_bytes
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.demo.facts import DemoFacts
from clip_depth_ros.demo.film import Film
from clip_depth_ros.demo.plan import DemoPlan, NEXT_STEPS
from clip_depth_ros.demo.preview import preview_png, PublishedFrame, read_published
from clip_depth_ros.demo.summary import camera_text, Evaluated, protocol_for, sentence_of
from clip_depth_ros.evaluation.report.drawing import Picture
from clip_depth_ros.evaluation.report.page import page_html, report_values
from clip_depth_ros.evaluation.report.panels import PictureColors

_TEMPLATES: Final = Path(__file__).parent / 'templates'
_NODE_FACTS: Final = ('method', 'weights', 'clip2depth_weights', 'trained_on', 'input_size')


def write_pages(
    plan: DemoPlan, summary: Mapping[str, Any], facts: DemoFacts, evaluated: Evaluated | str
) -> list[Path]:
    """
    Write ``report.html``, ``preview.png`` and ``cloud.ply`` of the middle image, and ``film.gif``.

    ``summary`` is what :func:`summary_of` returned. Without an image that has all outputs there
    are no pictures, without a second one no film, without a cloud no ``cloud.ply``. Returns the
    paths of what was written.
    """
    files: dict[str, bytes] = {}
    preview: Picture | None = None
    _, far_m = plan.methods[0].settings.color_range_m()
    if (stamp_ns := facts.shown_stamp()) is not None:
        truths = {} if isinstance(evaluated, str) else evaluated.true_depths_m
        film = Film(PictureColors(protocol_for(plan).min_depth_m, far_m), _footer(summary))
        for each_ns, each in read_published(plan, facts.film_stamps(), truths):
            if bool(truths) == (each_ns in truths):
                film.add(each_ns, each)
            if each_ns == stamp_ns:
                frame = each
        png = preview_png(frame, protocol_for(plan), far_m, _footer(summary))
        files = {
            'preview.png': png,
            **({'cloud.ply': ply_bytes(*frame.cloud)} if frame.cloud else {}),
            **({'film.gif': film.gif()} if len(film) > 1 else {}),
        }
        preview = Picture(f'One of {plan.n_frames} images', _caption(plan, frame, stamp_ns), png)
    values = {
        'layout': 'page.html',
        **_result_values(plan, evaluated),
        'headline': _headline(plan, evaluated),
        'sentence': sentence_of(summary),
        'summary': summary,
        'next_steps': NEXT_STEPS,
        'preview': preview,
        'counts': _counts(summary),
        'details': _details(summary),
    }
    files = {'report.html': page_html('demo.html', values, _TEMPLATES).encode(), **files}
    for name, data in files.items():
        atomic_write_bytes(plan.out_dir / name, data)
    return [plan.out_dir / name for name in files]


def _result_values(plan: DemoPlan, evaluated: Evaluated | str) -> dict[str, Any]:
    """Return what the template of an evaluation's report names, or why there is none."""
    if isinstance(evaluated, str):
        return {'no_result': evaluated}
    near_m, far_m = plan.methods[0].settings.color_range_m()
    values = report_values(evaluated.result, evaluated.frames, near_m=near_m, far_m=far_m)
    return {**values, 'layout': 'report.html', 'no_result': ''}


def _headline(plan: DemoPlan, evaluated: Evaluated | str) -> str:
    titles = ' and '.join(method.title for method in plan.methods)
    beside = '' if isinstance(evaluated, str) else ' beside the truth'
    return f'{titles}{beside}: {plan.source}'


def _footer(summary: Mapping[str, Any]) -> str:
    note, source = summary['note'], str(summary['source'])
    if 'random' in note:
        return 'random weights: depth means nothing, geometry is real'
    return f'{source}, weights for synthetic streets only' if note else source


def _caption(plan: DemoPlan, frame: PublishedFrame, stamp_ns: int) -> str:
    has_truth = frame.true_depth_m is not None
    truth = ', below them the true depth and the error of each answer' if has_truth else ''
    cloud = f'; and the cloud that {plan.methods[0].title} published' if frame.cloud else ''
    return (
        'The camera image and the depth that was published for it, decoded from depth.mcap'
        f'{truth}{cloud}. Stamp: {stamp_ns} ns.'
    )


def _counts(summary: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the counts by name, one text for each method."""
    columns = [_facts_of(summary, method) for method in summary['methods'].values()]
    return {name: [column[name] for column in columns] for name in columns[0]}


def _facts_of(summary: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, str]:
    frames, latency, node = method['frames'], method['latency_ms'], method['node']
    error_px = method['max_reprojection_error_px']
    focal = ' -> '.join(
        f'{fx} px' for place in ('image', 'network') if (fx := method['camera'][f'{place}_fx_px'])
    )
    return {
        'images published': str(summary['images_published']),
        'received, answered': f'{frames["received"]}, {frames["processed"]}',
        'dropped, failed': f'{frames["dropped"]}, {frames["failed"]}',
        'each answered exactly once': 'yes' if method['every_frame_answered_once'] else 'no',
        'image to depth, median': _ms(latency['p50']),
        'image to depth, 95 %': _ms(latency['p95']),
        'cloud to its own pixels, at most': '-' if error_px is None else f'{error_px:.3f} px',
        'camera, for metres': camera_text(method) or '-',
        'its focal length, image -> network': focal or '-',
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
