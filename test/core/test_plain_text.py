# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came from a file or a message cannot steer a terminal; lines break between words."""

from __future__ import annotations

import io
import unicodedata

from clip_depth_ros.core.plain_text import brief, PlainStream, printable, wrapped
from hypothesis import given, strategies
import pytest


@pytest.mark.parametrize(('text', 'shown'), [
    ('\x1b[31mred', r'\x1b[31mred'),
    ('\x9b2J\x07\x7f\0', r'\x9b2J\x07\x7f\x00'),
    ('over\rwritten', r'over\rwritten'),
    ('\u202egpj.exe', r'\u202egpj.exe'),
    ('\udc80', r'\udc80'),
    ('one\ttwo\nthree Straße 道路', 'one\ttwo\nthree Straße 道路'),
])
def test_control_characters_are_written_out(text: str, shown: str):
    assert printable(text) == shown


def test_lines_break_at_no_hyphen_of_a_flag_or_a_path():
    assert wrapped('of /a/path-with-hyphens: add --pred-kind', 20) == [
        'of', '/a/path-with-hyphens:', 'add --pred-kind',
    ]


def test_a_name_stays_in_its_line():
    assert printable('a\n     99  /forged\t', in_one_line=True) == r'a\n     99  /forged\t'


def test_a_text_for_a_log_is_one_line_and_no_longer_than_it_may_be():
    assert brief("got 'a\nb'") == r"got 'a\nb'"
    assert brief('x' * 10**6, 20) == f'{"x" * 20} ... (1000000 characters)'
    assert brief('\x1b' * 10**6, 20) == '\\x1b' * 5 + ' ... (1000000 characters)'


@given(strategies.text())
def test_nothing_that_steers_is_left(text: str):
    shown = printable(text)
    assert all(unicodedata.category(c) != 'Cc' or c in '\n\t' for c in shown)
    shown.encode()  # no lone surrogates
    assert printable(shown) == shown


def test_progress_bars_return_to_the_start_of_their_line():
    file = io.StringIO()
    stream = PlainStream(file)
    for text in ('\r 50%|##', '\r      \r', '\r', '', 'a\rb\r\n'):
        assert stream.write(text) == len(text)
    assert file.getvalue() == '\r 50%|##\r      \r\ra\\rb\\r\n'
    assert stream.isatty() is False
