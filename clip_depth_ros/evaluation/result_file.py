# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A result as a JSON file: everything of it, frame by frame, to be read by people and programs.

Each column of the frames is one line. JSON has no NaN: it is null. Numbers read back as the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.plain import float_or_nan, plain
from clip_depth_ros.evaluation.result import (
    Estimate,
    FORMAT,
    FrameTable,
    PredictorResult,
    Problem,
    Result,
)
from clip_depth_ros.files import atomic_path


def write_result(result: Result, path: str | os.PathLike[str]) -> None:
    """
    Write a result, wholly or not at all.

    Raises
    ------
    OutputError
        If the operating system refuses.

    """
    with atomic_path(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        file.writelines(_text(_content(result)))
        file.write('\n')


def read_result(path: str | os.PathLike[str]) -> Result:
    """
    Read a result.

    Raises
    ------
    DataError
        If there is no such file, or it is none of this version's results.

    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f'cannot read {str(path)!r}: {error.strerror}') from error
    except ValueError as error:
        raise DataError(_foreign(path, f'it is no JSON ({error})')) from error
    found = content.get('format') if isinstance(content, dict) else None
    if found != FORMAT:
        raise DataError(_foreign(path, f'its format is {found!r}'))
    try:
        return _from_json(content)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(_foreign(path, f'it is damaged ({error!r})')) from error


def _content(result: Result) -> dict[str, Any]:
    frames = result.frames
    return {
        'format': FORMAT,
        'title': result.title,
        'protocol': dict(result.protocol),
        'source': dict(result.source),
        'settings': dict(result.settings),
        'versions': dict(result.versions),
        'n_frames': result.n_frames,
        'problems': [asdict(problem) for problem in result.problems],
        'predictors': {name: _predictor(each) for name, each in result.predictors.items()},
        'frames': {
            'indices': [*frames.indices],
            'names': [*frames.names],
            'recordings': [*frames.recordings],
            'stamps_ns': [*frames.stamps_ns],
            'values': {name: dict(columns) for name, columns in frames.values.items()},
        },
    }


def _predictor(of: PredictorResult) -> dict[str, Any]:
    return {
        'describe': dict(of.describe),
        'n_frames': of.n_frames,
        'estimates': {
            name: [each.mean, each.low, each.high, each.n_frames]
            for name, each in of.estimates.items()
        },
        'scale_spread': of.scale_spread,
        'sums': dict(of.sums),
    }


def _from_json(content: Mapping[str, Any]) -> Result:
    frames = content['frames']
    return Result(
        title=content['title'],
        protocol=content['protocol'],
        source=content['source'],
        settings=content['settings'],
        versions=content['versions'],
        n_frames=content['n_frames'],
        problems=[Problem(**problem) for problem in content['problems']],
        predictors={
            name: _predictor_from(each) for name, each in content['predictors'].items()
        },
        frames=FrameTable(
            indices=array('q', frames['indices']),
            names=frames['names'],
            recordings=frames['recordings'],
            stamps_ns=frames['stamps_ns'],
            values={
                predictor: {name: array('d', _floats(column)) for name, column in columns.items()}
                for predictor, columns in frames['values'].items()
            },
        ),
    )


def _predictor_from(content: Mapping[str, Any]) -> PredictorResult:
    return PredictorResult(
        describe=content['describe'],
        n_frames=content['n_frames'],
        estimates={
            name: Estimate(float_or_nan(mean), float_or_nan(low), float_or_nan(high), n_frames)
            for name, (mean, low, high, n_frames) in content['estimates'].items()
        },
        scale_spread=float_or_nan(content['scale_spread']),
        sums={name: (*_floats(vector),) for name, vector in content['sums'].items()},
    )


def _floats(values: Sequence[float | None]) -> Iterator[float]:
    return map(float_or_nan, values)


def _text(value: Any, margin: str = '\n') -> Iterator[str]:
    """Give JSON with a line for each entry of a mapping, however long a list is."""
    if not isinstance(value, dict) or not value:
        yield json.dumps(plain(value), allow_nan=False)
        return
    inner, before = f'{margin}  ', '{'
    for name, below in value.items():
        yield f'{before}{inner}{json.dumps(name)}: '
        yield from _text(below, inner)
        before = ','
    yield f'{margin}}}'


def _foreign(path: str | os.PathLike[str], why: str) -> str:
    return (
        f'{str(path)!r} is not a result of this version of clip-depth evaluate ({FORMAT!r}): '
        f'{why}; name the JSON file that it wrote'
    )
