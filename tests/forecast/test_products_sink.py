"""Products while the forecast runs: those of the finished forecast to the bit, and the same bytes after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channels
from data_pipeline.errors import ConfigError, DataError
from forecast.files import file_names, open_files, verify_files
from forecast.guards import Stop
from forecast.output import EnsembleLayout, LostOutput, OutputConfig
from forecast.products import ProductsConfig, make_products
from tests.forecast.outputs import GRID, INITIAL, largest_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CHANNELS = Channels.of({
    "temperature": [850, 500], "u_component_of_wind": [500], "v_component_of_wind": [500], "2m_temperature": None,
    "total_precipitation": None,
})  # fmt: skip
TIMES = INITIAL + np.arange(1, 6) * np.timedelta64(12, "h")
LAYOUT = EnsembleLayout(CHANNELS, GRID, range(5), INITIAL, TIMES)
BATCHES = [range(2), range(2, 4), range(4, 5)]
ADVANCES = [(batch, step) for step in range(1, 6) for batch in BATCHES]
IN_GROUPS = [(batch, step) for group in (BATCHES[:2], BATCHES[2:]) for step in range(1, 6) for batch in group]
ATTRIBUTES = {"source": "a test", "seed": "7", "control_member": "0"}
STOP = Stop(3, 4, TIMES[3], "temperature", 500, 10.0, 20.0, 999.0)
PRODUCTS = ProductsConfig(
    variables=("temperature", "total_precipitation", "wind_speed"), quantiles=(0.1, 0.5),
    thresholds=("wind_speed>20",), windows=("12-36", "24-60", "0-24"),
)  # fmt: skip


def states(members: Sequence[int], step: int) -> np.ndarray:
    """(member, channel, latitude, longitude); member 3 stops."""
    made = [
        np.random.default_rng([member, step]).normal(280, 5, (len(CHANNELS), *GRID.shape)).astype(np.float32)
        if (member, step) < (STOP.member, STOP.step) or member != STOP.member
        else np.full((len(CHANNELS), *GRID.shape), np.nan, np.float32)
        for member in members
    ]
    return np.stack(made)


def write(
    work: Path, *configs: Any, first: int = 0, last: int | None = None, advances: Any = ADVANCES,
    stopped: Mapping[int, Stop] | None = None,
) -> None:  # fmt: skip
    """Advances ``first`` to ``last`` - 1; to the end by default."""
    sinks = open_files(configs or [PRODUCTS], LAYOUT, ATTRIBUTES, work, first)
    for number, (members, step) in list(enumerate(advances))[first:last]:
        for sink in sinks:
            sink.write(number, members, step, states(members, step))
    for sink in sinks:
        if last is None:
            sink.finish({3: STOP} if stopped is None else stopped)
        else:
            sink.close()


def of_file(work: Path) -> bytes:
    return (work / "products.nc").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work folder with products and forecast."""
    work = tmp_path_factory.mktemp("uninterrupted")
    write(work, OutputConfig(), PRODUCTS)
    return work


def test_they_are_those_of_the_finished_forecast_to_the_bit(uninterrupted: Path, tmp_path: Path) -> None:
    make_products(uninterrupted / "forecast.nc", PRODUCTS, tmp_path / "after.nc", progress=False)
    with (
        xr.open_dataset(uninterrupted / "products.nc", engine="netcdf4", decode_timedelta=False) as running,
        xr.open_dataset(tmp_path / "after.nc", engine="netcdf4", decode_timedelta=False) as after,
    ):
        xr.testing.assert_identical(running, after)
        assert running["members_used"].values.tolist() == [5, 5, 5, 4, 4]
        assert running["members_used_in_window"].values.tolist() == [5, 4, 5]
        assert running.attrs["stopped_members"].startswith("member 3 stopped at step 4")
        assert len(running.data_vars) == 3 * 3 * 3 + 3 + len(("time_bnds", "realization_bnds", "window_bnds"))


def test_without_compression_values_are_the_same(uninterrupted: Path, tmp_path: Path) -> None:
    """The wind is missing at 850 hPa, and stays so."""
    write(tmp_path, PRODUCTS.model_copy(update={"compression": 0}))
    with (
        xr.open_dataset(uninterrupted / "products.nc", engine="netcdf4", decode_timedelta=False) as deflated,
        xr.open_dataset(tmp_path / "products.nc", engine="netcdf4", decode_timedelta=False) as plain,
    ):
        xr.testing.assert_identical(plain, deflated)
        assert np.isnan(plain["wind_speed_probability_above"].sel(level=850)).all()


