"""However sums are cut into parts, ordered and kept, they are the same to the bit; and memory holds little of them."""

from __future__ import annotations

import errno
import tracemalloc
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from evaluation.aggregate import Sum
from evaluation.assemble import mean_statistics
from evaluation.blank_sums import blank_sums
from evaluation.combine import combine
from evaluation.run_sums import RunSums
from evaluation.score_files import SumsFiles, open_sums, read_sums, write_sums, writing
from tests.evaluation.conftest import HOUR, START

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.sums import Sums

LEVELS = {"geopotential": [500, 850], "2m_temperature": None}
RUNS = 5


def run(number: int, size: int = 3, leads: tuple[float, ...] = (12.0, 24.0), regions: int = 2) -> Sums:
    """Sums of one run, random over many orders of magnitude, with a histogram of ``size`` ranks."""
    chance = np.random.default_rng(number)
    start = START + 12 * HOUR * 61 * number  # another month each, and 00 and 12 UTC in turn
    sums = RunSums(start, ["forecast", "climatology"], leads, LEVELS, [f"region {k}" for k in range(regions)])
    for channel in (Channel("geopotential", 500), Channel("geopotential", 850), Channel("2m_temperature")):
        for lead in leads:
            weight = chance.random(regions)
            for model in ("forecast", "climatology"):
                for statistic, axis in (("missing", None), ("error", None), ("rank", size)):
                    shape = (regions,) if axis is None else (regions, axis)
                    total = Sum(chance.normal(size=shape) * 10.0 ** chance.integers(-20, 4, shape), weight)
                    axes = {} if axis is None else {statistic: np.arange(axis)}
                    sums.put(model, channel, lead, statistic, total, axes)
    return sums.sums()


@pytest.fixture(scope="module")
def runs() -> list[Sums]:
    return [run(number) for number in range(RUNS)]


def identical(ours: Sums, theirs: Sums) -> bool:
    return ours.keys() == theirs.keys() and all(own.identical(theirs[name]) for name, own in ours.items())


