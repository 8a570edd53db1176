"""Files that together are one run, and all that can be wrong with a hundred of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError, ScoreError
from evaluation.pairs import match
from evaluation.readers import open_forecasts, open_runs
from tests.evaluation.layouts import one_file_per_lead, one_file_per_member, scores_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., xr.Dataset]


@pytest.fixture
def members(ensemble: Make, tmp_path: Path) -> list[Path]:
    """Four files of a member each."""
    return one_file_per_member([ensemble()], tmp_path)


@pytest.mark.parametrize("where", ["realization_*.nc", ""], ids=["glob", "folder"])
def test_a_glob_or_a_folder_is_one_run(members: list[Path], tmp_path: Path, ensemble: Make, where: str) -> None:
    (run,) = open_runs(tmp_path / where)
    assert run.sizes["realization"] == 4
    assert "and 3 more" in run.attrs["path"]
    found = run["geopotential"].transpose("realization", "lead_time", ...)
    np.testing.assert_array_equal(found, ensemble()["geopotential"])


def test_batches_of_members(ensemble: Make, tmp_path: Path) -> None:
    whole = ensemble(members=5)
    for name, part in (("a", slice(3, 5)), ("b", slice(0, 3))):
        whole.isel(realization=part).to_netcdf(tmp_path / f"{name}.nc")
    (run,) = open_runs(tmp_path)
    found = run["2m_temperature"].transpose("realization", ...)
    np.testing.assert_array_equal(found, whole["2m_temperature"])


def test_an_ensemble_in_any_order_of_its_files_has_the_same_scores(members: list[Path], truth: xr.Dataset) -> None:
    one, other = (scores_of(open_forecasts(paths)[0], truth) for paths in (members, members[::-1]))
    assert one.equals(other)


def test_a_member_that_lacks_a_lead_time(ensemble: Make, members: list[Path]) -> None:
    ensemble().isel(realization=2, time=slice(0, 2)).to_netcdf(members[0].with_name("short.nc"))
    paths = [*(path for path in members if not path.stem.endswith("2")), members[0].with_name("short.nc")]
    sentence = r"in the run of 2020-01-01T00:00, member 2 lacks 2m_temperature at \+36 h, geopotential_500 at \+36 h"
    with pytest.raises(ScoreError, match=rf"{sentence}.*; complete them, or pass --allow-missing"):
        open_forecasts(paths)
    (run,), lacking = open_forecasts(paths, allow_missing=True)
    assert run["realization"].values.tolist() == [0, 1, 3]
    assert len(lacking) == 1
    assert lacking[0].endswith("and was left out")


def test_a_member_missing_in_the_file_of_one_lead_time(ensemble: Make, tmp_path: Path) -> None:
    paths = one_file_per_lead([ensemble()], tmp_path)
    paths[0].unlink()
    ensemble().isel(time=2, realization=slice(0, 3)).to_netcdf(paths[0])
    with pytest.raises(ScoreError, match=r"member 3 lacks 2m_temperature at \+36 h"):
        open_forecasts(paths)
    (run,), _ = open_forecasts(paths, allow_missing=True)
    assert run["realization"].values.tolist() == [0, 1, 2]


def test_no_member_is_complete(ensemble: Make, tmp_path: Path) -> None:
    for index in range(2):
        ensemble().isel(realization=[index], time=[index]).to_netcdf(tmp_path / f"{index}.nc")
    with pytest.raises(ScoreError, match=r"no member has every field: member 0 lacks .* member 1 lacks .*complete one"):
        open_forecasts([tmp_path], allow_missing=True)


def test_a_truncated_file_among_a_hundred(ensemble: Make, truth: xr.Dataset, tmp_path: Path) -> None:
    paths = one_file_per_member([ensemble(members=9)], tmp_path)
    bad = paths[7]
    bad.write_bytes(bad.read_bytes()[:2000])
    with pytest.raises(DataError, match=rf"1 of the files cannot be scored: {bad} cannot be read .*--allow-missing"):
        open_forecasts(paths)
    (run,), lacking = open_forecasts(paths, allow_missing=True)
    assert run.sizes["realization"] == 8
    assert [str(bad) in sentence for sentence in lacking] == [True]
    assert np.isfinite(scores_of([run], truth)["crps_geopotential"]).all()


def test_a_folder_with_other_files_is_refused_in_words_without_an_option(members: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other.nc").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of the files in .* are no forecasts that can be read: .*other.nc") as error:
        open_runs(tmp_path)
    assert "take them away, or name the forecasts alone" in str(error.value)
    with pytest.raises(DataError, match=r"^.*other.nc cannot be read"):
        open_runs(tmp_path / "other.nc")
    members[0].write_bytes(b"")
    with pytest.raises(DataError, match=r"^2 of the files"):
        open_runs(tmp_path)


def test_a_member_that_lacks_fields_is_refused_in_words_without_an_option(ensemble: Make, tmp_path: Path) -> None:
    paths = one_file_per_member([ensemble()], tmp_path)
    with xr.open_dataset(paths[1], engine="netcdf4", decode_times=False) as data:
        cut = data.load().drop_vars("geopotential")
    cut.to_netcdf(paths[1], engine="netcdf4")
    with pytest.raises(ScoreError, match=r"member 2 lacks geopotential.*; complete them, or take them away$"):
        open_runs(tmp_path)


def test_nothing_but_truncated_files(members: list[Path]) -> None:
    for path in members:
        path.write_bytes(b"")
    with pytest.raises(DataError, match="4 of the files cannot be scored"):
        open_forecasts(members, allow_missing=True)


def test_a_field_in_two_files(ensemble: Make, tmp_path: Path) -> None:
    for name in "ab":
        ensemble().to_netcdf(tmp_path / f"{name}.nc")
    with pytest.raises(ScoreError, match=r"geopotential_500 at \+12 h, member 0, stands in .*a.nc and in .*b.nc; exp"):
        open_runs(tmp_path)


@pytest.fixture
def unnumbered(ensemble: Make, tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes members without their number into files of these names."""

    def write(*names: str) -> list[Path]:
        paths = [tmp_path / f"{name}.nc" for name in names]
        for index, path in enumerate(paths):
            ensemble().isel(realization=index, drop=True).to_netcdf(path)
        return paths

    return write


