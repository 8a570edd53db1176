"""Two forecasts, or a forecast and the analysis, beside each other in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from evaluation.plots.fields import select
from evaluation.plots.grids import onto
from evaluation.readers import open_run
from evaluation.viewer.export import export
from evaluation.viewer.sides import OtherSide
from tests.evaluation.layouts import earth2studio, weatherbench2
from tests.evaluation.mock_maps import mock_forecast
from tests.evaluation.viewed import Opened, content, values, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "one.nc")


def test_another_forecast_is_shown_at_the_same_valid_times(path: Path, tmp_path: Path, opened: Opened) -> None:
    later = mock_forecast(members=2).assign_coords(initial_time=np.datetime64("2001-01-07", "ns")) + 1.0
    other = written(tmp_path / "two.nc", later)
    pieces = opened(path, against=str(other))
    meta = content(pieces.make("meta"))["sides"]["b"]
    assert (meta["name"], meta["kind"], meta["members"]) == ("two.nc", "forecast", 2)
    assert meta["has"] == [False, True, True]  # valid on the 8th and the 10th
    found = content(pieces.make("field/b/1/0/1/mean"))
    assert (found["hours"], found["initial"]) == (24.0, "2001-01-07 00 UTC")
    assert "has no field valid at 2001-01-06T00" in content(pieces.make("field/b/1/0/0/mean"))["refused"]
    assert pieces.make("field/b/1/0/1/m2") is None
    series = content(pieces.make("series/b/1/0/0"))
    assert [gap["lead"] for gap in series["gaps"]] == [0]


def test_an_export_has_no_piece_that_only_refuses(path: Path, tmp_path: Path, opened: Opened) -> None:
    """Constant fields have no thresholds; the other forecast lacks a lead and variables, which the page knows."""
    kept = written(tmp_path / "two.nc", mock_forecast(members=2).isel(lead_time=[0, 1]))
    with xr.open_dataset(kept, engine="netcdf4") as data:
        data[["geopotential"]].to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    export(opened(path, against=str(tmp_path / "other.nc")), tmp_path / "page", print)
    folder = tmp_path / "page" / "pieces"
    assert not [own for own in folder.rglob("*.js") if b'"refused"' in own.read_bytes()]
    assert (folder / "field/a/0/0/2/mean.js").exists()
    absent = ("field/b/0/0/2/mean", "field/d/0/0/2/mean", "field/b/1/0/0/mean", "series/b/1/0/0", "field/a/1/0/0/p0")
    assert not any((folder / f"{own}.js").exists() for own in absent)


def test_the_difference_is_mean_minus_mean(path: Path, tmp_path: Path, opened: Opened) -> None:
    other = written(tmp_path / "two.nc", mock_forecast() * 1.01)
    pieces = opened(path, against=str(other))
    one, two = (select(open_run(own), "geopotential", 500, 72.0).mean() for own in (path, other))
    made = pieces.make("field/d/0/1/1/mean")
    np.testing.assert_allclose(values(made), one - two, rtol=0, atol=content(made)["scale"])
    edges = content(pieces.make("scale/0/1"))["scales"]["difference"]["edges"]
    assert edges == [-edge for edge in reversed(edges)]
    assert pieces.make("field/d/0/1/1/spread") is None


def test_grids_are_shared_for_the_difference_alone(path: Path, tmp_path: Path, opened: Opened) -> None:
    coarse = onto(mock_forecast(), Grid.equiangular(8, 16, poles=False))
    pieces = opened(path, against=str(written(tmp_path / "coarse.nc", coarse)))
    assert [content(pieces.make(f"field/{side}/0/0/0/mean"))["shape"] for side in "abd"] == [[16, 32], [8, 16], [8, 16]]
    sides = content(pieces.make("meta"))["sides"]
    assert [len(sides[side]["grid"]["latitude"]) for side in "abd"] == [16, 8, 8]


def test_an_analysis_is_a_single_field(path: Path, tmp_path: Path, opened: Opened) -> None:
    states = mock_forecast(members=1).isel(realization=0, drop=True)[["geopotential", "2m_temperature"]]
    times = states["initial_time"].values + states["lead_time"].values
    states = states.drop_vars("initial_time").rename(lead_time="time").assign_coords(time=times)
    states["geopotential"].attrs["units"], states["2m_temperature"].attrs["units"] = "m2 s-2", "K"
    states.to_netcdf(tmp_path / "analysis.nc", engine="netcdf4")
    pieces = opened(path, against=str(tmp_path / "analysis.nc"))
    meta = content(pieces.make("meta"))["sides"]["b"]
    assert (meta["kind"], meta["members"]) == ("analysis", 1)
    assert meta["lacks"][2:] == [[True], [True], [True]]
    assert pieces.products("b") == ["mean"]
    assert content(pieces.make("series/b/0/0/0"))["quantities"] == ["value"]
    assert "no variable" in content(pieces.make("field/b/2/0/0/mean"))["refused"]
    assert "difference" not in content(pieces.make("scale/2/0"))["scales"]


def test_nothing_in_common_is_refused_at_once(path: Path, tmp_path: Path, opened: Opened) -> None:
    far = mock_forecast().assign_coords(initial_time=np.datetime64("2011-01-05", "ns"))
    with pytest.raises(DataError, match="valid at any lead time of the forecast, 2001-01-06T00 to 2001-01-10T00; give"):
        opened(path, against=str(written(tmp_path / "far.nc", far)))
    with pytest.raises(DataError, match="neither a forecast nor an analysis"):
        opened(path, against=str(tmp_path / "absent.nc"))


def test_several_grids_on_the_other_side_are_refused(path: Path, opened: Opened) -> None:
    run = mock_forecast()
    coarse = onto(run, Grid.equiangular(8, 16, poles=False)).isel(lead_time=[0])
    pieces = opened(path)
    side = OtherSide("mixed", [run.isel(lead_time=[1, 2]), coarse], pieces.sides["a"].times, 0)
    with pytest.raises(DataError, match="several grids, expected one"):
        side.ensemble("2m_temperature", None, 1)


def test_a_member_that_is_not_there_is_refused(path: Path, opened: Opened) -> None:
    with pytest.raises(DataError, match="no member at position 7; there are 3"):
        opened(path).sides["a"].ensemble("2m_temperature", None, 0, 7)


@pytest.mark.parametrize("layout", [weatherbench2, earth2studio])
def test_forecasts_of_others_are_shown_alike(
    layout: Callable[..., list[Path]], ensemble: Callable[..., xr.Dataset], tmp_path: Path, opened: Opened
) -> None:
    ours = tmp_path / "ours.nc"
    ensemble().to_netcdf(ours, engine="netcdf4")
    (theirs,) = layout([ensemble()], tmp_path)
    one, two = opened(ours), opened(theirs)
    names = [[own["name"] for own in content(each.make("meta"))["variables"]] for each in (one, two)]
    for name in names[0]:
        keys = [f"field/a/{own.index(name)}/0/1/q90" for own in names]
        np.testing.assert_allclose(values(one.make(keys[0])), values(two.make(keys[1])), rtol=1e-4)
