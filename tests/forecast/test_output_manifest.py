"""Reading back, the manifest, and publishing whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import zarr

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from forecast.output import (
    MANIFEST,
    EnsembleLayout,
    Manifest,
    OutputConfig,
    StoppedMember,
    go_on_publishing,
    is_publishing,
    open_sinks,
    publish,
    read_manifest,
    verify,
)
from forecast.output.manifest import sha256_of
from tests.forecast.outputs import ADVANCES, ATTRIBUTES, GRID, INITIAL, LAYOUT, STOP, TIMES, states, sums, write

OUTPUTS = [
    OutputConfig(),
    OutputConfig(name="m{member}.nc", variables=("2m_temperature",)),
    OutputConfig(name="f.zarr"),
    OutputConfig(name="part.nc", region=(0, 90, -60, 60), lead_hours=(24,), levels=(850,)),
]
STOPPED = {1: STOP}


def write_stopped(work: Path, outputs: list[OutputConfig]) -> None:
    """Member 1 is missing from its step 2 on."""
    sinks = open_sinks(outputs, LAYOUT, ATTRIBUTES, work, 0)
    for advance, (members, step) in enumerate(ADVANCES):
        values = states(members, step)
        values[[member == 1 and step > 1 for member in members]] = np.nan
        for sink in sinks:
            sink.write(advance, members, step, values)
    for sink in sinks:
        sink.finish(STOPPED)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    write_stopped(folder, OUTPUTS)
    return folder


@pytest.fixture
def work(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "folder" / ".forecast.partial"))


def test_what_was_written_reads_back(finished: Path) -> None:
    verify(OUTPUTS, LAYOUT, finished, STOPPED)


def test_stations_read_back(tmp_path: Path) -> None:
    stations = tmp_path / "s.csv"
    stations.write_text("name,latitude,longitude\nOxford,51.7,-1.25\n")
    outputs = [OutputConfig(points=stations)]
    write(tmp_path / "work", *outputs)
    verify(outputs, LAYOUT, tmp_path / "work", {})


def test_missing_values_over_land_are_no_fault(tmp_path: Path) -> None:
    layout = EnsembleLayout(Channels.of({"sea_surface_temperature": None}), GRID, [0], INITIAL, TIMES[:1])
    (sink,) = open_sinks([OutputConfig()], layout, {}, tmp_path, 0)
    sink.write(0, [0], 1, np.where(np.arange(16) < 8, np.nan, 280).astype(np.float32) * np.ones((1, 1, 8, 1), "f4"))
    sink.finish({})
    verify([OutputConfig()], layout, tmp_path, {})


def test_a_field_that_was_not_written(tmp_path: Path) -> None:
    for name in ("f.nc", "f.zarr"):
        (sink,) = open_sinks([OutputConfig(name=name)], LAYOUT, ATTRIBUTES, tmp_path, 0)
        for advance, (members, step) in enumerate(ADVANCES[:-1]):
            sink.write(advance, members, step, states(members, step))
        sink.finish({})
        with pytest.raises(DataError, match=rf"{name}: member 2, \+36 h: temperature_850 .* not finite at 128 of 128"):
            verify([OutputConfig(name=name)], LAYOUT, tmp_path, {})


def test_a_stopped_member_that_has_values(work: Path) -> None:
    with netCDF4.Dataset(work / "forecast.nc", "a") as file:
        file["2m_temperature"][1, 2] = 280.0
    with pytest.raises(
        DataError, match=r"member 1, \+36 h: 2m_temperature has values, expected none, as the member had stopped"
    ):
        verify(OUTPUTS, LAYOUT, work, STOPPED)


def test_stops_that_are_not_said(work: Path) -> None:
    with pytest.raises(DataError, match=r"steps_completed is \[3, 1, 3\], expected \[3, 3, 3\]"):
        verify(OUTPUTS, LAYOUT, work, {})


@pytest.mark.parametrize("name", ["time", "realization", "level", "latitude", "forecast_reference_time"])
def test_an_axis_that_is_not_as_planned(work: Path, name: str) -> None:
    with netCDF4.Dataset(work / "forecast.nc", "a") as file:
        file[name][...] = file[name][...] + 1
    with pytest.raises(DataError, match=f"read back, {name} is"):
        verify(OUTPUTS, LAYOUT, work, STOPPED)


def test_an_axis_of_a_store_that_is_not_as_planned(work: Path) -> None:
    store = zarr.open_group(str(work / "f.zarr"), mode="r+", use_consolidated=False)
    store["prediction_timedelta"][0] = 13
    with pytest.raises(DataError, match="prediction_timedelta is"):
        verify(OUTPUTS, LAYOUT, work, STOPPED)


def test_damaged_files(work: Path) -> None:
    with h5py.File(work / "forecast.nc") as file:
        place = file["geopotential"].id.get_chunk_info_by_coord((2, 1, 0, 0, 0)).byte_offset
    with (work / "forecast.nc").open("r+b") as damaged:
        damaged.seek(place + 10)
        damaged.write(bytes(40))
    with pytest.raises(DataError, match=r"forecast\.nc cannot be read"):
        verify(OUTPUTS, LAYOUT, work, STOPPED)
    (work / "forecast.nc").unlink()
    with pytest.raises(DataError, match=r"forecast\.nc cannot be read .*No such file"):
        verify(OUTPUTS, LAYOUT, work, STOPPED)


NAMES = ["forecast.nc", "m0.nc", "m1.nc", "m2.nc", "f.zarr", "part.nc"]
MANIFEST_VALUES: dict[str, Any] = {
    "complete": False, "initial_time": "2001-01-05T00", "members": (0, 1, 2), "steps": 3, "step_hours": 12,
    "hours_complete": 12, "stopped": (StoppedMember(member=1, step=2, time="2001-01-06T00", reason=str(STOP)),),
    "checkpoint": "planet", "checkpoint_sha256": "0" * 64, "seed": 7, "initial_data": "sample",
    "initial_sha256": "1" * 64, "versions": {"sphercast": "0.1.0"}, "started": "2001-01-05T03:00:00Z",
    "finished": "2001-01-05T03:01:00Z",
}  # fmt: skip
GIVEN = Manifest(**MANIFEST_VALUES)


def test_publishing(work: Path) -> None:
    before = sums(work)
    folder = work.parent
    assert not is_publishing(work)
    listed = publish(work, folder, NAMES, GIVEN)
    assert {path.name for path in folder.iterdir()} == {*NAMES, MANIFEST, ".forecast.partial"}
    assert read_manifest(folder) == read_manifest(folder / MANIFEST) == listed
    assert [file.name for file in listed.files] == NAMES
    assert listed.model_copy(update={"files": ()}) == GIVEN
    for file in listed.files:
        if not file.name.endswith(".zarr"):
            assert (file.sha256, file.bytes) == (before[file.name], (folder / file.name).stat().st_size)
    assert all(sums(folder)[name] == before[name] for name in before if not name.endswith(".chunks"))


def test_the_manifest_is_for_people_and_programs(work: Path) -> None:
    publish(work, work.parent, NAMES, GIVEN)
    said = json.loads((work.parent / MANIFEST).read_text())
    assert said["format"] == "sphercast manifest 1"
    assert said["stopped"][0]["reason"].startswith("member 1 stopped at step 2")
    assert said["files"][0].keys() == {"name", "bytes", "sha256"}


def test_sha256_of_a_store_is_what_the_shell_says(finished: Path) -> None:
    command = "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    said = subprocess.run(command, shell=True, cwd=finished / "f.zarr", capture_output=True, text=True, check=True)
    assert sha256_of(finished / "f.zarr") == said.stdout.split()[0]


@pytest.mark.parametrize("moves", [0, 2, 5, 7])
def test_ended_while_it_publishes(work: Path, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """Over an older forecast: at no moment is there a manifest beside files that are not its own."""
    folder, new = work.parent, sums(work)
    old = Path(shutil.copytree(work, folder / ".older"))
    (old / "forecast.nc").write_bytes(b"an older forecast")
    publish(old, folder, NAMES, GIVEN)
    original, done = Path.rename, 0

    def rename(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done > moves:
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            publish(work, folder, NAMES, GIVEN)
    assert not (folder / MANIFEST).exists()
    assert is_publishing(work)
    assert go_on_publishing(work, folder) == read_manifest(folder)
    assert not is_publishing(work)
    assert all(sums(folder)[name] == new[name] for name in new if not name.endswith(".chunks"))


def test_a_file_that_is_not_there(work: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other\.nc"):
        publish(work, work.parent, ["other.nc"], GIVEN)
    assert not (work.parent / MANIFEST).exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such manifest; the forecast is not published"),
        ("", "is no manifest of a forecast"),
        ("{}", r"is no manifest of a forecast \(complete: Field required\)"),
        (GIVEN.model_dump_json().replace("manifest 1", "manifest 2"), r"\(format: Input should be 'sphercast manif"),
        (GIVEN.model_dump_json().replace('"seed"', '"sead"'), r"\(seed: Field required\); run the forecast again"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path)


def test_a_manifest_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(DataError, match=r"is no manifest of a forecast \(Is a directory\)"):
        read_manifest(tmp_path)
