# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The exception tree is the one that its module draws."""

from __future__ import annotations

import inspect
import re

from clip_depth_ros import errors
from clip_depth_ros.errors import ClipDepthError, did_you_mean
import pytest

EXCEPTIONS = {
    name: each
    for name, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, Exception)
}


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Give parent and further base of each exception as drawn in the docstring."""
    parents: list[str] = []
    drawn = {}
    for line in (errors.__doc__ or '').splitlines():
        if match := re.match(r'    ([│├└─ ]*)(\w+Error)(?: \((\w+)\))?', line):
            depth = len(match[1]) // 4
            parents[depth:] = [match[2]]
            drawn[match[2]] = (parents[depth - 1] if depth else 'Exception', match[3] or '')
    return drawn


def test_every_exception_is_drawn():
    assert drawn_tree().keys() == EXCEPTIONS.keys()


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_drawn_bases_are_the_real_ones(name: str):
    bases = [base.__name__ for base in EXCEPTIONS[name].__bases__]
    assert bases == [base for base in drawn_tree()[name] if base]


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_one_except_catches_all(name: str):
    with pytest.raises(ClipDepthError, match='wanted this, got that'):
        raise EXCEPTIONS[name]('wanted this, got that')


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_each_says_when_it_happens(name: str):
    assert EXCEPTIONS[name].__doc__


@pytest.mark.parametrize(('name', 'known', 'hint'), [
    ('kiti', ['kitti', 'nyu'], "; did you mean 'kitti'?"),
    ('KITTI', ['kitti', 'nyu'], "; did you mean 'kitti'?"),
    ('/Cam/imge', ['/cam/image', '/gt'], "; did you mean '/cam/image'?"),
    ('kitti_bag', ['kitti2bag', 'kitti_to_ros2bag', 'none'], "; did you mean 'kitti2bag'?"),
    ('nowhere', ['kitti', 'nyu'], ''),
    ('', ['kitti'], ''),
    ('kitti', [], ''),
])
def test_near_names_are_proposed(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint
