"""The mock world as ECMWF and NOAA publish their analyses: trees of GRIB 2 files with indexes, a folder a mirror."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from data_pipeline.realtime import EcmwfOpenDataSource, GefsSource, Request
from data_pipeline.realtime import noaa as noaa_layout
from data_pipeline.realtime.fields import Field, fields_of
from data_pipeline.variables import GRAVITY
from tests.data_pipeline.grib_messages import at, message
from tests.data_pipeline.loopback import serving
from tests.mock_world import mock_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import xarray as xr

    from data_pipeline.realtime.noaa import GfsSource
    from tests.data_pipeline.loopback import Loopback

GRID = Grid.equiangular(9, 16, poles=True)
CHANNELS = Channels.of({"geopotential": [500, 850], "temperature": [500, 850], "2m_temperature": None,
                        "mean_sea_level_pressure": None})  # fmt: skip
TIMES = (np.datetime64("2026-06-01T00", "ns"), np.datetime64("2026-06-01T06", "ns"))
SOON = np.datetime64("2026-06-01T13", "ns")
"""When the cycles of both times are expected."""
REQUEST = Request(TIMES, CHANNELS)
WORLD = mock_states(GRID, np.array(TIMES), CHANNELS.variables)

ECMWF_NAMES = {"geopotential": "gh", "temperature": "t", "2m_temperature": "2t", "mean_sea_level_pressure": "msl",
               "total_precipitation": "tp", "land_sea_mask": "lsm"}  # fmt: skip
_NUMBERS = {
    ("kwbc", "geopotential"): {"parameterCategory": 3, "parameterNumber": 5},
    ("kwbc", "temperature"): {"parameterCategory": 0, "parameterNumber": 0},
    ("kwbc", "2m_temperature"): {
        "parameterCategory": 0,
        "parameterNumber": 0,
        "typeOfLevel": "heightAboveGround",
        "level": 2,
    },
    ("kwbc", "mean_sea_level_pressure"): {"parameterCategory": 3, "parameterNumber": 1, "typeOfLevel": "meanSea"},
    ("kwbc", "100m_u_component_of_wind"): {
        "parameterCategory": 2,
        "parameterNumber": 2,
        "typeOfLevel": "heightAboveGround",
        "level": 100,
    },
    ("kwbc", "total_column_water_vapour"): {
        "parameterCategory": 1,
        "parameterNumber": 3,
        "typeOfLevel": "atmosphereSingleLayer",
    },
    ("kwbc", "snow_depth"): {"parameterCategory": 1, "parameterNumber": 13, "typeOfLevel": "surface"},
    ("kwbc", "total_precipitation"): {"parameterCategory": 1, "parameterNumber": 8, "typeOfLevel": "surface"},
}
"""Of WMO's tables 4.2: NCEP has its own names."""
_NOAA_LINES = {name: key for key, name in noaa_layout.NAMES.items()}


def request(times: Sequence[str] = (), **changes: Any) -> Request:
    chosen = tuple(np.datetime64(time, "ns") for time in times) or TIMES
    return Request(**{"times": chosen, "channels": CHANNELS, **changes})


def grib2(values: Any, wanted: Field, centre: str = "ecmf", **keys: Any) -> bytes:
    """A field (latitude, longitude) as a message whose longitudes start at -180."""
    name = wanted.channel.variable_name
    labels: dict[str, Any] = {"centre": centre, **_product(wanted), **_NUMBERS.get((centre, name), {})}
    if centre == "ecmf":
        labels = {"shortName": ECMWF_NAMES[name], **labels}
    if wanted.channel.level:
        labels["level"] = wanted.channel.level
    ends = {"longitudeOfFirstGridPointInDegrees": 180, "longitudeOfLastGridPointInDegrees": 180 - 360 / GRID.shape[1]}
    water = 1e3 if centre == "kwbc" else 1.0
    scale = {"geopotential": 1 / GRAVITY, "total_precipitation": water, "snow_depth": water}.get(name, 1.0)
    rolled = np.roll(values * scale, GRID.shape[1] // 2, axis=-1)
    return message(rolled, GRID, 2, **{**labels, **ends, **keys})


def _product(wanted: Field) -> dict[str, Any]:
    """The template of the product - of an analysis or a sum, of a member or the only run - and the time."""
    summed, single = wanted.channel.variable.accumulated, wanted.member is None
    template = {(False, True): 0, (False, False): 1, (True, True): 8, (True, False): 11}[summed, single]
    said = {"productDefinitionTemplateNumber": template, **at(wanted.cycle)}
    said |= {} if single else {"perturbationNumber": wanted.member}
    return {**said, "stepType": "accum", "startStep": 0, "endStep": wanted.step_hours} if summed else said


def message_of(wanted: Field, world: xr.Dataset = WORLD, centre: str = "ecmf", **keys: Any) -> bytes:
    """The field of the world that is wanted."""
    field = world[wanted.channel.variable_name]
    field = field.sel(level=wanted.channel.level) if wanted.channel.level else field
    time = wanted.cycle + np.timedelta64(wanted.step_hours, "h")
    return grib2((field.sel(time=time) if "time" in field.dims else field).values, wanted, centre, **keys)


def index_line(wanted: Field, offset: int, content: bytes) -> str:
    """One line of an index of ECMWF."""
    stamp = str(np.datetime_as_string(wanted.cycle, unit="h"))
    name, level = wanted.channel.variable_name, wanted.channel.level
    said = {
        "domain": "g",
        "date": stamp[:10].replace("-", ""),
        "time": f"{stamp[11:]}00",
        "expver": "0001",
        "step": str(wanted.step_hours),
        "levtype": "pl" if level else "sfc",
        "param": ECMWF_NAMES[name],
    }
    said |= {"levelist": str(level)} if level else {}
    said |= {"number": str(wanted.member)} if wanted.member else {}
    return json.dumps({**said, "_offset": offset, "_length": len(content)})


def inventory_line(wanted: Field, offset: int, number: int) -> str:
    """One line of an inventory of wgrib2."""
    parameter, level = _NOAA_LINES[wanted.channel.variable_name]
    stamp = str(np.datetime_as_string(wanted.cycle, unit="h")).replace("-", "").replace("T", "")
    place = f"{wanted.channel.level} mb" if level == "mb" else level
    when = f"{wanted.step_hours} hour fcst" if wanted.step_hours else "anl"
    when = f"0-{wanted.step_hours} hour acc fcst" if wanted.channel.variable.accumulated else when
    member = {None: "", 0: "ENS=low-res ctl"}.get(wanted.member, f"ENS=+{wanted.member}")
    return f"{number}:{offset}:d={stamp}:{parameter}:{place}:{when}:{member}"


def publish_ecmwf(
    mirror: Path, asked: Request = REQUEST, source: EcmwfOpenDataSource | None = None,
    world: xr.Dataset = WORLD, send: Callable[[Field], bytes] | None = None,
) -> list[Path]:  # fmt: skip
    """Write what a request needs below ``mirror``, the GRIB files."""
    chosen = send or (lambda each: message_of(each, world))
    return _publish(mirror, fields_of(asked), source or EcmwfOpenDataSource(), chosen)


def publish_noaa(
    mirror: Path, asked: Request, source: GefsSource | GfsSource, part: Callable[[Field], int] = lambda _: 0,
    world: xr.Dataset = WORLD,
) -> list[Path]:  # fmt: skip
    """Likewise; ``part`` says which of its two files a field lies in."""
    return _publish(mirror, fields_of(asked), source, lambda each: message_of(each, world, "kwbc"), part)


def _publish(
    mirror: Path, fields: list[Field], source: Any, send: Callable[[Field], bytes],
    part: Callable[[Field], int] = lambda _: 0,
) -> list[Path]:  # fmt: skip
    files: dict[str, list[Field]] = {}
    for wanted in fields:
        files.setdefault(source.paths(wanted)[part(wanted)], []).append(wanted)
    for path, inside in files.items():
        grib, index = mirror / path, mirror / source.index_path(path)
        grib.parent.mkdir(parents=True, exist_ok=True)
        body, lines = b"", []
        for number, wanted in enumerate(inside, start=1):
            content, place = send(wanted), len(body)
            is_ecmwf = path.endswith(".grib2")
            lines.append(index_line(wanted, place, content) if is_ecmwf else inventory_line(wanted, place, number))
            body += content
        grib.write_bytes(body)
        index.write_text("\n".join(lines) + "\n")
    return [mirror / path for path in files]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Folders of ``server.folder`` are mirrors."""
    with serving(tmp_path / "mirrors") as loopback:
        yield loopback


def source(server: Loopback, *mirrors: str, **options: str) -> EcmwfOpenDataSource:
    """ECMWF's open data on some mirrors, by default ``a``."""
    urls = tuple(f"{server.url}/{mirror}" for mirror in mirrors or ("a",))
    return EcmwfOpenDataSource.model_validate({"mirrors": urls, **options})


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are made again at once."""
    from data_pipeline.realtime import transport
    from data_pipeline.retries import Patience

    monkeypatch.setattr(transport, "PATIENCE", Patience(tries=3, first=1e-4, longest=1e-3))