@pytest.mark.parametrize("committed", [1, 3, 4, 8, 9, 11, 15])
def test_given_up_and_resumed(tmp_path: Path, uninterrupted: Path, committed: int) -> None:
    write(tmp_path, last=committed)
    write(tmp_path, first=committed)
    assert of_file(tmp_path) == of_file(uninterrupted)


def test_what_was_not_committed_is_done_again(tmp_path: Path, uninterrupted: Path) -> None:
    write(tmp_path, last=6)
    write(tmp_path, first=5)
    assert of_file(tmp_path) == of_file(uninterrupted)


@pytest.mark.parametrize("committed", [0, 4, 12])
def test_groups_of_batches_make_the_same_file(tmp_path: Path, uninterrupted: Path, committed: int) -> None:
    if committed:
        write(tmp_path, last=committed, advances=IN_GROUPS)
    write(tmp_path, first=committed, advances=IN_GROUPS)
    assert of_file(tmp_path) == of_file(uninterrupted)


def test_what_is_not_needed_any_more_is_removed(tmp_path: Path) -> None:
    kept = []
    (sink,) = open_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, 0)
    for number, (members, step) in enumerate(ADVANCES):
        sink.write(number, members, step, states(members, step))
        kept.append([int(path.name[-5:]) for path in sorted(tmp_path.glob("*.lead-*"))])
    assert kept[::3] == [[1], [1, 2], [1, 2, 3], [2, 3, 4], [2, 3, 4, 5]]
    sink.finish({})
    assert not list(tmp_path.glob("*.lead-*"))
    (sink,) = open_files([ProductsConfig()], LAYOUT, ATTRIBUTES, tmp_path / "without", 0)
    for number, (members, step) in enumerate(ADVANCES):
        sink.write(number, members, step, states(members, step))
        assert len(list((tmp_path / "without").glob("*.lead-*"))) == 1
    sink.close()


def test_without_the_control(tmp_path: Path) -> None:
    config = ProductsConfig(control="out", quantiles=())
    write(tmp_path, OutputConfig(), config, advances=[([member], step) for step in range(1, 6) for member in range(5)])
    make_products(tmp_path / "forecast.nc", config, tmp_path / "after.nc", progress=False)
    with (
        xr.open_dataset(tmp_path / "products.nc", engine="netcdf4") as running,
        xr.open_dataset(tmp_path / "after.nc", engine="netcdf4") as after,
    ):
        xr.testing.assert_identical(running, after)
        assert running["members_used"].values.tolist() == [4, 4, 4, 3, 3]


def test_of_a_part_of_the_forecast(tmp_path: Path) -> None:
    """What the first output of all members holds, across Greenwich, whatever is rounded there."""
    output = OutputConfig(name="part.nc", region=(0, 80, -60, 60), lead_hours=(24, 48, 60), levels=(500,))
    whole = OutputConfig(name="m{member}.nc")
    config = ProductsConfig(windows=("12-48",))
    write(tmp_path, whole, output.model_copy(update={"name": "low.nc", "keep_bits": 7}), output, config)
    make_products(tmp_path / "part.nc", config, tmp_path / "after.nc", progress=False)
    with (
        xr.open_dataset(tmp_path / "products.nc", engine="netcdf4", decode_timedelta=False) as running,
        xr.open_dataset(tmp_path / "after.nc", engine="netcdf4", decode_timedelta=False) as after,
    ):
        xr.testing.assert_identical(running, after)
        assert running["longitude"].values.tolist() == [-45.0, -22.5, 0.0, 22.5, 45.0]
        assert running["members_used"].values.tolist() == [5, 4, 4]
        assert ((running["time_bnds"][:, 1] - running["time_bnds"][:, 0]) / np.timedelta64(12, "h") == 1).all()
    verify_files([output, config], LAYOUT, ATTRIBUTES, tmp_path, {3: STOP})


CHILD = """
import os, pathlib, signal, sys
from tests.forecast import test_products_sink as world
from forecast.output.chunk_file import ChunkFile
from forecast.products.spool import Spool

work, die_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def dying(original):
    def call(self, *arguments):
        global calls
        result = original(self, *arguments)
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

ChunkFile.put, Spool.put = dying(ChunkFile.put), dying(Spool.put)
committed = int((work / "committed").read_text()) if (work / "committed").exists() else 0
(sink,) = world.open_files([world.PRODUCTS], world.LAYOUT, world.ATTRIBUTES, work, committed)
for number, (members, step) in list(enumerate(world.ADVANCES))[committed:]:
    sink.write(number, members, step, world.states(members, step))
    (work / "committed").write_text(str(number + 1))
"""


