# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The result of an evaluation: what tables, pages and comparisons are made of, and its files.

JSON is for people and programs, with everything in it: each column of the frames is one line. JSON
has no NaN: it is null. Numbers read back as the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, is_dataclass
from functools import partial
import json
import math
import os
from pathlib import Path
from typing import Annotated, Any, Final, TYPE_CHECKING

from clip_depth_ros.core.files import atomic_path
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.score.independence import ENOUGH_INDEPENDENT
import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

FORMAT: Final = 'clip_depth_ros evaluation 1'


def plain(value: Any) -> Any:
    """Return dataclasses, mappings, sequences and numbers, also numpy's, as JSON can have them."""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else None
    if is_dataclass(value):
        value = _fields(value)
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (Sequence, array)) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def float_or_nan(value: float | None) -> float:
    """Return the number that :func:`plain` made null as NaN."""
    return math.nan if value is None else float(value)


def _fields(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


if TYPE_CHECKING:
    Number = float
else:
    Number = Annotated[
        Annotated[float, Field(allow_inf_nan=False)] | None, AfterValidator(float_or_nan)
    ]
    """In files, what is no number is null."""

_Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


def _estimate(values: Any) -> Any:
    """Return the fields of an :class:`Estimate`, which is a list in files, by name."""
    names = [each.name for each in fields(Estimate)]
    # The last field is younger than the format.
    is_whole = isinstance(values, list) and len(names) - 1 <= len(values) <= len(names)
    return dict(zip(names, values, strict=False)) if is_whole else values


def _of_one_length(frames: FrameTable) -> FrameTable:
    """Refuse columns that are not as long as the table."""
    columns = {
        **{name: getattr(frames, name) for name in ('names', 'recordings', 'stamps_ns')},
        **{
            f'{name!r} of {predictor!r}': column
            for predictor, named in frames.values.items()
            for name, column in named.items()
        },
    }
    for name, column in columns.items():
        if len(column) != len(frames.indices):
            raise ValueError(
                f'{name} should have {len(frames.indices)} entries, as the table of frames, has '
                f'{len(column)}'
            )
    return frames


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A mean over frames with its bootstrap 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        NaN for the interval where there are fewer than two independent frames.
    n_frames : int
        Frames that have this value.
    n_effective : float
        How many independent frames they are worth: neighbours in a recording score alike. NaN
        where that was not looked at.

    """

    mean: Number
    low: Number
    high: Number
    n_frames: int
    n_effective: Number = math.nan

    @property
    def is_enough(self) -> bool:
        """Return whether the interval is known, and of enough independent frames to judge by."""
        return self.low <= self.high and not self.n_effective < ENOUGH_INDEPENDENT

    @property
    def is_of_film(self) -> bool:
        """Return whether neighbours score alike, so that frames are worth clearly fewer."""
        return self.n_effective < 0.95 * self.n_frames


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something that was not used, and why.

    Attributes
    ----------
    what : str
        A frame, a recording, or a predictor's answer for a frame.
    why : str
        The reason.

    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorResult:
    """
    How good one predictor was.

    Attributes
    ----------
    describe : mapping of str to str
        What it is: method, weights and their hash, device.
    n_frames : int
        Frames with a score.
    estimates : mapping of str to Estimate
        By the names of :class:`FrameScore`'s values.
    scale_spread : float
        Standard deviation over frames of ln ``scale``: 0.1 is about 10 %; NaN below two frames.
    sums : mapping of str to tuple of float
        :class:`FrameScore`'s, added up.
    cameras : mapping of str to int
        Of a predictor that is shown images: frames by what became of their camera (``used``,
        ``assumed``, ``ignored``). Empty for others, and in older files.

    """

    describe: Mapping[str, str]
    n_frames: int
    estimates: Mapping[str, Annotated[Estimate, BeforeValidator(_estimate)]]
    scale_spread: Number
    sums: Mapping[str, tuple[Number, ...]]
    cameras: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTable:
    """
    Everything by frame, in the order of the source; one entry a frame that has any score.

    Attributes
    ----------
    indices, names, recordings, stamps_ns : sequences
        Which frame; stamps are None where there is none.
    values : mapping of str to mapping of str to sequence of float
        By predictor, then by the names of :class:`FrameScore`'s values; NaN where not known.

    """

    indices: Annotated[Sequence[_Int64], AfterValidator(partial(array, 'q'))]
    names: Sequence[str]
    recordings: Sequence[str]
    stamps_ns: Sequence[_Int64 | None]
    values: Mapping[
        str, Mapping[str, Annotated[Sequence[Number], AfterValidator(partial(array, 'd'))]]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    An evaluation.

    Attributes
    ----------
    title : str
        The protocol in words; stands over every table, plot and file.
    protocol, source, settings, versions : mapping of str to str
        All that decides the numbers.
    n_frames : int
        Frames of the source.
    problems : sequence of Problem
        What was not used.
    predictors : mapping of str to PredictorResult
        In the order of the tables; the first is the one that is evaluated.
    frames : FrameTable
    command : str
        The command line that made it; empty where that is not known.

    """

    title: str
    protocol: Mapping[str, str]
    source: Mapping[str, str]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    n_frames: int
    problems: Sequence[Problem]
    predictors: Mapping[str, PredictorResult]
    frames: Annotated[FrameTable, AfterValidator(_of_one_length)]
    command: str = ''


class _Marked(BaseModel):
    """What tells a result from other files; what else is in it does not matter here."""

    model_config = ConfigDict(strict=True)

    marker: Annotated[str, Field(alias='format', pattern=f'^{FORMAT}$')]


_RESULT: Final = TypeAdapter(Result)


def write_result(result: Result, path: str | os.PathLike[str]) -> None:
    """
    Write a result, wholly or not at all.

    Raises
    ------
    OutputError
        If the operating system refuses.

    """
    predictors = {
        name: {
            **_fields(each),
            'estimates': {of: astuple(estimate) for of, estimate in each.estimates.items()},
        }
        for name, each in result.predictors.items()
    }
    content = {'format': FORMAT, **_fields(result), 'predictors': predictors}
    with atomic_path(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        file.writelines(_text(content))
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
        _Marked.model_validate_json(content)
        result = _RESULT.validate_json(content, strict=True)
    except ValidationError as error:
        raise DataError(_foreign(path, _reason(error))) from error
    if not result.predictors:
        raise DataError(_foreign(path, 'it is damaged (it has no predictors)'))
    if result.predictors.keys() != result.frames.values.keys():
        raise DataError(_foreign(
            path,
            f'it is damaged (predictors are {[*result.predictors]}, frames have values of '
            f'{[*result.frames.values]})',
        ))
    return result


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


def _text(value: Any, margin: str = '\n') -> Iterator[str]:
    """Yield JSON with a line for each entry of a mapping, however long a list is."""
    if isinstance(value, FrameTable):
        value = _fields(value)
    if not isinstance(value, Mapping) or not value:
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
