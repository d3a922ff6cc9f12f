# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a comparison: who is better, when, where, and on which frames most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Any, Final

from clip_depth_ros.evaluation.compare.conclusion import conclusion, deciding, pair_conclusion
from clip_depth_ros.evaluation.compare.matching import shared_frames, SharedFrames
from clip_depth_ros.evaluation.compare.paired import Comparison, Contender, Difference, Pair
from clip_depth_ros.evaluation.compare.text import (
    comparison_note,
    comparison_tables,
    pair_lines,
    parts_table,
)
from clip_depth_ros.evaluation.report.drawing import (
    Canvas,
    INK,
    LineStyle,
    literal,
    Picture,
    plain_log,
    svg_picture,
)
from clip_depth_ros.evaluation.report.findings import Tile
from clip_depth_ros.evaluation.report.kept import kept_colors
from clip_depth_ros.evaluation.report.page import page_html
from clip_depth_ros.evaluation.report.panels import color_bars
from clip_depth_ros.evaluation.report.timelines import draw_curve, set_up
from clip_depth_ros.evaluation.results.pictures import FramePictures
from clip_depth_ros.evaluation.results.result import FrameTable
from clip_depth_ros.evaluation.results.tables import number, UNKNOWN
from clip_depth_ros.evaluation.score.parts import REGION_ROWS
from matplotlib.colors import to_hex, to_rgb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Kept = Sequence[FramePictures]
"""Pictures of some frames of a contender."""

_A: Final = LineStyle('#0072b2', 2.4, '-')
_B: Final = LineStyle('#d55e00', 1.6, '-')
_DIFFERENCE: Final = LineStyle(INK, 1.6, '-')
_ROW_IN: Final = 0.33
_N_SHOWN: Final = 2
"""Frames with pictures, and listed, for each side."""

_N_LISTED: Final = 5
_STRONGEST: Final = 0.5
"""A difference of this share of the larger error has the winner's own colour; lesser ones pale."""

_NOT_SHOWN: Final = '#e4e8ec'


@dataclass(frozen=True, slots=True)
class _Paired:
    """A pair with the values of abs_rel that decide, by frame: of A and of B, float64 (n,)."""

    pair: Pair
    frames: FrameTable
    a: Floats
    b: Floats


def comparison_html(
    comparison: Comparison, contenders: Sequence[Contender], kept: Sequence[Kept], command: str
) -> str:
    """
    Return a comparison as one page that needs no network and no script.

    Parameters
    ----------
    comparison : Comparison
        What is shown.
    contenders : sequence of Contender
        Who is compared, in order; the first with each other.
    kept : sequence of Kept
        Pictures that there are, of each contender.
    command : str
        That made the page; may be empty.

    """
    pairs = [
        _values(pair, (contenders[0], other), (kept[0], of_other))
        for pair, other, of_other in zip(
            comparison.pairs, contenders[1:], kept[1:], strict=True
        )
    ]
    protocol = contenders[0].result.protocol
    return page_html('comparison.html', {
        'conclusion': conclusion(comparison),
        'title': comparison.title,
        'note': comparison_note(comparison),
        'pairs': pairs,
        'bars': _bars(protocol) if any(pair['shown'] for pair in pairs) else None,
        'command': command,
        'commands': {
            each.label: each.result.command for each in contenders if each.result.command
        },
        'quiet': (),
    })


def _values(
    pair: Pair, contenders: tuple[Contender, Contender], kept: tuple[Kept, Kept]
) -> dict[str, Any]:
    paired = _paired(pair, contenders)
    return {
        'conclusion': pair_conclusion(pair),
        'lines': pair_lines(pair),
        'over_time': _over_time(paired) if paired else None,
        'where': _where(pair),
        'tiles': _tiles(pair),
        'tables': [table for table in (*comparison_tables(pair), parts_table(pair)) if table],
        'largest': [*_largest(paired)] if paired else [],
        'shown': [*_shown(paired, contenders, kept)] if paired else [],
        'n_kept': tuple(map(len, kept)),
    }


