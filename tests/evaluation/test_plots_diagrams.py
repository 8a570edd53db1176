"""Diagrams of scores: what is drawn, in what units, with what intervals, and every message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial
from evaluation.plots.diagrams import rank_histogram_figure, reliability_figure, roc_figure, spread_skill_figure
from evaluation.plots.intervals import diagram_intervals
from evaluation.plots.scores import draw_scores
from evaluation.significance import equal_weighted_cosine, interval
from tests.evaluation.score_series import daily, series_sums, write_series
from tests.evaluation.viewed import texts

if TYPE_CHECKING:
    from pathlib import Path


PLACE = {"model": "forecast", "region": "tropics"}
EVENTS = ("reliability_diagram", "sharpness", "hit_rate", "false_alarm_rate", "roc_area")


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
    figure = rank_histogram_figure(scores, "rank_histogram", "2m_temperature", PLACE | {"lead_time": [48.0]})
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
    figure = roc_figure(scores, "hit_rate", "2m_temperature", PLACE | {"lead_time": [24.0]})
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


def test_a_pit_histogram_has_the_axis_of_probability():
    shares = xr.DataArray(np.full((1, 1, 1, 20), 0.05), {
        "model": ["forecast"], "lead_time": [24.0], "region": ["tropics"], "pit": (np.arange(20) + 0.5) / 20,
    })  # fmt: skip
    about = {"initial_times": "2020-01-01T00:00", "ensemble_size": "4"}
    figure = rank_histogram_figure(xr.Dataset({"pit_histogram_t": shares}, attrs=about), "pit_histogram", "t", PLACE)
    assert figure.axes[0].get_xlabel() == "F(observation)"
    np.testing.assert_allclose([bar.get_height() for bar in figure.axes[0].patches], 1.0)


@pytest.mark.parametrize(
    ("draw", "message"),
    [(rank_histogram_figure, "crps has no rank or pit to draw it by, expected --score rank_histogram or pit_histogram"),
     (reliability_figure, "crps has no probability to draw it by, expected --score reliability_diagram"),
     (roc_figure, "crps has no probability to draw it by, expected --score hit_rate or climate_hit_rate"),
     (spread_skill_figure, "crps has no relative_spread to draw it by, expected --score binned_rmse")],
)  # fmt: skip
def test_a_score_of_another_kind_has_no_such_diagram(draw, message):
    with pytest.raises(ScoreError, match=message):
        draw(dataset(crps=((), np.array(1.0))), "crps", "2m_temperature", PLACE)


def test_error_by_spread_is_in_units_people_use_and_its_marks_show_the_share():
    bins = {"relative_spread": [0.0, 0.5, 1.0]}
    shared = {"model": ["forecast"], "lead_time": [24.0], "region": ["tropics"], **bins}
    values = {"binned_rmse": [100.0, 200.0, np.nan], "binned_spread": [50.0, 300.0, np.nan],
              "binned_share": [0.9, 0.1, 0.0]}  # fmt: skip
    fields = {
        f"{name}_p": xr.DataArray(np.reshape(own, (1, 1, 1, 3)), shared, attrs={"units": "Pa", "metric": name})
        for name, own in values.items()
    }
    scores = xr.Dataset(fields, attrs={"initial_times": "2020-01-01T00:00"})
    figure = spread_skill_figure(scores, "binned_rmse", "p", PLACE)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("expected from the spread (hPa)", "RMSE of the mean (hPa)")
    marks = axes.collections[0]
    np.testing.assert_allclose(marks.get_offsets()[:2], [[0.5, 1.0], [3.0, 2.0]])
    assert marks.get_sizes()[0] == 9 * marks.get_sizes()[1]
    assert axes.get_xlim() == axes.get_ylim()


def tables(count: int = 24) -> xr.Dataset:
    """Sums by initial time with rank histograms of four members and tables of one event, like every score's."""
    sums = series_sums(daily(count))
    dims = ("model", "initial_time", "lead_time", "region")
    shape = tuple(sums.sizes[dim] for dim in dims)
    noise = np.random.default_rng(3)
    areas = noise.dirichlet(np.full(5, 9.0), shape)
    happened = areas * noise.uniform(0, 0.3, shape)[..., None] * np.arange(5)
    table = np.stack([areas - happened, happened], axis=-1)[..., None, :, :]
    fields = {
        "rank_area": ((*dims, "rank"), areas), "rank_members": (dims, np.full(shape, 4.0)),
        "rank_members_squared": (dims, np.full(shape, 16.0)),
        "event_table": ((*dims, "threshold", "probability", "outcome"), table),
    }  # fmt: skip
    found = {f"total_{name}": own for name, own in fields.items()}
    found |= {f"weight_{name}": (dims, np.ones(shape)) for name in fields}
    axes = {"rank": np.arange(5), "threshold": [280.0], "probability": np.arange(5) / 4, "outcome": [0, 1]}
    return sums.assign(found).assign_coords(axes)


def file_of(path: Path, count: int = 24, **about: str) -> Path:
    return write_series(path, {"2m_temperature": tables(count)}, ("rank_histogram", *EVENTS, "crps"), **about)


