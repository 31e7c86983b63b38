"""The plot as one HTML file: inline SVG, inline style, no script, and a policy that lets nothing be fetched.

Everything that came from a server or a command line is escaped here, once, where it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from hayate.language import Language
from hayate.tools.measure.chart import COLORS, PALE, Bar, Panel, panels_of, shortened
from hayate.tools.measure.comparison import METRICS, differences, pairs
from hayate.tools.measure.record import Record
from hayate.tools.measure.tables import series_names, show, title, verdict
from hayate.tools.measure.words import asked, reason, word

WIDTH, ROW, BAR, GAP = 440, 44, 16, 14
REACH = 340
"""How wide the longest bar is; the rest of the width is for its number."""

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #22223b; --soft: #6b7080; --paper: #fff; --line: #dfe2ea; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #eceef4; --soft: #a3a9b8; --paper: #16181f; --line: #333845; }}
}}
body {{ margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.6 system-ui, "Hiragino Sans", "Yu Gothic UI",
  "Noto Sans CJK JP", "Noto Sans JP", sans-serif; }}
main {{ max-width: 1240px; margin: 0 auto; padding: 28px 20px 48px; }}
h1 {{ font-size: 24px; margin: 0 0 4px; }}
h2 {{ font-size: 17px; margin: 32px 0 8px; }}
p {{ margin: 0 0 4px; overflow-wrap: anywhere; }}
.soft {{ color: var(--soft); }}
.key {{ display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin: 0 6px 0 0; }}
.legend span {{ margin-right: 20px; }}
.panels {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 20px 28px;
  margin-top: 20px; }}
figure {{ margin: 0; border-top: 1px solid var(--line); padding-top: 10px; }}
figcaption {{ font-weight: 600; }}
figcaption small {{ font-weight: 400; color: var(--soft); margin-left: 8px; }}
svg {{ width: 100%; height: auto; display: block; }}
svg text {{ fill: var(--ink); font-size: 14.5px; }}
svg .name {{ fill: var(--soft); font-size: 13.5px; }}
.bar0 {{ opacity: {pale}; }}
.key {{ background: var(--ink); }}
{colors}
svg line {{ stroke: var(--ink); stroke-width: 1.5; }}
.wide {{ overflow-x: auto; margin-top: 28px; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
.better {{ color: #1b7f4d; }} .worse {{ color: #c0392b; }}
@media (prefers-color-scheme: dark) {{ .better {{ color: #5fd39a; }} .worse {{ color: #ff8a80; }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{head}
<div class="panels">
{panels}
</div>
<p class="soft">{bars}</p>
{tables}
</main>
</body>
</html>
"""


def render_html(record: Record, before: Record | None, language: Language) -> str:
    """The whole page, with every text escaped."""
    panels = panels_of(record, before, language)
    return PAGE.format(
        language=language,
        title=escape(word("title", language)),
        pale=PALE,
        colors="\n".join(f".color{number} {{ fill: {color}; }}" for number, color in enumerate(COLORS)),
        head="\n".join(_head(record, before, language)),
        panels="\n".join(_figure(panel) for panel in panels),
        bars=escape(word("bars", language)),
        tables="\n".join([*_tables(record, before, language), *_failures(record, language)]),
    )


def write_html(record: Record, before: Record | None, path: Path, language: Language) -> None:
    """Writes the page, in UTF-8. Raises OSError."""
    path.write_text(render_html(record, before, language), encoding="utf-8")


def _head(record: Record, before: Record | None, language: Language) -> Iterable[str]:
    if before is None:
        yield f"<p>{_run(record)}</p>"
    else:
        names = series_names(before, record, language)
        keys = (f'<span><i class="key bar{number}"></i>{escape(name)}</span>' for number, name in enumerate(names))
        yield f'<p class="legend">{"".join(keys)}</p>'
        yield from (f'<p class="soft">{_run(each)}</p>' for each in (before, record))
        if changed := differences(before, record):
            yield f'<p class="soft">{escape(word("different", language))}: {escape("; ".join(changed))}</p>'
    stopped = f" ({escape(word('incomplete', language))})" if not record.complete else ""
    yield f'<p class="soft">{escape(asked(record, language))}{stopped}</p>'


