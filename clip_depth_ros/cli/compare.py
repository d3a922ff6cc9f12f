# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tell whether one method is really better than another, by paired differences between results.

Takes result.json files from clip-depth evaluate and compares all of them with the first. A file
stands for its main predictor, FILE:NAME for another one in it; given a single file, all its other
predictors are compared with the main one. Only frames that both have count, and a difference
counts as shown if its bootstrap 95 % interval does not contain zero. Prints the conclusion and
tables; the output folder gets report.html, which shows who is better when, where, and on which
frames most.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, TYPE_CHECKING

from clip_depth_ros.cli.evaluate import FILES, PICTURES
from clip_depth_ros.cli.flags import add_setting_flags, given_settings, path_flag
from clip_depth_ros.settings.evaluation import EvaluateSettings
from clip_depth_ros.settings.paths import user_path

if TYPE_CHECKING:
    from clip_depth_ros.evaluation.compare.paired import Contender
    from clip_depth_ros.evaluation.results.pictures import FramePictures

RESULT: Final = FILES['json']

_OF_BOOTSTRAP: Final = ('bootstrap_samples', 'bootstrap_block', 'seed')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth compare`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        'results', nargs='+', metavar='FILE[:NAME]',
        help='result.json files, or the folders that contain them',
    )
    parser.add_argument(
        '--out', type=path_flag, default=Path('comparison_output'), metavar='DIR',
        help='output folder (default: %(default)s)',
    )
    parser.add_argument(
        '--allow-different', action='store_true',
        help='compare results even if their protocols differ',
    )
    parser.add_argument(
        '--json', type=path_flag, metavar='FILE', help='write the comparison as JSON'
    )
    parser.add_argument(
        '--markdown', type=path_flag, metavar='FILE', help='write a Markdown table'
    )
    parser.add_argument('--force', action='store_true', help='overwrite these files')
    add_setting_flags(parser, _OF_BOOTSTRAP, settings=EvaluateSettings, title='intervals')


def run(args: argparse.Namespace) -> int:
    """Compare, write, print."""
    import json

    from clip_depth_ros.core.files import atomic_write_bytes, check_free
    from clip_depth_ros.evaluation.compare.paired import compare
    from clip_depth_ros.evaluation.compare.text import (
        comparison_json,
        comparison_markdown,
        comparison_text,
    )
    from clip_depth_ros.evaluation.report.comparison import comparison_html
    from clip_depth_ros.evaluation.score.intervals import Resampling

    page = args.out / 'report.html'
    check_free([path for path in (page, args.json, args.markdown) if path], force=args.force)
    named = _contenders(args.results)
    contenders = [contender for contender, _ in named]
    comparison = compare(
        *contenders,
        resampling=Resampling(*_resampling(args)),
        allow_different=args.allow_different,
    )
    if args.json:
        atomic_write_bytes(args.json, json.dumps(comparison_json(comparison), indent=1).encode())
    if args.markdown:
        atomic_write_bytes(args.markdown, comparison_markdown(comparison).encode())
    pictures = [_pictures(path) for _, path in named]
    html = comparison_html(comparison, contenders, pictures, args.command_line)
    atomic_write_bytes(page, html.encode())
    print(comparison_text(comparison))
    print(f'report: {page}')
    return 0


def _resampling(args: argparse.Namespace) -> list[int]:
    """Return samples, block and seed; what is not given is as for ``clip-depth evaluate``."""
    given = given_settings(args, EvaluateSettings)
    return [
        given.get(name, EvaluateSettings.model_fields[name].default) for name in _OF_BOOTSTRAP
    ]


def _contenders(texts: list[str]) -> list[tuple[Contender, Path]]:
    """Return who is compared, and the files; of a single one, its other predictors with it."""
    read = [_read(text) for text in texts]
    if len(read) == 1:
        [(one, path)] = read
        others = (name for name in one.result.predictors if name != one.predictor)
        return [
            (one._replace(label=name, predictor=name), path) for name in (one.predictor, *others)
        ]
    predictors = [contender.predictor for contender, _ in read]
    if len({*predictors}) == len(read):
        return [(one._replace(short=one.predictor), path) for one, path in read]
    are_alike = len({*predictors}) == 1
    return [
        (one._replace(short=_of_run(path) + ('' if are_alike else f': {one.predictor}')), path)
        for one, path in read
    ]


def _of_run(path: Path) -> str:
    """Return what sentences call the run of a result: its folder, or the file."""
    return path.absolute().parent.name if path.name == RESULT else path.stem


def _pictures(result: Path) -> list[FramePictures]:
    from clip_depth_ros.evaluation.results.pictures import read_pictures

    return read_pictures(result.with_name(PICTURES)) if result.name == RESULT else []


def _read(text: str) -> tuple[Contender, Path]:
    """Read FILE or FILE:NAME; both parts may hold colons."""
    from clip_depth_ros.errors import ConfigError, did_you_mean
    from clip_depth_ros.evaluation.compare.paired import Contender
    from clip_depth_ros.evaluation.results.result import read_result

    path, name = _split(text)
    result = read_result(path)
    name = name or next(iter(result.predictors), '')
    if name not in result.predictors:
        raise ConfigError(
            f'{str(path)!r} has no predictor {name!r}; it has {[*result.predictors]}'
            f'{did_you_mean(name, result.predictors)}'
        )
    return Contender(f'{path}: {name}', result, name), path


def _split(text: str) -> tuple[Path, str]:
    """Return file and name: the file is the longest part before a colon that is one."""
    parts = text.split(':')
    for n_parts in range(len(parts), 0, -1):
        path = user_path(':'.join(parts[:n_parts]))
        if path.is_dir():
            path /= RESULT  # the output folder of an evaluation
        if path.is_file():
            return path, ':'.join(parts[n_parts:])
    return Path(text), ''
