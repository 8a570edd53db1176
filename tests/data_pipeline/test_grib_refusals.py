"""GRIB that is damaged, incomplete or ambiguous is refused with what was got, what was expected and what to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.sources import grib_message
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.grib_index import grib_files, index_files, is_grib
from data_pipeline.sources.grib_sections import read_header
from tests.data_pipeline.grib_messages import (
    GRID,
    MESSAGES,
    TIMES,
    WORLD,
    Write,
    assert_same,
    eccodes,
    everything,
    message,
    messages,
    precipitation,
)
from tests.mock_world import mock_states

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_that_is_wanted(write_grib: Write) -> None:
    contents = [message(np.ones(GRID.shape), edition=2, typeOfLevel="hybrid", level=5), *MESSAGES]
    with pytest.raises(
        DataError, match=r"a\.grib holds none of vorticity; it has geopotential, .*t \(hybrid\).*remove the source"
    ):
        write_grib(contents).open({"vorticity"})


@pytest.mark.parametrize(("gone", "named"), [(5, "geopotential_850 at 2000-01-01T06"), (9, "temperature_500 at")])
def test_a_hole_in_the_hypercube(write_grib: Write, gone: int, named: str) -> None:
    with pytest.raises(DataError, match=f"lacks 1 of 8 fields of .*: {named}.*without the gap"):
        write_grib(MESSAGES[:gone] + MESSAGES[gone + 1 :]).open(set(WORLD.data_vars))


def test_a_time_that_one_variable_lacks(write_grib: Write) -> None:
    with pytest.raises(DataError, match=r"lacks 2 of 8 fields of geopotential: .*500 at 2000-01-01T18, .*850 at"):
        write_grib([*MESSAGES[:3], *MESSAGES[4:7], *MESSAGES[8:]]).open(set(WORLD.data_vars))


def test_copies(write_grib: Write) -> None:
    with pytest.raises(DataError, match="more than once: mean_sea_level_pressure at 2000-01-01T18; remove"):
        write_grib([*MESSAGES, MESSAGES[-1]]).open(set(WORLD.data_vars))


def test_two_units_of_one_variable(write_grib: Write) -> None:
    contents = [message(np.ones(GRID.shape), shortName=name, level=level) for name, level in (("z", 500), ("gh", 850))]
    with pytest.raises(DataError, match=r"geopotential is in gpm and in m\*\*2 s\*\*-2, expected one; split"):
        write_grib(contents).open({"geopotential"})


def test_different_grids(write_grib: Write) -> None:
    other = mock_states(Grid.equiangular(12, 24, poles=False), TIMES, {"temperature": (500, 850)})
    contents = [*messages(WORLD[["geopotential"]]), *messages(other)]
    with pytest.raises(DataError, match=r"different grids .*12x24.*expected one grid; split the files"):
        write_grib(contents).open(set(WORLD.data_vars))
    assert_same(everything(write_grib(contents), {"temperature"}), other)


@pytest.mark.parametrize(
    ("sample", "advice"),
    [
        ("reduced_gg_pl_32_grib2", "type reduced_gg, .*`cdo setgridtype,regular IN OUT`, or request a regular grid"),
        ("sh_pl_grib1", "type sh, expected regular_ll or regular_gg; convert it with `cdo sp2gpl IN OUT`"),
        ("rotated_ll_pl_grib2", "type rotated_ll, .*`cdo remapcon,GRID IN OUT`"),
    ],
)
def test_grids_that_are_not_regular(write_grib: Write, sample: str, advice: str) -> None:
    handle = eccodes.codes_grib_new_from_samples(sample)
    eccodes.codes_set(handle, "shortName", "t")
    source = write_grib([eccodes.codes_get_message(handle)])
    eccodes.codes_release(handle)
    with pytest.raises(DataError, match=advice):
        source.open({"temperature"})


def test_rows_that_alternate(write_grib: Write) -> None:
    content = message(np.ones(GRID.shape), edition=2, level=500, alternativeRowScanning=1)
    with pytest.raises(DataError, match=r"grid at byte 0 .*\(alternate rows run in opposite directions\); regrid"):
        write_grib([content]).open({"temperature"})


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("left", [1, 2, 8, 30, 60, 150, 300])
def test_a_truncated_file(write_grib: Write, edition: int, left: int) -> None:
    last = message(np.ones(GRID.shape) * np.arange(12), edition=edition)
    assert len(last) > left
    with pytest.raises(DataError, match=r"a\.grib (cannot be read at|is no GRIB from) byte \d+.* copy it again"):
        write_grib([*MESSAGES, last[:left]]).open({"temperature"})


def broken(content: bytes, position: int, value: bytes) -> bytes:
    return content[:position] + value + content[position + len(value) :]


SECOND = message(np.ones(GRID.shape) * np.arange(12), edition=2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (broken(MESSAGES[0], len(MESSAGES[0]) - 4, b"0000"), "does not end with 7777"),
        (broken(MESSAGES[0], 4, b"\0\0\4"), "does not end with 7777"),
        (broken(MESSAGES[0], 7, b"\3"), "GRIB edition 3, expected 1 or 2"),
        (broken(MESSAGES[0], 8, b"\x7f"), "sections of a message do not add up to its length"),
        (broken(MESSAGES[0], 21, b"\x1f"), "month must be in 1..12"),
        (broken(SECOND, 16, b"\x7f"), "sections of a message do not add up to its length"),
        (broken(SECOND, 20, b"\x09"), "lacks a section of time, grid or product"),
        (broken(SECOND, 30, b"\x0d"), "month must be in 1..12"),
    ],
)
def test_a_damaged_message(write_grib: Write, content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"a\.grib cannot be read at byte 0 \(.*{reason}.*\); it is damaged: copy"):
        write_grib([content]).open({"temperature"})


def test_a_header_that_eccodes_cannot_read(write_grib: Write, capfd: pytest.CaptureFixture[str]) -> None:
    template = SECOND.index(b"\4", 16 + 21 + 72) + 3
    with pytest.raises(DataError, match=r"cannot be read at byte 0 \(eccodes: .*\); it is damaged"):
        write_grib([broken(SECOND, template, b"\x77\x77")]).open({"temperature"})
    assert capfd.readouterr().err == ""


def test_an_unknown_unit_of_time(write_grib: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grib_message, "_STEP_UNIT_HOURS", {})
    with pytest.raises(DataError, match=r"unknown unit of time, number 1 of code table 4\.4"):
        write_grib(precipitation(1, [(0, 6)])).open({"total_precipitation"})


@pytest.mark.parametrize("content", [b"", b"\0" * 10])
def test_no_message_at_all(write_grib: Write, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.grib holds no GRIB message; name GRIB files, or remove it"):
        write_grib([content]).open({"temperature"})


@pytest.mark.parametrize("content", [b"CDF\1 and more", MESSAGES[0] + b"what is this", b"\0" * 2**17 + MESSAGES[0]])
def test_something_else(write_grib: Write, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.grib is no GRIB from byte \d+ on; name GRIB files"):
        write_grib([content]).open({"temperature"})


def test_padding_and_telecommunication_headers(write_grib: Write) -> None:
    wrapped = [b"\1\r\r\n001\r\r\nHTXX50 ECMF 010000\r\r\n" + content + b"\r\r\n\3" for content in MESSAGES]
    assert_same(everything(write_grib([*wrapped, b"\0" * 100])), WORLD)


def test_several_fields_in_one_message(write_grib: Write, tmp_path: Path) -> None:
    handle, several = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2"), eccodes.codes_grib_multi_new()
    for name in ("t", "u"):
        eccodes.codes_set(handle, "shortName", name)
        eccodes.codes_grib_multi_append(handle, 4, several)
    with (tmp_path / "several.grib").open("wb") as file:
        eccodes.codes_grib_multi_write(several, file)
    with pytest.raises(DataError, match="2 fields in the message at byte 0, expected one; split it with `grib_copy"):
        GribSource(path=str(tmp_path / "several.grib")).open({"temperature"})


@pytest.mark.parametrize("shape", [(1500, 3000), (2101, 4200)])
@pytest.mark.parametrize("bitmap", [0, 1])
def test_lengths_beyond_what_the_first_edition_foresaw(write_grib: Write, shape: tuple[int, int], bitmap: int) -> None:
    field = np.broadcast_to(np.arange(shape[1], dtype=float), shape)  # 9 and 17.6 MB
    content = message(field, Grid.equiangular(*shape, poles=False), level=500, bitsPerValue=16, bitmapPresent=bitmap)
    source = write_grib([content, MESSAGES[0]])
    with open(source.path, "rb") as file:
        assert read_header(file.fileno(), 0, os.path.getsize(source.path)).length == len(content)
    assert len(index_files(grib_files(source.path)).messages) == 2


@pytest.mark.parametrize("path", ["nothing.grib", "/nowhere/*.grib"])
def test_nothing_there(path: str) -> None:
    with pytest.raises(DataError, match=r"no such file: .*; check the path"):
        GribSource(path=path).open({"temperature"})


def test_a_folder_without_grib(tmp_path: Path) -> None:
    (tmp_path / "a.nc").touch()
    with pytest.raises(DataError, match=r"no GRIB in the folder .*, expected names ending with \.grib, .*; rename"):
        GribSource(path=str(tmp_path)).open({"temperature"})


def test_without_eccodes(write_grib: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eccodes", None)
    grib_message._library.cache_clear()
    with pytest.raises(DataError, match=r"GRIB is read with eccodes, which does not load .*install sphercast\[grib\]"):
        write_grib(MESSAGES).open({"temperature"})
    monkeypatch.undo()
    grib_message._library.cache_clear()


def test_netcdf_beside_grib_is_not_passed_over(tmp_path) -> None:
    for name in ("a.grib", "b.nc"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"holds GRIB beside .nc files, of which only one kind can be read at a time"):
        is_grib(tmp_path)
