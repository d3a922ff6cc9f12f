# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a demo run: self-contained, no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.evaluation.report.drawing import Picture
from clip_depth_ros.evaluation.report.page import page_html

_TEMPLATES: Final = Path(__file__).parent / 'templates'


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    What the page says.

    Attributes
    ----------
    title, sentence, note : str
        Headline, what happened, and what must be said about the weights.
    problems : sequence of str
        What went wrong.
    next_steps : mapping of str to str
        Command by occasion, shown with the note.
    metrics : sequence of mappings
        Table of texts by heading, the methods first; empty without a truth.
    n_methods : int
        How many of its rows are methods.
    protocol : str
        How the metrics were made, or why there are none.
    pictures : sequence of Picture
        In order.
    counts : sequence of mappings
        Table of texts by heading.
    details : mapping of str to mapping
        Further tables by title, folded.

    """

    title: str
    sentence: str
    note: str
    problems: Sequence[str]
    next_steps: Mapping[str, str]
    metrics: Sequence[Mapping[str, str]]
    n_methods: int
    protocol: str
    pictures: Sequence[Picture]
    counts: Sequence[Mapping[str, str]]
    details: Mapping[str, Mapping[str, Any]]


def report_html(page: Page) -> str:
    """Give the page; every text is escaped."""
    values = {name: getattr(page, name) for name in page.__dataclass_fields__}
    return page_html('demo.html', values, _TEMPLATES)
