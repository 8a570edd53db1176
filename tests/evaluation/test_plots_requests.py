"""What is asked of maps: every message, and files that are whole or not there."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from data_pipeline.errors import DataError
from evaluation.plots import draw
from evaluation.plots.fields import select
from tests.evaluation.mock_maps import figure_of, mock_forecast


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "hail"}, "no variable 'hail'; the forecast has geopotential, temperature, .*wind_speed"),
        ({"level": 300}, r"no level 300 for geopotential; the forecast has \(hPa\): 250, 500"),
        ({"variable": "2m_temperature", "level": 500}, "2m_temperature has no levels, got level 500; leave the level"),
        ({"lead": 96}, r"no lead 96 h in this forecast; it has \(hours\): 24, 72, 120"),
        ({"kind": "lasagne"}, "unknown kind of map 'lasagne'; expected one of: mean, spread, mean_spread, member, st"),
        ({"lead": float("nan")}, "no lead nan h in this forecast"),
        ({"kind": "probability"}, "a probability map needs a threshold: pass --threshold VALUE in dam"),
        ({"kind": "probability", "threshold": float("nan")}, "got threshold nan, expected a number"),
        ({"kind": "probability", "quantile": 0.9}, "a quantile of the climate needs the climate; pass --climatology"),
        (
            {"kind": "probability", "climatology": "sample"},
            "needs a level of its quantiles and no threshold; pass --qua",
        ),
        ({"kind": "probability", "climatology": "sample", "quantile": 0.9, "threshold": 5.0}, "and no threshold"),
        ({"kind": "quantile", "quantile": 90.0}, "a quantile is between 0 and 1, got 90; e.g. 0.9"),
        ({"kind": "quantile", "quantile": float("nan")}, "a quantile is between 0 and 1, got nan"),
        ({"kind": "efi"}, "an EFI map needs the quantiles of a climatology; pass --climatology PATH"),
        ({"kind": "difference"}, "a difference needs something to subtract; pass --against FILE"),
        ({"kind": "member", "member": "7"}, "no member 7; the forecast has 0, 1, 2"),
        ({"kind": "chart", "variable": "2m_temperature"}, "no chart of 2m_temperature; expected one of geopotential, "),
        (
            {"kind": "wind", "style": "feathers"},
            "unknown style of wind 'feathers'; expected one of: barbs, streamlines",
        ),
        ({"kind": "wind", "variable": "100m_wind_speed"}, "no variable '100m_wind_speed'"),
        ({"kind": "spaghetti", "contours": ()}, "got contours none; expected one to 6 numbers in dam"),
        ({"kind": "spaghetti", "contours": (1, 2, 3, 4, 5, 6, 7)}, "got contours 1, 2, .*expected one to 6 numbers"),
        ({"kind": "spaghetti", "contours": (float("nan"),)}, "got contours nan; expected one to 6 numbers in dam"),
        ({"threshold": 540}, "a map of kind 'mean' has no --threshold; leave it out, or draw kind 'probability'"),
        ({"above": False}, "a map of kind 'mean' has no --below; leave it out, or draw kind 'probability'"),
        ({"quantile": 0.5}, "has no --quantile; leave it out, or draw kind 'quantile' or 'probability'"),
        ({"contours": (5.0,)}, "has no --contours; leave it out, or draw kind 'spaghetti'"),
        ({"against": "sample"}, "has no --against; leave it out, or draw kind 'difference'"),
        ({"member": "1"}, "has no --member; leave it out, or draw kind 'member' or 'wind' or 'chart'"),
        ({"region": "box:80,95,0,10"}, "the region box:80,95,0,10 is off the globe"),
        ({"projection": "mercator"}, "unknown projection 'mercator'"),
        ({"out": "map.jpg"}, "maps are written as PNG, got map.jpg; give a name that ends in .png"),
    ],
)
def test_a_wrong_request_is_answered_with_what_there_is(forecast, options, message, tmp_path):
    request = {"variable": "geopotential", "kind": "mean", **options}
    out = tmp_path / request.pop("out", "map.png")
    with pytest.raises(DataError, match=message):
        draw(forecast, out=out, **request)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data.drop_vars("lead_time"), "not a run of a forecast: the data lack lead_time; open the file"),
        (lambda data: data.drop_vars("initial_time"), "the data lack initial_time"),
        (lambda data: data.isel(lead_time=slice(0, 0)), "the forecast is empty"),
        (lambda data: data * np.nan, "geopotential on 500 hPa has no value at T.120 h; check the file, or choose"),
        (lambda data: data.isel(latitude=slice(None, None, -1)), "latitude must run from north to south"),
    ],
)
def test_what_is_no_forecast_is_refused(forecast, spoil, message):
    with pytest.raises(DataError, match=message):
        select(spoil(forecast), "geopotential", None, None)


def test_a_region_that_the_map_does_not_show_is_refused(forecast):
    south = forecast.sel(latitude=slice(-30, -60))
    with pytest.raises(DataError, match="no value within this map; choose a region or projection that it covers"):
        figure_of(south, "mean", "geopotential", projection="north_pole")


def test_a_write_that_fails_leaves_the_old_map_and_nothing_else(forecast, tmp_path, monkeypatch):
    out = tmp_path / "map.png"
    out.write_bytes(b"old")

    def full_disk(*_args, **_options):
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="no space"):
        draw(forecast, variable="2m_temperature", kind="mean", out=out)
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_the_same_forecast_gives_the_same_bytes_and_leaves_matplotlib_alone(forecast, tmp_path):
    settings = dict(mpl.rcParams)
    for name in ("a.png", "b.png"):
        draw(forecast, variable="temperature", kind="mean", out=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert dict(mpl.rcParams) == settings


def test_the_plots_need_neither_torch_nor_the_model():
    code = "import sys, evaluation.plots; sys.exit(bool({'torch', 'forecast'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_wind_that_the_forecast_lacks_is_named(forecast):
    calm = forecast.drop_vars(["10m_u_component_of_wind", "u_component_of_wind"])
    with pytest.raises(
        DataError, match="no wind to draw over 2m_temperature: expected 10m_u_component_of_wind and 10m_"
    ):
        figure_of(calm, "wind", "2m_temperature")
    with pytest.raises(
        DataError, match="no wind to draw over temperature: expected u_component_of_wind and v_component"
    ):
        figure_of(calm, "wind", "temperature")


def test_damaged_values_are_a_sentence_that_names_the_file(forecast):
    def fail(block):
        raise OSError("checksum mismatch")

    lazy = forecast["2m_temperature"].chunk()
    broken = forecast.assign({"2m_temperature": lazy.copy(data=lazy.data.map_blocks(fail, dtype="f8"))})
    with pytest.raises(DataError, match=r"forecast.nc cannot be read \(checksum mismatch\); a file is damaged"):
        select(broken.assign_attrs(path="forecast.nc"), "2m_temperature", None, None)
