# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The report: one page that shows how good an evaluated predictor is, and where it fails.

Words, order and look of the page are in ``templates/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.evaluation.report.clouds import cloud_pictures
from clip_depth_ros.evaluation.report.figures import (
    confidence_curves,
    error_histogram,
    error_over_depth,
    means,
)
from clip_depth_ros.evaluation.report.findings import findings, region_tiles
from clip_depth_ros.evaluation.report.frames import ReportFrame
from clip_depth_ros.evaluation.report.panels import (
    color_bars,
    PictureColors,
    shown_frame,
    small_panels,
)
from clip_depth_ros.evaluation.report.timelines import error_by_frame, scale_by_frame
from clip_depth_ros.evaluation.results.all_else import more_table
from clip_depth_ros.evaluation.results.reliability import reliability_table
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.summary import heading_lines
from clip_depth_ros.evaluation.results.tables import (
    behaviour_table,
    estimate_cell,
    HEADLINE,
    is_baseline,
    metric_tables,
    METRIC_TITLES,
    own_alignment,
    part_tables,
    UNKNOWN,
)
from clip_depth_ros.evaluation.results.verdict import verdict
import jinja2

_TEMPLATES: Final = Path(__file__).parent / 'templates'

_N_OPEN: Final = 20
"""Problems beyond these are folded."""

_COLOR_RATIO: Final = 100.0
"""Colours never span more: an evaluation may allow depth from a millimetre on."""


def write_report(
    result: Result, frames: Sequence[ReportFrame], path: Path, *, near_m: float, far_m: float
) -> None:
    """
    Write a result as one HTML file that needs no network and no script.

    Parameters
    ----------
    result : Result
        Of at least one predictor.
    frames : sequence of ReportFrame
        The frames that :func:`report_frames` names, in its order: the last, which is the worst,
        is shown as a cloud too.
    path : Path
        The file.
    near_m, far_m : float
        Ends of the colours of depth, metres.

    Raises
    ------
    OutputError
        If the file cannot be written.

    """
    atomic_write_bytes(path, report_html(result, frames, near_m=near_m, far_m=far_m).encode())


def report_html(
    result: Result, frames: Sequence[ReportFrame], *, near_m: float, far_m: float
) -> str:
    """Return the page that :func:`write_report` writes."""
    values = report_values(result, frames, near_m=near_m, far_m=far_m)
    return page_html('report.html', values)


def report_values(
    result: Result, frames: Sequence[ReportFrame], *, near_m: float, far_m: float
) -> dict[str, Any]:
    """Return what the template ``report.html`` names; arguments as :func:`write_report` has."""
    colors = PictureColors(max(near_m, far_m / _COLOR_RATIO), far_m)
    parts, first = part_tables(result), next(iter(result.predictors))
    return {
        **_headline(result),
        'means': means(result),
        'over_depth': error_over_depth(result),
        'histogram': error_histogram(result),
        'by_frame': error_by_frame(result),
        'scale_by_frame': scale_by_frame(result),
        'confidence': confidence_curves(result),
        'reliability': reliability_table(result),
        'metric_tables': metric_tables(result),
        'behaviour': behaviour_table(result),
        'more': more_table(result),
        # Regions are shown as tiles.
        'parts': [parts[kind] for kind in ('depth', 'class') if kind in parts],
        'tiles': region_tiles(result),
        'overview': [small_panels(frame, first, colors) for frame in frames],
        'frames': [shown_frame(frame, colors) for frame in frames],
        'bars': color_bars(colors) if frames else None,
        'clouds': cloud_pictures(frames[-1]) if frames else [],
        'predictors': [*result.predictors],
        'predictor_facts': _predictor_facts(result),
        'result': result,
        'n_open': _N_OPEN,
    }


def page_html(template: str, values: Mapping[str, Any], *folders: Path) -> str:
    """
    Return the page of a Jinja2 template; every text is escaped, a value that is missing an error.

    Templates are looked for in the folders first, then among those of the report.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, _TEMPLATES]),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def _headline(result: Result) -> dict[str, Any]:
    name, first = next(iter(result.predictors.items()))
    title, *notes, used = heading_lines(result)
    own = own_alignment(result)
    return {
        'first': name,
        'of_source': f' on {result.source["name"]}' if result.source.get('name') else '',
        'verdict': verdict(result),
        'title': title,
        'notes': notes,
        'used': used,
        'keys': [
            {
                'name': METRIC_TITLES[metric],
                'cell': estimate_cell(first.estimates.get(f'{own}/{metric}'), has_interval=True),
            }
            for metric in HEADLINE
        ],
        'findings': findings(result),
        'quiet': [other for other in result.predictors if is_baseline(result, other)],
    }


def _predictor_facts(result: Result) -> Mapping[str, Sequence[str]]:
    """Return what predictors say about themselves: by fact, one text for each predictor."""
    said = [found.describe for found in result.predictors.values()]
    facts = dict.fromkeys(fact for describe in said for fact in describe)
    return {fact: [describe.get(fact, UNKNOWN) for describe in said] for fact in facts}
