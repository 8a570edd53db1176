"""Forecasts at addresses: the same scores as from the disk, and what to do where a package is missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import fsspec
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from evaluation.readers import open_forecasts
from tests.evaluation.layouts import as_weatherbench2
from tests.evaluation.whole_scores import scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_store_at_an_address_is_scored_as_on_the_disk(
    ensemble: Callable[..., xr.Dataset], truth: xr.Dataset, tmp_path: Path
) -> None:
    as_weatherbench2([ensemble(start=0), ensemble(start=4)]).to_zarr(tmp_path / "runs.zarr", zarr_format=2)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "runs.zarr"), "/test_readers_urls.zarr", recursive=True)
    there = scored(["memory://test_readers_urls.zarr"], truth)  # type: ignore[list-item]
    xr.testing.assert_equal(there, scored([tmp_path / "runs.zarr"], truth))


@pytest.mark.parametrize("name", ["store.zarr", "file.nc"])
@pytest.mark.parametrize(("protocol", "package"), [("gs", "gcsfs"), ("s3", "s3fs")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, protocol: str, package: str, name: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        DataError, match=rf"^{protocol}://bucket/{name} cannot be opened \(.*{package}.*\); run: pip install"
    ):
        open_forecasts([f"{protocol}://bucket/{name}"])
