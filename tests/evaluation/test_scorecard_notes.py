"""What scorecards say of scores that one model lacks, and how panels with different rows are laid out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from evaluation.card import panels
from evaluation.card_page import card_page
from evaluation.compare import compare
from evaluation.plots.card import card_figure
from forecast.cli_scorecard import scorecard
from tests.evaluation.score_series import daily, scored, series_sums, write_series

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.compare import Comparison


@pytest.fixture(scope="module")
def lacking() -> Comparison:
    """The second has no spread, as persistence has none."""
    ours, theirs = (scored(name, {"2m_temperature": series_sums(daily(12), scale=scale)})
                    for name, scale in (("forecast", 0.9), ("persistence", 1.0)))  # fmt: skip
    own = theirs.sums["2m_temperature"]
    names = ("total_expected_squared_error", "weight_expected_squared_error")
    without = own.assign({name: 0 * own[name] for name in names})
    return compare(ours, replace(theirs, sums={"2m_temperature": without}), ["crps", "spread_skill"])


def test_what_one_of_them_has_not_is_told_on_the_page_and_on_the_picture(lacking):
    assert "spread_skill: persistence has none" in lacking.notes
    assert {panel.metric for panel in panels(lacking)} == {"crps"}
    assert "<li>spread_skill: persistence has none</li>" in card_page(lacking)
    figure = card_figure(lacking)
    (foot,) = [text for text in figure.texts if text.get_text().startswith("note: ")]
    assert "note: spread_skill: persistence has none" in foot.get_text()
    box = foot.get_window_extent()
    assert box.y0 >= 0
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_notes_are_told_by_the_command(tmp_path):
    app = typer.Typer()
    app.command()(scorecard)
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(daily(5))}, metrics=("crps",))
    result = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "card.png")])
    assert "\nnote: 5 initial times: nothing is claimed with fewer than 10\n" in result.output


def test_panels_with_other_thresholds_are_below_the_others():
    """None has rows that are empty because another score has other thresholds."""

    def sums(scale: float) -> dict[str, xr.Dataset]:
        own = series_sums(daily(12), scale=scale, regions=("global", "tropics"))
        levelled = own["total_crps"].expand_dims(quantile_level=[0.1, 0.9], axis=-1)
        return {"2m_temperature": own.assign(total_quantile_score=levelled, weight_quantile_score=own["weight_crps"])}

    names = ("crps", "rmse", "quantile_score")
    ours, theirs = (scored(name, sums(scale), metrics=names) for name, scale in (("a", 0.9), ("b", 1.0)))
    axes = [own for own in card_figure(compare(ours, theirs)).axes if own.get_yticks().size and own.axison]
    counts = [len(own.get_yticks()) for own in axes]
    assert counts == [1, 1, 2, 1, 1, 2]
    assert [len(own.collections) for own in axes] == [3 * count for count in counts], "every cell has a mark"
    crps, rmse, quantile = (own.get_position() for own in axes[:3])
    assert crps.y0 == rmse.y0 > quantile.y1
    assert crps.x0 == quantile.x0 < rmse.x0
