# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make the bundled weights again, and prove how good they are.

    python -m weights [make | study | table]

These weights are for trying everything on the synthetic drive: they know rendered streets and
nothing else. make: the small CLIP, CLIP2Depth on it, and the table of the held-out streets. study:
two more seeds and the ablations, added to the table. table: the table of weights made before.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import json
from pathlib import Path
import sys
from typing import Any

from clip_depth_ros.cli.train import ProgressBars
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.settings.installation import assets_dir
from weights.recipe import check_bands, FULL, SHORT
from weights.table import table
from weights.workshop import Workshop


def main(argv: Sequence[str] | None = None) -> int:
    """Make weights or their table, and return the exit code."""
    args = _parser().parse_args(argv)
    try:
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
        'what', nargs='?', choices=('make', 'study', 'table'), default='make',
        help='what to do (default: %(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('weights_output'), metavar='DIR',
        help='folder of frames, runs and weights; what is there already is not made again '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--short', action='store_true',
        help='a few minutes instead of an hour: shows that the way works, within a wide band',
    )
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument(
        '--workers', type=int, default=2, help='processes that render (default: %(default)s)'
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
            recipe, args.out, device=args.device, n_workers=args.workers, on_progress=bars.show
        )
        if args.what != 'table':
            workshop.make_clip()
            workshop.make_clip2depth()
        results = _kept(workshop) if args.what == 'study' else {}
        results = results or workshop.results()
        _write(workshop.results_path, results)
        if args.what == 'study':
            for so_far in workshop.study(results.get('study', {})):
                results['study'] = so_far
                _write(workshop.results_path, results)
    _show(results)
    check_bands(results, recipe)
    for path in (workshop.clip_path, workshop.clip2depth_path, workshop.results_path):
        print(f'  {path}')
        if args.install:
            atomic_write_bytes(assets_dir() / path.name, path.read_bytes())


def _kept(workshop: Workshop) -> dict[str, Any]:
    """Return the results written before, if they are those of the weights that are there."""
    try:
        results = json.loads(workshop.results_path.read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(results) if results.get('sha256') == workshop.hashes() else {}


def _write(path: Path, results: Mapping[str, Any]) -> None:
    atomic_write_bytes(path, (json.dumps(results, indent=1) + '\n').encode())


def _show(results: Mapping[str, Any]) -> None:
    print(f'\n{results["protocol"]}\n\n{table(results["table"])}\n')
    print(f'DepthCLIP at temperature {results["temperature"]:g} (chosen on other streets)')
    for name, (rows, columns) in results['seam_ratios_rows_columns'].items():
        print(f'{name}: depth steps at patch borders / elsewhere {rows:.2f} (rows), '
              f'{columns:.2f} (columns)')
    if study := results.get('study'):
        print(f'\nCLIP2Depth, three seeds\n\n{table(study["seeds"])}')
        ablations = study['ablations']
        print(f'\n{ablations["protocol"]}\n\n{table(ablations["table"])}')
    print()


if __name__ == '__main__':
    sys.exit(main())