def test_members_are_numbered_by_the_names_of_their_files(
    unnumbered: Callable[..., list[Path]], ensemble: Make
) -> None:
    (run,), _ = open_forecasts(unnumbered("run20200101_07", "run20200101_03"))
    assert run["realization"].values.tolist() == [3, 7]
    found = run["2m_temperature"].transpose("realization", ...)
    np.testing.assert_array_equal(found, ensemble()["2m_temperature"].isel(realization=[1, 0]))


@pytest.mark.parametrize("names", [("graphcast", "pangu"), ("v1_m1", "v2_m2")])
def test_members_that_nothing_tells_apart(unnumbered: Callable[..., list[Path]], names: tuple[str, str]) -> None:
    with pytest.raises(
        ScoreError, match=r"several runs start at the same time and hold the same fields .*number the m"
    ):
        open_forecasts(unnumbered(*names))


def test_a_file_without_a_number_among_those_with_one(
    unnumbered: Callable[..., list[Path]], members: list[Path]
) -> None:
    with pytest.raises(ScoreError, match=r"m1.nc does not say which member it is, other files of the run do"):
        open_forecasts([*members, *unnumbered("m1", "m2")])


def test_files_of_a_run_on_different_grids(ensemble: Make, tmp_path: Path) -> None:
    ensemble().isel(realization=[0]).to_netcdf(tmp_path / "a.nc")
    ensemble().isel(realization=[1], longitude=slice(0, 4)).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(ScoreError, match=r"b.nc is on a 6x4 grid .* a.nc|b.nc is on a 6x4 grid .*; expected one grid"):
        open_runs(tmp_path)


def test_files_of_a_run_in_different_units(ensemble: Make, tmp_path: Path) -> None:
    for index, units in enumerate(("bananas", "apples")):
        one = ensemble().isel(realization=[index])
        one["index"] = one["2m_temperature"].assign_attrs(units=units)
        one.to_netcdf(tmp_path / f"{index}.nc")
    with pytest.raises(ScoreError, match=r"index is in 'bananas' in .*0.nc, in 'apples' in .*1.nc; convert one"):
        open_runs(tmp_path)


def test_a_variable_that_lacks_a_lead_time_is_listed_and_the_rest_scored(
    ensemble: Make, truth: xr.Dataset, tmp_path: Path
) -> None:
    run = ensemble()
    run[["geopotential"]].to_netcdf(tmp_path / "z.nc")
    run[["2m_temperature"]].isel(time=slice(1, None)).to_netcdf(tmp_path / "t.nc")
    matches, lacking = match(open_runs(tmp_path), truth)
    assert lacking == ["the run of 2020-01-01T00:00 lacks 2m_temperature at +12 h"]
    assert len(matches) == 8
    assert match(open_runs(tmp_path), truth, ["geopotential"])[1] == []
