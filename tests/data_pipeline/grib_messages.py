"""The mock world as GRIB messages, written with eccodes; tests skip where the extra is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.grid import Grid
from data_pipeline.sources.grib import GribSource
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

Write: TypeAlias = Callable[..., GribSource]

eccodes = pytest.importorskip("eccodes", reason="the extra sphercast[grib] is not installed")

GRID = Grid.equiangular(6, 12, poles=False)
TIMES = mock_times("2000-01-01", 4)
WORLD = mock_states(
    GRID, TIMES, {"geopotential": (500, 850), "temperature": (500, 850), "mean_sea_level_pressure": None}
)
SHORT = {
    "geopotential": "z", "temperature": "t", "2m_temperature": "2t", "mean_sea_level_pressure": "msl",
    "geopotential_at_surface": "z", "land_sea_mask": "lsm", "total_precipitation": "tp",
}  # fmt: skip
SCANS = [(i, j, columns) for i in (0, 1) for j in (0, 1) for columns in (0, 1)]


def message(
    values: Any, grid: Grid = GRID, edition: int = 1, scan: tuple[int, int, int] = (0, 0, 0),
    kind: str = "ll", **keys: Any,
) -> bytes:  # fmt: skip
    """``values`` (latitude, longitude), north to south, scanned in an order (i negative, j positive, j consecutive)."""
    handle = eccodes.codes_grib_new_from_samples(f"regular_{kind}_pl_grib{edition}")
    latitude, longitude = grid.latitude[:: -1 if scan[1] else 1], grid.longitude[:: -1 if scan[0] else 1]
    labels = {
        "Ni": len(longitude), "Nj": len(latitude), "iDirectionIncrementInDegrees": 360 / len(longitude),
        "latitudeOfFirstGridPointInDegrees": latitude[0], "latitudeOfLastGridPointInDegrees": latitude[-1],
        "longitudeOfFirstGridPointInDegrees": longitude[0], "longitudeOfLastGridPointInDegrees": longitude[-1],
        "iScansNegatively": scan[0], "jScansPositively": scan[1], "jPointsAreConsecutive": scan[2],
        **({"N": len(latitude) // 2} if kind == "gg" else {}),
    }  # fmt: skip
    for key, value in {**labels, "shortName": "t", "bitsPerValue": 24, **keys}.items():
        eccodes.codes_set(handle, key, value)
    scanned = np.asarray(values)[:: -1 if scan[1] else 1, :: -1 if scan[0] else 1]
    eccodes.codes_set_values(handle, (scanned.T if scan[2] else scanned).astype(np.float64).ravel())
    content: bytes = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


def at(time: Any) -> dict[str, int]:
    text = np.datetime_as_string(np.datetime64(time), unit="m")
    return {"dataDate": int(text[:10].replace("-", "")), "dataTime": int(text[11:].replace(":", ""))}


def messages(world: xr.Dataset, edition: int = 1, **options: Any) -> list[bytes]:
    """Every field of a canonical dataset as a message, in the order of variables, levels and times."""
    written = []
    for name, data in world.data_vars.items():
        ground = {"typeOfLevel": "meanSea" if SHORT[str(name)] == "msl" else "surface", "level": 0}
        for level in data["level"].values if "level" in data.dims else [0]:
            column = data.sel(level=level) if level else data
            place = {"level": int(level)} if level else ground
            for time in column["time"].values:
                keys = {**at(time), **place, "shortName": SHORT[str(name)], **options}
                written.append(message(column.sel(time=time).values, Grid.of(world), edition, **keys))
    return written


MESSAGES = messages(WORLD)


def writer(folder: Path) -> Write:
    """Writes messages to a file of a folder and gives the source of it."""

    def to_file(contents: list[bytes], name: str = "a.grib", **options: Any) -> GribSource:
        (folder / name).write_bytes(b"".join(contents))
        return GribSource(path=str(folder / name), **options)

    return to_file


def everything(source: GribSource, wanted: Any = tuple(WORLD.data_vars)) -> xr.Dataset:
    """What a source gives, checked to be canonical and lazy."""
    result = source.open(wanted)
    check(result)
    assert all(field.chunks for field in result.data_vars.values())
    return result


def assert_same(result: xr.Dataset, world: xr.Dataset, rtol: float = 1e-6) -> None:
    assert set(result.data_vars) == set(world.data_vars)
    xr.testing.assert_allclose(result.transpose(..., *world.dims), world.transpose(..., *world.dims), rtol=rtol)


def precipitation(edition: int, spans: list[tuple[int, int]]) -> list[bytes]:
    """Accumulations of one forecast from 2000-01-01T00; their value is the hour in which they end, in mm."""
    template = {"productDefinitionTemplateNumber": 8} if edition == 2 else {}
    return [
        message(np.full(GRID.shape, end / 1000), edition=edition, typeOfLevel="surface", level=0, **at("2000-01-01"),
                **template, shortName="tp", stepType="accum", startStep=start, endStep=end)
        for start, end in spans
    ]  # fmt: skip
