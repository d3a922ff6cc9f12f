# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Command-line flags derived from the settings: ``min_depth_m`` becomes ``--min-depth-m``.

And the predictor's settings that they lead to, with those of a preset.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
import sys
from typing import Any, Final, NoReturn

from clip_depth_ros.cli.wording import as_flags
from clip_depth_ros.errors import ConfigError, did_you_mean, SettingsFileError, WeightsError
from clip_depth_ros.settings.base import setting_specs, Settings, SettingSpec
from clip_depth_ros.settings.installation import BUNDLED_PRESET, BUNDLED_WORTH
from clip_depth_ros.settings.node import is_path, PRESET, read_preset
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.predictor import PredictorSettings

_CHOOSE_WEIGHTS: Final = frozenset({
    'method', 'backbone', 'pretrained', 'clip_weights', 'clip2depth_weights', 'allow_download',
    'exported_model',
})
"""Who sets one of these, or names a preset, has chosen weights: no others are taken."""


def add_setting_flags(
    parser: argparse.ArgumentParser,
    names: Iterable[str] = (),
    *,
    settings: type[Settings] = PredictorSettings,
    title: str = 'predictor settings',
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """
    Add one flag for each named setting; flags that are not given leave no trace.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Gets the flags.
    names : iterable of str
        Which settings; by default all.
    settings : type of Settings
        Declares them.
    title : str
        Of the group of flags in the help.
    choices : mapping of str to sequence of str, optional
        Values of settings that are known only where data sets are, by setting.

    """
    specs, flags = setting_specs(settings), flags_by_setting(settings)
    group = parser.add_argument_group(title)
    for name in names or specs:
        spec = replace(specs[name], description=as_flags(specs[name].description, flags))
        if choices and name in choices:
            spec = replace(spec, choices=tuple(choices[name]))
        group.add_argument(_flag_name(name), **_flag(spec))
    add_renamed_flags(
        parser, {_flag_name(old): _flag_name(new) for old, new in settings.renamed.items()}
    )


def add_renamed_flags(parser: argparse.ArgumentParser, renamed: Mapping[str, str]) -> None:
    """Answer each flag of an earlier version with its new name."""
    for old, new in renamed.items():
        parser.add_argument(
            old, action=_Renamed, nargs='*', const=f'is now {new}', default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def given_settings(
    args: argparse.Namespace, settings: type[Settings] = PredictorSettings
) -> dict[str, Any]:
    """Return the settings whose flags were given, by setting name."""
    return {name: getattr(args, name) for name in setting_specs(settings) if name in args}


def flags_by_setting(settings: type[Settings]) -> dict[str, Sequence[str]]:
    """Return the flag of each setting, and what switches it off if that can be done."""
    return {
        name: (_flag_name(name), *((_flag_name(f'no_{name}'),) if spec.kind == 'bool' else ()))
        for name, spec in setting_specs(settings).items()
    }


def settings_of(
    settings: type[Settings],
    given: Mapping[str, Any],
    file: Mapping[str, Any],
    path: Path | None = None,
) -> Any:
    """
    Return the settings of a file, with those that flags have given above them.

    Raises
    ------
    SettingsFileError
        If the file at ``path``, the user's own, is wrong by itself.
    ConfigError
        If a flag is, or what does not go with it.

    """
    if path is not None:
        settings.check_file(file, repr(str(path)))
    try:
        return settings.from_mapping({**file, **given})
    except ConfigError as error:
        if path is not None and str(error) == _problem(settings, file):
            raise SettingsFileError(f'{str(path)!r}: {error}') from error
        raise


def _problem(settings: type[Settings], values: Mapping[str, Any]) -> str:
    """Return what does not go together; nothing if all does."""
    try:
        settings.from_mapping(values)
    except ConfigError as error:
        return str(error)
    return ''


def add_preset_flag(
    parser: argparse.ArgumentParser, moved: Sequence[str] = (), to: str = ''
) -> None:
    """
    Add the flag that names a preset, a file of predictor settings.

    What an earlier version took there, and the flag ``to`` takes now, is answered with that.
    """

    def checked(text: str) -> str:
        if text in moved:
            raise argparse.ArgumentTypeError(f'{text!r} is now {to} {text}')
        return text

    parser.add_argument('--preset', metavar='NAME', type=checked, help=PRESET)
    add_renamed_flags(parser, {'--params-file': '--preset'})


def predictor_settings(
    args: argparse.Namespace,
    preset: str | None,
    settings: type[Settings] = PredictorSettings,
    *,
    is_asked: bool = True,
) -> Any:
    """
    Return the settings of the predictor: those of a preset, then flags.

    Where neither chooses weights, and the published ones that are the default have not been
    downloaded, they are the preset of the bundled ones, which is said in a line.

    Parameters
    ----------
    args : argparse.Namespace
        With the flags of ``settings``.
    preset : str, optional
        Its name or path.
    settings : type of Settings
        PredictorSettings, or what is made of them; a preset may hold more.
    is_asked : bool
        Whether the predictor will be asked at all.

    Raises
    ------
    ConfigError
        If a setting is wrong, or there is no such preset.

    """
    given = given_settings(args, settings)
    if is_asked and not (preset or _CHOOSE_WEIGHTS & given.keys()) and not _is_default_there():
        preset = BUNDLED_PRESET
        print(
            f'weights: none are named and none are downloaded, so those that come with this '
            f'package are used (--preset {BUNDLED_PRESET}), good for a first look: '
            f'{BUNDLED_WORTH}. Better: clip-depth train adapts them to a recording of your '
            "camera; rooms: --preset indoor --allow-download (OpenAI's CLIP)", file=sys.stderr,
        )
    file = read_preset(preset) if preset else {}  # it holds the node's own settings, too
    values = {name: value for name, value in file.items() if name in settings.model_fields}
    own = user_path(preset) if preset and is_path(preset) else None
    return settings_of(settings, given, values, own)


def _is_default_there() -> bool:
    """Return whether the published weights that the settings name by default are downloaded."""
    from clip_depth_ros.model.architecture import find_architecture
    from clip_depth_ros.model.pretrained import find_published

    default = PredictorSettings()
    try:
        architecture = find_architecture(default.backbone)
        find_published(architecture, default.pretrained, allow_download=False)
    except WeightsError:
        return False
    return True


def one_of(choices: Sequence[str]) -> dict[str, Any]:
    """Return what a flag with these choices needs, so that a near one is named on refusal."""

    def checked(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(
                f'invalid choice: {text!r} (choose from {", ".join(choices)})'
                f'{did_you_mean(text, choices)}'
            )
        return text

    return {'type': checked, 'metavar': f'{{{",".join(choices)}}}'}


def path_flag(text: str) -> Path:
    """Return the path that a flag names, for argparse; ``~`` is the home folder."""
    try:
        return user_path(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count_flag(text: str) -> int:
    """Return the whole number above 0 that a flag names, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'should be a whole number above 0, got {text!r}')
    return int(text)


def refuse_unknown(parser: argparse.ArgumentParser, words: Sequence[str]) -> NoReturn:
    """End with what argparse says of words that no flag takes, and the flags that are near."""
    flags = [*_flags_of(parser)]
    names = [word.partition('=')[0] for word in words if word.startswith('-')]
    near = ''.join(did_you_mean(name, flags) for name in names)
    parser.error(f'unrecognized arguments: {" ".join(words)}{near}')


def _flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags of a parser and of its sub-commands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _flags_of(sub)


class _Renamed(argparse.Action):
    """Refuse a flag of an earlier version with its new name."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        parser.error(f'{self.option_strings[0]} {self.const}')


def _flag_name(setting: str) -> str:
    name, comma, remark = setting.partition(',')
    return f'--{name.replace("_", "-")}{comma}{remark}'


def _flag(spec: SettingSpec) -> dict[str, Any]:
    default = ' '.join(map(str, spec.default)) if isinstance(spec.default, list) else spec.default
    unit = f' {spec.unit}' if spec.unit else ''
    text = f'{spec.description} (default: {default!r}{unit})'.replace('%', '%%')
    flag: dict[str, Any] = {'dest': spec.name, 'default': argparse.SUPPRESS, 'help': text}
    if spec.kind == 'bool':
        return {**flag, 'action': argparse.BooleanOptionalAction}
    if spec.choices:
        return {**flag, **one_of(spec.choices)}
    if spec.kind.endswith('_list'):
        flag['nargs'] = '*'
    kind = spec.kind.removesuffix('_list')
    number = {'int': int, 'float': float}.get(kind, str)
    return {**flag, 'type': number, 'metavar': kind.upper()}
