# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make the bundled weights again, and prove how good they are.

    python -m weights [make | study | table | docs | confidence]

make: the small CLIP, CLIP2Depth on it, and the tables of held-out streets and cameras. study: the
ablations, added to the tables. table: the tables of weights made before. docs:
the tables of the installed weights into docs/bundled_weights.md. confidence: how often depth is
right, beside the weights that --preset names: by default both methods of the installed ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
import itertools
import json
import os
from pathlib import Path
import sys
from typing import Any

from clip_depth_ros.cli.train import ProgressBars
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.errors import ClipDepthError, OutputError
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_PRESET, BUNDLED_RESULTS
from clip_depth_ros.settings.node import read_preset
from clip_depth_ros.settings.predictor import PredictorSettings
from weights.confidence import write_table
from weights.proof import Proof
from weights.recipe import check_bands, FULL, SHORT
from weights.report import BEGIN, END, markdown, text
from weights.workshop import Workshop

DOCS = Path(__file__).parents[1] / 'docs' / 'bundled_weights.md'


def main(argv: Sequence[str] | None = None) -> int:
    """Make weights or their tables, and return the exit code."""
    args = _parser().parse_args(argv)
    try:
        if args.what == 'docs':
            write_docs(DOCS, json.loads((assets_dir() / BUNDLED_RESULTS).read_bytes()))
        elif args.what == 'confidence':
            _measure_confidence(args.preset, args.data)
        else:
            _run(args)
    except ClipDepthError as error:
        print(f'weights: error: {error}', file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m weights',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'what', nargs='?', choices=('make', 'study', 'table', 'docs', 'confidence'),
        default='make',
        help='what to do (default: %(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('weights_output'), metavar='DIR',
        help='folder of frames, runs and weights; what is there already is not made again '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--short', action='store_true',
        help='minutes instead of hours: shows that the way works, within a wide band',
    )
    parser.add_argument(
        '--start', type=Path, metavar='FILE',
        help='weights that the small CLIP begins from, such as the installed ones '
        '(default: random ones)',
    )
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1,
        help='processes that render and compare (default: one for each core)',
    )
    parser.add_argument(
        '--real', type=Path, metavar='DIR',
        help='real frames to add to the tables: a folder with kitti_depth/, kitti_object/ or both',
    )
    parser.add_argument(
        '--preset', metavar='FILE',
        help='confidence: predictor settings, a parameter file by its path or name',
    )
    parser.add_argument(
        '--data', nargs='+', default=(), metavar='SOURCE',
        help='confidence: frames with depth to measure on that no training has seen, any source '
        'of clip-depth evaluate (default: rendered streets)',
    )
    parser.add_argument(
        '--before', type=Path, metavar='DIR',
        help='earlier weights to show beside these on the real frames',
    )
    parser.add_argument(
        '--install', action='store_true',
        help='make these the weights that come with the package (in a checkout)',
    )
    return parser


def _run(args: argparse.Namespace) -> None:
    recipe = SHORT if args.short else FULL
    with ProgressBars() as bars:
        workshop = Workshop(
            recipe, args.out, device=args.device, n_workers=args.workers, start=args.start,
            on_progress=bars.show,
        )
        proof = Proof(workshop)
        if args.what != 'table':
            workshop.make_clip()
            workshop.make_clip2depth()
        kept = _kept(workshop)
        results = kept if args.what == 'study' and kept else proof.results()
        results = {**{name: kept[name] for name in ('real', 'study') if name in kept}, **results}
        if args.real:
            results['real'] = proof.real(args.real, results['temperature'], args.before)
        _write(workshop.results_path, results)
        if args.what == 'study':
            for so_far in proof.study(results.get('study', {})):
                results['study'] = so_far
                _write(workshop.results_path, results)
    print(f'\n{text(results)}\n')
    check_bands(results, recipe)
    for path in (workshop.clip_path, workshop.clip2depth_path, workshop.results_path):
        print(f'  {path}')
        if args.install:
            atomic_write_bytes(assets_dir() / path.name, path.read_bytes())


def _measure_confidence(preset: str | None, data: Sequence[str]) -> None:
    """Write tables of confidence beside weights."""
    values = read_preset(preset or BUNDLED_PRESET)
    known = PredictorSettings.model_fields
    settings = PredictorSettings.from_mapping(
        {name: value for name, value in values.items() if name in known}
    )
    methods = [settings.method] if preset else ['clip2depth', 'depthclip']
    for method in methods:
        path = write_table(settings.changed(method=method), data, _counter(method))
        print(f'\n  {path}')


def _counter(what: str) -> Callable[[], None]:
    """Return what counts frames on a line of the terminal."""
    frames = itertools.count(1)
    return lambda: print(f'\r{what}: frame {next(frames)}', end='', flush=True)


def _kept(workshop: Workshop) -> dict[str, Any]:
    """Return the results written before, if they are those of the weights that are there."""
    try:
        results = json.loads(workshop.results_path.read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(results) if results.get('sha256') == workshop.hashes() else {}


def _write(path: Path, results: Mapping[str, Any]) -> None:
    atomic_write_bytes(path, (json.dumps(results, indent=1) + '\n').encode())


def write_docs(path: Path, results: Mapping[str, Any]) -> None:
    """Put the tables between the marks of a document; OutputError if it has none."""
    before, begin, rest = path.read_text(encoding='utf-8').partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise OutputError(f'{str(path)!r} has no place for tables: it needs {BEGIN} and {END}')
    content = f'{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}'
    atomic_write_bytes(path, content.encode())


if __name__ == '__main__':
    sys.exit(main())
