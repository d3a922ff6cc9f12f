# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a setting is: declared once, checked on the way in, described for everything derived from it.

ROS parameter descriptors, ``config/depth_node.yaml``, command-line flags and the parameter table
in the docs all follow the declarations in the classes of this room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import functools
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints, Literal

from clip_depth_ros.errors import ConfigError, did_you_mean, SettingsFileError
from clip_depth_ros.settings.plain_yaml import read_yaml
from clip_depth_ros.types import MAX_IMAGE_PIXELS
from pydantic import BaseModel, ConfigDict, Field, model_validator, ValidationError
import yaml

Kind = Literal['bool', 'int', 'float', 'str', 'str_list', 'int_list', 'float_list']

_MOST_SHOWN = 300
"""Characters of a wrong value that an error shows."""

_KINDS: Mapping[Any, Kind] = {
    bool: 'bool',
    int: 'int',
    float: 'float',
    str: 'str',
    tuple[str, ...]: 'str_list',
    tuple[int, ...]: 'int_list',
    tuple[float, ...]: 'float_list',
}


def setting(
    default: Any,
    description: str,
    *,
    unit: str = '',
    at_run_time: bool = False,
    **bounds: Any,
) -> Any:
    """Declare one setting; ``bounds`` are pydantic's ge, gt, le, lt."""
    extra: dict[str, Any] = {'unit': unit, 'at_run_time': at_run_time}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Base of all settings: frozen, checked on the way in, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)

    renamed: ClassVar[Mapping[str, str]] = {}
    """What settings were called in earlier versions, and what they are called now."""

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together, each a sentence; classes add theirs."""
        yield from ()

    @model_validator(mode='after')
    def _check_together(self) -> Settings:
        found: list[str] = []
        try:
            found += self.clashes()
        except ValueError as error:  # what the rest is made of is wrong by itself
            found.append(str(error))
        if found:
            raise ValueError('; '.join(found))
        return self

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Any:
        """
        Return settings built from plain values; whatever is not named keeps its default.

        Raises
        ------
        ConfigError
            Naming each setting that is unknown, of the wrong type or out of range, and its value.

        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_explain(cls, error)) from error

    @classmethod
    def check_each(cls, values: Mapping[str, Any]) -> None:
        """Check values one by one, not whether they go together; raise as ``from_mapping``."""
        try:
            cls.model_validate(dict(values))
        except ValidationError as error:
            if any(problem['loc'] for problem in error.errors()):
                raise ConfigError(_explain(cls, error)) from error

    @classmethod
    def check_file(cls, values: Mapping[str, Any], what: str) -> None:
        """Check each value of a file, named ``what``; SettingsFileError says what is wrong."""
        try:
            cls.check_each(values)
        except ConfigError as error:
            raise SettingsFileError(f'{what}: {error}') from error

    def given(self) -> set[str]:
        """Return the settings that were named, if with their default; empty text names nothing."""
        return {name for name in self.model_fields_set if getattr(self, name) not in ('', ())}

    def refuse(self, *names: str, because: str) -> None:
        """Refuse settings that were named and would be dropped; ConfigError names them."""
        if dropped := sorted(self.given().intersection(names)):
            raise ConfigError(
                f'{" and ".join(dropped)} would not be used, {because}: leave it out'
            )

    def changed(self, **values: Any) -> Any:
        """Return the same settings with some values replaced, checked again as a whole."""
        return type(self).from_mapping({**self.model_dump(exclude_unset=True), **values})


