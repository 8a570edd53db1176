"""The report of a run: one file, everything in it, nothing that runs."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from data_pipeline.errors import ConfigError
from evaluation.plots.fields import select
from forecast import cli_jobs_report
from forecast.cli import app
from forecast.cli_jobs_checks import _blank, check_afterwards
from forecast.cli_jobs_report import report_steps
from forecast.cli_jobs_steps import plot_steps
from forecast.output.layout import select as selection
from forecast.output.manifest import Manifest, PublishedFile, StoppedMember
from forecast.service.job_file import JobFile, load_job
from forecast.service.ledger import Event
from forecast.service.report import Picture, Report, page
from forecast.service.report_curves import Growth, growth_chart, ticks
from forecast.service.states import State
from tests.forecast.service.test_checks import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BAD = "<script>alert('x')</script>\" onerror=\"y"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MANIFEST = Manifest(
    complete=True, initial_time="2026-03-02T00", members=(0, 1, 2), steps=4, step_hours=6.0, hours_complete=24.0,
    checkpoint=BAD, checkpoint_sha256="a" * 64, seed=3, initial_data=BAD, initial_sha256="b" * 64, perturbation=BAD,
    versions={"sphercast": BAD}, started="2026-03-02T12:00:00Z", finished="2026-03-02T12:05:00Z",
    files=(PublishedFile(name=BAD, bytes=2_500_000, sha256="c" * 64),),
)  # fmt: skip
STOP = StoppedMember(member=1, step=3, time="2026-03-02T18", reason=f"not finite {BAD}")
EVENTS = [
    Event(NOON, State.FETCHING, BAD),
    Event(NOON + timedelta(seconds=90), State.FORECASTING, "forecasting and writing"),
    Event(NOON + timedelta(seconds=90.5), State.PROCESSING, "making the report"),
]
GROWTH = Growth(f"500 hPa {BAD}", "dam", [6.0, 12.0, 24.0], [0.5, 1.0, 2.71])
REPORT = Report(BAD, MANIFEST, [Picture(BAD, b"map")], [Picture(BAD, b"place")], [GROWTH], EVENTS)


class Parts(HTMLParser):
    """Elements with their attributes, and the text of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for own, attributes in self.elements if own == tag]