def _paired(pair: Pair, contenders: tuple[Contender, Contender]) -> _Paired | None:
    """Return the values that decide, on the frames that both have; None where there are none."""
    of = deciding(pair)
    first, second = (each.result.frames for each in contenders)
    shared = shared_frames(first, second)
    if of is None or shared is None:
        return None
    a, b = (
        np.asarray(each.result.frames.values[each.predictor][of.name], np.float64)[rows]
        for each, rows in zip(contenders, shared[:2], strict=True)
    )
    return _Paired(pair, _of_rows(first, shared), a, b)


def _of_rows(frames: FrameTable, shared: SharedFrames) -> FrameTable:
    """Return the frames that both have, without their values."""
    rows = shared.rows_a.tolist()
    columns = {
        name: [getattr(frames, name)[row] for row in rows]
        for name in ('indices', 'names', 'recordings', 'stamps_ns')
    }
    return FrameTable(**columns, values={})


def _over_time(paired: _Paired) -> Picture:
    pair, name = paired.pair, _name_of(paired.pair)

    def draw(figure: Canvas) -> None:
        errors, difference = figure.subplots(2, 1, sharex=True)
        for curve, style in ((paired.b, _B), (paired.a, _A)):
            draw_curve(errors, curve, paired.frames, style)
        plain_log(errors, 'y')
        set_up(errors, paired.frames, name)
        errors.set_xlabel('')
        difference.axhline(0, color='#8a95a1', linewidth=1)
        draw_curve(difference, paired.b - paired.a, paired.frames, _DIFFERENCE)
        set_up(difference, paired.frames, 'B - A')
        _say_who(difference, pair)

    caption = (
        f'{name} of each frame (dots), the lines a running median where there are many frames. '
        'Below, the difference on the same frame: what is above zero speaks for A, below for B.'
    )
    legend = {f'A: {pair.short_a}': _A, f'B: {pair.short_b}': _B}
    return svg_picture('Frame by frame', caption, draw, height_in=5.0, legend=legend)


def _say_who(axes: Any, pair: Pair) -> None:
    for place, name, color in ((0.97, pair.short_a, _A.color), (0.03, pair.short_b, _B.color)):
        axes.annotate(
            literal(f'{name} better'), (1, place), (-6, 0), xycoords='axes fraction',
            textcoords='offset points', ha='right', va='top' if place > 0.5 else 'bottom',
            color=color, fontsize=9,
        )


def _where(pair: Pair) -> Picture | None:
    """Draw the differences by depth and class, with their intervals."""
    of = deciding(pair)
    rows = [
        (each.name.rpartition('/')[0].removeprefix('depth ').removeprefix('class '), each)
        for each in pair.parts if not each.name.startswith('region ')
    ]
    if of is None or not rows:
        return None
    rows.insert(0, ('everything', of))

    def draw(figure: Canvas) -> None:
        axes = figure.subplots()
        axes.axvline(0, color='#8a95a1', linewidth=1)
        for row, (_, each) in enumerate(rows):
            color, estimate = _color_of(each), each.difference
            if estimate.low <= estimate.high:
                axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=3.5,
                          solid_capstyle='butt', alpha=0.45)
            axes.plot(estimate.mean, row, 'o', color=color, markersize=7)
        labels = [literal(name) for name, _ in rows]
        axes.set_yticks(range(len(rows)), labels, color=INK, fontsize=10.5)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis='y')
        axes.tick_params(axis='y', length=0)
        axes.set_xlabel('B - A in abs_rel;  left: B better,  right: A better')

    caption = (
        'Differences of abs_rel by true depth and by class with 95 % intervals; grey where no '
        'difference is shown or the frames are too few.'
    )
    return svg_picture(
        'By depth and class', caption, draw, height_in=0.8 + _ROW_IN * len(rows), width_in=6.2,
        legend={f'{pair.short_a} better': _A, f'{pair.short_b} better': _B},
    )


def _color_of(of: Difference) -> str:
    return {'A better': _A.color, 'B better': _B.color}.get(of.verdict, '#7d8894')


