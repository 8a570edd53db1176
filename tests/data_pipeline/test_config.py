"""Configs: every impossible value is refused when it is read, with the key and the reason."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from data_pipeline.config import DataConfig, GridConfig, Period, period_of
from data_pipeline.errors import ConfigError
from data_pipeline.grid import Grid
from data_pipeline.sources import SOURCES

GOOD = {
    "sources": [{"kind": "files", "path": "era5.zarr"}],
    "store": "store.zarr",
    "variables": {"temperature": [850, 500], "2m_temperature": None},
    "static": ["land_sea_mask"],
    "grid": {"kind": "gaussian", "latitudes": 32, "longitudes": 64},
    "period": {"start": "2000-01-01", "stop": "2000-12-31"},
    "training_period": {"start": "2000-01-01", "stop": "2000-06-30"},
    "interval_hours": 6,
}


def ns(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def test_a_good_config() -> None:
    config = DataConfig.model_validate(GOOD)
    assert config.channels.names == ["temperature_850", "temperature_500", "2m_temperature"]
    assert config.interval == np.timedelta64(6, "h")
    assert config.grid.build() == Grid.gaussian(32, 64)
    assert DataConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"sources": []}, "expected at least one source"),
        (
            {"sources": [{"kind": "ftp", "path": "x"}]},
            "got a source of kind 'ftp', expected one of: 'arco_era5', 'files', 'grib', 'speedy', 'weatherbench2' [",
        ),
        (
            {"sources": [{"kind": "weatherbench"}]},
            "'speedy', 'weatherbench2'; did you mean 'weatherbench2'?",
        ),
        ({"sources": [{"path": "x"}]}, "got a source of no kind, expected one of: 'arco_era5'"),
        ({"sources": [{"kind": 2, "path": "x"}]}, "got a source of kind 2, expected one of: 'arco_era5'"),
        ({"sources": ["era5.zarr"]}, "sources.0"),
        (
            {"sources": [{"kind": "files", "path": " "}]},
            "the path is empty, expected a file, folder, glob, store or URL",
        ),
        (
            {"sources": [{"kind": "speedy", "path": "x", "static_path": ""}]},
            "the static_path is empty, expected a file",
        ),
        ({"store": ""}, "the path is empty, expected the folder of the store to build"),
        ({"interval_hours": 10**20}, "less than or equal to 8784"),
        ({"period": {"start": "2000-01-01", "stop": "9999-12-31"}}, "expected a year from 1678 to 2261"),
        (
            {"grid": {"kind": "equiangular", "latitudes": 16000, "longitudes": 32000}},
            "the grid has 512000000 points, expected 268435456 at most; take a coarser one",
        ),
        (
            {"grid": {"kind": "gaussian", "latitudes": 5000, "longitudes": 64}},
            "the Gaussian grid has 5000 latitudes, expected 4096 at most; take fewer, or kind: equiangular",
        ),
        ({"grid": {"kind": "equiangular", "latitudes": 10**6, "longitudes": 64}}, "less than or equal to 16384"),
        ({"variables": {"msl": None}}, "did you mean 'mean_sea_level_pressure'?"),
        ({"sources": [{"kind": "files", "path": "x", "mode": "r"}]}, "Extra inputs"),
        ({"variables": {}}, "got no channels, expected at least one variable"),
        ({"variables": {"rain": None}}, "unknown variable 'rain'; expected one of"),
        ({"variables": {"temperature": None}}, "expected a list of levels in hPa"),
        ({"variables": {"temperature": [500, 500]}}, "channels occur twice: temperature_500"),
        ({"variables": {"land_sea_mask": None}}, "land_sea_mask never change; list them under 'static'"),
        ({"static": ["2m_temperature"]}, "expected each once of: geopotential_at_surface, land_sea_mask"),
        ({"static": ["land_sea_mask", "land_sea_mask"]}, "expected each once of"),
        ({"grid": {"kind": "cubed", "latitudes": 8, "longitudes": 16}}, "'gaussian', 'equiangular'"),
        ({"grid": {"kind": "gaussian", "latitudes": 3, "longitudes": 16}}, "greater than or equal to 4"),
        ({"grid": {"kind": "gaussian", "latitudes": 8, "longitudes": 4}}, "greater than or equal to 8"),
        ({"interval_hours": 0}, "greater than or equal to 1"),
        ({"period": {"start": "2000-02-01", "stop": "2000-01-01"}}, "start 2000-02-01 is after stop 2000-01-01"),
        ({"period": {"start": "yesterday", "stop": "2000-01-01"}}, "expected an ISO date or time in UTC"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DataConfig.model_validate({**GOOD, **change})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("period", "training", "inside"),
    [
        (("2000-01-01", "2000-12-31"), ("2000-01-01", "2000-12-31"), True),
        (("2000-01-01", "2000-12-31"), ("2000", "2000"), True),
        (("2000-01-01", "2000-12-31"), ("1999-12-31", "2000-06-30"), False),
        (("2000-01-01", "2000-12-31"), ("2000-06-01", "2001-01-01T00"), False),
        (("2000-01-01T06", "2000-12-31"), ("2000-01-01", "2000-06-30"), False),
        (("2000-01-01T06", "2000-12-31"), ("2000-01-01T01", "2000-06-30"), True),
        (("2000-01-01", "2000-12-31T18"), ("2000-01-01", "2000-12-31"), True),
        (("2000-01-01", "2000-12-31T12"), ("2000-01-01", "2000-12-31"), False),
    ],
)
def test_the_training_period_lies_inside_the_period(
    period: tuple[str, str], training: tuple[str, str], *, inside: bool
) -> None:
    spans = [dict(zip(("start", "stop"), ends, strict=True)) for ends in (period, training)]
    values = {**GOOD, "period": spans[0], "training_period": spans[1]}
    if inside:
        assert DataConfig.model_validate(values).training_period.stop == training[1]
        return
    expected = rf"the training period {training[0]}\.\.{training[1]} is partly outside the period {period[0]}\.\."
    with pytest.raises(ValidationError, match=expected):
        DataConfig.model_validate(values)


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DataConfig.model_validate(GOOD).interval_hours = 3


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        ("gaussian", Grid.gaussian(8, 16)),
        ("equiangular", Grid.equiangular(8, 16, poles=False)),
        ("equiangular_with_poles", Grid.equiangular(8, 16, poles=True)),
    ],
)
def test_grids_by_kind(kind: str, grid: Grid) -> None:
    assert GridConfig(kind=kind, latitudes=8, longitudes=16).build() == grid


@pytest.mark.parametrize(
    ("stop", "last"),
    [
        ("2000-02-28", "2000-02-28T23:59:59.999999999"),
        ("2000-02", "2000-02-29T23:59:59.999999999"),
        ("2000", "2000-12-31T23:59:59.999999999"),
        ("2000-02-28T12", "2000-02-28T12"),
        ("2000-02-28T12:30", "2000-02-28T12:30"),
        ("2000-02-28T12:00:00Z", "2000-02-28T12"),
        (2000, "2000-12-31T23:59:59.999999999"),
        (dt.date(2000, 2, 28), "2000-02-28T23:59:59.999999999"),
        (dt.datetime(2000, 2, 28, 12), "2000-02-28T12"),
        (dt.datetime(2000, 2, 28, 12, tzinfo=dt.timezone(dt.timedelta(hours=3))), "2000-02-28T09"),
    ],
)
def test_a_bare_date_month_or_year_is_whole(stop: object, last: str) -> None:
    assert Period.model_validate({"start": "1999", "stop": stop}).bounds() == (ns("1999-01-01"), ns(last))


def test_yaml_dates_are_read() -> None:
    text = "{start: 2000-01-01, stop: 2000-01-31T12:00:00Z}"
    assert Period.model_validate(yaml.safe_load(text)).bounds() == (ns("2000-01-01"), ns("2000-01-31T12"))


@pytest.mark.parametrize("text", ["NaT", "now", "today", "", "soon", "2000-13-01", "2000-01-01T00+05:00", "31.12.2000"])
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(ValidationError, match="expected an ISO date or time in UTC, as in 2001-01-31 or 2001-01-31T12"):
        Period(start=text, stop="2001")


def test_both_ends_belong_to_a_period() -> None:
    times = np.arange(ns("2000-01-01"), ns("2000-01-04"), np.timedelta64(12, "h"))
    assert times[Period(start="2000-01-01T12", stop="2000-01-02").contains(times)].tolist() == times[1:4].tolist()
    assert times[Period(start="2000-01-01T12", stop="2000-01-02T00").contains(times)].tolist() == times[1:3].tolist()


def test_period_of() -> None:
    assert period_of("2001-01-01..2001-01-24") == Period(start="2001-01-01", stop="2001-01-24")
    iso, reversed_ = "expected an ISO date", "start 2002 is after stop 2001; exchange them"
    reasons = {"2001-01-01": f"stop: {iso}", "2001..": f"stop: {iso}", "a..b": f"start: {iso}", "2002..2001": reversed_}
    for text, reason in reasons.items():
        expected = rf"cannot read the period '{text}' \({reason}.*\); expected START\.\.STOP as in"
        with pytest.raises(ConfigError, match=expected):
            period_of(text)


def test_a_wrong_source_is_the_only_complaint() -> None:
    """pydantic would add that the others are too few."""
    wrong = {"kind": "ftp", "path": "x"}
    with pytest.raises(ValidationError) as caught:
        DataConfig.model_validate({**GOOD, "sources": [wrong, wrong]})
    assert caught.value.error_count() == 2


def test_every_source_is_in_the_registry() -> None:
    assert sorted(SOURCES) == ["arco_era5", "files", "grib", "speedy", "weatherbench2"]
    for kind, source in SOURCES.items():
        assert source(path="x").kind == kind
