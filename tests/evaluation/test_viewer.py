"""The pieces of the viewer: what is in them is what is in the file, and nothing else can be asked for."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.errors import DataError
from evaluation.plots.fields import select
from evaluation.plots.style import STYLES, field_palette
from evaluation.readers import open_run
from evaluation.viewer.catalogue import Selection
from evaluation.viewer.encoding import quantize
from evaluation.viewer.pieces import Pieces
from evaluation.viewer.products import PERCENTS
from tests.evaluation.mock_maps import GRID, mock_forecast
from tests.evaluation.viewed import HOSTILE, Opened, content, values, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("viewed") / "forecast.nc", title=HOSTILE)


@pytest.fixture(scope="module")
def run(path: Path) -> xr.Dataset:
    return open_run(path)


@pytest.fixture(scope="module")
def pieces(path: Path) -> Iterator[Pieces]:
    made = Pieces(path)
    yield made
    made.close()


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_quantized_values_are_within_half_a_step(field: np.ndarray) -> None:
    found = quantize(field)
    np.testing.assert_array_equal(np.isnan(found.values()), np.isnan(field))
    known = np.isfinite(field)
    rounding = 1e-9 * np.abs(field[known]).max(initial=1.0)
    assert (np.abs(found.values() - field)[known] <= found.scale / 2 + rounding).all()


def test_a_constant_field_and_one_without_values_are_exact() -> None:
    np.testing.assert_array_equal(quantize(np.full((2, 2), 7.5)).values(), 7.5)
    assert np.isnan(quantize(np.full((2, 2), np.nan)).values()).all()


def test_fields_are_those_of_the_file_in_display_units(pieces: Pieces, run: xr.Dataset) -> None:
    ensemble = select(run, "geopotential", 500, 72.0)
    expected = {
        "mean": ensemble.mean(), "spread": ensemble.spread(), "q10": ensemble.quantile(0.1),
        "q90": ensemble.quantile(0.9), "min": ensemble.values.min(0), "max": ensemble.values.max(0),
        "m2": ensemble.values[2],
    }  # fmt: skip
    for product, field in expected.items():
        made = pieces.make(f"field/a/0/1/1/{product}")
        half_a_step = content(made)["scale"] / 2
        np.testing.assert_allclose(values(made), field, rtol=0, atol=half_a_step * (1 + 1e-6))


def test_probabilities_are_of_the_thresholds_that_the_scale_names(pieces: Pieces, run: xr.Dataset) -> None:
    thresholds = content(pieces.make("scale/0/1"))["thresholds"]
    ensemble = select(run, "geopotential", 500, 120.0)
    for place, threshold in enumerate(thresholds):
        expected = ensemble.probability(threshold["value"], above=True)
        np.testing.assert_allclose(values(pieces.make(f"field/a/0/1/2/p{place}")), expected, atol=1e-3)
    few = content(pieces.make("scale/1/0"))["thresholds"]  # it is 10 degrees everywhere
    assert not few
    assert "only 0 thresholds" in content(pieces.make("field/a/1/0/0/p0"))["refused"]


def test_colours_are_those_of_sphercast_plot(pieces: Pieces) -> None:
    shown = content(pieces.make("scale/0/1"))["scales"]["field"]
    palette = field_palette(STYLES["geopotential"], 500, np.zeros(1))
    assert (tuple(shown["edges"]), tuple(shown["colours"])) == (palette.edges, palette.colours)


def test_series_are_quantiles_at_every_lead(pieces: Pieces, run: xr.Dataset) -> None:
    row = 3
    found = content(pieces.make(f"series/a/1/0/{row}"))
    assert found["quantities"] == [f"q{percent}" for percent in PERCENTS]
    for lead, hours in enumerate((24.0, 72.0, 120.0)):
        members = select(run, "2m_temperature", None, hours).values[:, row]
        np.testing.assert_allclose(
            values(pieces.make(f"series/a/1/0/{row}"))[lead], np.quantile(members, np.array(PERCENTS) / 100, axis=0),
            rtol=0, atol=found["scale"][lead] / 2 + 1e-9,
        )  # fmt: skip


class Unreadable:
    grid = GRID

    def moment(self, *_: object) -> None:
        raise DataError("read again")


def test_a_block_is_read_once_and_the_oldest_are_forgotten(
    path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = opened(path)
    first = pieces.make("series/a/0/0/0")
    meteograms, blocks = pieces._meteograms, pieces._meteograms._blocks
    monkeypatch.setattr(meteograms, "_members", Unreadable().moment)
    assert pieces.make("series/a/0/0/0") == first
    assert content(pieces.make("series/a/0/1/0"))["refused"] == "read again"
    monkeypatch.undo()
    for variable, level in ((0, 1), (1, 0), (2, 0), (3, 0), (4, 0)):
        pieces.make(f"series/a/{variable}/{level}/0")
    assert len(blocks._blocks) == len(list(blocks.folder.iterdir())) == 5  # two components of wind are those of speed
    for number in range(3):
        blocks.get(("a", "more", number), lambda lead: np.zeros((2, 3, 4)), 1)
    assert len(list(blocks.folder.iterdir())) == 6
    folder = blocks.folder
    pieces.close()
    assert not folder.exists()


HOSTILE_KEYS = (
    "", "meta.js", "../meta", "field", "field/a/0/0/0", "field/a/0/0/0/mean/", "field/a/00/0/0/mean",
    "field/a/9/0/0/mean",
    "field/a/0/9/0/mean", "field/a/0/0/9/mean", "field/a/0/0/0/m3", "field/a/0/0/0/m99999", "field/a/0/0/0/m00001",
    "field/a/0/0/0/__class__", "field/b/0/0/0/mean", "field/d/0/0/0/mean", "field/a/0/0/-1/mean", "field/a/٠/0/0/mean",
    "field/a/0/0/0/mean\n", "series/a/0/0/16", "series/d/0/0/0", "series/b/0/0/0", "scale/0/2", "scale/4/0/0",
    "coasts/10m", "coasts/../x", "scale/99999999999999999999/0",
)  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_unknown_keys_have_no_piece(pieces: Pieces, key: str) -> None:
    assert pieces.make(key) is None


def test_threads_that_ask_at_once_get_what_one_gets(path: Path, opened: Opened, pieces: Pieces) -> None:
    keys = [f"field/a/{variable}/0/{lead}/q50" for variable in range(5) for lead in range(3)] + ["series/a/0/0/1"] * 4
    fresh = opened(path)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(fresh.make, keys)) == [pieces.make(key) for key in keys]


def test_every_key_has_a_piece_that_says_its_name(pieces: Pieces) -> None:
    keys = list(pieces.keys())
    assert len(keys) == len(set(keys))
    assert all(content(pieces.make(key))["key"] == key for key in keys)


def test_text_of_the_file_cannot_leave_its_script(pieces: Pieces) -> None:
    made = pieces.make("meta")
    assert made is not None
    assert b"<" not in made
    assert b"\xe2\x80\xa8" not in made
    assert ["title", HOSTILE] in content(made)["sides"]["a"]["about"]


def test_derived_wind_is_offered_and_units_are_peoples(pieces: Pieces) -> None:
    meta = content(pieces.make("meta"))
    assert {own["name"]: own["units"] for own in meta["variables"]} == {
        "geopotential": "dam", "2m_temperature": "°C", "10m_u_component_of_wind": "m/s",
        "10m_v_component_of_wind": "m/s", "10m_wind_speed": "m/s",
    }  # fmt: skip
    np.testing.assert_allclose(values(pieces.make("field/a/4/0/0/mean")), 5.0)
    assert meta["sides"]["a"]["grid"]["poles"] == [True, True]


def test_a_selection_numbers_what_it_has(path: Path, run: xr.Dataset, opened: Opened) -> None:
    chosen = Selection(variables=("geopotential",), levels=(500,), members=("2",), leads=(120.0,))
    pieces = opened(path, chosen)
    meta = content(pieces.make("meta"))
    assert meta["variables"][0]["levels"] == [500]
    assert [own["hours"] for own in meta["leads"]] == [120.0]
    assert [own["id"] for own in meta["members"]] == ["m2"]
    assert pieces.make("field/a/0/0/0/m1") is None
    mean = select(run, "geopotential", 500, 120.0).mean()
    made = pieces.make("field/a/0/0/0/mean")  # of all members, not of the chosen ones
    np.testing.assert_allclose(values(made), mean, rtol=0, atol=content(made)["scale"])


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(variables=("rain",)), "no variable 'rain'; the forecast has geopotential"),
        (Selection(levels=(700,)), r"no level 700 in this forecast; it has \(hPa\): 250, 500"),
        (Selection(members=("9",)), "no member 9 in this forecast; it has: 0, 1, 2"),
        (Selection(leads=(6.0,)), "no lead 6 h"),
        (Selection(levels=()), "nothing is left to show"),
    ],
)
def test_what_the_forecast_lacks_is_refused(path: Path, selection: Selection, words: str, opened: Opened) -> None:
    if not selection.levels and selection.levels is not None:
        selection = Selection(variables=("geopotential",), levels=())
    with pytest.raises(DataError, match=words):
        opened(path, selection)


def test_stopped_members_are_said_and_do_not_spoil_the_others(tmp_path: Path, opened: Opened) -> None:
    data = mock_forecast()
    data["geopotential"][1, 1:] = np.nan
    data["2m_temperature"][:, 2] = np.nan
    pieces = opened(written(tmp_path / "stopped.nc", data))
    mean = content(pieces.make("field/a/0/1/2/mean"))
    assert (mean["members"], mean["size"]) == (2, 3)
    assert "has no value at T+120 h" in content(pieces.make("field/a/0/1/2/m1"))["refused"]
    series = content(pieces.make("series/a/1/0/0"))
    assert series["gaps"][0]["lead"] == 2
    assert np.isnan(values(pieces.make("series/a/1/0/0"))[2]).all()


def test_opening_a_netcdf_file_imports_no_zarr_no_compiler_and_no_network() -> None:
    """They take longer than the first map."""
    code = "import sys, evaluation.viewer.pieces as _; print({'dask', 'zarr', 'numba', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_field_without_any_value_is_refused_in_words(tmp_path: Path, opened: Opened) -> None:
    data = mock_forecast()
    data["2m_temperature"][:] = np.nan
    pieces = opened(written(tmp_path / "empty.nc", data))
    for key in ("scale/1/0", "field/a/1/0/0/mean", "series/a/1/0/0"):
        assert "has no value" in content(pieces.make(key))["refused"]


def test_the_grid_of_the_page_is_the_files(pieces: Pieces) -> None:
    grid = content(pieces.make("meta"))["sides"]["a"]["grid"]
    np.testing.assert_allclose(grid["latitude"], GRID.latitude)
    assert grid["periodic"]


def test_a_region_across_greenwich_begins_in_the_west(tmp_path: Path, opened: Opened) -> None:
    region = mock_forecast().isel(latitude=slice(2, 6), longitude=[0, 1, 2, 29, 30, 31])
    pieces = opened(written(tmp_path / "region.nc", region))
    grid = content(pieces.make("meta"))["sides"]["a"]["grid"]
    assert grid["longitude"] == [326.25, 337.5, 348.75, 0.0, 11.25, 22.5]
    assert (grid["periodic"], grid["poles"]) == (False, [False, False])
    made = pieces.make("field/a/0/1/2/m0")
    whole = region["geopotential"].isel(realization=0, lead_time=2, level=1, longitude=[3, 4, 5, 0, 1, 2])
    np.testing.assert_allclose(values(made), whole * 0.1 / 9.80665, rtol=0, atol=content(made)["scale"])
    series = content(pieces.make("series/a/0/1/1"))
    lowest = region["geopotential"].isel(level=1, latitude=1, longitude=[3, 4, 5, 0, 1, 2]).min("realization")
    np.testing.assert_allclose(
        values(pieces.make("series/a/0/1/1"))[:, 0], lowest * 0.1 / 9.80665, rtol=0, atol=max(series["scale"])
    )
