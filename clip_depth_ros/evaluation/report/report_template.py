# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report's page: its order, its words around the facts, its look."""

from __future__ import annotations

from typing import Final

CSS: Final = """
body { max-width: 75rem; line-height: 1.45; }
.eyebrow { margin: 0; color: #52606d; font-size: .95rem; letter-spacing: .01em; }
h1 { font-size: 1.45rem; line-height: 1.3; margin: .2rem 0 .4rem; max-width: none; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .7rem;
     border-top: 2px solid #1d2733; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .35rem; }
figure { margin: 0 0 .4rem; min-width: 0; }
figure img { display: block; }
figcaption { color: #52606d; font-size: .88rem; }
div.note { margin: .7rem 0; }
.top { display: flex; flex-wrap: wrap; gap: .4rem 3rem; margin: 1.3rem 0 1.2rem;
       align-items: center; }
.keys { display: flex; gap: 0 2.2rem; }
.key { border-left: 4px solid #0072b2; padding-left: .9rem; }
.key b { display: block; font-size: 2.1rem; line-height: 1.15; font-weight: 650;
         font-variant-numeric: tabular-nums; }
.key span { display: block; color: #52606d; font-size: .9rem; font-variant-numeric: tabular-nums; }
.findings { padding-left: 1.1rem; margin: 0; max-width: 40rem; flex: 1 1 26rem; }
.findings li { margin: .12rem 0; }
table.numbers { width: auto; }
table.numbers th { white-space: nowrap; }
table.numbers th:first-child { min-width: 6rem; color: #1d2733; }
table.numbers td, table.numbers th { padding: .28rem 0 .28rem 1.35rem; }
.pair table.numbers td, .pair table.numbers th { padding-left: .7rem; }
.pair table.numbers th:first-child { min-width: 4rem; padding-left: 0; }
table.numbers td:first-child, table.numbers th:first-child { padding-left: 0; }
table.numbers tr.first > *, table.numbers th.first { font-weight: 650; color: #1d2733; }
table.numbers tr.quiet > *, table.numbers .quiet { color: #7a8591; }
table.numbers tr.groups th { border-bottom: 0; padding-bottom: 0; }
.interval { display: block; font-size: .78rem; font-weight: 400; color: #52606d; }
.quiet .interval { color: #8a95a1; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr));
        gap: 1rem 2.5rem; align-items: start; }
.stack figure { max-width: 36rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; }
.tiles small { display: block; font-size: .76rem; opacity: .85; }
.tiles table { border-spacing: 2px; border-collapse: separate; }
.tiles caption { text-align: left; font-size: .92rem; padding-bottom: .15rem; }
.tiles td { width: 3.3rem; height: 2.6rem; line-height: 1.15; padding: 0; border: 0;
            text-align: center; vertical-align: middle; font-size: .9rem;
            font-variant-numeric: tabular-nums; }
.panels { display: grid; gap: .55rem .7rem; margin: .4rem 0 1.6rem; }
.panels.wide { grid-template-columns: 1fr 1fr; }
.panels.tall { grid-template-rows: auto auto; grid-auto-flow: column;
               grid-auto-columns: minmax(13rem, 1fr); overflow-x: auto; }
.panels figcaption, .clouds figcaption { margin-bottom: .1rem; color: #1d2733; }
.bars { max-width: 58rem; }
.clouds { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr));
          gap: .8rem 1.2rem; }
table.facts { font-size: .92rem; table-layout: auto; }
table.facts th { white-space: nowrap; padding-right: 1.6rem; }
details { margin: .35rem 0; }
@media print { h2 { break-after: avoid; } figure, .panels { break-inside: avoid; } }
"""

