"""GRIB: the mock world written with eccodes comes back from every edition, grid, scanning order and packing."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import Report
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.grib_index import grib_files
from data_pipeline.sources.grib_message import decode
from data_pipeline.sources.grib_packing import unpack_simple
from data_pipeline.variables import GRAVITY
from tests.data_pipeline.grib_messages import (
    GRID,
    MESSAGES,
    SCANS,
    TIMES,
    WORLD,
    Write,
    assert_same,
    at,
    eccodes,
    everything,
    message,
    messages,
)
from tests.mock_world import mock_states, mock_static

if TYPE_CHECKING:
    from pathlib import Path


# what comes back


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("edition", [1, 2])
def test_every_scanning_order(write_grib: Write, edition: int, scan: tuple[int, int, int]) -> None:
    world = WORLD.isel(time=[0])
    assert_same(everything(write_grib(messages(world, edition, scan=scan))), world)


@pytest.mark.parametrize("scan", [(0, 0, 0), (1, 1, 0)])
@pytest.mark.parametrize("edition", [1, 2])
def test_gaussian_grids(write_grib: Write, edition: int, scan: tuple[int, int, int]) -> None:
    world = mock_states(Grid.gaussian(32, 64), TIMES[:2], {"temperature": (500,)})
    assert_same(everything(write_grib(messages(world, edition, kind="gg", scan=scan)), {"temperature"}), world)


@pytest.mark.parametrize("edition", [1, 2])
def test_labels_finer_than_the_increments_of_the_first_edition(write_grib: Write, edition: int) -> None:
    grid = Grid.equiangular(128, 256, poles=False)  # 1.40625 degrees: whole millidegrees add up to 0.03 degrees
    world = mock_states(grid, TIMES[:1], {"mean_sea_level_pressure": None})
    assert Grid.of(everything(write_grib(messages(world, edition)))).matches(grid)


@pytest.mark.parametrize("scan", [0, 1])
def test_longitudes_that_start_at_the_date_line(write_grib: Write, scan: int) -> None:
    world = WORLD[["mean_sea_level_pressure"]].isel(time=[0])
    values = np.roll(world["mean_sea_level_pressure"].values[0], 6, axis=1)[:, :: -1 if scan else 1]
    ends = (180.0, 150.0)[:: -1 if scan else 1]
    keys = {"longitudeOfFirstGridPointInDegrees": ends[0], "longitudeOfLastGridPointInDegrees": ends[1]}
    content = message(values, shortName="msl", typeOfLevel="meanSea", **at(TIMES[0]), **keys, iScansNegatively=scan)
    assert_same(everything(write_grib([content])), world)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(MESSAGES))), st.integers(0, len(MESSAGES)))
def test_order_and_files_do_not_matter(tmp_path: Path, order: list[int], cut: int) -> None:
    for name, part in (("a.grib", order[:cut]), ("b.grb2", order[cut:])):
        (tmp_path / name).unlink(missing_ok=True)
        if part:
            (tmp_path / name).write_bytes(b"".join(MESSAGES[number] for number in part))
    assert_same(everything(GribSource(path=str(tmp_path))), WORLD)


def test_editions_and_scanning_orders_in_one_folder(write_grib: Write, tmp_path: Path) -> None:
    write_grib(messages(WORLD[["temperature"]], 1, scan=(0, 1, 0)), "a.grib1")
    write_grib(messages(WORLD[["geopotential", "mean_sea_level_pressure"]], 2), "b.grib2")
    (tmp_path / "b.grib2.5b7b6.idx").write_bytes(b"left by cfgrib")
    assert_same(everything(GribSource(path=str(tmp_path))), WORLD)
    assert_same(everything(GribSource(path=str(tmp_path / "*.grib?"))), WORLD)
    assert [path.name for path in grib_files(str(tmp_path))] == ["a.grib1", "b.grib2"]


@pytest.mark.parametrize("edition", [1, 2])
def test_missing_values_are_nan(write_grib: Write, edition: int) -> None:
    values = WORLD["mean_sea_level_pressure"].values[0].astype(np.float64)
    values[0, :3] = 9999.0
    values[1, 0] = np.nan
    content = message(np.nan_to_num(values, nan=-1e30), edition=edition, level=500, bitmapPresent=1, missingValue=-1e30)
    result = everything(write_grib([content]), {"temperature"})["temperature"].values[0, 0]
    np.testing.assert_allclose(result, values, rtol=1e-6)  # 9999, which eccodes takes for missing by default, is none
    assert np.isnan(result[1, 0])


@settings(max_examples=60)
@given(
    st.sampled_from([1, 2]), st.sampled_from([1, 8, 12, 16, 24, 32]), st.integers(-2, 3),
    st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(0, 2**32),
)  # fmt: skip
def test_every_packing_is_as_eccodes_unpacks_it(
    edition: int, bits: int, decimal: int, base: float, spread: float, seed: int
) -> None:
    values = base + spread * np.random.default_rng(seed).random((6, 11))  # 66: not even, so that sections are padded
    content = message(
        values, Grid.equiangular(6, 11, poles=False), edition, bitsPerValue=bits, decimalScaleFactor=decimal
    )
    handle = eccodes.codes_new_from_message(content)
    expected, packed = eccodes.codes_get_values(handle), eccodes.codes_get(handle, "bitsPerValue")
    eccodes.codes_release(handle)
    field = np.empty(values.shape, np.float32)
    assert unpack_simple(content, field) == (packed in {8, 16, 32})  # a decimal scale makes eccodes choose the bits
    decode(content, field)
    np.testing.assert_array_max_ulp(field.ravel(), expected.astype(np.float32), maxulp=1)


@pytest.mark.parametrize("packing", ["grid_ccsds", "grid_jpeg", "grid_complex_spatial_differencing", "grid_ieee"])
def test_packings_that_eccodes_unpacks(write_grib: Write, packing: str) -> None:
    world = WORLD[["temperature"]].isel(time=[0])
    assert_same(everything(write_grib(messages(world, 2, packingType=packing)), {"temperature"}), world)


def test_a_constant_field(write_grib: Write) -> None:
    result = everything(write_grib([message(np.full(GRID.shape, 273.0), level=500)]), {"temperature"})
    assert np.all(result["temperature"] == 273)


def test_static_fields_and_the_two_meanings_of_z(write_grib: Write) -> None:
    static = mock_static(GRID)
    both = WORLD.merge(static.expand_dims(time=TIMES))
    source = write_grib(messages(both))
    assert_same(everything(source, {*WORLD.data_vars, *static.data_vars}), WORLD.merge(static), rtol=1e-5)
    later = source.open({"temperature", "land_sea_mask"}, (TIMES[2], TIMES[2]))
    assert later["land_sea_mask"].dims == ("latitude", "longitude")
    assert later.sizes["time"] == 1


@pytest.mark.parametrize(("edition", "units", "scale"), [(1, "gh", GRAVITY), (2, "gh", GRAVITY), (1, "z", 1.0)])
def test_geopotential_from_its_height(write_grib: Write, edition: int, units: str, scale: float) -> None:
    content = message(np.full(GRID.shape, 5500.0), edition=edition, shortName=units, level=500)
    result = everything(write_grib([content]), {"geopotential"})["geopotential"]
    np.testing.assert_allclose(result, 5500 * scale, rtol=1e-6)


def test_orography_is_geopotential_at_the_surface(write_grib: Write) -> None:
    content = message(np.full(GRID.shape, 100.0), edition=2, typeOfLevel="surface", level=0, shortName="orog")
    result = everything(write_grib([content]), {"geopotential_at_surface"})
    np.testing.assert_allclose(result["geopotential_at_surface"], 100 * GRAVITY, rtol=1e-6)


def test_levels_in_pascal_and_levels_that_no_channel_has(write_grib: Write) -> None:
    contents = [
        message(np.full(GRID.shape, 200.0 + place), edition=2, typeOfLevel=kind, level=place)
        for kind, place in (("isobaricInPa", 50), ("isobaricInhPa", 7), ("isobaricInhPa", 50), ("hybrid", 60))
    ]
    result = everything(write_grib(contents), {"temperature"})["temperature"]
    assert result["level"].values.tolist() == [7, 50]
    np.testing.assert_allclose(result.isel(time=0, latitude=0, longitude=0), [207, 250], rtol=1e-6)


@pytest.mark.parametrize(("name", "short"), [("lake_cover", "cl"), ("snow_depth", "sd"), ("sea_ice_cover", "ci")])
@pytest.mark.parametrize("edition", [1, 2])
def test_units_as_eccodes_spells_them(write_grib: Write, edition: int, name: str, short: str) -> None:
    content = message(np.full(GRID.shape, 0.5), edition=edition, typeOfLevel="surface", level=0, shortName=short)
    np.testing.assert_allclose(everything(write_grib([content]), {name})[name], 0.5)


def test_celsius(write_grib: Write) -> None:
    content = message(np.full(GRID.shape, 10.0), edition=2, typeOfLevel="surface", level=0, shortName="sst")
    assert "C" in eccodes_units(content)
    result = everything(write_grib([content]), {"sea_surface_temperature"})["sea_surface_temperature"]
    np.testing.assert_allclose(result, 283.15, rtol=1e-6)


def eccodes_units(content: bytes) -> str:
    handle = eccodes.codes_new_from_message(content)
    units: str = eccodes.codes_get(handle, "units")
    eccodes.codes_release(handle)
    return units


# time and files


def test_the_window_holds_both_of_its_ends(write_grib: Write) -> None:
    source = write_grib(MESSAGES)
    result = source.open(set(WORLD.data_vars), (TIMES[1], TIMES[2]))
    assert_same(result, WORLD.isel(time=slice(1, 3)))
    with pytest.raises(
        DataError, match=r"a\.grib has no geopotential in 1990.*2000-01-01T00\.\.2000-01-01T18; change 'period'"
    ):
        source.open(set(WORLD.data_vars), (np.datetime64("1990"), np.datetime64("1991")))


def test_a_file_that_changes_is_read_again(write_grib: Write) -> None:
    assert write_grib(MESSAGES[:1]).open({"geopotential"}).sizes["time"] == 1
    assert_same(everything(write_grib(MESSAGES)), WORLD)


def test_a_file_that_is_damaged_after_it_was_opened(write_grib: Write, capfd: pytest.CaptureFixture[str]) -> None:
    source = write_grib(MESSAGES)
    opened = source.open(set(WORLD.data_vars))
    write_grib([content[:-40] for content in MESSAGES])
    with pytest.raises(DataError, match=r"a\.grib: the field at byte \d+ cannot be unpacked .*copy it again"):
        opened.compute()
    assert capfd.readouterr().err == ""


def test_it_is_sent_to_other_processes(write_grib: Write) -> None:
    assert_same(pickle.loads(pickle.dumps(everything(write_grib(MESSAGES)))), WORLD)


def test_nothing_to_repair_nothing_to_report(write_grib: Write) -> None:
    report = Report()
    write_grib(MESSAGES).open(set(WORLD.data_vars), None, report)
    assert report.errors == []
