"""Building: right contents, refusals before anything is written, and kills at many moments, compared byte by byte."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data_pipeline import store
from data_pipeline.build import GROWING, LEDGER, build
from data_pipeline.errors import DataError
from data_pipeline.gather import open_sources
from data_pipeline.statistics import compute_statistics
from data_pipeline.store import open_store, partial_path
from tests.mock_world import mock_times

REPOSITORY = Path(__file__).parents[2]
MOMENTS = 10


@pytest.fixture(autouse=True)
def short_shards(monkeypatch) -> None:
    monkeypatch.setattr(store, "TIMES_PER_SHARD", 4)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_store_holds_what_the_sources_give(config) -> None:
    made = config()
    assert build(made, progress=False) == made.store
    opened, (fields, static) = open_store(made.store), open_sources(made)
    np.testing.assert_array_equal(opened.fields[:], fields)
    np.testing.assert_array_equal(opened.times, mock_times("2001-01-01", 20))
    assert opened.channels == made.channels
    assert opened.grid == made.grid.build()
    np.testing.assert_array_equal(opened.static[1][1], static["land_sea_mask"])
    assert os.listdir(made.store.parent).count("store.zarr") == 1
    assert not partial_path(made.store).exists()


def test_summaries_are_those_of_the_training_period_alone(config) -> None:
    made = config()
    opened = open_store(build(made, progress=False))
    training = opened.fields[:16]  # four of the five days
    expected = compute_statistics([training], opened.grid.area_weights(), 6)
    np.testing.assert_allclose(opened.statistics.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(opened.statistics.tendency_std[24], expected.tendency_std[24], rtol=1e-9)
    np.testing.assert_allclose(opened.climatology.mean[0], training.mean(axis=0), rtol=1e-6)


def test_a_training_period_inside_the_shards(config) -> None:
    made = config(training_period={"start": "2001-01-01T18", "stop": "2001-01-03T06"})
    opened = open_store(build(made, progress=False))
    expected = compute_statistics([opened.fields[3:10]], opened.grid.area_weights(), 6)
    np.testing.assert_allclose(opened.statistics.std, expected.std, rtol=1e-9)


def test_provenance(config) -> None:
    made = config()
    attributes = open_store(build(made, progress=False)).group.attrs
    assert attributes["config"] == made.model_dump(mode="json", exclude={"store"})
    assert attributes["sphercast_version"]


def test_progress_is_shown(config, capsys) -> None:
    build(config())
    assert "building: 5 of 5 shards" in capsys.readouterr().err


def test_a_finished_store_is_returned_untouched(config, monkeypatch) -> None:
    made = config()
    build(made, progress=False)
    before = contents(made.store)
    monkeypatch.setattr("data_pipeline.build.open_sources", lambda config: pytest.fail("the sources were opened"))
    assert build(made, progress=False) == made.store
    assert contents(made.store) == before


def test_a_moved_store_is_still_its_configs(config, tmp_path) -> None:
    build(config(), progress=False)
    moved = (tmp_path / "store.zarr").rename(tmp_path / "moved.zarr")
    assert build(config(store=moved), progress=False) == moved


def test_another_configs_store_is_refused(config) -> None:
    build(config(), progress=False)
    with pytest.raises(DataError, match=r"store\.zarr exists and was not built from this config; remove it, or"):
        build(config(variables={"2m_temperature": None}), progress=False)


def test_anything_else_in_the_way_is_refused(config, tmp_path) -> None:
    (tmp_path / "store.zarr").mkdir()
    (tmp_path / "store.zarr" / "thesis.txt").touch()
    with pytest.raises(DataError, match="exists and was not built from this config"):
        build(config(), progress=False)
    assert (tmp_path / "store.zarr" / "thesis.txt").exists()


def test_refusals_come_before_anything_is_written(config, tmp_path) -> None:
    before = set(os.listdir(tmp_path)) | {"states.nc", "static.nc"}
    with pytest.raises(DataError, match="the sources lack temperature_300"):
        build(config(variables={"temperature": [300]}), progress=False)
    assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, -50.0])
def test_bad_values_stop_the_build_and_a_mended_source_resumes_it(config, tmp_path, bad: float) -> None:
    made = config()
    with xr.open_dataset(tmp_path / "states.nc") as raw:
        good = raw.load()
    broken = good.copy(deep=True)
    broken["t2m"][9] = bad
    (tmp_path / "states.nc").unlink()
    broken.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"bad values: 2m_temperature .*2001-01-03T06"):
        build(made, progress=False)
    assert not made.store.exists()
    assert json.loads((partial_path(made.store) / LEDGER).read_text()) == [0, 4]
    (tmp_path / "states.nc").unlink()
    good.to_netcdf(tmp_path / "states.nc")
    build(made, progress=False)
    assert np.isfinite(open_store(made.store).fields[:]).all()


def test_one_missing_value_is_not_averaged_away(config, tmp_path) -> None:
    made = config()
    with xr.open_dataset(tmp_path / "states.nc") as raw:
        broken = raw.load()
    broken["t"][2, 0, 8, 5] = np.nan
    (tmp_path / "states.nc").unlink()
    broken.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"bad values: temperature_500 has [0-9]+ missing"):
        build(made, progress=False)


def test_a_resume_does_only_what_is_left(config, monkeypatch) -> None:
    made, calls = config(), []
    whole = store.write_shard

    def interrupted(path: Path, start: int, values: np.ndarray) -> None:
        calls.append(start)
        if start == 8 and calls.count(8) == 1:
            raise KeyboardInterrupt
        whole(path, start, values)

    monkeypatch.setattr(store, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(made, progress=False)
    assert not made.store.exists()
    build(made, progress=False)
    assert calls == [0, 4, 8, 8, 12, 16]


def test_an_unfinished_build_of_another_config_is_refused(config, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.build._summarise", lambda path, period: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(config(), progress=False)
    with pytest.raises(DataError, match=r"zarr\.partial is an unfinished build of another config; remove it"):
        build(config(static=["land_sea_mask"]), progress=False)


def test_torn_files_of_a_killed_writer_do_not_get_into_the_store(config, monkeypatch) -> None:
    made = config()
    monkeypatch.setattr("data_pipeline.build._summarise", lambda path, period: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(made, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(store, "TIMES_PER_SHARD", 4)
    torn = partial_path(made.store) / GROWING / "fields" / "0.abc.partial"
    torn.touch()
    build(made, progress=False)
    assert not list(made.store.rglob("*.partial"))


def test_one_time_cannot_be_trained_on(config) -> None:
    one = {"start": "2001-01-01", "stop": "2001-01-01T00"}
    with pytest.raises(DataError, match="holds one time, expected two or more to have an interval"):
        build(config(period=one, training_period=one), progress=False)


def test_killed_anywhere_and_rerun_the_bytes_are_the_same(config, tmp_path) -> None:
    (tmp_path / "config.json").write_text(config().model_dump_json())
    folder = tmp_path / "builds"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.data_pipeline.kill_builds", tmp_path / "config.json", folder, str(MOMENTS)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    builds = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(builds) == MOMENTS
    expected = contents(folder / "0" / "store.zarr")
    assert len(expected) > 10
    for number, one in enumerate(builds, start=1):
        assert (one["killed"], one["resumed"]) == (-signal.SIGKILL, 0), (one, ended.stderr)
        assert set(one["found"]) <= {"store.zarr", "store.zarr.partial"}
        if "store.zarr" not in one["found"]:
            assert one["found"] in ([], ["store.zarr.partial"])
        assert contents(folder / str(number) / "store.zarr") == expected, one
        assert os.listdir(folder / str(number)) == ["store.zarr"]
    assert sum("store.zarr" not in one["found"] for one in builds) > MOMENTS / 2
