# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth and truth become numbers in one place, so that no number drifts away from its protocol.

The guard reads the code of all other places: what computes a metric by hand, or calls the parts of
the scorer behind its back, is named.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields

from clip_depth_ros.core.metrics import DepthMetrics
import pytest
from source_tree import PACKAGE_DIR, python_files, ROOT

METRICS = {field.name for field in fields(DepthMetrics)} - {'n'}

MAY_SCORE = ('clip_depth_ros/core/metrics.py', 'clip_depth_ros/evaluation/score/')
"""Files and folders that turn depth and truth into numbers."""

FOR_ALL = {'blocks', 'DepthMetrics', 'mean_metrics', 'relative_error'}
"""Names of ``core.metrics`` that compute no metric of a frame: others stay with the scorer."""

FILES = [
    file
    for folder in (PACKAGE_DIR, ROOT / 'weights')
    for file in python_files(folder)
    if not file.relative_to(ROOT).as_posix().startswith(MAY_SCORE)
]


def computed_in(code: str) -> list[str]:
    """Return what computes metrics in a piece of code, by line."""
    found = [(node.lineno, why) for node, why in _computing(ast.parse(code))]
    return [f'line {line}: {why}' for line, why in sorted(found)]


def _computing(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == 'clip_depth_ros.core.metrics':
            for alias in node.names:
                if alias.name not in FOR_ALL:
                    yield node, f'imports {alias.name}'
        elif isinstance(node, ast.FunctionDef) and node.name in METRICS:
            yield node, f'defines {node.name}'
        elif isinstance(node, ast.BinOp) and _is_relative_error(node):
            yield node, 'divides the difference from a value by that value'
        elif isinstance(node, ast.Call) and _is_ratio(node):
            yield node, 'takes the larger of two ratios'
        for name, value in _named(node):
            if name in METRICS and _computes(value):
                yield value, f'computes {name}'


def _is_relative_error(node: ast.BinOp) -> bool:
    """Say whether it is (a - b) / b, with or without abs, as an array or at a mask."""
    difference = node.left
    if isinstance(difference, ast.Call) and _called(difference) in {'abs', 'absolute', 'fabs'}:
        difference = difference.args[0]
    return (
        isinstance(node.op, ast.Div)
        and isinstance(difference, ast.BinOp)
        and isinstance(difference.op, ast.Sub)
        and ast.dump(difference.right) == ast.dump(node.right)
    )


def _is_ratio(node: ast.Call) -> bool:
    """Say whether it is max(a / b, b / a)."""
    sides = [
        (ast.dump(arg.left), ast.dump(arg.right))
        for arg in node.args
        if isinstance(arg, ast.BinOp) and isinstance(arg.op, ast.Div)
    ]
    return _called(node) in {'max', 'maximum', 'fmax'} and any(
        (b, a) in sides for a, b in sides
    )


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ''


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is given a name: variables, keyword arguments, keys of a dictionary."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            for name in names:
                if isinstance(name, (ast.Name, ast.Attribute)):
                    yield name.id if isinstance(name, ast.Name) else name.attr, node.value
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value.rpartition('/')[2], value


def _computes(value: ast.expr) -> bool:
    """Say whether an expression has arithmetic in it, as a label or a known number has not."""
    return any(
        isinstance(node, ast.BinOp)
        or (isinstance(node, ast.Call) and _called(node) in {'mean', 'sum', 'sqrt', 'average'})
        for node in ast.walk(value)
    )


def test_there_is_code_to_look_at():
    assert len(FILES) > 100


@pytest.mark.parametrize('code', [
    'from clip_depth_ros.core.metrics import depth_metrics',
    'from clip_depth_ros.core.metrics import DepthMetrics, PixelErrors',
    'error = np.abs(pred - gt) / gt',
    'error = (pred_m[known] - gt_m[known]) / gt_m[known]',
    'worst = np.maximum(pred / gt, gt / pred)',
    'rmse = np.sqrt(np.mean((pred - gt) ** 2))',
    'row = dict(abs_rel=errors.mean())',
    "row = {'none/delta1': (ratio < 1.25).mean()}",
    'def silog(pred, gt):\n    ...',
])
def test_what_computes_a_metric_is_found(code: str):
    assert len(computed_in(code)) == 1


@pytest.mark.parametrize('code', [
    'from clip_depth_ros.core.metrics import DepthMetrics',
    "labels = {'abs_rel': 'mean relative error'}",
    'abs_rel = metrics.abs_rel',
    'share = (depth - low) / (high - low)',
])
def test_what_only_names_or_shows_one_is_not(code: str):
    assert computed_in(code) == []


def test_metrics_are_computed_by_the_one_scorer():
    found = {
        file.relative_to(ROOT).as_posix(): computed_in(file.read_text(encoding='utf-8'))
        for file in FILES
    }
    assert {name: lines for name, lines in found.items() if lines} == {}
