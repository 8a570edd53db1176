"""The report of a run as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from forecast.service.durations import show_duration
from forecast.service.report_curves import growth_chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.output import Manifest
    from forecast.service.ledger import Event
    from forecast.service.report_curves import Growth

REPORT = "report.html"
"""Its name in a cycle's folder."""

_LONGEST_SAID = 100
"""Characters of what was said of an earlier try; 'sphercast jobs show' has it whole."""

_SAFE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may do with the page: show its own pictures and styles, whatever a text in it says."""

_STYLE = """
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; color: #1c2430; background: #f4f6f8;
  margin: 0; }
main { max-width: 84rem; margin: 0 auto; padding: 1.2rem 1.5rem 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid #c9d1d9; }
p { margin: .3rem 0; max-width: 60rem; }
.facts { color: #46505c; }
.state { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-weight: 600; font-size: .85rem; }
.good { background: #d7efdd; color: #10521f; }
.bad { background: #fbdcd5; color: #7a1d09; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
.maps.tall { grid-template-columns: 1fr; max-width: 62rem; }
figure { margin: 0; background: #fff; border: 1px solid #dde3e9; border-radius: .4rem; padding: .5rem; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .85rem; color: #46505c; padding: .3rem .2rem 0; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; }
.curves svg { display: block; width: 19rem; height: auto; max-width: 100%; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; background: #fff; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem; border: 1px solid #dde3e9; }
th { font-weight: 600; background: #eef2f5; white-space: nowrap; }
td { min-width: 6.8rem; }
code { font-size: .82rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { main { padding: .8rem .7rem 2rem; } th, td { padding: .2rem .4rem; } }
@media print { body { background: #fff; } figure { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Picture:
    """What it shows in words, and a PNG, or a GIF where ``kind`` says so."""

    words: str
    content: bytes
    kind: str = "png"


@dataclass(frozen=True)
class Report:
    """What the page shows: key ``maps``, pictures of ``places``, ``growth`` of the spread, ``events`` of the ledger."""

    job: str
    manifest: Manifest
    maps: Sequence[Picture]
    places: Sequence[Picture]
    growth: Sequence[Growth]
    events: Sequence[Event]


def page(report: Report) -> str:
    """HTML; every text is escaped, and no script can run."""
    manifest = report.manifest
    title = escape(f"{report.job}: forecast from {manifest.initial_time.replace('T', ' ')} UTC")
    parts = [
        _section("Maps", f'<div class="maps">{_figures(report.maps)}</div>'),
        _section("At places", f'<div class="maps tall">{_figures(report.places)}</div>') if report.places else "",
        _section("Spread", _growth(report.growth)),
        _section("Guards", _guards(manifest)),
        _section("Timings", _timings(manifest, report.events)),
        _section("Provenance", _provenance(manifest)),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_SAFE}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n<h1>{title}</h1>\n{_facts(manifest)}{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _facts(manifest: Manifest) -> str:
    members, stopped = len(manifest.members), len(manifest.stopped)
    days = manifest.steps * manifest.step_hours / 24
    state = f"{stopped} of {members} members stopped" if stopped else "complete"
    said = f"{_counted(members, 'member')}, {days:g} day{'s' * (days != 1)} in {_counted(manifest.steps, 'step')}"
    mark = f'<span class="state {"bad" if stopped else "good"}">{state}</span>'
    return (
        f'<p class="facts">{mark} {said} of {manifest.step_hours:g} h; checkpoint {escape(manifest.checkpoint)}</p>\n'
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>\n"


def _figures(pictures: Iterable[Picture]) -> str:
    return "\n".join(
        f'<figure><img alt="{escape(own.words)}" src="data:image/{own.kind};base64,{b64encode(own.content).decode()}">'
        f"<figcaption>{escape(own.words)}</figcaption></figure>"
        for own in pictures
    )


def _growth(growth: Sequence[Growth]) -> str:
    if not growth:
        return "<p>A single forecast has no spread.</p>"
    about = "The root of the area's mean ensemble variance, against days of lead time."
    charts = "\n".join(f"<figure>{growth_chart(own)}</figure>" for own in growth)
    return f'<p>{about}</p>\n<div class="curves">{charts}</div>'


def _guards(manifest: Manifest) -> str:
    if not manifest.stopped:
        return "<p>Every member came to the end: no value was missing or beyond its physical bounds.</p>"
    rows = [(f"{own.member}", f"{own.step}", own.time, own.reason) for own in manifest.stopped]
    said = f"<p>All members have values up to {manifest.hours_complete:g} h. These are missing from there on:</p>\n"
    return said + _table(("Member", "From step", "Valid (UTC)", "Why"), rows)


def _timings(manifest: Manifest, events: Sequence[Event]) -> str:
    """How long each state of the ledger lasted; the last one is that in which this page is made."""
    ends = [*(event.time for event in events[1:]), None]
    rows = [
        (
            f"{event.time:%Y-%m-%d %H:%M:%S}",
            event.state,
            _short(event.message),
            _took(end - event.time) if end else "now",
        )
        for event, end in zip(events, ends, strict=True)
    ]
    computed = f"<p>Computed and written from {escape(manifest.started)} to {escape(manifest.finished)}.</p>\n"
    return computed + _table(("Began (UTC)", "State", "What was said", "Took"), rows)


def _provenance(manifest: Manifest) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    rows = [
        ("Checkpoint", manifest.checkpoint), ("its sha256", manifest.checkpoint_sha256),
        ("Initial data", manifest.initial_data), ("their sha256", manifest.initial_sha256),
        ("Perturbation", manifest.perturbation), ("Seed", f"{manifest.seed}"), ("Made with", versions),
    ]  # fmt: skip
    files = [(file.name, f"{file.bytes / 1e6:.1f} MB", file.sha256) for file in manifest.files]
    return f"{_table((), rows)}\n<p></p>\n{_table(('File', 'Size', 'sha256'), files)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Without a head the first cell of each row is one."""
    first = "td" if head else "th"
    heads = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>\n" if head else ""
    body = "\n".join(
        f"<tr><{first}>{escape(own)}</{first}>{''.join(f'<td>{_cell(text)}</td>' for text in rest)}</tr>"
        for own, *rest in rows
    )
    return f'<div class="scroll"><table>\n{heads}{body}\n</table></div>'


def _cell(text: str) -> str:
    is_hash = len(text) == 64 and text.isalnum()
    return f"<code>{escape(text)}</code>" if is_hash else escape(text)


def _short(said: str) -> str:
    return said if len(said) <= _LONGEST_SAID else f"{said[: _LONGEST_SAID - 4].rstrip()} ..."


def _took(length: timedelta) -> str:
    return show_duration(length) if length >= timedelta(seconds=1) else "under 1 s"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
