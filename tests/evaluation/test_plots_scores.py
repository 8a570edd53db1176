"""Pictures of scores: what is drawn, its titles and units, and every message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from data_pipeline.errors import DataError, ScoreError
from evaluation.by_group import in_groups
from evaluation.estimates import Trial, score_of
from evaluation.plots.curves import curve_figure
from evaluation.plots.frames import COLOURS, GREYS
from evaluation.plots.scores import KINDS, draw_scores
from evaluation.score_files import read_sums
from tests.evaluation.score_series import daily, series_sums, write_series

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


def curves(sums: xr.Dataset, metrics=("crps",), **options):
    known = {"variable": "2m_temperature", "level": None, "region": "tropics", "baselines": ["climatology"]}
    return curve_figure({"": sums}, metrics, **{**known, **options})


def texts(figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


def test_curves_are_the_scores_in_units_people_use():
    sums = series_sums(daily(20), levels=(500, 850), units="m2 s-2")
    figure = curves(sums, variable="geopotential", level=850, members="10 members")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    expected = score_of(sums, "crps").sel(model="forecast", level=850, region="tropics") / 9.80665
    np.testing.assert_allclose(lines["forecast"].get_ydata(), expected)
    np.testing.assert_allclose(lines["forecast"].get_xdata(), [1, 2, 3])
    assert axes.get_ylabel() == "CRPS (m)"
    assert axes.get_ylim()[0] == 0
    assert [lines[name].get_color() for name in ("forecast", "climatology")] == [COLOURS[0], GREYS[0]]
    assert "850 hPa geopotential height: CRPS" in texts(figure)
    assert "20 initial times, 2020-01-01 00:00 to 2020-01-20 00:00 UTC   10 members   tropics" in texts(figure)
    assert "bands: 95%, equal-weighted cosine test" in texts(figure)
    assert len(axes.collections) == 2  # a band each


def test_few_times_have_no_bands():
    figure = curves(series_sums(daily(5)))
    assert "no intervals: fewer than 10 initial times" in texts(figure)
    assert not figure.axes[0].collections


def test_spread_and_error_are_told_apart_by_their_lines():
    figure = curves(series_sums(daily(12)), ("rmse", "spread"))
    lines = {line.get_label(): line.get_linestyle() for line in figure.axes[0].get_lines()}
    assert lines == {"forecast: RMSE": "-", "climatology: RMSE": "-", "forecast: spread": "--",
                     "climatology: spread": "--"}  # fmt: skip


def test_a_ratio_has_a_line_at_one_and_a_score_that_no_model_has_is_refused():
    sums = series_sums(daily(12))
    figure = curves(sums, ("spread_skill",))
    assert [1.0, 1.0] in [list(line.get_ydata()) for line in figure.axes[0].get_lines()]
    empty = sums.assign(weight_variance=sums["weight_variance"] * 0)
    with pytest.raises(ScoreError, match="no model has any spread here; choose another"):
        curves(empty, ("spread",))


def test_curves_that_cannot_be_drawn():
    sums = series_sums(daily(12))
    with pytest.raises(ScoreError, match="hold no series of mae by initial time; score again with --scores mae"):
        curves(sums, ("mae",))
    with pytest.raises(ScoreError, match="are in 1, K, expected the same units on one axis"):
        curves(sums, ("rmse", "spread_skill"))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for name, scale, count in (("new", 0.9, 15), ("old", 1.0, 12)):
        models = ("forecast", "persistence", "climatology")
        sums = {"2m_temperature": series_sums(daily(count), scale=scale, models=models)}
        paths.append(write_series(tmp_path / f"{name}.nc", sums, ensemble_size="10" if name == "new" else "50"))
    return paths


def test_several_files_are_drawn_where_all_have_scores(files, tmp_path, drawn):
    draw_scores(files, tmp_path / "a.png", variable="2m_temperature", trial=Trial("geer"))
    text = texts(drawn["figure"])
    assert "12 initial times" in text
    assert "new 10 members, old 50 members" in text
    assert "AR(2)" in text
    names = [line.get_label() for line in drawn["figure"].axes[0].get_lines()]
    assert names == ["new", "old", "persistence", "climatology"]


def test_a_picture_is_a_file(files, tmp_path):
    draw_scores(files[:1], tmp_path / "a.png", kind="spread_error", variable="2m_temperature", region="global")
    assert imread(tmp_path / "a.png").shape[:2] == (580, 800)
    with pytest.raises(DataError, match=r"PNG, got a\.pdf"):
        draw_scores(files[:1], tmp_path / "a.pdf", variable="2m_temperature")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "pie"}, "got --kind pie, expected one of curve, spread_error, rank_histogram, reliability, roc, spread"),
     ({"variable": "q"}, "new holds no q, expected one of 2m_temperature"),
     ({"region": "mars"}, "got the region mars for 2m_temperature, expected one of: global, tropics"),
     ({"level": 500}, "got the level 500 for 2m_temperature, expected one of: none"),
     ({"score": "crsp"}, "unknown metric 'crsp'"),
     ({"lead": 24.0}, "got --lead 24 for a curve, which shows all leads; leave it out"),
     ({"group": "DJF"}, "got --group DJF, but nothing was scored --by season, month or hour; leave it out"),
     ({"kind": "roc"}, "got 2 files, expected one for a roc")],
)  # fmt: skip
def test_what_cannot_be_drawn(files, tmp_path, options, message):
    with pytest.raises(ScoreError, match=message):
        draw_scores(files, tmp_path / "a.png", **{"variable": "2m_temperature", **options})


def test_kinds():
    assert KINDS == ("curve", "spread_error", "rank_histogram", "reliability", "roc", "spread_skill", "spectrum",
                     "economic_value", "map", "joint")  # fmt: skip


def test_a_legend_covers_no_panel(drawn, grouped, tmp_path):
    for metrics in ("crps", "rmse,spread,crps"):
        draw_scores([grouped], tmp_path / "a.png", variable="2m_temperature", score=metrics)
        figure = drawn["figure"]
        figure.canvas.draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert all(axes.get_legend() is None for axes in figure.axes)
        assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
        assert box.x1 <= figure.bbox.x1


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """Daily forecasts of sixty days from 15 January on, by month: of March there are only few."""
    sums = {"2m_temperature": series_sums(daily(60, first=14)), "geopotential": series_sums(daily(60), levels=(500,))}
    return write_series(tmp_path / "month.nc", sums, by="month")


def test_each_group_has_a_panel(drawn, grouped, tmp_path):
    draw_scores([grouped], tmp_path / "a.png", variable="2m_temperature")
    figure = drawn["figure"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["January: 14 to 16 initial times", "February: 29 initial times", "March: 15 to 17 initial times"]
    sums = in_groups(read_sums(grouped)["2m_temperature"], "month")
    for axes, own in zip(figure.axes, sums.values(), strict=True):
        line = next(line for line in axes.get_lines() if line.get_label() == "forecast")
        np.testing.assert_allclose(line.get_ydata(), score_of(own, "crps").sel(model="forecast", region="global"))
    assert [axes.get_ylabel() for axes in figure.axes] == ["CRPS (K)", "", "CRPS (K)"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_one_group_is_chosen(drawn, grouped, tmp_path, monkeypatch):
    draw_scores([grouped], tmp_path / "a.png", variable="geopotential", group="02")
    assert len(drawn["figure"].axes) == 1
    assert "10 members   global   February" in texts(drawn["figure"])
    assert "500 hPa geopotential height" in texts(drawn["figure"]), "the only level need not be named"
    with pytest.raises(ScoreError, match="got --group 05 of scores by month, expected --group with one of 01, 02, 03"):
        draw_scores([grouped], tmp_path / "a.png", variable="2m_temperature", group="05")
    monkeypatch.setattr("evaluation.plots.scores.MOST_PANELS", 2)
    with pytest.raises(ScoreError, match="got scores by month, expected --group with one of 01, 02, 03"):
        draw_scores([grouped], tmp_path / "a.png", variable="2m_temperature")


def test_the_command_takes_a_group(grouped, tmp_path):
    from forecast.cli_scorecard import score_app

    words = ["plot", str(grouped), "--variable", "2m_temperature", "--group", "02", "--out", str(tmp_path / "a.png")]
    result = CliRunner().invoke(score_app, words)
    assert result.output == f"picture: {tmp_path / 'a.png'}\n"
    assert imread(tmp_path / "a.png").shape[:2] == (580, 800)


def test_baselines_are_told_apart_by_their_markers(drawn, tmp_path):
    models = ("forecast", "persistence", "climatology", "analogs", "climatology_mean")
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(daily(12), models=models)})
    draw_scores([path], tmp_path / "a.png", variable="2m_temperature")
    marks = {(line.get_color(), line.get_marker()) for line in drawn["figure"].axes[0].get_lines()}
    assert len(marks) == len(models)


def test_panels_of_few_times_have_no_bands_and_this_is_said():
    sums = series_sums(daily(20))
    figure = curve_figure({"many": sums, "few": sums.isel(initial_time=slice(4))}, ("crps",), variable="2m_temperature",
                          level=None, region="global", baselines=["climatology"])  # fmt: skip
    assert [len(axes.collections) for axes in figure.axes] == [2, 0]
    assert "(Lazarus et al. 2018); none with fewer than 10 initial times" in texts(figure)


def test_files_that_were_grouped_differently_are_not_drawn_together(files, grouped, tmp_path):
    with pytest.raises(ScoreError, match="new by nothing and month by month was scored; score both with the same --by"):
        draw_scores([files[0], grouped], tmp_path / "a.png", variable="2m_temperature")


def test_a_level_must_be_named_where_there_are_several(tmp_path):
    path = write_series(tmp_path / "s.nc", {"geopotential": series_sums(daily(12), levels=(500, 850))})
    with pytest.raises(ScoreError, match="geopotential is on levels, expected --level with one of 500, 850"):
        draw_scores([path], tmp_path / "a.png", variable="geopotential")
