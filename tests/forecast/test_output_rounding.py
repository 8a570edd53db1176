"""Rounding to fewer bits: how near, what compresses, what the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from forecast.output import OutputConfig
from forecast.output.rounding import rounded
from tests.forecast.outputs import all_states, write, write_one

if TYPE_CHECKING:
    from pathlib import Path

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@given(st.lists(FLOATS, min_size=1, max_size=20), st.integers(1, 23))
def test_error_is_half_of_the_last_bit_kept(values: list[float], bits: int) -> None:
    exact = np.asarray(values, np.float32)
    near = rounded(exact, bits)
    assert (np.abs(near.astype(np.float64) - exact) <= np.abs(exact.astype(np.float64)) * 2.0 ** -(bits + 1)).all()
    np.testing.assert_array_equal(rounded(near, bits), near)
    np.testing.assert_array_equal(np.signbit(near), np.signbit(exact))


def test_missing_values_stay_missing() -> None:
    patterns = np.array([0x7FC00000, 0xFFC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(rounded(patterns, 3)).all()


@pytest.mark.parametrize("bits", [None, 23])
def test_all_bits(bits: int | None) -> None:
    fields = all_states()[0]
    np.testing.assert_array_equal(rounded(fields, bits), fields)


def test_a_rounded_file(tmp_path: Path) -> None:
    whole, few = write(tmp_path, OutputConfig(name="whole.nc"), OutputConfig(name="few.nc", keep_bits=5))
    with netCDF4.Dataset(whole) as exact, netCDF4.Dataset(few) as near:
        np.testing.assert_allclose(near["temperature"][:], exact["temperature"][:], rtol=2.0**-6)
        np.testing.assert_array_equal(near["temperature"][:], rounded(np.asarray(exact["temperature"][:]), 5))
        assert near["temperature"].quantization_nsb == 5
        container = near[near["temperature"].getncattr("quantization")]
        assert container.algorithm == "bitround"
        assert container.implementation.startswith("numcodecs BitRound version ")
        assert "quantization" not in exact["temperature"].ncattrs()
        assert "quantization" not in near["latitude"].ncattrs()
    assert few.stat().st_size < whole.stat().st_size


def test_a_rounded_store(tmp_path: Path) -> None:
    store = zarr.open_consolidated(str(write_one(tmp_path, "f.zarr", keep_bits=5)), zarr_format=2, mode="r")
    assert store["temperature"].attrs["quantization_nsb"] == 5
    assert store[store["temperature"].attrs["quantization"]].attrs["algorithm"] == "bitround"
    expected = np.swapaxes(rounded(all_states(), 5), 0, 1)[:, :, 3]
    np.testing.assert_array_equal(store["mean_sea_level_pressure"][0], expected)
