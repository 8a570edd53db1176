"""Values: units from the mean, fill values, masks, steps; slabs do not matter; brute-force twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel, Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.quality.magnitude import contradiction, standard_height, typical_mean
from data_pipeline.quality.steps import FEWEST_STEPS, JUMP_FACTOR
from data_pipeline.quality.values import FILLS, ValueChecker
from data_pipeline.units import conversions
from data_pipeline.variables import GRAVITY, variable
from tests.mock_world import mock_states, mock_times

GRID = Grid.equiangular(16, 32, poles=False)
CHANNELS = Channels.of({"geopotential": [500], "2m_temperature": None, "mean_sea_level_pressure": None})
TIMES = mock_times("2001-01-01", 20)


def fields() -> np.ndarray:
    return CHANNELS.stack(mock_states(GRID, TIMES, CHANNELS.variables)).values.copy()


def checked(values: np.ndarray, channels: Channels = CHANNELS, slabs: int = 1, times: np.ndarray = TIMES) -> Report:
    report, checker = Report(), ValueChecker(channels, GRID)
    for part in np.array_split(np.arange(len(values)), slabs):
        checker.update(times[part], values[part], report)
    return report


def one(name: str, values: np.ndarray) -> Report:
    return checked(values[:, None].astype(np.float32), Channels.from_names([name]), times=TIMES[: len(values)])


@pytest.mark.parametrize("slabs", [1, 3, 20])
def test_sound_values_pass(slabs: int) -> None:
    assert checked(fields(), slabs=slabs).findings == []


def test_whole_states_are_needed() -> None:
    with pytest.raises(DataError, match=r"got fields \(20, 2, 16, 32\), expected \(20, 3, 16, 32\); give whole states"):
        checked(fields()[:, :2])


@settings(max_examples=40)
@given(
    st.integers(0, 19), st.integers(0, 2), st.integers(0, 15), st.integers(0, 31), st.integers(1, 20),
    st.sampled_from(["nan", "inf", "range", "fill", "nan-field", "constant"]),
)  # fmt: skip
def test_defects_are_placed_whatever_the_slabs(t: int, c: int, row: int, column: int, slabs: int, kind: str) -> None:
    values = fields()
    codes = {"nan": "nan-values", "inf": "value-infinite", "range": "value-range", "fill": "value-fill",
             "nan-field": "nan-field", "constant": "field-constant"}  # fmt: skip
    outside = CHANNELS.channels[c].variable.valid_range[1] * 1.5 + 1
    bad = {"nan": np.nan, "inf": np.inf, "range": outside, "fill": 1e20}
    if kind in bad:
        values[t, c, row, column] = bad[kind]
    else:
        values[t, c] = np.nan if kind == "nan-field" else values[t, c, row, column]
    (finding,) = checked(values, slabs=slabs).findings
    assert (finding.code, finding.variable, finding.time) == (codes[kind], CHANNELS.names[c], str(TIMES[t])[:13])
    if kind in bad:
        assert finding.location == f"{GRID.latitude[row]:g}N {GRID.longitude[column]:g}E"


def test_counts_are_of_points_over_all_states() -> None:
    values = fields()
    values[3, 1, :2, :5] = values[7, 1, 4, :3] = np.nan
    (finding,) = checked(values, slabs=4).findings
    assert (finding.code, finding.count, finding.time) == ("nan-values", 13, "2001-01-01T18")


@pytest.mark.parametrize("fill", FILLS[np.abs(FILLS) > 1e3].tolist())
def test_known_fill_values(fill: float) -> None:
    values = fields()
    values[2, 0, 3:5, 3:5] = fill
    report = checked(values)
    low, high = variable("geopotential").valid_range
    assert report.codes >= {"value-fill"} or low <= fill <= high  # a possible height only shows as an extreme
    assert "value-range" not in report.codes


def test_fill_values_and_impossible_ones_are_told_apart() -> None:
    values = fields()
    values[2, 1, 3, 3], values[2, 1, 4, 4:8] = 400.0, -9999.0
    assert {(finding.code, finding.count) for finding in checked(values)} == {("value-fill", 4), ("value-range", 1)}


def test_negative_amounts() -> None:
    rain = np.abs(np.random.default_rng(0).normal(size=(3, *GRID.shape))) * 1e-3
    assert one("total_precipitation", rain).findings == []
    rain[1, 2, 3] = -0.01
    assert one("total_precipitation", rain).codes == {"accumulation-negative"}
    rain[1, 2, 4] = 9.0
    assert one("total_precipitation", rain).codes == {"value-range"}


def sea(count: int = 8) -> np.ndarray:
    """Of the tropics' temperature and NaN in a box over Africa and another over Asia."""
    values = np.random.default_rng(0).normal(290, 2, (count, *GRID.shape))
    values[:, 6:9, 1:3] = values[:, 2:5, 5:10] = np.nan
    return values


def test_the_sea_may_lack_values_over_land() -> None:
    assert one("sea_surface_temperature", sea()).findings == []
    assert one("2m_temperature", sea()).codes == {"nan-values"}