@pytest.mark.parametrize("by", [None, "season"])
@pytest.mark.parametrize("longest", [0, 8192])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=3, deadline=None)
@given(chance=st.randoms())
def test_any_parts_in_any_order_are_the_same_to_the_bit(
    runs: list[Sums], by: str | None, longest: int, chance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", longest)
    whole = combine(runs, by)
    kept_by_time = "initial_time" in whole["geopotential"]["total_rank"].dims
    assert kept_by_time == (longest > 0)
    mixed = chance.sample(runs, RUNS)
    ends = sorted(chance.sample(range(1, RUNS), chance.randint(0, 3)))
    parts = [combine(mixed[start:end], by) for start, end in zip([0, *ends], [*ends, RUNS], strict=True)]
    assert identical(combine(parts, by), whole)
    assert identical(combine(iter(mixed), by), whole)


@pytest.mark.parametrize("longest", [0, 8192])
def test_every_point_as_a_region_and_files_are_no_different(
    runs: list[Sums], longest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", longest)
    for regions in (2, 1001):
        own = [run(number, regions=regions) for number in range(3)]
        files = [tmp_path / f"{regions} {number}.nc" for number in range(2)]
        write_sums(combine([own[2], own[0]]), files[0])
        write_sums(own[1], files[1])
        into = tmp_path / "all.nc"
        whole = combine(own)
        assert ("initial_time" in whole["geopotential"]["total_error"].dims) == (regions == 2)
        found = combine(SumsFiles(tuple(files)), into=into)
        for name, sums in whole.items():
            xr.testing.assert_equal(found[name], sums)
            for statistic, mean in mean_statistics(sums).items():
                np.testing.assert_array_equal(mean_statistics(found[name])[statistic], mean)
        assert identical(combine(SumsFiles(tuple(files))), read_sums(into))


def test_sums_that_were_added_up_are_the_exact_sums(runs: list[Sums], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", 0)
    added = combine(runs)["2m_temperature"]
    by_time = np.stack([own["2m_temperature"]["total_rank"].isel(initial_time=0) for own in runs])
    long = by_time.astype(np.longdouble).sum(axis=0)
    np.testing.assert_array_equal(added["total_rank"].isel(group=0), long.astype(np.float64))
    rest = added["rest1_total_rank"].isel(group=0)
    assert (np.abs(rest) <= np.spacing(np.abs(added["total_rank"].isel(group=0)))).all()
    assert (rest != 0).any()


def test_labels_of_any_part_are_labels_of_all(tmp_path: Path) -> None:
    parts = [run(0), run(1, size=5), run(2, leads=(24.0, 36.0)), {"2m_temperature": run(3)["2m_temperature"]}]
    del parts[1]["geopotential"]["total_error"], parts[1]["geopotential"]["weight_error"]
    whole = combine(parts)
    found = combine(parts, into=tmp_path / "all.nc")
    for name, sums in whole.items():
        xr.testing.assert_equal(found[name], sums)
        assert sums["lead_time"].values.tolist() == [12.0, 24.0, 36.0]
        assert sums["rank"].values.tolist() == list(range(5))
    assert whole["geopotential"].sizes["initial_time"] == 3
    assert (whole["geopotential"]["total_error"].isel(initial_time=1) == 0).all()
    assert (whole["2m_temperature"]["weight_rank"].isel(initial_time=2).sel(lead_time=12.0) == 0).all()
    own = whole["2m_temperature"]["total_rank"].isel(initial_time=1).sel(lead_time=24.0)
    xr.testing.assert_equal(own, parts[1]["2m_temperature"]["total_rank"].isel(initial_time=0).sel(lead_time=24.0))


def test_equal_weights_are_held_once_in_memory_and_in_files(runs: list[Sums], tmp_path: Path) -> None:
    for sums in (runs[0], combine(runs)):
        own = sums["geopotential"]
        assert own["total_rank"].attrs["weights"] == "weight_missing"
        assert np.shares_memory(own["weight_rank"].values, own["weight_missing"].values)
        write_sums(sums, tmp_path / "sums.nc")
        with netCDF4.Dataset(tmp_path / "sums.nc") as file:
            names = set(file["sums/geopotential"].variables)
        assert {name for name in names if name.startswith("weight")} == {"weight_missing"}
        for again in (read_sums(tmp_path / "sums.nc"), open_sums(tmp_path / "sums.nc")):
            xr.testing.assert_identical(again["geopotential"].load(), own)


def test_weights_that_differ_in_one_part_are_held_apart(runs: list[Sums], tmp_path: Path) -> None:
    other = {name: own.drop_attrs().copy(deep=True) for name, own in runs[1].items()}
    other["2m_temperature"]["weight_error"] *= 2
    for into in (None, tmp_path / "all.nc"):
        own = combine([runs[0], other], into=into)["2m_temperature"]
        assert own["total_error"].attrs["weights"] == "weight_error"
        np.testing.assert_array_equal(own["weight_error"][:, 0], own["weight_missing"][:, 0])
        np.testing.assert_array_equal(own["weight_error"][:, 1], 2 * own["weight_missing"][:, 1])


def test_memory_does_not_grow_with_the_number_of_runs(tmp_path: Path) -> None:
    files = []
    for number in range(5):
        files.append(tmp_path / f"{number}.nc")
        write_sums(run(number, size=40, regions=60), files[-1])
    size = sum(own.nbytes for own in read_sums(files[0]).values())
    peaks = []
    for count in (2, 5):
        tracemalloc.start()
        combine(SumsFiles(tuple(files[:count])), into=tmp_path / "all.nc")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + size, f"{peaks} for sums of {size} bytes a run"


def test_a_full_disk_is_no_riddle(tmp_path: Path) -> None:
    labels = xr.Dataset(coords={"model": ["forecast"]})
    with pytest.raises(OSError, match=r"cannot write \(NetCDF: HDF error\)"), \
            blank_sums({"2m_temperature": labels}, tmp_path / "all.nc"):  # fmt: skip
        raise RuntimeError("NetCDF: HDF error")
    with pytest.raises(OSError, match=r"NetCDF: Invalid argument") as caught, writing(tmp_path / "all.nc"):
        raise RuntimeError("NetCDF: Invalid argument: (variable 'total_brier_score')")
    assert caught.value.errno == errno.EINVAL


def test_a_part_that_is_damaged_is_named(runs: list[Sums], tmp_path: Path) -> None:
    write_sums(runs[0], tmp_path / "part.nc")
    content = (tmp_path / "part.nc").read_bytes()
    (tmp_path / "part.nc").write_bytes(content[: len(content) // 2])
    with pytest.raises(ScoreError, match=r"part.nc cannot be read \(.*\); expected a file of 'sphercast score'"):
        combine(SumsFiles((tmp_path / "part.nc",)))
