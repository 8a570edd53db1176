"""Pictures of scores: what is drawn, its titles and units, and every message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.image import imread

from data_pipeline.errors import DataError, ScoreError
from evaluation.estimates import Trial, score_of
from evaluation.plots.curves import curve_figure
from evaluation.plots.diagrams import rank_histogram_figure, reliability_figure, roc_figure
from evaluation.plots.frames import COLOURS, GREYS
from evaluation.plots.scores import KINDS, draw_scores
from tests.evaluation.score_series import daily, series_sums, write_series

if TYPE_CHECKING:
    from pathlib import Path

PLACE = {"model": "forecast", "region": "tropics"}


def curves(sums: xr.Dataset, metrics=("crps",), **options):
    known = {"variable": "2m_temperature", "level": None, "region": "tropics", "baselines": ["climatology"]}
    return curve_figure(sums, metrics, **{**known, **options})


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


def test_several_files_are_drawn_where_all_have_scores(files, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("evaluation.plots.scores.save", lambda figure, _: drawn.update(figure=figure))
    draw_scores(files, tmp_path / "a.png", variable="2m_temperature", trial=Trial("geer"))
    text = texts(drawn["figure"])
    assert "12 initial times" in text
    assert "new 10 members, old 50 members" in text
    assert "AR(2)" in text
    names = [line.get_label() for line in drawn["figure"].axes[0].get_lines()]
    assert names == ["new", "old", "persistence", "climatology"]


def test_a_picture_is_a_file(files, tmp_path):
    draw_scores(files[:1], tmp_path / "a.png", kind="spread_error", variable="2m_temperature", region="global")
    assert imread(tmp_path / "a.png").shape[:2] == (520, 800)
    with pytest.raises(DataError, match=r"PNG, got a\.pdf"):
        draw_scores(files[:1], tmp_path / "a.pdf", variable="2m_temperature")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "pie"}, "got --kind pie, expected one of curve, spread_error, rank_histogram, reliability, roc"),
     ({"variable": "q"}, "new holds no q, expected one of 2m_temperature"),
     ({"region": "mars"}, "got the region mars for 2m_temperature, expected one of: global, tropics"),
     ({"level": 500}, "got the level 500 for 2m_temperature, expected one of: none"),
     ({"score": "crsp"}, "unknown metric 'crsp'"),
     ({"kind": "roc"}, "got 2 files, expected one for a roc")],
)  # fmt: skip
def test_what_cannot_be_drawn(files, tmp_path, options, message):
    with pytest.raises(ScoreError, match=message):
        draw_scores(files, tmp_path / "a.png", **{"variable": "2m_temperature", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "hold no rank_histogram of 2m_temperature, only bias, crps, rmse, spread, spread_skill; score again with"),
     ({"variable": "q"}, "holds no q, expected one of 2m_temperature"),
     ({"lead": 36.0}, "got the lead time 36.0 for 2m_temperature, expected one of: 24.0")],
)  # fmt: skip
def test_diagrams_that_cannot_be_drawn(files, tmp_path, options, message):
    with pytest.raises(ScoreError, match=message):
        draw_scores(
            files[:1], tmp_path / "a.png", kind="rank_histogram", **{"variable": "2m_temperature", **options}
        )  # fmt: skip


def dataset(**fields: tuple[tuple[str, ...], np.ndarray]) -> xr.Dataset:
    """Scores of two regions and two leads with axes of their own."""
    shared = {"model": ["forecast"], "lead_time": [24.0, 48.0], "region": ["global", "tropics"]}
    axes = {"rank": np.arange(5), "threshold": [273.15, 303.15], "probability": np.linspace(0, 1, 5)}
    arrays = {}
    for name, (dims, values) in fields.items():
        shape = (1, 2, 2, *values.shape)
        coords = shared | {dim: axes[dim] for dim in dims}
        about = {"metric": name, "variable": "2m_temperature"}
        arrays[f"{name}_2m_temperature"] = xr.DataArray(np.broadcast_to(values, shape), coords, attrs=about)
    return xr.Dataset(arrays, attrs={"initial_times": "2020-01-01T00:00", "ensemble_size": "4"})


def test_rank_histograms_are_relative_to_a_flat_one():
    shares = np.array([0.4, 0.1, 0.1, 0.1, 0.3])
    figure = rank_histogram_figure(
        dataset(rank_histogram=(("rank",), shares)), "rank_histogram", "2m_temperature", PLACE
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 d", "2 d"]
    np.testing.assert_allclose([bar.get_height() for bar in figure.axes[0].patches], shares * 5)
    assert "2 m temperature: rank histogram | 1 initial time, 2020-01-01 00:00 UTC   4 members   tropics" in texts(
        figure
    )


def test_axes_that_differ_between_variables_are_found_under_their_own_names():
    scores = dataset(rank_histogram=(("rank",), np.full(5, 0.2))).rename(rank="rank_of_2m_temperature")
    figure = rank_histogram_figure(scores, "rank_histogram", "2m_temperature", PLACE | {"lead_time": 48.0})
    assert len(figure.axes) == 1
    assert len(figure.axes[0].patches) == 5


def test_reliability_leaves_out_probabilities_that_were_never_forecast():
    observed = np.array([[0.0, 0.2, np.nan, 0.7, 1.0], [0.1, 0.2, 0.5, 0.8, 0.9]])
    share = np.array([[0.5, 0.2, 0.0, 0.2, 0.1], [0.5, 0.2, 0.1, 0.1, 0.1]])
    dims = ("threshold", "probability")
    scores = dataset(reliability_diagram=(dims, observed), sharpness=(dims, share))
    figure = reliability_figure(scores, "reliability_diagram", "2m_temperature", PLACE)
    assert len(figure.axes) == 4
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    np.testing.assert_allclose(lines["> 0 °C"].get_ydata(), [0.0, 0.2, 0.7, 1.0])
    np.testing.assert_allclose(lines["> 30 °C"].get_xdata(), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(figure.axes[2].get_lines()[0].get_ydata(), [0.5, 0.2, 0.2, 0.1])
    alone = reliability_figure(
        scores.drop_vars("sharpness_2m_temperature"), "reliability_diagram", "2m_temperature", PLACE
    )
    assert len(alone.axes) == 2


def test_roc_curves_end_at_the_corners_and_name_their_areas():
    hits = np.array([[1.0, 0.9, 0.8, 0.6, 0.3], [np.nan] * 5])
    false_alarms = np.array([[1.0, 0.5, 0.3, 0.1, 0.0], [1.0, 0.5, 0.3, 0.1, 0.0]])
    dims = ("threshold", "probability")
    scores = dataset(hit_rate=(dims, hits), false_alarm_rate=(dims, false_alarms),
                     roc_area=(("threshold",), np.array([0.84, np.nan])))  # fmt: skip
    figure = roc_figure(scores, "hit_rate", "2m_temperature", PLACE | {"lead_time": 24.0})
    lines = [line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["> 0 °C: 0.84"]  # the other event never happened
    assert lines[0].get_ydata()[-1] == 0
    assert lines[0].get_xdata()[0] == 1


def test_climate_quantiles_have_names():
    scores = dataset(climate_reliability_diagram=(("threshold", "probability"), np.full((2, 5), 0.5)))
    scores = scores.rename(threshold="climate_quantile").assign_coords(climate_quantile=[0.05, 0.9])
    figure = reliability_figure(scores, "climate_reliability_diagram", "2m_temperature", PLACE)
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert {"< 5 % quantile", "> 90 % quantile"} <= set(labels)
    assert to_hex(figure.axes[0].get_lines()[1].get_color()) != to_hex(figure.axes[0].get_lines()[2].get_color())


def test_kinds():
    assert KINDS == ("curve", "spread_error", "rank_histogram", "reliability", "roc")