def test_bars_of_a_histogram_are_the_intervals_of_its_shares(drawn, tmp_path):
    draw_scores([file_of(tmp_path / "s.nc")], tmp_path / "a.png", kind="rank_histogram", variable="2m_temperature",
                region="tropics", lead=48.0)  # fmt: skip
    (axes,) = drawn["figure"].axes
    (bars,) = (own for own in axes.collections if isinstance(own, LineCollection))
    shares = tables()["total_rank_area"].sel(model="forecast", region="tropics", lead_time=48.0).values
    mean = shares.mean(axis=0)  # of equal weights the jackknife's deviations are those of the shares themselves
    expected = interval(mean, equal_weighted_cosine(shares - mean, np.ones(5, int)))
    ends = np.array([segment[:, 1] for segment in bars.get_segments()]).T
    np.testing.assert_allclose(ends, 5 * np.stack(expected), rtol=1e-9)
    assert "intervals: 95%, equal-weighted cosine test (Lazarus et al. 2018)" in texts(drawn["figure"])


def test_curves_of_events_have_intervals_and_so_have_their_areas(drawn, tmp_path):
    path = file_of(tmp_path / "s.nc")
    draw_scores([path], tmp_path / "a.png", kind="reliability", variable="2m_temperature", trial=Trial("bootstrap"))
    upper = drawn["figure"].axes[:3]
    assert all(sum(isinstance(own, PolyCollection) for own in axes.collections) == 1 for axes in upper)
    assert "circular block bootstrap" in texts(drawn["figure"])
    assert [text.get_text() for text in drawn["figure"].legends[0].get_texts()] == ["> 6.85 °C"]
    draw_scores([path], tmp_path / "a.png", kind="roc", variable="2m_temperature", lead=24.0)
    (axes,) = drawn["figure"].axes
    (area,) = (text.get_text() for text in axes.get_legend().get_texts())
    value, low, high = (float(word) for word in area.removeprefix("> 6.85 °C: ").strip(")").replace("(", "").split()
                        if word != "to")  # fmt: skip
    assert low < value < high
    drawn["figure"].canvas.draw()
    assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0, "the legend is below the panel"


def test_why_there_are_no_intervals_is_said(drawn, tmp_path, monkeypatch):
    asked = {"kind": "rank_histogram", "variable": "2m_temperature"}
    draw_scores([file_of(tmp_path / "few.nc", 6)], tmp_path / "a.png", **asked)
    assert "no intervals: fewer than 10 initial times" in texts(drawn["figure"])
    none = diagram_intervals(tables().drop_vars(["total_rank_area"]), ["crps_resolution"], Trial())
    assert none.attrs["words"] == "no intervals: the sums of these scores were not kept for each initial time"
    assert not none.data_vars


def test_diagrams_of_groups_are_of_one_group(drawn, tmp_path):
    path = file_of(tmp_path / "s.nc", 40, by="month")
    asked = {"kind": "rank_histogram", "variable": "2m_temperature", "lead": 24.0}
    with pytest.raises(ScoreError, match="got scores by month, expected --group with one of 01, 02"):
        draw_scores([path], tmp_path / "a.png", **asked)
    draw_scores([path], tmp_path / "a.png", group="02", **asked)
    figure = drawn["figure"]
    assert "40 initial times, 2020-01-01 00:00 to 2020-02-09 00:00 UTC" in texts(figure)
    assert "   10 members   global   February (10 of them)\nintervals: " in texts(figure)
    february = tables(40)["total_rank_area"].sel(model="forecast", region="global", lead_time=24.0)[30:]
    np.testing.assert_allclose([bar.get_height() for bar in figure.axes[0].patches], 5 * february.mean("initial_time"))
    assert any(isinstance(own, LineCollection) for own in figure.axes[0].collections)


def test_a_map_has_no_diagram(tmp_path):
    path = tmp_path / "map.nc"
    field = xr.DataArray(np.ones((1, 1, 2, 2)), dims=("model", "lead_time", "latitude", "longitude"),
                         coords={"lead_time": [24.0]}, attrs={"variable": "t", "metric": "crps"})  # fmt: skip
    xr.Dataset({"crps_t": field}).to_netcdf(path, engine="netcdf4")
    with pytest.raises(ScoreError, match=r"map\.nc is a map of points, of which there is no"):
        draw_scores([path], tmp_path / "a.png", kind="rank_histogram", variable="t")


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "hold no rank_histogram of 2m_temperature, only bias, crps, rmse, spread, spread_skill; score again with"),
     ({"variable": "q"}, "holds no q, expected one of 2m_temperature"),
     ({"lead": 36.0}, "got the lead time 36.0 for 2m_temperature, expected one of: 24.0")],
)  # fmt: skip
def test_diagrams_that_cannot_be_drawn(tmp_path, options, message):
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(daily(12))})
    with pytest.raises(ScoreError, match=message):
        draw_scores(
            [path], tmp_path / "a.png", kind="rank_histogram", **{"variable": "2m_temperature", **options}
        )  # fmt: skip
