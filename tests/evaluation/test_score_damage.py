"""Files and fields that are damaged: named where they stop a score, passed over and marked where they may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from data_pipeline.errors import DataError, ScoreError
from evaluation.answer import merge
from evaluation.kept import keeping
from evaluation.metrics.joint import joint_histogram
from evaluation.question import Question
from evaluation.readers import open_forecasts
from evaluation.score_files import write_scores
from forecast.cli_score import score_app
from tests.evaluation.layouts import as_weatherbench2, one_file_per_member
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]

WARMTH = "2m_temperature"


def checksummed(data: xr.Dataset) -> xr.Dataset:
    """HDF5 refuses what is damaged."""
    data[WARMTH].encoding.update(fletcher32=True, chunksizes=(1, 1, 6, 8))
    return data


def damage(path: Path, data: xr.Dataset, **place: int) -> None:
    """Loses one field of a file."""
    field, content = data[WARMTH].isel(place).values.tobytes(), path.read_bytes()
    assert content.count(field) == 1
    path.write_bytes(content.replace(field, bytes(len(field))))


@pytest.fixture
def runs(written: Write, ensemble: Callable[..., xr.Dataset]) -> list[Path]:
    """Three runs, of which the second lacks a field of its third member at +24 h."""
    paths = [written(checksummed, start=start) for start in (0, 4, 8)]
    damage(paths[1], ensemble(start=4), realization=2, time=1)
    return paths


def test_what_breaks_is_named_and_what_is_finished_is_kept(runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "scores.nc"
    with pytest.raises(DataError) as stopped, keeping(out, Question(), {}) as kept:
        answered(runs, truth, kept=kept)
    assert str(stopped.value) == (
        f"{WARMTH} of 2020-01-03T00:00 at +24 h: {runs[1]} cannot be read (NetCDF: HDF error); a file is damaged: copy "
        f"or build it again, or pass --allow-missing to score the rest; 1 of 3 runs is kept in {out}.partial"
    )
    (kept_run,) = (tmp_path / "scores.nc.partial").glob("*.nc")
    before = kept_run.stat().st_mtime_ns
    with keeping(out, Question(allow_missing=True), {}) as kept:
        again = answered(runs, truth, kept=kept, allow_missing=True).scores
        assert kept_run.stat().st_mtime_ns == before, "the first run is not scored again"
        names = {path.name[:15] for path in kept.folder.glob("20*.nc") if ".damaged" not in path.name}
    assert names == {"2020-01-01T0000", "2020-01-05T0000"}, "a run that lost a field is not to be found again"
    xr.testing.assert_identical(again, answered(runs, truth, allow_missing=True).scores)


def test_a_field_that_breaks_counts_for_no_model_and_is_marked(
    runs: list[Path], truth: xr.Dataset, written: Write
) -> None:
    with pytest.raises(DataError, match=r"again, or pass --allow-missing to score the rest$"):
        answered(runs, truth)
    scores = answered(runs, truth, allow_missing=True).scores
    assert scores.attrs["missing"] == (
        f"{WARMTH} of 2020-01-03T00:00 at +24 h: {runs[1]} cannot be read (NetCDF: HDF error), so 1 field does not "
        "count"
    )
    assert scores.attrs["unreadable_fields"] == "1 of 27"
    assert scores[f"sample_size_{WARMTH}"].values.tolist() == [3, 2, 3]
    whole = answered([runs[0], runs[2], written(start=4)], truth).scores
    others = answered([runs[0], runs[2]], truth).scores
    xr.testing.assert_equal(scores["crps_geopotential"], whole["crps_geopotential"])
    for name in (f"crps_{WARMTH}", f"rmse_{WARMTH}"):
        for lead, twin in ((12.0, whole), (24.0, others), (36.0, whole)):
            xr.testing.assert_equal(scores[name].sel(lead_time=lead), twin[name].sel(lead_time=lead))
    assert whole.attrs["unreadable_fields"] == "0 of 27"


def test_merged_parts_say_what_each_has_lost(runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    files = [tmp_path / f"part{number}.nc" for number in (1, 2)]
    for number, file in enumerate(files, 1):
        write_scores(answered(runs, truth, allow_missing=True, part=(number, 2)), file)
    merged, whole = merge(files).scores, answered(runs, truth, allow_missing=True).scores
    xr.testing.assert_equal(merged, whole)
    assert {name: merged.attrs[name] for name in ("missing", "unreadable_fields")} == {
        name: whole.attrs[name] for name in ("missing", "unreadable_fields")
    }


def test_a_truth_that_breaks_is_named_and_all_its_fields_are_counted(
    written: Write, truth: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "truth.nc"
    truth[WARMTH].encoding.update(fletcher32=True, chunksizes=(1, 6, 8))
    truth.to_netcdf(path, engine="netcdf4")
    damage(path, truth, time=3)  # valid at +36 h of the first, at +12 h of the second, initial of the third
    paths = [written(start=start) for start in (0, 2, 3)]
    with xr.open_dataset(path, engine="netcdf4", chunks=None, cache=False) as states:
        states.encoding["source"] = str(path)
        scores = answered(paths, states, allow_missing=True).scores
    assert scores.attrs["missing"] == (
        f"{WARMTH} of 2020-01-02T12:00 in {path} cannot be read (NetCDF: HDF error), so 5 fields do not count"
    )
    assert scores[f"sample_size_{WARMTH}"].values.tolist() == [1, 2, 1]
    assert np.isfinite(scores[f"crps_{WARMTH}"]).all(), "persistence is scored over the same fields as the forecast"


def test_a_run_that_is_lost_whole_is_left_out_and_nothing_left_is_an_error(
    written: Write, truth: xr.Dataset, ensemble: Callable[..., xr.Dataset], tmp_path: Path
) -> None:
    path = written(checksummed, leads=1)
    damage(path, ensemble(leads=1), realization=0, time=0)
    with pytest.raises(ScoreError, match=r"^nothing to score: 2m_temperature of .*, so 1 field does not count; make"):
        answered([path], truth, variables=[WARMTH], allow_missing=True)
    other = written(start=3)
    with keeping(tmp_path / "scores.nc", Question(), {}) as kept:
        found = answered([path, other], truth, variables=[WARMTH], allow_missing=True, kept=kept).scores
    assert found.attrs["initial_times"] == "2020-01-02T12:00"
    xr.testing.assert_equal(found, answered([other], truth, variables=[WARMTH]).scores)


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_a_truncated_file_in_a_list(written: Write, truth: xr.Dataset, form: str) -> None:
    """The library of the classic format would give zeros for what is not there."""
    paths = [written(start=start) for start in (0, 4, 8)]
    whole = xr.load_dataset(paths[1], engine="netcdf4", decode_timedelta=False)
    whole.to_netcdf(paths[1], engine="netcdf4", format=form)  # type: ignore[call-overload]
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[: int(0.9 * len(content))])
    with pytest.raises(DataError, match=rf"1 of the files cannot be scored: {paths[1]} .*; pass --allow-missing"):
        answered(paths, truth)
    scores = answered(paths, truth, allow_missing=True).scores
    assert str(paths[1]) in scores.attrs["missing"]
    xr.testing.assert_equal(scores, answered([paths[0], paths[2]], truth).scores)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_broken_chunk_of_zarr(
    ensemble: Callable[..., xr.Dataset], truth: xr.Dataset, tmp_path: Path, zarr_format: int
) -> None:
    whole, path = as_weatherbench2([ensemble(start=0), ensemble(start=4)]), tmp_path / "runs.zarr"
    chunks = {WARMTH: {"chunks": tuple(1 if dim not in {"latitude", "longitude"} else size
                                       for dim, size in whole[WARMTH].sizes.items())}}  # fmt: skip
    whole.to_zarr(path, zarr_format=zarr_format, consolidated=False, encoding=chunks)
    order = {"time": 1, "prediction_timedelta": 2, "number": 3}
    place = [order.get(str(dim), 0) for dim in whole[WARMTH].dims]
    chunk = path / WARMTH / (".".join(map(str, place)) if zarr_format == 2 else "/".join(["c", *map(str, place)]))
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match=rf"^{WARMTH} of 2020-01-03T00:00 at \+36 h: {path} cannot be read \(.*\); a"):
        answered([path], truth)
    scores = answered([path], truth, allow_missing=True).scores
    assert scores.attrs["unreadable_fields"] == "1 of 18"
    assert scores[f"sample_size_{WARMTH}"].values.tolist() == [2, 2, 1]


def test_of_a_run_of_many_files_the_broken_one_is_named(ensemble: Callable[..., xr.Dataset], tmp_path: Path) -> None:
    run = checksummed(ensemble())
    run[WARMTH].encoding["chunksizes"] = (1, 6, 8)
    paths = one_file_per_member([run], tmp_path)  # the last member first
    damage(paths[1], run, realization=2, time=0)
    (opened,), _ = open_forecasts(paths)
    with pytest.raises(DataError, match=rf"^{paths[1]} cannot be read \(.*HDF error"):
        _ = opened[WARMTH].values
    assert opened.attrs["files"] == tuple(map(str, paths))


def test_joint_histograms_go_past_damage_too(runs: list[Path], truth: xr.Dataset) -> None:
    opened, fields = open_forecasts(runs)[0], ("geopotential_500", WARMTH)
    with pytest.raises(DataError, match=rf"^{WARMTH} of 2020-01-03T00:00 at \+24 h: .*, or pass --allow-missing to go"):
        joint_histogram(opened, truth, fields)
    found = joint_histogram(opened, truth, fields, allow_missing=True)
    assert found.attrs["missing"].endswith("(NetCDF: HDF error), so 1 field does not count")
    edges = tuple(found[f"edges_{name}"].values for name in fields)
    twin = joint_histogram([opened[0], opened[2]], truth, fields, edges)
    xr.testing.assert_equal(found["forecast"].sel(lead_time=24.0), twin["forecast"].sel(lead_time=24.0))
    with pytest.raises(ScoreError, match=r"^nothing to count: .*make the files again"):
        joint_histogram([opened[1].isel(lead_time=[1])], truth, fields, allow_missing=True)


def test_the_command_marks_what_is_partial(runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    states, out = tmp_path / "truth.nc", tmp_path / "scores.nc"
    truth.to_netcdf(states, engine="netcdf4")
    words = [*map(str, (*runs, states)), "--out", str(out), "--quiet"]
    ended = CliRunner().invoke(score_app, words)
    assert isinstance(ended.exception, DataError)
    assert str(ended.exception).endswith(f"1 of 3 runs is kept in {out}.partial")
    assert not out.exists()
    ended = CliRunner().invoke(score_app, [*words, "--allow-missing"])
    assert ended.stdout.endswith(f"scores: {out} (partial: 1 of 27 fields cannot be read; attribute 'missing')\n")
    assert "sphercast: warning: not scored: 2m_temperature of 2020-01-03T00:00 at +24 h: " in ended.stderr
    assert not (tmp_path / "scores.nc.partial").exists()
    found = json.loads(CliRunner().invoke(score_app, [*words, "--allow-missing", "--json"]).stdout)
    assert found["attributes"]["unreadable_fields"] == "1 of 27"
    assert [sentence.partition(":")[0] for sentence in found["missing"]] == [f"{WARMTH} of 2020-01-03T00"]