@pytest.mark.parametrize("change", ["more", "fewer", "none", "late"])
def test_the_mask_must_stay(change: str) -> None:
    values = sea()
    if change == "more":
        values[4:, 0, 0] = np.nan
    elif change == "fewer":
        values[4:, 6, 1] = 290.0
    elif change == "none":
        values[4:] = np.nan_to_num(values[4:], nan=290.0)
    else:
        values[:4] = np.nan_to_num(values[:4], nan=290.0)
    report = one("sea_surface_temperature", values)
    (finding,) = [finding for finding in report if finding.code == "nan-mask-changed"]
    assert finding.time == "2001-01-02T00"


def test_sea_surfaces_may_stay_the_same_for_hours_but_winds_may_not() -> None:
    still = np.repeat(sea(1), 8, axis=0)
    assert one("sea_surface_temperature", still).findings == []
    weather = np.random.default_rng(0).normal(0, 5, (8, *GRID.shape))
    weather[5] = weather[4]
    (finding,) = one("10m_u_component_of_wind", weather).findings
    assert (finding.code, finding.time) == ("field-repeated", "2001-01-02T06")


@settings(max_examples=30)
@given(st.integers(FEWEST_STEPS, 18), st.floats(3.0, 8.0), st.integers(1, 20), st.integers(0, 99))
def test_jumps_are_those_of_the_definition(t: int, factor: float, slabs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    walk = 280 + np.cumsum(rng.normal(0, 0.5, (20, *GRID.shape)), axis=0)
    walk[t:] += rng.normal(0, 0.5 * factor, GRID.shape)
    weights = GRID.area_weights()[None, :, None]
    rms = np.sqrt((np.diff(walk, axis=0) ** 2 * weights).mean(axis=(1, 2)))
    assert np.flatnonzero(rms > JUMP_FACTOR * np.median(rms)).tolist() == [t - 1]  # the twin, over all steps at once
    report = checked(walk[:, None].astype(np.float32), Channels.from_names(["2m_temperature"]), slabs=slabs)
    (finding,) = [finding for finding in report if finding.code == "field-jump"]
    assert (finding.time, finding.count) == (str(TIMES[t])[:13], 1)


def test_a_gap_is_no_jump() -> None:
    rng = np.random.default_rng(0)
    walk = 280 + np.cumsum(rng.normal(0, 0.5, (20, *GRID.shape)), axis=0)
    walk[12:] += rng.normal(0, 5.0, GRID.shape)
    times = TIMES.copy()
    times[12:] += np.timedelta64(10, "D")
    channels = Channels.from_names(["2m_temperature"])
    assert checked(walk[:, None].astype(np.float32), channels, times=times).findings == []


def test_static_fields_have_no_time_in_their_findings() -> None:
    report, checker = Report(), ValueChecker(Channels.from_names(["land_sea_mask"]), GRID)
    checker.update(np.array(["NaT"], "datetime64[ns]"), np.zeros((1, 1, *GRID.shape), dtype=np.float32), report)
    assert [(finding.code, finding.time) for finding in report] == [("static-constant", None)]


@pytest.mark.parametrize("name", [
    "geopotential_500", "geopotential_50", "2m_temperature", "temperature_850", "mean_sea_level_pressure",
    "specific_humidity_850", "specific_humidity_100", "total_precipitation", "relative_humidity_700",
    "land_sea_mask", "geopotential_at_surface", "total_cloud_cover",
])  # fmt: skip
def test_other_units_are_recognised_and_right_ones_are_not(name: str) -> None:
    (channel,) = Channels.from_names([name])
    typical = {
        "geopotential_500": 5.5e4, "geopotential_50": 2e5, "2m_temperature": 287.0, "temperature_850": 280.0,
        "mean_sea_level_pressure": 1.011e5, "specific_humidity_850": 6e-3, "specific_humidity_100": 3e-6,
        "total_precipitation": 7e-4, "relative_humidity_700": 50.0, "land_sea_mask": 0.33,
        "geopotential_at_surface": 2300.0, "total_cloud_cover": 0.62,
    }[name]  # fmt: skip
    assert contradiction(typical, channel) == ""
    own, *others = conversions(channel.variable).items()
    assert own[0] == channel.variable.units
    for units, how in others:
        said = contradiction((typical - how.offset) / how.scale, channel)
        assert said != "", units


def test_the_units_are_named() -> None:
    channel = Channel("geopotential", 500)
    assert contradiction(5500.0, channel) == "values average 5500, which looks like gpm, not m2 s-2"
    assert contradiction(550.0, channel) == "values average 550, which looks like gpdm, not m2 s-2"
    assert contradiction(5.4e5, channel) == "values average 540000, as if they had been in m2 s-2 although labelled gpm"


def test_unknown_ranges_contradict_nothing() -> None:
    assert typical_mean(Channel("geopotential", 1000)) is None
    assert contradiction(1e9, Channel("vorticity", 850)) == ""


@pytest.mark.parametrize(
    ("pressure", "height"), [(1013.25, 0), (850, 1457), (500, 5574), (226.32, 11000), (100, 16180)]
)
def test_the_standard_atmosphere(pressure: float, height: float) -> None:
    assert standard_height(pressure) == pytest.approx(height, abs=2)
    assert GRAVITY * standard_height(pressure) < variable("geopotential").valid_range[1]
