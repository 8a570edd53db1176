"""Meteograms of the viewer: those of ``sphercast plot`` at any place, with the climate; in an export the grid's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.errors import DataError
from evaluation.plots.places import open_local
from evaluation.plots.places.members import along_leads, quantiles_of_known
from evaluation.plots.places.usual import Climate
from evaluation.readers import open_run
from evaluation.viewer.products import PERCENTS
from evaluation.viewer.series import block
from tests.evaluation.mock_maps import mock_forecast
from tests.evaluation.viewed import Opened, content, values, written

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = np.array(PERCENTS) / 100


@given(arrays(np.float64, (5, 3), elements=st.floats(-100, 100) | st.just(np.nan)))
def test_quantiles_are_numpys_of_what_is_known(members: np.ndarray) -> None:
    expected = [
        np.quantile(column[~np.isnan(column)], LEVELS) if np.isfinite(column).any() else np.full(LEVELS.size, np.nan)
        for column in members.T
    ]
    np.testing.assert_allclose(quantiles_of_known(members, LEVELS).T, expected, atol=1e-9)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members of wind that differ, one of which was stopped."""
    data = mock_forecast(members=5)
    noise = np.random.default_rng(1).normal(size=data["10m_u_component_of_wind"].shape)
    data["10m_u_component_of_wind"] = data["10m_u_component_of_wind"] + 5 * noise
    for name in ("geopotential", "10m_u_component_of_wind"):
        data[name][3, 2] = np.nan
    return written(tmp_path_factory.mktemp("places") / "forecast.nc", data, control_member="1")


@pytest.mark.parametrize("at", ["48.20,16.37", "-3.00,-0.50", "0.01,179.99", "89.50,33.00", "-90.00,0.00"])
@pytest.mark.parametrize(("key", "variable", "level"), [("0/1", "geopotential", 500), ("4/0", "10m_wind_speed", None)])
def test_a_place_is_that_of_plot(
    at: str, key: str, variable: str, level: int | None, path: Path, opened: Opened
) -> None:  # fmt: skip
    found = content(opened(path).make(f"place/a/{key}/{at.replace(',', '/')}"))
    expected = along_leads(open_local(path, at), variable, level)
    rounding = np.ptp(expected.values[np.isfinite(expected.values)]) / 65534 + 1e-3
    for name, quantile in zip(PERCENTS, expected.quantiles(list(LEVELS)), strict=True):
        np.testing.assert_allclose(found["series"][f"q{name}"], quantile, rtol=0, atol=rounding)
    np.testing.assert_allclose(found["series"]["control"], expected.values[1], rtol=0, atol=rounding)
    assert found["how"].startswith(("Bilinear between 4 grid points", "Linear between the last row"))
    assert ("wind speed of each member's components" in found["how"]) == (variable == "10m_wind_speed")


def test_a_row_is_the_places_of_its_grid_points(path: Path, opened: Opened) -> None:
    pieces, run = opened(path), open_run(path)
    for key in ("0/1", "1/0", "4/0"):
        row = values(pieces.make(f"series/a/{key}/5"))
        where = f"{float(run['latitude'][5]):.2f}/{float(run['longitude'][8]):.2f}"
        place = content(pieces.make(f"place/a/{key}/{where}"))["series"]
        np.testing.assert_allclose(row[:, :, 8].T, [*place.values()], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("at", ["91.00/0.00", "10.00/361.00"])
def test_what_is_no_place_is_refused_in_words(at: str, path: Path, opened: Opened) -> None:
    assert "expected latitude,longitude in degrees" in content(opened(path).make(f"place/a/0/0/{at}"))["refused"]


@pytest.mark.parametrize("key", ["a/0/0/1/2", "b/0/0/1.00/2.00", "a/0/9/1.00/2.00", "d/0/0/1.0/2.0", "a/0/0/nan/2.00"])
def test_other_keys_are_none(key: str, path: Path, opened: Opened) -> None:
    assert opened(path).make(f"place/{key}") is None


def test_the_climate_is_that_of_plot(path: Path, opened: Opened) -> None:
    pieces = opened(path, climatology="sample")
    found = content(pieces.make("place/a/0/1/48.20/16.37"))
    local = open_local(path, "48.20,16.37")
    expected = Climate("sample", local.place).beside(along_leads(local, "geopotential", 500))
    assert expected is not None
    np.testing.assert_allclose(found["climate"], expected.values, rtol=1e-6)
    assert found["usual"] == expected.words
    lacking = content(pieces.make("place/a/4/0/48.20/16.37"))  # a speed, of which only the components are there
    assert (lacking["usual"], "climate" in lacking) == ("", False)


def test_a_climatology_that_is_not_there_is_told_of_at_once(path: Path, opened: Opened) -> None:
    with pytest.raises(DataError, match="nowhere"):
        opened(path, climatology="nowhere")


def test_a_block_needs_room_and_the_same_members_at_all_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = block(tmp_path / "one", lambda lead: np.full((3 if lead == 1 else 2, 4, 5), lead), 3)
    assert made.gaps == ((1, "there are 3 members at this lead time and 2 before; give one forecast alone"),)
    assert np.isnan(made.values(slice(0, 1))[0, 1]).all()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"keeps 0\.0 GB in .*, which has 0\.0 GB left"):
        block(tmp_path / "two", lambda _: np.zeros((2, 4, 5)), 3)
