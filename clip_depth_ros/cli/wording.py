# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Messages in the words of who typed flags: ``clip_weights`` is ``--clip-weights`` to them.

Everything below the command line speaks of settings, as parameters of the node and YAML files name
them: ``name=value`` or ``name:=value``, a name in ``name: what is wrong with it``, a name with an
underscore, or any name between backquotes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
import functools
import re
from typing import Final, NamedTuple

Flags = Mapping[str, Sequence[str]]
"""What sets a setting on the command line, by its name; what switches it off comes second."""

_VALUE: Final = r"""'[^']*'|"[^"]*"|\[[^]]*\]|\([^)]*\)|[^\s,;:)]+?(?=\.?(?:[\s,;:)]|$))"""
_BEGINS: Final = r'(?:^|(?<=[;:] ))'
_GOES_ON: Final = r'(?=:(?!=)| would not be used| is not for | is needed| must be | was )'
_NO_OVERRIDE: Final = '(?<!--override )'
"""What follows is a choice of the protocol."""

_PLAIN_WORD: Final = re.compile(r"'([\w./-]+)'")


class _Patterns(NamedTuple):
    """Where names of settings stand in a message."""

    quoted: re.Pattern[str]
    given: re.Pattern[str]
    switched: re.Pattern[str]
    subject: re.Pattern[str]
    name: re.Pattern[str]
    with_underscore: re.Pattern[str]


def as_flags(message: str, flags: Flags) -> str:
    """Return a message with the flag of each setting in place of its name."""
    if not flags:
        return message
    patterns = _patterns(tuple(flags))

    def flag(found: re.Match[str]) -> str:
        return flags[found['name']][0]

    def with_value(found: re.Match[str]) -> str:
        switch, value = flags[found['name']], found['value']
        if value.lower() in ('true', 'false'):
            return switch[0 if value.lower() == 'true' else -1]
        plain = _PLAIN_WORD.fullmatch(value)
        return f'{switch[0]} {plain[1] if plain else value}'

    def each_name(found: re.Match[str]) -> str:
        return patterns.name.sub(flag, found[0])

    message = patterns.quoted.sub(flag, message)
    message = patterns.given.sub(with_value, message)
    message = patterns.switched.sub(with_value, message)
    message = patterns.subject.sub(each_name, message)
    return patterns.with_underscore.sub(flag, message)


def flags_of(parser: argparse.ArgumentParser, command: str) -> dict[str, Sequence[str]]:
    """Return the flags of a sub-command that stand for settings, by setting."""
    return {
        action.dest: action.option_strings
        for action in _actions(parser, command)
        if (action.default is argparse.SUPPRESS or action.dest == 'preset')
        and action.help is not argparse.SUPPRESS and action.dest != 'help'
    }


def _actions(parser: argparse.ArgumentParser, command: str) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and command in action.choices:
            yield from action.choices[command]._actions


@functools.cache
def _patterns(names: tuple[str, ...]) -> _Patterns:
    longest_first = sorted(names, key=len, reverse=True)
    name = f'(?P<name>{"|".join(longest_first)})'
    any_name = name.replace('?P<name>', '?:')
    underscored = [each for each in longest_first if '_' in each] or ['(?!)']
    return _Patterns(
        quoted=re.compile(f'`{name}`'),
        given=re.compile(rf'{_NO_OVERRIDE}(?<![\w/.\'"\\-]){name}:?=(?P<value>{_VALUE})'),
        switched=re.compile(rf'(?<![\w/.\'"\\-]){name} to (?P<value>true|false)\b'),
        subject=re.compile(
            rf'{_BEGINS}{any_name}(?:(?:, | and ){any_name})*{_GOES_ON}'
        ),
        name=re.compile(rf'(?<![\w-]){name}(?!\w)'),
        with_underscore=re.compile(
            rf'(?<![\w/.\'"\\-])(?P<name>{"|".join(underscored)})(?![\w/\'"=]|\.\w|:=)'
        ),
    )