def test_nothing_in_it_runs() -> None:
    parts = Parts(page(replace(REPORT, manifest=MANIFEST.model_copy(update={"stopped": (STOP,)}))))
    assert parts.all("script") == []
    assert not [name for _, attributes in parts.elements for name in attributes if name.startswith("on")]
    assert parts.text.count("<script>alert('x')</script>") == 13, "every text is there, as text"
    policy = parts.all("meta")[1]["content"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_it_needs_nothing_else() -> None:
    text = page(REPORT)
    parts = Parts(text)
    assert "http:" not in text
    assert "https:" not in text
    images = parts.all("img")
    assert [base64.b64decode(str(own["src"]).removeprefix("data:image/png;base64,")) for own in images] == [
        b"map", b"place",
    ]  # fmt: skip
    assert {own["alt"] for own in images} == {BAD}
    assert parts.all("html")[0]["lang"] == "en"


def test_what_it_says() -> None:
    words = Parts(page(REPORT)).text
    for expected in ("complete", "3 members, 1 day in 4 steps", "Every member came to the end", "1 min 30 s",
                     "under 1 s", "a" * 64, "2.5 MB", "T12:00:00Z to 2026-03-02T12:05:00Z", "Seed\n3"):  # fmt: skip
        assert re.search(expected, words), expected


def test_stopped_members_are_told() -> None:
    stopped = MANIFEST.model_copy(update={"stopped": (STOP,), "complete": False, "hours_complete": 12.0})
    words = Parts(page(replace(REPORT, manifest=stopped))).text
    assert "1 of 3 members stopped" in words
    assert "All members have values up to 12 h" in words
    assert "not finite" in words


def test_a_single_forecast() -> None:
    words = Parts(page(replace(REPORT, growth=[], places=[]))).text
    assert "A single forecast has no spread." in words
    assert "At places" not in words


def test_the_chart_of_growth() -> None:
    parts = Parts(growth_chart(GROWTH))
    (svg,), (line,) = parts.all("svg"), parts.all("polyline")
    assert str(svg["aria-label"]).endswith("spread 0.5 after 0.25 days, 2.71 after 1")
    points = [tuple(map(float, point.split(","))) for point in str(line["points"]).split()]
    assert [x for x, _ in points] == pytest.approx([110, 176, 308])
    assert [y for _, y in points] == pytest.approx([174 - 144 * value / 3 for value in GROWTH.spread], abs=0.06)


@pytest.mark.parametrize("largest", [1e-9, 0.3, 1.0, 2.6, 7.0, 10.0, 49.9, 1e6])
def test_ticks_are_few_and_reach_far_enough(largest: float) -> None:
    found = ticks(largest)
    assert found[0] == 0
    assert 3 <= len(found) <= 6
    assert largest * (1 - 1e-9) <= found[-1] <= 2 * largest


def test_no_spread_at_all() -> None:
    assert ticks(0.0) == ticks(float("nan")) == [0.0, 1.0]


def test_the_area_mean_of_spread() -> None:
    """Members that differ by d have a variance of d**2 / 2; wide rows count as their area."""
    run = _blank(selection(LAYOUT, JobFile.model_fields["outputs"].default[0]))
    rows = np.arange(8.0)
    values = np.zeros(run["mean_sea_level_pressure"].shape)
    values[:, 1] = 100 * rows[:, None]
    run["mean_sea_level_pressure"] = run["mean_sea_level_pressure"].dims, values
    (found,) = (own for own in cli_jobs_report._growth(run) if own.units == "hPa")
    weights = LAYOUT.grid.area_weights()
    expected = np.sqrt(np.average(rows**2 / 2, weights=weights))
    assert found.spread == pytest.approx([expected] * 4)
    assert found.hours == [6, 12, 18, 24]
    values[:, :, 7, :] = np.nan
    run["mean_sea_level_pressure"] = run["mean_sea_level_pressure"].dims, values
    assert cli_jobs_report._mean_spread(select(run, "mean_sea_level_pressure", None, None)) == pytest.approx(
        np.sqrt(np.average(rows[:7] ** 2 / 2, weights=weights[:7]))
    )
    assert list(cli_jobs_report._growth(run.isel(realization=[0]))) == []


def test_a_place_outside() -> None:
    job = JobFile.model_validate({
        "name": "t", "checkpoint": "planet", "source": {"kind": "gefs"}, "folder": "x", "report": True,
        "outputs": [{"region": [-60, 60, 0, 90]}], "places": {"Nadi": [-17.8, 177.4]},
    })  # fmt: skip
    assert job.main_output is not None
    with pytest.raises(ConfigError, match=r"the report has no meteogram of Nadi: .*outside"):
        check_afterwards(job, selection(LAYOUT, job.main_output))


@pytest.fixture
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("_as_before")
def test_of_a_run(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "name": "mini", "checkpoint": "planet", "source": {"kind": "folder", "path": "sample"}, "folder": "out",
        "members": 2, "days": 2, "cycles": [0], "report": True, "places": {"Vienna": [48.2, 16.4]},
        "outputs": [{"variables": ["geopotential"], "levels": [500]}],
    }  # fmt: skip
    path, folder = tmp_path / "job.yaml", tmp_path / "out" / "20010106T00"
    path.write_text(yaml.safe_dump(given))
    ended = CliRunner().invoke(app, ["run", str(path), "--cycle", "2001-01-06T00"])
    assert ended.exit_code == 0, ended.output
    parts = Parts((folder / "report.html").read_text())
    assert [own["alt"] for own in parts.all("img")] == [
        "mean and spread of geopotential at 500 hPa, T+48 h", "Meteogram of Vienna, 48.2° N 16.4° E",
    ]  # fmt: skip
    assert len(parts.all("polyline")) == 1
    assert "fetching the initial conditions" in parts.text
    plots: list[dict[str, Any]] = [
        {"name": "z.png", "variable": "geopotential", "kind": "mean_spread", "level": 500},
        {"name": "z.gif", "variable": "geopotential", "animate": True},
        {"name": "v.png", "kind": "plume", "at": "Vienna", "variable": ["geopotential_500"]},
    ]
    path.write_text(yaml.safe_dump({**given, "plots": plots}))
    job = load_job(path)
    for step in (*plot_steps(job), *report_steps(job)):
        step.make(folder)
    images = Parts((folder / "report.html").read_text()).all("img")
    assert [own["alt"] for own in images] == [
        "z.png: mean and spread of geopotential at 500 hPa", "z.gif: mean of geopotential, all lead times",
        "v.png: plume at Vienna", "Meteogram of Vienna, 48.2° N 16.4° E",
    ]  # fmt: skip
    kinds = [str(own["src"]).partition(";")[0] for own in images]
    assert kinds == ["data:image/png", "data:image/gif", "data:image/png", "data:image/png"]
    assert str(images[2]["src"]).endswith(base64.b64encode((folder / "v.png").read_bytes()).decode())


def test_long_words_of_earlier_tries_are_shortened() -> None:
    lines = [Event(NOON, State.WAITING, "x" * 300), Event(NOON, State.FORECASTING, "y" * 100)]
    shown = page(replace(REPORT, events=lines))
    assert f"<td>{'x' * 96} ...</td>" in shown
    assert f"<td>{'y' * 100}</td><td>now</td>" in shown
