# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A result as files: JSON with everything in it, and CSV with every frame's numbers.

JSON is for people and programs: each column of the frames is one line. JSON has no NaN: it is
null. Numbers read back as the same. CSV has one line for each frame and predictor.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
import csv
from dataclasses import asdict
import io
import json
import math
import os
from pathlib import Path
from typing import Annotated, Any, Final

from clip_depth_ros.core.files import atomic_path
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.results.result import (
    Estimate,
    FORMAT,
    FrameTable,
    PredictorResult,
    Problem,
    Result,
)
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator, ValidationError


def plain(value: Any) -> Any:
    """Return mappings, sequences and numbers, also numpy's, as JSON can have them."""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (Sequence, array)) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def float_or_nan(value: float | None) -> float:
    """Return back the number that :func:`plain` made null, as NaN."""
    return math.nan if value is None else float(value)


_Number = Annotated[float, Field(allow_inf_nan=False)] | None
"""What is no number is null."""

_Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


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
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f'cannot read {str(path)!r}: {error.strerror}') from error
    try:
        return _result(_File.model_validate_json(content))
    except ValidationError as error:
        raise DataError(_foreign(path, _reason(error))) from error


class _Strict(BaseModel):
    """A part of the file; what else is in it does not matter."""

    model_config = ConfigDict(strict=True)


class _Predictor(_Strict):
    describe: dict[str, str]
    n_frames: int
    estimates: dict[str, tuple[_Number, _Number, _Number, int]]
    scale_spread: _Number
    sums: dict[str, list[_Number]]


class _Frames(_Strict):
    indices: list[_Int64]
    names: list[str]
    recordings: list[str]
    stamps_ns: list[_Int64 | None]
    values: dict[str, dict[str, list[_Number]]]

    @model_validator(mode='after')
    def _check_lengths(self) -> _Frames:
        """Refuse columns that are not as long as the table."""
        columns = {
            **{name: getattr(self, name) for name in ('names', 'recordings', 'stamps_ns')},
            **{
                f'{name!r} of {predictor!r}': column
                for predictor, named in self.values.items()
                for name, column in named.items()
            },
        }
        for name, column in columns.items():
            if len(column) != len(self.indices):
                raise ValueError(
                    f'{name} should have {len(self.indices)} entries, as the table of frames, has '
                    f'{len(column)}'
                )
        return self


class _File(_Strict):
    marker: Annotated[str, Field(alias='format', pattern=f'^{FORMAT}$')]
    title: str
    protocol: dict[str, str]
    source: dict[str, str]
    settings: dict[str, str]
    versions: dict[str, str]
    n_frames: int
    problems: list[Problem]
    predictors: dict[str, _Predictor]
    frames: _Frames

    @model_validator(mode='after')
    def _check_predictors(self) -> _File:
        """Refuse a file that is about nobody, or has frames of others."""
        if not self.predictors:
            raise ValueError('it has no predictors')
        if self.predictors.keys() != self.frames.values.keys():
            raise ValueError(
                f'predictors are {[*self.predictors]}, frames have values of '
                f'{[*self.frames.values]}'
            )
        return self


def _reason(error: ValidationError) -> str:
    """Return what is wrong with a file: the first of all faults."""
    first = error.errors(include_url=False)[0]
    if first['type'] == 'json_invalid':
        return f'it is no JSON ({first["msg"]})'
    place = '.'.join(map(str, first['loc']))
    if place == 'format':
        found = None if first['type'] == 'missing' else first['input']
        return f'its format is {found!r}'
    return f'it is damaged ({place}{": " if place else ""}{first["msg"]})'


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


def _result(file: _File) -> Result:
    frames = file.frames
    return Result(
        title=file.title,
        protocol=file.protocol,
        source=file.source,
        settings=file.settings,
        versions=file.versions,
        n_frames=file.n_frames,
        problems=file.problems,
        predictors={name: _predictor_result(each) for name, each in file.predictors.items()},
        frames=FrameTable(
            indices=array('q', frames.indices),
            names=frames.names,
            recordings=frames.recordings,
            stamps_ns=frames.stamps_ns,
            values={
                predictor: {
                    name: array('d', map(float_or_nan, column)) for name, column in columns.items()
                }
                for predictor, columns in frames.values.items()
            },
        ),
    )


def _predictor_result(of: _Predictor) -> PredictorResult:
    return PredictorResult(
        describe=of.describe,
        n_frames=of.n_frames,
        estimates={
            name: Estimate(float_or_nan(mean), float_or_nan(low), float_or_nan(high), n_frames)
            for name, (mean, low, high, n_frames) in of.estimates.items()
        },
        scale_spread=float_or_nan(of.scale_spread),
        sums={name: (*map(float_or_nan, vector),) for name, vector in of.sums.items()},
    )


def _text(value: Any, margin: str = '\n') -> Iterator[str]:
    """Yield JSON with a line for each entry of a mapping, however long a list is."""
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


_COLUMNS: Final = ('index', 'recording', 'name', 'stamp_ns', 'predictor')


def frames_csv(result: Result) -> Iterator[str]:
    """
    Yield the lines of a CSV file, each with its end.

    The first is a comment with the protocol, the second names the columns: which frame, whose
    answer, then every value that any predictor has. What is not known is empty.
    """
    yield f'# {" ".join(result.title.split())}\n'
    frames = result.frames
    names = list(dict.fromkeys(name for values in frames.values.values() for name in values))
    yield _line([*_COLUMNS, *names])
    for place in range(len(frames.names)):
        for predictor, values in frames.values.items():
            numbers = (_number(values, name, place) for name in names)
            yield _line([*_frame(frames, place), predictor, *numbers])


def _frame(frames: FrameTable, place: int) -> list[str]:
    stamp_ns = frames.stamps_ns[place]
    return [
        str(frames.indices[place]),
        frames.recordings[place],
        frames.names[place],
        '' if stamp_ns is None else str(stamp_ns),
    ]


def _number(values: Mapping[str, Sequence[float]], name: str, place: int) -> str:
    value = values[name][place] if name in values else math.nan
    return '' if math.isnan(value) else repr(float(value))


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerow(cells)
    return text.getvalue()
