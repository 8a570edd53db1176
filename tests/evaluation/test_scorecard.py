"""Scorecards: what is on them, and the page, the picture and the table that show it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.image import imread
from typer.testing import CliRunner

from data_pipeline.errors import ScoreError
from evaluation.card import BETTER, UNSURE, WORSE, Panel, panels, words
from evaluation.card_page import card_page
from evaluation.compare import compare
from evaluation.comparison_text import Row
from evaluation.plots.card import card_figure
from evaluation.scorecard import write_scorecard
from evaluation.scored import open_pair
from tests.evaluation.score_series import daily, scored, series_sums, write_series

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.compare import Comparison
    from evaluation.scored import Scored

VOID = {"meta"}


def sums(scale: float, count: int = 30) -> dict[str, xr.Dataset]:
    return {
        "2m_temperature": series_sums(daily(count), scale=scale),
        "geopotential": series_sums(daily(count), scale=2 - scale, levels=(500, 850), units="m2 s-2", seed=1),
    }


def pair(count: int = 30) -> list[Scored]:
    """Better at 2 m temperature, worse at geopotential, called with characters that HTML must not take for its own."""
    named = (("new<b>", 0.9), ("old&co", 1.0))
    return [scored(name, sums(scale, count), metrics=("crps", "rmse")) for name, scale in named]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(*pair())


@pytest.fixture(scope="module")
def few() -> Comparison:
    return compare(*pair(5))


class Page(HTMLParser):
    """Counts tags, checks that each is closed, keeps titles of cells and what is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.fills: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.tags.add(tag)
        self.loads += [str(about[key]) for key in ("src", "href") if key in about]
        if tag == "td" and "aria-label" in about:
            self.cells.append(str(about["aria-label"]))
            assert about["tabindex"] == "0"  # keys and taps reach it
        if tag == "polygon":
            self.fills.append(str(about["fill"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


def test_panels_are_regions_by_metrics(comparison):
    found = panels(comparison)
    assert [(panel.region, panel.metric) for panel in found] == [
        ("global", "crps"), ("global", "rmse"), ("tropics", "crps"), ("tropics", "rmse"),
    ]  # fmt: skip
    assert [(row.variable, row.level) for row in found[0].rows] == [
        ("2m_temperature", None), ("geopotential", 500), ("geopotential", 850),
    ]  # fmt: skip
    assert found[0].leads() == [24.0, 48.0, 72.0]
    assert found[0].title == "CRPS, global"


def test_marks_grow_with_the_improvement(comparison):
    panel = panels(comparison)[0]
    warm, high = panel.rows[0], panel.rows[1]
    up, down = panel.mark(warm, 24.0), panel.mark(high, 24.0)
    assert (up.better, down.better, up.significant, down.significant) == (True, False, True, True)
    assert (up.colour, down.colour) == (BETTER, WORSE)
    gain = abs(float(warm.cells["improvement"].sel(lead_time=24.0)))
    assert up.size == pytest.approx(np.clip(np.sqrt(gain / panel.full), 0.3, 1))
    assert panel.mark(warm, 96.0) is None


def test_few_times_give_marks_that_claim_nothing(few):
    panel = panels(few)[0]
    mark = panel.mark(panel.rows[0], 24.0)
    assert (mark.claimed, mark.significant, mark.colour) == (False, False, UNSURE)


def test_words_say_all_numbers_in_units_people_use(comparison, few):
    row = panels(comparison)[0].rows[1]
    cell = row.cells.sel(lead_time=48.0)
    text = words(comparison, row, cell)
    assert text.startswith("500 hPa geopotential height, CRPS, global, 2 d: improvement -")
    assert " % (95% interval -" in text
    assert "p < 0.001, significant; new<b> 0." in text
    assert text.endswith(" m; 30 initial times")
    row = panels(few)[0].rows[0]
    assert "no claim; new<b>" in words(few, row, row.cells.sel(lead_time=24.0))


def test_differences_of_scores_are_told_as_such_and_none_is_a_dot():
    comparison = compare(*(scored(name, sums(1.0), metrics=("spread_skill",)) for name in ("a", "b")))
    panel = panels(comparison)[0]
    assert panel.scale == "full size: 0.01"
    row = panel.rows[0]
    assert "improvement +0.000 (95% interval " in words(comparison, row, row.cells.sel(lead_time=24.0))
    mark = panel.mark(row, 24.0)
    assert (mark.size, mark.colour, mark.significant) == (0.0, UNSURE, False)
    assert card_page(comparison).count("<circle") == 2 * 3 * 3
    drawn = [mark for axes in card_figure(comparison).axes for mark in axes.collections]
    assert sum(len(mark.get_paths()[0].vertices) > 4 for mark in drawn) == 2 * 3 * 3  # circles


def test_scores_with_units_say_how_much_better_in_their_units():
    cells = panels(compare(*pair()))[0].rows[1].cells
    high = cells.assign_attrs(direction="higher")
    row = Row("crps_resolution", "geopotential", 500, "global", high)
    assert row.unit == "hundredths of m2 s-2"
    assert Panel("global", "crps_resolution", [row], 200.0).scale == "full size: 2 m2 s-2"
    warm = row._replace(cells=high.assign_attrs(units="K"))
    assert Panel("global", "crps_resolution", [row, warm], 200.0).scale == "full size: 2, each in its units"


def test_the_page_needs_nothing_else_and_holds_every_number(comparison):
    text = card_page(comparison)
    page = read(text)
    assert page.loads == []
    assert {"script", "link", "img"}.isdisjoint(page.tags)
    assert "url(" not in text
    assert "http" not in text
    assert len(page.cells) == 2 * 2 * 3 * 3
    assert words(
        comparison, panels(comparison)[0].rows[0], panels(comparison)[0].rows[0].cells.sel(lead_time=24.0)
    ) in (page.cells)
    assert "<b>" not in text
    assert "new&lt;b&gt; against old&amp;co" in text
    assert {BETTER, WORSE} <= set(page.fills)


def test_the_page_tells_the_notes_and_leaves_empty_what_is_not_scored(few):
    ours, theirs = pair()
    late = theirs.sums["geopotential"].sel(lead_time=72.0)
    for name in late.data_vars:
        theirs.sums["geopotential"][name].loc[{"lead_time": 72.0}] = 0.0
    page = card_page(compare(ours, theirs, ["crps"]))
    assert page.count("<td></td>") == 2 * 2
    page = card_page(few)
    assert "<li>5 initial times: nothing is claimed with fewer than 10</li>" in page
    assert set(read(page).fills) == {"none", BETTER, WORSE}  # the two in the legend


def test_the_picture_has_a_triangle_for_every_cell(comparison):
    figure = card_figure(comparison)
    panels_drawn = [axes for axes in figure.axes if axes.axison]
    assert len(panels_drawn) == 4
    marks = [mark for axes in panels_drawn for mark in axes.collections if isinstance(mark, PathCollection)]
    assert len(marks) == 2 * 2 * 3 * 3
    assert {to_hex(mark.get_edgecolor()[0]) for mark in marks} == {BETTER, WORSE}
    labels = [tick.get_text() for tick in panels_drawn[0].get_yticklabels()]
    assert labels == ["2 m temperature", "500 hPa geopotential height", "850 hPa geopotential height"]
    assert [tick.get_text() for tick in panels_drawn[1].get_yticklabels()] == ["", "", ""]
    text = " ".join(text.get_text() for text in figure.texts)
    assert "new<b> against old&co" in text
    assert "30 initial times, 2020-01-01 00:00 to 2020-01-30 00:00 UTC, every 24 h" in text.replace("\n", " ")


def test_files_by_suffix(comparison, tmp_path):
    for suffix in ("html", "csv"):
        write_scorecard(comparison, tmp_path / f"card.{suffix}")
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "card.csv").read_text().startswith("metric,variable")
    with pytest.raises(ScoreError, match=r"got card\.pdf, expected a scorecard's name that ends in \.html"):
        write_scorecard(comparison, tmp_path / "card.pdf")


def test_one_initial_time_has_no_step():
    alone = compare(*pair(1))
    assert "<p>1 initial time, 2020-01-01 00:00 UTC; new" in card_page(alone)
    text = " ".join(text.get_text() for text in card_figure(alone).texts).replace("\n", " ")
    assert "1 initial time, 2020-01-01 00:00 UTC; new" in text


def test_a_card_without_numbers_is_refused(comparison, tmp_path):
    blank = {key: cells.assign(improvement=cells["improvement"] * np.nan) for key, cells in comparison.cells.items()}
    with pytest.raises(ScoreError, match="no score of new<b> can be set against one of old&co"):
        write_scorecard(replace(comparison, cells=blank), tmp_path / "card.html")


def test_a_map_is_no_card(tmp_path):
    own = {"2m_temperature": series_sums(daily(10), regions=[f"point-{number}" for number in range(25)])}
    comparison = compare(*open_pair([write_series(tmp_path / "s.nc", own)]), ["rmse"])
    with pytest.raises(ScoreError, match="got scores of 25 regions, expected at most 24 on a card"):
        write_scorecard(comparison, tmp_path / "card.html")
    write_scorecard(comparison, tmp_path / "card.csv")


def test_commands(tmp_path):
    import typer

    from forecast.cli_scorecard import score_app, scorecard

    runner = CliRunner()
    paths = [
        str(write_series(tmp_path / f"{name}.nc", sums(scale, 12), metrics=("crps", "rmse")))
        for name, scale in (("new<b>", 0.9), ("old&co", 1.0))
    ]
    result = runner.invoke(score_app, ["compare", *paths, "--scores", "crps, rmse", "--out", str(tmp_path / "c.nc")])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("new<b> against old&co: improvement; + where new<b> is better")
    assert (tmp_path / "c.nc").exists()
    result = runner.invoke(score_app, ["compare", paths[0], "--against", "climatology", "--json"])
    assert result.output.startswith('{"attributes": {"title": "forecast against climatology"')
    app = typer.Typer()
    app.command()(scorecard)
    result = runner.invoke(app, [*paths, "--out", str(tmp_path / "card.png"), "--test", "geer"])
    assert result.output == f"scorecard: {tmp_path / 'card.png'}\n"
    assert imread(tmp_path / "card.png").shape[2] == 4
