"""Pictures that suit a score: spectra, economic value, panels for thresholds, joint histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.variables import GRAVITY
from evaluation.estimates import ADDED_UP, score_of
from evaluation.plots.curves import curve_figure
from evaluation.plots.economic_value import economic_value_figure
from evaluation.plots.scores import draw_scores
from evaluation.plots.spectra import spectrum_figure
from evaluation.score_files import write_scores
from evaluation.settings import Settings
from forecast.cli_scorecard import _labels
from tests.evaluation.score_series import daily, series_sums, write_series
from tests.evaluation.viewed import texts
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from pathlib import Path


LEVELS = [0.1, 0.5, 0.9]


@pytest.fixture
def files(two_runs, truth, climatology, tmp_path) -> Path:
    metrics = ("crps", "power_spectrum", "power_spectrum_of_mean", "power_spectrum_of_truth", "power_spectrum_ratio",
               "economic_value", "pit_histogram", "sharpness", "reliability_diagram",
               "binned_share")  # fmt: skip
    asked = answered(
        two_runs, truth, climatology=climatology, metrics=metrics, variables=("2m_temperature",),
        settings=Settings(thresholds={"2m_temperature": (280.0,)}),
    )  # fmt: skip
    write_scores(asked, tmp_path / "s.nc")
    return tmp_path / "s.nc"


def with_levels(count: int = 12) -> xr.Dataset:
    """Sums with quantile scores, which have an axis of their own."""
    sums = series_sums(daily(count))
    scale = xr.DataArray([1.0, 2.0, 3.0], {"quantile_level": LEVELS})
    levelled = (sums["total_crps"] * scale).transpose(..., "quantile_level")
    return sums.assign(total_quantile_score=levelled, weight_quantile_score=sums["weight_crps"])


def test_each_label_of_an_own_axis_has_a_panel():
    sums = with_levels()
    known = {"variable": "2m_temperature", "level": None, "region": "global", "baselines": ["climatology"]}
    figure = curve_figure({"": sums}, ("quantile_score",), **known)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"quantile level {level}: 12 initial times" for level in LEVELS]
    expected = score_of(sums, "quantile_score").sel(model="forecast", region="global")
    for axes, level in zip(figure.axes, LEVELS, strict=True):
        line = next(line for line in axes.get_lines() if line.get_label() == "forecast")
        np.testing.assert_allclose(line.get_ydata(), expected.sel(quantile_level=level))
        assert len(axes.collections) == 2, "a band each"
    (alone,) = curve_figure({"": sums}, ("quantile_score",), at={"quantile_level": 0.5}, **known).axes
    assert len(alone.get_lines()) == 2
    for at, message in (
        ({"threshold": 1.0}, "got --at threshold=1.0, expected one of the axes of the score itself: quantile_level"),
        ({"quantile_level": 0.2}, "got --at quantile_level=0.2, expected one of 0.1, 0.5, 0.9"),
    ):
        with pytest.raises(ScoreError, match=message):
            curve_figure({"": sums}, ("quantile_score",), at=at, **known)
    with pytest.raises(ScoreError, match="crps, quantile_score have different axes of their own; draw them one by one"):
        curve_figure({"": sums}, ("crps", "quantile_score"), **known)
    groups = dict.fromkeys("abcde", sums)
    with pytest.raises(ScoreError, match=r"got 15 panels, expected at most 12; .* quantile_level=0.1, 0.5, 0.9"):
        curve_figure(groups, ("quantile_score",), **known)


def test_tables_that_were_added_up_have_no_curves():
    sums = series_sums(daily(12)).assign_attrs({ADDED_UP: "quantile_score", "units": "K"})
    with pytest.raises(ScoreError, match=r"quantile_score: the tables were not kept for each initial time.* fewer reg"):
        curve_figure({"": sums}, ("quantile_score",), variable="t", level=None, region="global", baselines=[])


@pytest.mark.parametrize(
    ("score", "title", "labels"),
    [("power_spectrum", "2 m temperature: spectrum", ["members", "ensemble mean", "truth"]),
     ("power_spectrum_of_truth", "2 m temperature: spectrum", ["members", "ensemble mean", "truth"]),
     ("power_spectrum_ratio", "2 m temperature: power over the truth's", ["members"]),
     ("pit_histogram", "2 m temperature: PIT histogram", []),
     ("sharpness", "2 m temperature: reliability", None),
     ("economic_value", "2 m temperature: relative economic value", None)],
)  # fmt: skip
def test_the_score_says_what_picture_it_has(files, drawn, tmp_path, score, title, labels):
    draw_scores([files], tmp_path / "a.png", score=score)
    figure = drawn["figure"]
    assert title in texts(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["12 h", "1 d", "36 h"]
    if labels is not None:
        own = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        assert own == labels


def test_a_diagram_that_lacks_a_part_says_which(files, tmp_path):
    with pytest.raises(ScoreError, match="hold no binned_rmse of 2m_temperature, only"):
        draw_scores([files], tmp_path / "a.png", score="binned_share")
    with pytest.raises(ScoreError, match="crps has no wavenumber or degree to draw it by"):
        draw_scores([files], tmp_path / "a.png", score="crps", kind="spectrum")
    with pytest.raises(ScoreError, match="got --against for the kind spectrum, expected it for map; leave it out"):
        draw_scores([files], tmp_path / "a.png", score="power_spectrum", against="persistence")
    with pytest.raises(ScoreError, match=r"holds no joint histogram; make one with 'sphercast score joint'"):
        draw_scores([files], tmp_path / "a.png", kind="joint")
    with pytest.raises(ScoreError, match="holds no humidity, expected one of 2m_temperature"):
        draw_scores([files], tmp_path / "a.png", score="power_spectrum", variable="humidity")


def scores_along(name: str, axis: str, labels, values) -> xr.Dataset:
    coords = {"model": ["forecast"], "lead_time": [24.0], "region": ["global"], axis: labels}
    own = xr.DataArray(np.reshape(values, (1, 1, 1, -1)), coords, attrs={"metric": name, "units": "(K)2"})
    return xr.Dataset({f"{name}_t": own}, attrs={"initial_times": "2020-01-01T00:00", "ensemble_size": "4"})


def test_a_spectrum_leaves_out_the_mean_of_the_field_and_its_units_are_squared():
    figure = spectrum_figure(scores_along("power_spectrum", "degree", [0, 1, 2, 3], [9.0, 4.0, 0.0, 1.0]),
                             "power_spectrum", "t", {"model": "forecast", "region": "global"})  # fmt: skip
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), [1, 3])
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylabel()) == ("log", "log", "Spectrum (K²)")


def test_a_spectrum_of_geopotential_is_of_height():
    scores = scores_along("power_spectrum", "degree", [0, 1, 2], [0.0, GRAVITY**2, 4 * GRAVITY**2])
    scores["power_spectrum_t"].attrs["units"] = "(m2 s-2)2"
    own = scores["power_spectrum_t"].squeeze("model", drop=True).drop_attrs()
    between = xr.Dataset({"lower_power_spectrum": own / 4, "upper_power_spectrum": own * 4}, attrs={"words": ""})
    place = {"model": "forecast", "region": "global"}
    (axes,) = spectrum_figure(scores, "power_spectrum", "t", place, between).axes
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1, 4])
    np.testing.assert_allclose(axes.collections[0].get_datalim(axes.transData).intervaly, [0.25, 16])
    assert axes.get_ylabel() == "Spectrum (m²)"


def test_economic_value_is_drawn_for_each_event():
    place = {"model": "forecast", "region": "global"}
    scores = scores_along("economic_value", "cost_loss", [0.1, 0.5, 0.9], [0.2, 0.6, -5.0])
    both = scores.assign(potential_economic_value_t=scores["economic_value_t"] + 0.1)
    (axes,) = economic_value_figure(both, "potential_economic_value", "t", place).axes
    solid, dashed = axes.get_lines()[1:]
    np.testing.assert_allclose(solid.get_ydata(), [0.2, 0.6, -5.0])
    np.testing.assert_allclose(dashed.get_ydata(), [0.3, 0.7, -4.9])
    assert axes.get_ylim()[0] == pytest.approx(-0.3)


@pytest.fixture
def joint(tmp_path) -> Path:
    rng, edges = np.random.default_rng(0), {"temperature_850": 5, "specific_humidity_700": 4}
    shares = rng.random((2, 2, 1, 4, 3))
    shares[1] = shares[0]
    coords = {"lead_time": [24.0, 48.0], "region": ["global"], "temperature_850": np.arange(4) + 270.5,
              "specific_humidity_700": (np.arange(3) + 0.5) * 1e-3}  # fmt: skip
    fields = {side: xr.DataArray(own / own.sum(axis=(-2, -1), keepdims=True), coords)
              for side, own in zip(("forecast", "truth"), shares, strict=True)}  # fmt: skip
    fields["hellinger"] = xr.zeros_like(fields["truth"][..., 0, 0]).reset_coords(drop=True)
    starts = {"temperature_850": 270 + np.arange(5.0), "specific_humidity_700": 1e-3 * np.arange(4.0)}
    fields |= {f"edges_{name}": (f"edge_of_{name}", starts[name]) for name in edges}
    xr.Dataset(fields).to_netcdf(tmp_path / "joint.nc", engine="netcdf4")
    return tmp_path / "joint.nc"


def test_a_joint_histogram_in_units_people_use(joint, drawn, tmp_path):
    draw_scores([joint], tmp_path / "a.png")
    first, second, bar = drawn["figure"].axes
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["1 d: H = 0.00", "2 d: H = 0.00"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("850 hPa temperature (°C)", "700 hPa specific humidity (g/kg)")
    assert "700 hPa specific humidity and 850 hPa temperature" in texts(drawn["figure"])
    np.testing.assert_allclose(first.get_xlim(), (-3.15, 0.85))
    assert bar.get_ylabel() == "share of area and time in a bin"
    with pytest.raises(ScoreError, match=r"got the lead time 12\.0 for the joint histogram, expected one of: 24"):
        draw_scores([joint], tmp_path / "a.png", lead=12.0)
    with xr.open_dataset(joint, engine="netcdf4", decode_timedelta=False) as whole:
        whole.load().assign(forecast=whole["forecast"] * np.nan).to_netcdf(tmp_path / "nan.nc", engine="netcdf4")
    with pytest.raises(ScoreError, match="histogram of the members is missing here; choose another --region or --lead"):
        draw_scores([tmp_path / "nan.nc"], tmp_path / "a.png")


def test_the_variable_need_not_be_named_where_there_is_one(drawn, tmp_path):
    one = {"2m_temperature": series_sums(daily(12))}
    draw_scores([write_series(tmp_path / "one.nc", one)], tmp_path / "a.png")
    assert "2 m temperature: CRPS" in texts(drawn["figure"])
    two = write_series(tmp_path / "two.nc", {**one, "sea_ice_cover": one["2m_temperature"]})
    with pytest.raises(ScoreError, match="several variables, expected --variable with one of 2m_temperature, sea_ice"):
        draw_scores([two], tmp_path / "a.png")
    with pytest.raises(ScoreError, match="hold no series of mae by initial time; score again with --scores mae"):
        draw_scores([tmp_path / "one.nc"], tmp_path / "a.png", score="mae")


def test_labels_of_the_command():
    assert _labels(["threshold=280", "decision=mean"]) == {"threshold": 280.0, "decision": "mean"}
    assert _labels(None) == {}
    with pytest.raises(ScoreError, match=r"got --at 280, expected an axis and a label, e\.g\. --at threshold=280"):
        _labels(["280"])