def _run(record: Record) -> str:
    date = record.date.astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return f"<strong>{escape(record.label)}</strong> {escape(record.settings.url)} {escape(date)}"


def _figure(panel: Panel) -> str:
    both = len({bar.series for bar in panel.bars}) > 1
    tops = [number * ROW + bar.group * (GAP if both else 0) for number, bar in enumerate(panel.bars)]
    rows = "".join(_row(top, bar, panel.edge, both) for top, bar in zip(tops, panel.bars, strict=True))
    spoken = "; ".join(f"{bar.model}, {bar.run}: {bar.text}" for bar in panel.bars)
    height = max(tops, default=0) + ROW + 4
    return (
        f"<figure><figcaption>{escape(panel.title)}<small>{escape(panel.hint)}</small></figcaption>\n"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(spoken)}">{rows}</svg></figure>'
    )


def _row(top: int, bar: Bar, edge: float, both: bool) -> str:
    middle = top + 24 + BAR / 2
    width = (bar.value or 0) / edge * REACH
    kind = f"bar{bar.series} color{bar.color % len(COLORS)}"
    name = f"{shortened(bar.model, 36)}  {shortened(bar.run, 20)}" if both else shortened(bar.model, 58)
    end, whisker = width, ""
    if bar.low is not None and bar.high is not None:
        end = max(width, bar.high / edge * REACH)
        whisker = (
            f'<line x1="{bar.low / edge * REACH:.1f}" x2="{bar.high / edge * REACH:.1f}" y1="{middle}" y2="{middle}"/>'
        )
    return (
        f'<text class="name" x="0" y="{top + 17}">{escape(name)}</text>'
        f'<rect class="{kind}" x="0" y="{top + 24}" width="{width:.1f}" height="{BAR}" rx="2"/>{whisker}'
        f'<text x="{end + 8:.1f}" y="{middle + 6}">{escape(bar.text)}</text>'
    )


def _tables(record: Record, before: Record | None, language: Language) -> Iterable[str]:
    if before is None:
        yield _table(
            [word("figure", language), *(each.model for each in record.models)],
            [
                [title(metric, language), *(show(metric, metric.of(each)) for each in record.models)]
                for metric in METRICS
            ],
        )
        return
    names = series_names(before, record, language)
    for pair in pairs(before, record):
        models = (pair.before.model, pair.after.model)
        heads = [f"{name}: {model}" for name, model in zip(names, models, strict=True)]
        rows = [
            [title(metric, language), show(metric, metric.of(pair.before)), show(metric, metric.of(pair.after))]
            for metric in METRICS
        ]
        verdicts = [verdict(pair, metric, language) for metric in METRICS]
        yield _table([word("figure", language), *heads, word("ratio", language)], rows, verdicts)


def _table(heads: list[str], rows: list[list[str]], verdicts: Sequence[tuple[str, str]] | None = None) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = ""
    for number, row in enumerate(rows):
        cells = "".join(f"<td>{escape(each)}</td>" for each in row)
        if verdicts is not None:
            text, kind = verdicts[number]
            cells += f'<td class="{kind}">{escape(text)}</td>'
        body += f"<tr>{cells}</tr>\n"
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _failures(record: Record, language: Language) -> Iterable[str]:
    if not record.failed:
        return
    yield f"<h2>{escape(word('failures', language))}</h2><ul>"
    for each in record.models:
        for failure in each.failures:
            detail = f": {failure.detail}" if failure.detail else ""
            yield f"<li>{escape(f'{each.model}: {failure.count} x {reason(failure.reason, language)}{detail}')}</li>"
    yield "</ul>"
