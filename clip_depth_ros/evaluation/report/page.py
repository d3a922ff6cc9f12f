# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all pages share: one file without network or script, their look, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jinja2

_CSS: Final = """
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
.small { color: #52606d; font-size: .92rem; }
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
"""

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{{ css|safe }}</style></head><body>
{{ body|safe }}
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A picture with its words.

    Attributes
    ----------
    title, caption : str
        Heading; what is to be seen, also for those who cannot see it.
    data : bytes
        PNG, or SVG.
    mime : str
        Which of both.

    """

    title: str
    caption: str
    data: bytes
    mime: str = 'image/png'

    @property
    def url(self) -> str:
        """Give a URL that holds the picture itself."""
        return f'data:{self.mime};base64,{base64.b64encode(self.data).decode("ascii")}'


def page_html(title: str, template: str, values: Mapping[str, Any], css: str = '') -> str:
    """
    Give a page; every text is escaped.

    Parameters
    ----------
    title : str
        Of the window.
    template : str
        Of the body, Jinja2.
    values : mapping
        What the template names; one that is missing is an error.
    css : str
        Rules of this page, after those of all.

    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    body = environment.from_string(template).render(values)
    return environment.from_string(_PAGE).render(title=title, css=_CSS + css, body=body)
