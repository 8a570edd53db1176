"""The scorecard as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from evaluation.card import Mark, Panel, about_times, panels, words
from evaluation.shown import capital, lead_name

if TYPE_CHECKING:
    from evaluation.compare import Comparison
    from evaluation.comparison_text import Row

_STYLE = """
body { font: 14px/1.45 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  margin: 1.5rem 1.5rem 6rem; }
h1 { font-size: 1.35rem; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; margin: 1.4rem 0 .2rem; border-bottom: 1px solid #ccc; }
p, ul { margin: .2rem 0; max-width: 75rem; }
.panels { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; }
.scroll { overflow-x: auto; max-width: 100%; padding-bottom: .3rem; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: 600; padding: .5rem 0 .2rem; }
caption span { font-weight: 400; color: #555; }
th { font-weight: 400; white-space: nowrap; }
thead th { font-size: 12px; color: #444; padding: 0 2px; }
tbody th { text-align: left; padding: 0 .8rem 0 0; position: sticky; left: 0; background: #fff; }
td { border: 1px solid #e2e2e2; padding: 0; min-width: 30px; height: 24px; text-align: center; }
td[aria-label]:hover, td[aria-label]:focus { background: #fff3c4; outline: 2px solid #1a1a1a; outline-offset: -2px; }
td[aria-label]:hover::after, td[aria-label]:focus::after { content: attr(aria-label); position: fixed; z-index: 1;
  left: 0; right: 0; bottom: 0; padding: .6rem 1.5rem; background: #1a1a1a; color: #fff; text-align: left;
  pointer-events: none; }
tr.first th, tr.first td { border-top: 2px solid #bbb; }
svg { width: 22px; height: 22px; vertical-align: middle; }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; }
@media (max-width: 40rem) {
  body { margin: .7rem .7rem 8rem; }
  tbody th { white-space: normal; min-width: 8.2rem; padding: .2rem .4rem .2rem 0; font-size: 13px; line-height: 1.2; }
}
@media print { .scroll { overflow: visible; } }
"""


def card_page(comparison: Comparison) -> str:
    """HTML; the numbers of a cell are shown at the foot of the window when it is pointed at, tapped or reached by key.

    Screen readers read them out.
    """
    regions: dict[str, list[Panel]] = {}
    for panel in panels(comparison):
        regions.setdefault(panel.region, []).append(panel)
    tables = {region: "".join(_table(comparison, panel) for panel in own) for region, own in regions.items()}
    sections = "".join(
        f'<h2>{escape(region)}</h2>\n<div class="panels">\n{own}</div>\n' for region, own in tables.items()
    )
    title = escape(f"Scorecard: {comparison.attributes['title']}")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{title}</h1>\n{_preface(comparison)}{sections}{_notes(comparison)}</body>\n</html>\n"
    )


def _preface(comparison: Comparison) -> str:
    about = comparison.attributes
    ours, theirs = escape(comparison.ours), escape(comparison.theirs)
    keys = [
        (Mark(True, 1.0, True, True), f"{ours} better, significant"),
        (Mark(True, 0.7, False, True), f"{ours} better, not significant"),
        (Mark(False, 1.0, True, True), f"{theirs} better, significant"),
        (Mark(False, 0.7, False, True), f"{theirs} better, not significant"),
        (Mark(True, 0.7, False, False), "no claim: too few initial times"),
    ]
    legend = "".join(f"<li>{_triangle(mark)} {text}</li>" for mark, text in keys)
    return (
        f"<p>{escape(about_times(comparison))}.</p>\n"
        f"<p>{escape(capital(about['test']))}; false discovery rate {escape(about['false_discovery_rate'])}.</p>\n"
        f'<ul class="key">{legend}</ul>\n'
        "<p>The area of a triangle grows with the improvement. Point at a cell, or tap it, for its numbers.</p>\n"
    )


def _notes(comparison: Comparison) -> str:
    items = "".join(f"<li>{escape(note)}</li>\n" for note in comparison.notes)
    return f"<h2>Notes</h2>\n<ul>\n{items}</ul>\n" if items else ""


def _table(comparison: Comparison, panel: Panel) -> str:
    leads = panel.leads()
    head = "".join(f'<th scope="col">{lead_name(hours)}</th>' for hours in leads)
    body, last = "", None
    for row in panel.rows:
        cells = "".join(_cell(comparison, panel, row, hours) for hours in leads)
        kind = ' class="first"' if row.variable != last else ""
        body += f'<tr{kind}><th scope="row">{escape(row.name)}</th>{cells}</tr>\n'
        last = row.variable
    return (
        f'<div class="scroll"><table>\n<caption>{escape(panel.title)} <span>({escape(panel.scale)})</span></caption>\n'
        f"<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _cell(comparison: Comparison, panel: Panel, row: Row, hours: float) -> str:
    cell, mark = panel.cell(row, hours), panel.mark(row, hours)
    if cell is None or mark is None:
        return "<td></td>"
    text = escape(words(comparison, row, cell), quote=True)
    return f'<td tabindex="0" aria-label="{text}">{_triangle(mark)}</td>'


def _triangle(mark: Mark) -> str:
    if not mark.size:
        return f'<svg viewBox="-11 -11 22 22" aria-hidden="true"><circle r="2" fill="{mark.colour}"/></svg>'
    reach, sign = 9 * mark.size, 1 if mark.better else -1
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in
                      ((0, -sign * reach), (reach, sign * reach * 0.8), (-reach, sign * reach * 0.8)))  # fmt: skip
    face = mark.colour if mark.significant else "none"
    return (
        f'<svg viewBox="-11 -11 22 22" aria-hidden="true"><polygon points="{points}" fill="{face}" '
        f'stroke="{mark.colour}" stroke-width="1.4"/></svg>'
    )
