# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a demo run: self-contained, no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clip_depth_ros.evaluation.report.page import page_html, Picture

_BODY: Final = """
<h1>{{ title }}</h1>
<p class="lead">{{ sentence }}</p>
{% for problem in problems %}<p class="problem">PROBLEM: {{ problem }}</p>{% endfor %}
{% if note %}<div class="note"><p>{{ note }}</p>
<p>With a real camera:</p><ul>{% for when, command in next_steps.items() %}
<li>{{ when }}: <code>{{ command }}</code></li>{% endfor %}</ul></div>{% endif %}

<h2>How good is it?</h2>
{% if metrics %}<div class="scroll"><table class="numbers">
<tr>{% for heading in metrics[0] %}<th>{{ heading }}</th>{% endfor %}</tr>
{% for row in metrics %}<tr{% if loop.index <= n_methods %} class="method"{% endif %}>
{%- for cell in row.values() %}{% if loop.first %}<th>{{ cell }}</th>{% else %}<td>{{ cell }}</td>
{%- endif %}{% endfor %}</tr>
{% endfor %}</table></div>
<p class="small">abs_rel and rmse: less is better; δ1 to δ3: share of pixels within a factor of
1.25, 1.25², 1.25³, more is better. Protocol: {{ protocol }} The controls look at no image: a
method that does not beat them sees nothing.</p>
{% else %}<p>{{ protocol }}</p>{% endif %}

{% for picture in pictures %}<h2>{{ picture.title }}</h2>
<img alt="{{ picture.caption }}" src="{{ picture.url }}">
<p class="small">{{ picture.caption }}</p>
{% endfor %}

<h2>Counts and timing</h2>
<div class="scroll"><table>
<tr>{% for heading in counts[0] %}<th>{{ heading }}</th>{% endfor %}</tr>
{% for row in counts %}<tr>{% for cell in row.values() -%}
{% if loop.first %}<th>{{ cell }}</th>{% else %}<td>{{ cell }}</td>{% endif %}
{%- endfor %}</tr>
{% endfor %}</table></div>

{% for title, rows in details.items() %}<details><summary>{{ title }}</summary><table>
{% for key, value in rows.items() %}<tr><th>{{ key }}</th><td>{{ value }}</td></tr>
{% endfor %}</table></details>
{% endfor %}
"""


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
    return page_html(page.title, _BODY, values)
