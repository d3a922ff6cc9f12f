# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how good depth is, on recordings, KITTI, NYU and other folders, by a named protocol.

Scores this package's predictor, any node's depth in a recording (--pred-topic) or depth maps in
files (--pred-dir), beside baselines that never look at the image. Prints a verdict and tables; the
output folder gets report.html, result.json and pictures.zip (for clip-depth compare), frames.csv
and table.md. If it is interrupted, the same command continues. Several processes: torchrun
--nproc-per-node N -m clip_depth_ros evaluate ...
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from clip_depth_ros.cli.flags import add_preset_flag, add_setting_flags, path_flag
from clip_depth_ros.settings.base import setting_specs
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.sources.registry import kind_names

FILES: Final = {
    'json': 'result.json', 'csv': 'frames.csv', 'markdown': 'table.md', 'html': 'report.html',
}
"""What the output folder gets, by the flag that names another place for a copy."""

PICTURES: Final = 'pictures.zip'
"""Beside them: some frames, for clip-depth compare."""

_EXAMPLES: Final = """
examples:
  clip-depth evaluate drive.mcap --topics kitti2bag --preset kitti --clip-weights W.pt
  clip-depth evaluate drive.mcap --depth-topic /gt/depth --pred-topic /other_node/depth
  clip-depth evaluate kitti/raw --gt-dir kitti/annotated --split eigen_test_files_with_gt.txt
  clip-depth evaluate frames/ --kind pattern --images 'rgb/*.png' --gt-images 'depth/*.png' \\
      --gt-per-metre 256
  clip-depth evaluate 1000000-1000009 --preset synthetic
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth evaluate`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        'sources', nargs='+', metavar='SOURCE',
        help='recordings, folders, a labelled NYU .mat, or seeds of the rendered drive; several '
        'of one kind are evaluated together',
    )
    parser.add_argument(
        '--out', type=path_flag, default=Path('evaluation_output'), metavar='DIR',
        help='output folder (default: %(default)s)',
    )
    for flag, name in FILES.items():
        parser.add_argument(
            f'--{flag}', type=path_flag, metavar='FILE', help=f'copy {name} to this place, too'
        )
    parser.add_argument(
        '--config', type=path_flag, metavar='FILE',
        help='evaluation settings (YAML, name: value); flags override it',
    )
    add_preset_flag(parser, setting_specs(EvaluateSettings)['topics'].choices, '--topics')
    parser.add_argument(
        '--override', nargs='+', default=[], metavar='NAME=VALUE',
        help='change single fields of the protocol, such as depth_cap_m=50 (the largest true '
        'depth that counts); its name then says so',
    )
    parser.add_argument(
        '--allow-missing', action='store_true',
        help='exit with 0 even if some frames or answers could not be used',
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite the results in the output folder'
    )
    add_setting_flags(
        parser, settings=EvaluateSettings, title='evaluation settings',
        choices={'kind': ('auto', *kind_names())},
    )
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, write, print the table."""
    from clip_depth_ros.cli.runs.evaluate import run_evaluation

    return run_evaluation(args, _output_files(args))


def _output_files(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Return the files to write, by kind: that of the output folder first, then its copies."""
    copies = {kind: getattr(args, kind) for kind in FILES}
    files = {
        kind: [args.out / name, *([copies[kind]] if copies[kind] else [])]
        for kind, name in FILES.items()
    }
    return {**files, 'pictures': [args.out / PICTURES]}
