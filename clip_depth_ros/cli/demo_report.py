# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a demo run: self-contained, no script, no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem;
       color: #1d2733; background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, ul { max-width: 60rem; }
p.lead { font-size: 1.1rem; }
p.problem { background: #fde2e0; border-left: 4px solid #c62828; padding: .6rem 1rem; }
div.note { background: #fff4d6; border-left: 4px solid #e0a100; padding: .6rem 1rem;
           max-width: 58rem; }
div.note p { margin: .2rem 0; }
div.note ul { margin: .3rem 0; }
p.small { color: #52606d; font-size: .92rem; }
code { font: .9em ui-monospace, monospace; background: #0001; padding: .1rem .3rem;
       border-radius: 3px; }
img { width: 100%; height: auto; }
div.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem 1.5rem .25rem 0; border-bottom: 1px solid #e8edf2;
         vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 500; color: #52606d; }
table.numbers td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.numbers th:not(:first-child) { text-align: right; }
table.numbers tr.method > * { color: #1d2733; font-weight: 600; }
summary { cursor: pointer; color: #52606d; }
</style></head><body>
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
<img alt="{{ picture.caption }}" src="data:image/png;base64,{{ picture.base64 }}">
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
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with what it shows."""

    title: str
    caption: str
    png: bytes

    @property
    def base64(self) -> str:
        """Give the PNG for a data URL."""
        return base64.b64encode(self.png).decode('ascii')


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
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    values = {name: getattr(page, name) for name in page.__dataclass_fields__}
    return environment.from_string(_PAGE).render(values)