def test_killed_while_it_writes_and_while_it_resumes(
    tmp_path: Path, uninterrupted: Path, environment: dict[str, str]
) -> None:
    """At a chunk of a later step, and while what is kept is copied."""
    for die_at in (90, 13):
        done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), str(die_at)], env=environment, check=False)
        assert done.returncode == -signal.SIGKILL
    committed = int((tmp_path / "committed").read_text())
    assert 0 < committed < len(ADVANCES) - 1
    write(tmp_path, first=committed)
    assert of_file(tmp_path) == of_file(uninterrupted)


def test_a_spool_that_is_lost_or_damaged_is_said(tmp_path: Path) -> None:
    write(tmp_path, last=5)
    lead, record = tmp_path / "products.nc.spool.lead-00002", tmp_path / "products.nc.spool.chunks"
    for path, message in (
        (lead, "products.nc.spool.lead-00002 is damaged or gone"),
        (record, r"the record of advance \d is (damaged|missing)"),
    ):
        whole = path.read_bytes()
        for broken in (whole[:-9] + bytes(9), None):
            path.write_bytes(broken) if broken else path.unlink()
            with pytest.raises(LostOutput, match=f"products.nc.spool: {message}.*must be computed again"):
                open_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, 5)
        path.write_bytes(whole)
    write(tmp_path, first=5)


@pytest.mark.parametrize("limit", [9_000, 90_000])
def test_a_full_disk_has_the_path_and_the_forecast_goes_on(tmp_path: Path, uninterrupted: Path, limit: int) -> None:
    """In the spool, and in the file itself."""
    (sink,) = open_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, 0)
    committed = 0
    with pytest.raises(OSError, match=r"File too large: '.*products\.nc'"), largest_file(limit):  # noqa: PT012
        for number, (members, step) in enumerate(ADVANCES):
            sink.write(number, members, step, states(members, step))
            committed = number + 1
    sink.close()
    write(tmp_path, first=committed)
    assert of_file(tmp_path) == of_file(uninterrupted)


def test_what_was_written_reads_back(uninterrupted: Path) -> None:
    verify_files([OutputConfig(), PRODUCTS], LAYOUT, ATTRIBUTES, uninterrupted, {3: STOP})


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("temperature_mean", (1, 0, 2, 3), np.nan, r"temperature_mean at \+24 h read back is missing .* at 1 of 256"),
        ("wind_speed_maximum_quantile", (0, 1), np.nan, r"maximum_quantile at the window 24-60 h read back is missing"),
        ("window", 0, 5, r"window is \[5, 2, 3\], expected \[1, 2, 3\]; run it again"),
        ("time", 0, 0, "read back, time is"),
        ("members_used", 4, 5, r"members_used is \[5, 5, 5, 4, 5\], expected \[5, 5, 5, 4, 4\]"),
    ],
)
def test_what_does_not_read_back_is_said(
    uninterrupted: Path, tmp_path: Path, name: str, place: Any, value: float, message: str
) -> None:
    import netCDF4

    (tmp_path / "products.nc").write_bytes(of_file(uninterrupted))
    with netCDF4.Dataset(tmp_path / "products.nc", "a") as file:
        file[name][place] = value
    with pytest.raises(DataError, match=message):
        verify_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, {3: STOP})


def test_values_of_too_few_members_are_said(tmp_path: Path) -> None:
    write(tmp_path, stopped={})
    everybody = {member: Stop(member, 4, TIMES[3], "temperature", 500, 0.0, 0.0, 0.0) for member in range(5)}
    with pytest.raises(DataError, match="members_used is"):
        verify_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, everybody)
    write(tmp_path, stopped=everybody)
    with pytest.raises(DataError, match=r"temperature_mean at \+48 h has values, expected none, as too few members"):
        verify_files([PRODUCTS], LAYOUT, ATTRIBUTES, tmp_path, everybody)


def test_what_is_asked_for_is_checked_before_anything_is_computed() -> None:
    def names(*configs: Any, attributes: Mapping[str, str] = ATTRIBUTES) -> list[str]:
        return file_names(configs, LAYOUT, attributes)

    assert names(OutputConfig(), PRODUCTS, ProductsConfig(name="more.nc")) == ["forecast.nc", "products.nc", "more.nc"]
    for config in (OutputConfig(name="products.nc"), ProductsConfig()):
        with pytest.raises(ConfigError, match=r"two outputs are called products\.nc"):
            names(config, PRODUCTS)
    with pytest.raises(DataError, match=r"the forecast has no geopotential; it has temperature, .*wind_speed"):
        names(ProductsConfig(variables=("geopotential",)))
    with pytest.raises(DataError, match="the window 60-72 h is not inside the forecast"):
        names(ProductsConfig(windows=("60-72",)))
    with pytest.raises(DataError, match="the forecast names no control member"):
        names(ProductsConfig(control="out"), attributes={})