class ImageLimits(Settings):
    """What images may be: the same for topics, recordings and files."""

    max_image_pixels: int = setting(
        MAX_IMAGE_PIXELS,
        'Largest image, in pixels (width times height), that is accepted: a file of one kilobyte '
        'can claim to be a picture of gigabytes.',
        at_run_time=True, ge=1, le=2_000_000_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """
    One setting as ROS descriptors, flags, YAML and tables need it.

    A bound counts itself in, unless ``minimum_is_open`` or ``maximum_is_open`` says otherwise.
    """

    name: str
    kind: Kind
    default: Any
    description: str
    unit: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    minimum_is_open: bool
    maximum_is_open: bool
    at_run_time: bool


@functools.cache  # the commands ask two or three times for each class
def setting_specs(settings: type[Settings]) -> Mapping[str, SettingSpec]:
    """Return every setting of a class by name, in the order of declaration."""
    hints, fields = get_type_hints(settings), settings.model_fields
    return MappingProxyType(
        {name: _spec(name, field, hints[name]) for name, field in fields.items()}
    )


def depth_range_clash(min_depth_m: float, max_depth_m: float) -> Iterator[str]:
    """Yield what is wrong if a range of depth in metres has no length."""
    if min_depth_m >= max_depth_m:
        yield (
            'depth range must satisfy 0 < min_depth_m < max_depth_m, got '
            f'min_depth_m={min_depth_m}, max_depth_m={max_depth_m}'
        )


def zero_or_at_least_one(value: float) -> float:
    """Return a focal length or a field of view, where 0 stands for none; ValueError below 1."""
    if 0 < value < 1:
        raise ValueError('must be 0 or at least 1')
    return value


def read_settings(path: Path) -> dict[str, Any]:
    """Read settings, lines ``name: value``; SettingsFileError for what cannot be read so."""
    if path.exists() and not path.is_file():
        raise SettingsFileError(f'cannot read settings {str(path)!r}: it is no regular file')
    try:
        values = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsFileError(f'cannot read settings {str(path)!r}: {error}') from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SettingsFileError(f'settings {str(path)!r} must be lines "name: value"')
    return values


def _spec(name: str, field: Any, hint: Any) -> SettingSpec:
    is_choice = get_origin(hint) is Literal
    default = field.default
    return SettingSpec(
        name=name,
        kind='str' if is_choice else _KINDS[hint],
        default=list(default) if isinstance(default, tuple) else default,
        description=field.description,
        unit=field.json_schema_extra['unit'],
        choices=get_args(hint) if is_choice else (),
        minimum=_first(field.metadata, 'ge', 'gt'),
        maximum=_first(field.metadata, 'le', 'lt'),
        minimum_is_open=_first(field.metadata, 'gt') is not None,
        maximum_is_open=_first(field.metadata, 'lt') is not None,
        at_run_time=field.json_schema_extra['at_run_time'],
    )


def _first(metadata: Iterable[Any], *names: str) -> float | None:
    """Return the bound that pydantic keeps under one of these names."""
    found = [getattr(bound, name) for bound in metadata for name in names if hasattr(bound, name)]
    return float(found[0]) if found else None


def _explain(settings: type[Settings], error: ValidationError) -> str:
    """Describe each wrong value: what was wanted, what came and what to do."""
    return '; '.join(_explain_one(settings, problem) for problem in error.errors())


def _explain_one(settings: type[Settings], problem: Any) -> str:
    where = '.'.join(str(part) for part in problem['loc'])
    if problem['type'] == 'extra_forbidden' and where in settings.renamed:
        return f'{where!r} is now {settings.renamed[where]}'
    if problem['type'] == 'extra_forbidden':
        known = settings.model_fields
        near = did_you_mean(where, known)
        return f'unknown setting {where!r}{near or "; known are " + ", ".join(known)}'
    reason = problem['msg'].removeprefix('Value error, ')
    if not where:
        return str(reason)
    came = repr(problem['input'])
    came = came if len(came) <= _MOST_SHOWN else f'{came[:_MOST_SHOWN]}...'
    near = ''
    if problem['type'] == 'literal_error':
        choices = setting_specs(settings)[str(problem['loc'][0])].choices
        near = did_you_mean(str(problem['input']), choices)
    return f'{where}: {reason[0].lower()}{reason[1:]}, got {came}{near}'
