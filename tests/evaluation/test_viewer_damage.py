"""Files of a viewer that are damaged, or overwritten while it shows them: said as what it is, and never exported."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import xarray as xr

from data_pipeline.errors import DataError
from evaluation.viewer.catalogue import Selection
from evaluation.viewer.export import export
from tests.evaluation.mock_maps import mock_forecast
from tests.evaluation.viewed import Opened, content, written

if TYPE_CHECKING:
    from pathlib import Path

HEIGHTS = Selection(variables=("geopotential",), levels=(500,), members=())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A forecast, its heights compressed with checksums, so that damage cannot pass for values."""
    plain = written(tmp_path / "plain.nc", mock_forecast())
    with xr.open_dataset(plain, engine="netcdf4", decode_times=False) as data:
        heights = data[["geopotential"]].load()
        how = {
            "geopotential": {
                "zlib": True,
                "fletcher32": True,
                "chunksizes": (1, 1, 1, *heights["geopotential"].shape[3:]),
            }
        }
        heights.to_netcdf(tmp_path / "forecast.nc", engine="netcdf4", encoding=how)
    return tmp_path / "forecast.nc"


def damage(file: Path) -> None:
    """Zeros over some of the compressed heights in the middle of the file, in place."""
    size = file.stat().st_size
    with file.open("r+b") as there:
        there.seek(size // 2)
        there.write(bytes(size // 4))


def test_a_damaged_field_stops_the_export_and_is_named(file: Path, tmp_path: Path, opened: Opened) -> None:
    damage(file)
    with pytest.raises(DataError, match=r"nothing was exported: geopotential on 500 hPa at T\+\d+ h: .*cannot be read"):
        export(opened(file, HEIGHTS), tmp_path / "page", print)
    assert not (tmp_path / "page").exists()


def test_a_file_that_was_overwritten_has_changed_and_is_not_called_damaged(
    file: Path, tmp_path: Path, opened: Opened
) -> None:
    pieces = opened(file, HEIGHTS)
    shown = pieces.make("field/a/0/0/0/mean")
    damage(file)
    for key in ("field/a/0/0/0/mean", "scale/0/0", "place/a/0/0/1.00/2.00", "series/a/0/0/0", "meta"):
        assert content(pieces.make(key))["refused"].endswith("has changed since the viewer opened it; start it again")
    assert "refused" not in content(shown)
    with pytest.raises(DataError, match="start it again"):
        export(pieces, tmp_path / "page", print)
    assert not (tmp_path / "page").exists()


def test_a_file_that_was_replaced_is_told_of(file: Path, opened: Opened) -> None:
    pieces = opened(file, HEIGHTS)
    shutil.copy(file, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)
    assert "has changed" in content(pieces.make("field/a/0/0/1/mean"))["refused"]
    file.unlink()
    assert "has changed" in content(pieces.make("field/a/0/0/1/mean"))["refused"]