BODY: Final = """
{% macro picture(p) %}
{% if p %}<figure><img alt="{{ p.title }}. {{ p.caption }}" src="{{ p.url }}">
<figcaption>{{ p.caption }}</figcaption></figure>{% endif %}
{% endmacro %}
{% macro looks(name, first) -%}
{% if name == first %} class="first"{% elif name in quiet %} class="quiet"{% endif %}
{%- endmacro %}
{% macro numbers(table, first) %}
<h3>{{ table.title }}</h3>
<div class="scroll"><table class="numbers">
{% if table.groups() %}<tr class="groups"><th></th>
{% for group, span in table.groups() %}
<th{{ looks(group, first) }} colspan="{{ span }}">{{ group }}</th>
{% endfor %}</tr>{% endif %}
<tr><th></th>{% for group, heading in table.columns %}
<th{{ looks(group, first) }}>{{ heading }}</th>{% endfor %}</tr>
{% for row in table.rows %}
<tr{{ looks(row.name, first) }}><th>{{ row.name }}</th>
{% for cell in row.cells %}<td{{ looks(table.columns[loop.index0][0], first) }}>{{ cell.text }}
{%- if cell.interval %}<span class="interval">{{ cell.interval }}</span>{% endif %}</td>
{% endfor %}</tr>
{% endfor %}</table></div>
{% if table.note %}<p class="small">{{ table.note }}</p>{% endif %}
{% endmacro %}
{% macro facts(rows) %}
<table class="facts">{% for name, value in rows.items() %}
<tr><th>{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% endmacro %}

<p class="eyebrow">Depth evaluation of <b>{{ first }}</b>{{ of_source }} · {{ used }}
{%- if problems %} · <a href="#problems">{{ problems|length }} not used or noted</a>{% endif %}</p>
<h1>{{ title }}</h1>
{% for note in notes %}<div class="note"><p>{{ note }}</p></div>{% endfor %}

<div class="top"><div class="keys">{% for key in keys %}
<div class="key"><span>{{ key.name }}</span><b>{{ key.cell.text }}</b>
<span>{{ key.cell.interval or 'no interval' }}</span></div>
{% endfor %}</div>
<ul class="findings">{% for finding in findings %}<li>{{ finding }}</li>{% endfor %}</ul></div>
{{ picture(means) }}

<h2>Metrics</h2>
{% for table in metric_tables %}{{ numbers(table, first) }}{% endfor %}
{{ numbers(behaviour, first) }}

{% if over_depth or histogram or parts or tiles %}<h2>Where it fails</h2>{% endif %}
{{ picture(over_depth) }}
<div class="{{ 'pair' if predictors|length < 4 else 'stack' }}"><div>
{% if histogram %}<h3>{{ histogram.title }}</h3>{{ picture(histogram) }}{% endif %}
{% if tiles %}<h3>By image region: abs_rel, below it δ1</h3><div class="tiles">
{% for name, rows in tiles.items() %}<table><caption>{{ name }}</caption>
{% for row in rows %}<tr>{% for tile in row %}
<td title="{{ tile.name }}" style="background:{{ tile.color }};color:{{ tile.ink }}">
{{- tile.abs_rel }}<small>{{ tile.delta1 }}</small></td>{% endfor %}</tr>{% endfor %}</table>
{% endfor %}</div>{% endif %}
</div><div>{% for part in parts %}{{ numbers(part, first) }}{% endfor %}</div></div>

{% if by_frame or scale_by_frame %}<h2>Frame by frame</h2>{% endif %}
{% for p in (by_frame, scale_by_frame) if p %}<h3>{{ p.title }}</h3>{{ picture(p) }}{% endfor %}

{% if confidence %}<h2>{{ confidence.title }}</h2>{{ picture(confidence) }}{% endif %}

{% if frames %}<h2>Best, typical and worst frames</h2>
<div class="bars">{{ picture(bars) }}</div>{% endif %}
{% for frame in frames %}<h3>{{ frame.caption }}</h3>
<div class="panels {{ 'wide' if frame.is_wide else 'tall' }}">{% for p in frame.pictures %}
<figure><figcaption>{{ p.title }}</figcaption>
<img alt="{{ p.caption }}" src="{{ p.url }}"></figure>
{% endfor %}</div>{% endfor %}
{% if clouds %}<h2>The worst frame as a cloud</h2>
<p class="small">{{ frames[-1].caption }}: from above and, below that, from the side, in the
colours of the image.</p>
<div class="clouds">{% for p in clouds %}
<figure><figcaption>{{ p.title }}</figcaption>
<img alt="{{ p.caption }}" src="{{ p.url }}"></figure>
{% endfor %}</div>{% endif %}

<h2>How it was made</h2>
<h3>Predictors</h3>
<div class="scroll"><table class="facts"><tr><th></th>
{% for name in predictors %}<th>{{ name }}</th>{% endfor %}</tr>
{% for fact, values in predictor_facts.items() %}<tr><th>{{ fact }}</th>
{% for value in values %}<td>{{ value }}</td>{% endfor %}</tr>{% endfor %}</table></div>
<div class="pair"><div><h3>Protocol</h3>{{ facts(protocol) }}</div>
<div><h3>Frames</h3>{{ facts(source) }}<h3>Versions</h3>{{ facts(versions) }}</div></div>
<details><summary>All settings</summary>{{ facts(settings) }}</details>

{% if problems %}<h2 id="problems">Not used, and why</h2>
{% macro listed(some) %}<ul>{% for p in some %}<li>{{ p.what }}: {{ p.why }}</li>{% endfor %}</ul>
{% endmacro %}
{{ listed(problems[:n_open]) }}
{% if problems|length > n_open %}<details><summary>{{ problems|length - n_open }} more</summary>
{{ listed(problems[n_open:]) }}</details>{% endif %}{% endif %}
"""