def _tiles(pair: Pair) -> list[list[Tile]]:
    """Return who wins by image region, as rows of tiles in the regions' places."""
    by_name = {each.name.rpartition('/')[0]: each for each in pair.parts}
    if not any(region in by_name for row in REGION_ROWS for region in row):
        return []
    return [[_tile(region, by_name.get(region)) for region in row] for row in REGION_ROWS]


def _tile(region: str, of: Difference | None) -> Tile:
    name = region.partition(' ')[2]
    if of is None or not math.isfinite(of.difference.mean):
        return Tile(name, UNKNOWN, '', _NOT_SHOWN, INK)
    means = f'{number(of.mean_a)} / {number(of.mean_b)}'
    winner = {'A better': 'A', 'B better': 'B'}.get(of.verdict, '')
    if not winner:
        return Tile(name, '=' if of.verdict == 'no difference shown' else '?', means, _NOT_SHOWN,
                    INK)
    share = abs(of.difference.mean) / max(of.mean_a, of.mean_b) / _STRONGEST
    own = np.asarray(to_rgb(_color_of(of)))
    red, green, blue = (1 - (1 - own) * (0.25 + 0.75 * min(share, 1.0))).tolist()
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
    return Tile(name, winner, means, to_hex((red, green, blue)), INK if is_light else '#ffffff')


def _largest(paired: _Paired) -> Iterator[dict[str, str]]:
    """Yield the frames that speak most for A, and those that speak most for B."""
    for place in _most(paired, range(len(paired.a)), _N_LISTED):
        yield _row(paired, place)


def _most(paired: _Paired, places: Sequence[int], n: int) -> list[int]:
    """Return, of these places, the n that speak most for A, then the n that do for B."""
    difference = paired.b - paired.a
    known = [place for place in places if np.isfinite(difference[place])]
    in_order = sorted(known, key=lambda place: -difference[place])
    for_a = [place for place in in_order[:n] if difference[place] > 0]
    for_b = [place for place in in_order[::-1][:n] if difference[place] < 0]
    return [*for_a, *for_b]


def _row(paired: _Paired, place: int) -> dict[str, str]:
    a, b = float(paired.a[place]), float(paired.b[place])
    recording, name = paired.frames.recordings[place], paired.frames.names[place]
    pair = paired.pair
    return {
        'frame': name if recording in name else f'{name} of {recording}',
        'a': number(a), 'b': number(b), 'difference': f'{b - a:+.3f}',
        'better': pair.short_a if b > a else pair.short_b,
    }


def _shown(
    paired: _Paired, contenders: tuple[Contender, Contender], kept: tuple[Kept, Kept]
) -> Iterator[dict[str, Any]]:
    """Yield the frames with the largest differences of those that there are pictures of."""
    held = [{(each.recording, each.name): each for each in some} for some in kept]
    keys = [*zip(paired.frames.recordings, paired.frames.names, strict=True)]
    places = [place for place, key in enumerate(keys) if key in held[0] or key in held[1]]
    for place in _most(paired, places, _N_SHOWN):
        of = [some.get(keys[place]) for some in held]
        first = next(each for each in of if each)
        row = _row(paired, place)
        pictures = dict(first.shared)
        for letter, contender, each in zip('AB', contenders, of, strict=True):
            pictures |= {
                f'{letter}: {what}': jpeg
                for what, jpeg in (each.of if each else {}).get(contender.predictor, {}).items()
            }
        caption = (
            f'{row["frame"]}: {row["better"]} is better, {row["a"]} (A) and {row["b"]} (B)'
        )
        yield {
            'caption': caption,
            'is_wide': first.is_wide,
            'pictures': [
                Picture(what, f'{caption}: {what}', jpeg, 'image/jpeg')
                for what, jpeg in pictures.items()
            ],
        }


def _bars(protocol: Mapping[str, str]) -> Picture | None:
    try:
        near_m, far_m = float(protocol['min_depth_m']), float(protocol['depth_cap_m'])
    except (KeyError, ValueError):
        return None
    return color_bars(kept_colors(near_m, far_m)) if 0 <= near_m < far_m else None


def _name_of(pair: Pair) -> str:
    of = deciding(pair)
    return of.name.rpartition('/')[2] if of else ''
