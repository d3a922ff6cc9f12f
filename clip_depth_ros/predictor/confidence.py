# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From a raw measure of confidence to a share of right pixels, by a table that goes with weights.

The table lies beside the weights, ``NAME.confidence.json`` for ``NAME.safetensors``, or is named
by ``confidence_table``. It says what it was measured with; with anything else, the raw measure is
what is answered, and described as uncalibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
import json
from pathlib import Path
import re
from typing import Annotated, Any, Final, Literal

from clip_depth_ros.core.patches import ConfidenceTable
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator, ValidationError

FORMAT: Final = 'clip_depth_ros confidence 1'
SUFFIX: Final = '.confidence.json'

_MOST_BYTES: Final = 1 << 20
_SHA256: Final = re.compile(r'sha256 ([0-9a-f]{12})')

_Share = Annotated[float, Field(ge=0, le=1)]
_Knots = Annotated[list[float], Field(min_length=2, max_length=1000)]


class _File(BaseModel):
    """What a table is as a file: its knots as :class:`ConfidenceTable` has them."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra='forbid')

    format: Literal['clip_depth_ros confidence 1']  # noqa: A003, RUF100
    measured_with: dict[str, Any]
    fitted_on: Annotated[str, Field(max_length=300)]
    measure: _Knots
    depth_m: _Knots
    share: list[list[_Share]]

    @model_validator(mode='after')
    def _check(self) -> _File:
        for name, knots in (('measure', self.measure), ('depth_m', self.depth_m)):
            if not all(low < high for low, high in pairwise(knots)):
                raise ValueError(f'{name} must ascend, got {knots}')
        if self.depth_m[0] <= 0:
            raise ValueError(f'depth_m must be positive, got {self.depth_m[0]}')
        if [len(row) for row in self.share] != [len(self.depth_m)] * len(self.measure):
            raise ValueError('share must have a row for each measure, a column for each depth_m')
        return self


class Confidence:
    """
    Makes confidence of the raw measure of a method.

    ``table`` is None where it is uncalibrated; ``said`` describes it either way, for operators and
    reports. ``path`` is the file of the table that is in force.
    """

    def __init__(
        self, table: ConfidenceTable | None, said: str, path: Path | None = None
    ) -> None:
        self.table, self.said, self.path = table, said, path

    def of(self, measure: NDArray[np.float32], depth_m: Depth) -> NDArray[np.float32]:
        """Return confidence, float32 in [0, 1]; ``depth_m`` is as the network answers it."""
        return measure if self.table is None else self.table.of(measure, depth_m)

    def notes(self, settings: PredictorSettings) -> list[str]:
        """Return what a user should know who goes by confidence."""
        if not settings.confidence_min or self.table is not None:
            return []
        return [
            f'confidence_min={settings.confidence_min:g} is compared with a measure that is no '
            f'share of right pixels: confidence is {self.said}'
        ]


def confidence_of(
    settings: PredictorSettings, weights: Path | None, used: Mapping[str, Any], raw: str
) -> Confidence:
    """
    Return how confidence is made of the raw measure of a method, whose name is ``raw``.

    Parameters
    ----------
    settings : PredictorSettings
        They may name a table.
    weights : Path, optional
        The file, or the folder of an exported model, that a table may lie beside or in.
    used : mapping of str to plain values
        All that decides answers: a table that was measured with anything else does not count.
    raw : str
        What is answered without a table.

    Raises
    ------
    WeightsError
        If a table cannot be read, or none is where the settings name one.

    """
    raw = f'uncalibrated ({raw})'
    named = settings.confidence_table
    path = user_path(named) if named else weights and table_path(weights)
    if path is None or not (named or path.is_file()):
        return Confidence(None, raw)
    file = _read(path)
    if wrong := _differences(file.measured_with, measured_with(used)):
        return Confidence(None, f'{raw}: {path.name} was measured with other {", ".join(wrong)}')
    table = ConfidenceTable(*map(np.array, (file.measure, file.depth_m, file.share)))
    return Confidence(table, f'calibrated on {file.fitted_on} ({path.name})', path)


def table_path(weights: Path) -> Path:
    """Return where the table of weights lies: beside the file, or in an exported folder."""
    if weights.is_dir():
        return weights / SUFFIX.removeprefix('.')
    return weights.with_name(weights.stem + SUFFIX)


def measured_with(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides answers as files have it: plain, rounded, weights by their SHA-256."""
    plain = {name: _plain(value) for name, value in used.items()}
    known = _SHA256.search(str(plain['weights']))
    return {**plain, 'weights': known[1] if known else plain['weights']}


def table_json(table: ConfidenceTable, used: Mapping[str, Any], fitted_on: str) -> str:
    """Return a table as the text of its file."""
    content = {
        'format': FORMAT, 'measured_with': measured_with(used), 'fitted_on': fitted_on,
        'measure': table.measure.round(4).tolist(),
        'depth_m': table.depth_m.round(3).tolist(),
        'share': table.share.round(4).tolist(),
    }
    lines = (f' {json.dumps(name)}: {json.dumps(value)}' for name, value in content.items())
    return '{\n' + ',\n'.join(lines) + '\n}\n'


def _read(path: Path) -> _File:
    try:
        with path.open('rb') as file:
            return _File.model_validate_json(file.read(_MOST_BYTES))
    except OSError as error:
        raise WeightsError(
            f'cannot read the table of confidence {str(path)!r}: {error.strerror}; set '
            'confidence_table to a file that is there, or to nothing'
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = '.'.join(map(str, first['loc']))
        raise WeightsError(
            f'{str(path)!r} is no table of confidence ({place}{": " if place else ""}'
            f'{first["msg"]}): copy it again, or make it anew (docs/confidence.md); without the '
            'file, confidence is the raw measure'
        ) from error


def _differences(wanted: Mapping[str, Any], used: Mapping[str, Any]) -> list[str]:
    return [name for name in {**wanted, **used} if wanted.get(name) != used.get(name)]


def _plain(value: Any) -> Any:
    """Return a value as JSON reads it back, numbers to four digits."""
    if isinstance(value, float):
        return float(f'{value:.4g}')
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value
