"""Building: right contents, refusals before anything is written, and kills at many moments, compared byte by byte."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.building.build import Crew, build, prepare
from data_pipeline.building.gather import open_sources
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.origin import SOURCE_CHANGED
from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import read_report, report_path
from data_pipeline.building.slabs import GROWING, LEDGER
from data_pipeline.errors import DataError
from data_pipeline.integrity import sha256
from data_pipeline.quality import Report
from data_pipeline.quality.codes import CODES, Code
from data_pipeline.shards import write_shard
from data_pipeline.statistics import compute_statistics
from data_pipeline.store import open_store, partial_path
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@pytest.fixture
def config(config):
    """With shards of four times."""

    def make(**changes):
        return config(**{"times_per_shard": 4, **changes})

    return make


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def test_the_store_holds_what_the_sources_give(config) -> None:
    made = config()
    assert build(made, progress=False) == made.store
    opened, gathering = open_store(made.store), open_sources(made)
    np.testing.assert_array_equal(opened.read(range(20)), list(gathering.states(made.times)))
    np.testing.assert_array_equal(opened.times, mock_times("2001-01-01", 20))
    assert opened.channels == made.channels
    assert opened.grid == made.grid.build()
    np.testing.assert_array_equal(opened.static[1][1], gathering.static["land_sea_mask"])
    assert os.listdir(made.store.parent).count("store.zarr") == 1
    assert not partial_path(made.store).exists()


def test_summaries_are_those_of_the_training_period_alone(config) -> None:
    made = config()
    opened = open_store(build(made, progress=False))
    training = opened.read(range(16))  # four of the five days
    expected = compute_statistics([training], opened.grid.area_weights(), 6)
    np.testing.assert_allclose(opened.statistics.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(opened.statistics.tendency_std[24], expected.tendency_std[24], rtol=1e-9)
    np.testing.assert_allclose(opened.climatology.mean[0], training.mean(axis=0), rtol=1e-6)


def test_a_training_period_inside_the_shards(config) -> None:
    made = config(training_period={"start": "2001-01-01T18", "stop": "2001-01-03T06"})
    opened = open_store(build(made, progress=False))
    expected = compute_statistics([opened.read(range(3, 10))], opened.grid.area_weights(), 6)
    np.testing.assert_allclose(opened.statistics.std, expected.std, rtol=1e-9)


def test_provenance(config) -> None:
    made = config()
    attributes = open_store(build(made, progress=False)).group.attrs
    assert attributes["config"] == made.model_dump(mode="json", exclude={"store"})
    assert set(attributes["versions"]) >= {"sphercast", "numpy", "zarr"}
    assert attributes["config_sha256"] == digest_of(made)
    report = json.loads(report_path(made.store).read_text())
    assert report["errors"] == 0
    assert "variables-renamed" in {found["code"] for found in report["findings"]}


def test_progress_is_shown(config, capsys) -> None:
    build(config())
    assert "building: 20 of 20 states" in capsys.readouterr().err


def test_a_finished_store_is_returned_untouched(config, monkeypatch) -> None:
    made = config()
    build(made, progress=False)
    before = contents(made.store)
    monkeypatch.setattr("data_pipeline.building.build.open_sources", lambda *_: pytest.fail("the sources were opened"))
    assert build(made, progress=False) == made.store
    assert contents(made.store) == before


def test_a_moved_store_is_still_its_configs(config, tmp_path) -> None:
    build(config(), progress=False)
    moved = (tmp_path / "store.zarr").rename(tmp_path / "moved.zarr")
    assert build(config(store=moved), progress=False) == moved


def test_another_configs_store_is_refused(config) -> None:
    build(config(), progress=False)
    with pytest.raises(
        DataError, match=r"store\.zarr exists and was not built from this config \(other var.*remove it"
    ):
        build(config(variables={"2m_temperature": None}), progress=False)


def test_anything_else_in_the_way_is_refused(config, tmp_path) -> None:
    (tmp_path / "store.zarr").mkdir()
    (tmp_path / "store.zarr" / "thesis.txt").touch()
    with pytest.raises(DataError, match="exists and is not a training store; remove it"):
        build(config(), progress=False)
    assert (tmp_path / "store.zarr" / "thesis.txt").exists()


def test_refusals_come_before_anything_is_written(config, tmp_path) -> None:
    before = set(os.listdir(tmp_path)) | {"states.nc", "static.nc"}
    with pytest.raises(DataError, match="the sources lack temperature_300"):
        build(config(variables={"temperature": [300]}), progress=False)
    assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, -50.0])
def test_bad_values_stop_the_build_and_a_mended_source_resumes_it(config, tmp_path, monkeypatch, bad: float) -> None:
    monkeypatch.setitem(CODES, SOURCE_CHANGED, Code("error", "A source changed."))
    monkeypatch.setattr("data_pipeline.building.precheck.PAIRS", 1)  # the sample does not see it
    made = config()
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        good = raw.load()
    broken = good.copy(deep=True)
    broken["t2m"][9] = bad
    (tmp_path / "states.nc").unlink()
    broken.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"error\(s\) in the data: .*2m_temperature, 2001-01-03T06"):
        build(made, progress=False, crew=Crew(threads=1))
    assert not made.store.exists()
    assert Ledger(partial_path(made.store) / LEDGER).finished() >= {0, 1}
    (tmp_path / "states.nc").unlink()
    good.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(
        DataError, match=r"states\.nc changed \(.*its shards would be of two versions; remove .* or name"
    ):
        build(made, progress=False)
    build(config(accept=[SOURCE_CHANGED]), progress=False)
    assert np.isfinite(open_store(made.store).read(range(20))).all()
    assert SOURCE_CHANGED in read_report(report_path(made.store)).codes


def test_one_missing_value_is_not_averaged_away(config, tmp_path) -> None:
    made = config()
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        broken = raw.load()
    broken["t"][2, 0, 8, 5] = np.nan
    (tmp_path / "states.nc").unlink()
    broken.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"error\(s\) in the data: .*temperature_500"):
        build(made, progress=False)


def test_a_resume_does_only_what_is_left(config, monkeypatch) -> None:
    made, calls = config(), []

    def interrupted(path: Path, states: Iterable[np.ndarray], slots: int) -> str:
        calls.append(int(path.parts[-4]))
        if calls == [0, 1, 2]:
            raise KeyboardInterrupt
        return write_shard(path, states, slots)

    monkeypatch.setattr("data_pipeline.building.slabs.write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(made, progress=False, crew=Crew(threads=1))
    assert not made.store.exists()
    done = Ledger(partial_path(made.store) / LEDGER).finished()
    assert done >= {0, 1}
    assert 2 not in done
    before = len(calls)
    build(made, progress=False)
    assert set(calls[before:]) == {0, 1, 2, 3, 4} - done


def test_an_unfinished_build_of_another_config_is_refused(config, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.build.summarise", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(config(), progress=False)
    with pytest.raises(
        DataError, match=r"zarr\.partial is an unfinished build of another config \(other static\); remove"
    ):
        build(config(static=["land_sea_mask"]), progress=False)


def test_torn_files_of_a_killed_writer_do_not_get_into_the_store(config, monkeypatch) -> None:
    made = config()
    monkeypatch.setattr("data_pipeline.building.build.summarise", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(made, progress=False)
    monkeypatch.undo()
    torn = partial_path(made.store) / GROWING / "fields" / "0.abc.partial"
    torn.touch()
    build(made, progress=False)
    assert not list(made.store.rglob("*.partial"))


def test_one_time_makes_a_store_without_tendencies(config) -> None:
    one = {"start": "2001-01-01", "stop": "2001-01-01T00"}
    opened = open_store(build(config(period=one, training_period=one), progress=False))
    assert opened.statistics.tendency_std == {}
    np.testing.assert_allclose(opened.statistics.mean[2], np.average(
        opened.read([0])[0, 2].mean(axis=-1), weights=opened.grid.area_weights()), rtol=1e-6)  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, 1e20])
def test_bad_values_in_the_sample_stop_a_build_before_it_starts(config, tmp_path, bad: float) -> None:
    with xr.open_dataset(tmp_path / "states.nc" if config() else "", engine="netcdf4") as raw:
        broken = raw.load()
    broken["t2m"][:, 3, 4] = bad
    (tmp_path / "states.nc").unlink()
    broken.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"error\(s\) in the data: .*2m_temperature"):
        build(config(), progress=False)
    assert not partial_path(tmp_path / "store.zarr").exists()


def test_a_copy_of_the_last_state_of_another_shard_is_seen(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.precheck.PAIRS", 1)
    made = config()
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        stuck = raw.load()
    stuck["t2m"][8] = stuck["t2m"][7].values  # the first of the third shard
    (tmp_path / "states.nc").unlink()
    stuck.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"field-repeated \(2m_temperature, 2001-01-03T00\): the field is identical"):
        build(made, progress=False)
    accepted = config(accept=["field-repeated"])
    build(accepted, progress=False)
    found = read_report(report_path(made.store))
    assert [one.time for one in found if one.code == "field-repeated"] == ["2001-01-03T00"]


def test_a_defect_that_regridding_would_hide_is_found(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.precheck.PAIRS", 1)
    made = config()
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        spoilt = raw.load()
    spoilt["t2m"][11, 8, 5] += 90.0  # one of about eight points under a cell: their mean is a possible temperature
    (tmp_path / "states.nc").unlink()
    spoilt.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"value-range \(2m_temperature, 2001-01-03T18, .*\): values span"):
        build(made, progress=False)


def test_states_larger_than_a_block(config, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.summarise.SLAB_BYTES", 100)
    monkeypatch.setattr("data_pipeline.building.gather.BLOCK_BYTES", 100)
    assert len(open_store(build(config(), progress=False)).times) == 20


def test_a_build_leaves_the_growing_append_of_another_config_alone(config) -> None:
    short = config(period={"start": "2001-01-01", "stop": "2001-01-04"})
    build(short, progress=False)
    folder = partial_path(short.store)
    folder.mkdir()
    prepare(open_sources(config()), Report(), folder)
    assert build(short, progress=False) == short.store
    assert (folder / GROWING / "zarr.json").exists()


@pytest.mark.parametrize("left", [["findings.json"], ["ledger/0.json"], ["findings.json", "ledger/0.json"]])
def test_what_a_build_left_after_publishing_does_not_confuse_the_next(config, left: list[str]) -> None:
    folder = partial_path(config().store)
    for name in left:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"findings": []}')
    opened = open_store(build(config(), progress=False))
    assert np.isfinite(opened.read(range(20))).all()
    assert not folder.exists()


def test_what_others_put_into_the_folder_stays(config) -> None:
    folder = partial_path(config().store)
    folder.mkdir()
    (folder / "thesis.txt").touch()
    build(config(), progress=False)
    assert os.listdir(folder) == ["thesis.txt"]


def test_a_store_is_no_url(config) -> None:
    with pytest.raises(ValueError, match="expected a path on this machine: stores are built on disks"):
        config(store="gs://bucket/store.zarr")
