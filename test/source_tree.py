# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The source tree as data: files, and what they import."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = 'clip_depth_ros'
ROOT = Path(__file__).resolve().parents[1]
PACKAGE_DIR = ROOT / PACKAGE
SUB_ROOMS = {
    *(f'evaluation/{part}' for part in ('score', 'results', 'run', 'report', 'compare')),
    'ros/node', 'training/place',
}
"""Folders within a room that have rules of their own."""


_HOLD_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Imports are in no expression."""


class Import(NamedTuple):
    """One imported module, such as ``clip_depth_ros.core.patches``, and where."""

    module: str
    file: Path
    line: int
    is_on_load: bool

    def __str__(self) -> str:
        return f'{self.file.relative_to(ROOT)}:{self.line} imports {self.module}'


def python_files(folder: Path) -> list[Path]:
    """Give the Python files of a folder and its sub-folders."""
    return sorted(path for path in folder.rglob('*.py') if '__pycache__' not in path.parts)


def room_of(file: Path) -> str:
    """Return the room of a file of the package: a folder, or a module of its own."""
    return room_at([*file.relative_to(PACKAGE_DIR).with_suffix('').parts])


def room_at(parts: Sequence[str]) -> str:
    """Return the room at a place in the package, such as ``ros`` or ``ros/node``."""
    return '/'.join(parts[:2]) if '/'.join(parts[:2]) in SUB_ROOMS else parts[0]


@cache
def imports_of(file: Path) -> tuple[Import, ...]:
    """Give every import of a file, also those inside functions."""
    found: list[Import] = []
    to_see: deque[tuple[ast.AST, bool]] = deque()
    to_see.append((ast.parse(file.read_text(encoding='utf-8'), str(file)), True))
    while to_see:
        node, is_on_load = to_see.popleft()
        found += [
            Import(module, file, node.lineno, is_on_load)
            for module in _modules(node) if isinstance(node, ast.stmt)
        ]
        is_on_load &= not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        to_see += [
            (child, is_on_load) for child in ast.iter_child_nodes(node)
            if isinstance(child, _HOLD_STATEMENTS)
        ]
    return tuple(found)


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f'line {node.lineno}: imports are absolute here'
        assert node.module is not None
        # What follows may be a module of a package, such as "from clip_depth_ros import color".
        yield from (f'{node.module}.{alias.name}' for alias in node.names)
