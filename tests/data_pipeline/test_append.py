"""A store that grows: the same bytes as one built at once, nothing read twice, and every refusal."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr

from data_pipeline.building.append import append
from data_pipeline.building.build import REPLACED, build
from data_pipeline.building.origin import SOURCE_CHANGED
from data_pipeline.building.report import read_report, report_path
from data_pipeline.config import Period
from data_pipeline.errors import DataError
from data_pipeline.integrity import sha256, verify
from data_pipeline.quality.codes import CODES, Code
from data_pipeline.shards import shard_path
from data_pipeline.store import open_store, partial_path

SHORT = {"start": "2001-01-01", "stop": "2001-01-03"}


@pytest.fixture
def config(config):
    """Three days of training, shards of five times, so that the last shard of three days is not full."""

    def make(**changes):
        return config(**{"times_per_shard": 5, "training_period": SHORT, **changes})

    return make


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("stops", [["2001-01-03"], ["2001-01-03", "2001-01-04T06"], ["2001-01-05T12"]])
def test_the_same_bytes_as_built_at_once(config, tmp_path, precision: str, stops: list[str]) -> None:
    options = {"precision": precision, "climatology": {"window_days": 3, "quantiles": [0.1, 0.9]}}
    at_once = build(config(store=tmp_path / "at once.zarr", **options), progress=False)
    first, *others = [{"start": "2001-01-01", "stop": stop} for stop in stops]
    grown = build(config(period=first, **options), progress=False)
    for period in others:
        append(config(period=period, **options), progress=False)
    assert append(config(**options), progress=False) == grown
    assert contents(grown) == contents(at_once)
    assert verify(grown) == []
    assert not partial_path(grown).exists()


def test_full_shards_are_not_read_again_from_the_sources(config, tmp_path) -> None:
    build(config(period=SHORT), progress=False)
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        late = raw.isel(valid_time=slice(9, None)).load()  # two shards of five are full; their last state is compared
    (tmp_path / "states.nc").unlink()
    late.to_netcdf(tmp_path / "states.nc")
    append(config(), progress=False)
    assert len(open_store(tmp_path / "store.zarr").times) == 20


def test_readers_see_the_old_store_until_the_new_one_is_whole(config, monkeypatch) -> None:
    made = config(period=SHORT)
    build(made, progress=False)
    before = contents(made.store)
    monkeypatch.setattr("data_pipeline.building.build.summarise", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        append(config(), progress=False)
    assert contents(made.store) == before
    monkeypatch.undo()
    append(config(), progress=False)
    assert len(open_store(made.store).times) == 20


def test_nothing_to_add_is_no_error(config) -> None:
    made = config()
    build(made, progress=False)
    before = contents(made.store)
    append(made, progress=False)
    assert contents(made.store) == before


def test_a_reader_never_misses_the_store(config, monkeypatch) -> None:
    made = config(period=SHORT)
    build(made, progress=False)
    missed, over = [], threading.Event()

    def poll() -> None:
        while not over.is_set():
            missed.extend([] if (made.store / "zarr.json").exists() else [1])

    reader = threading.Thread(target=poll)
    reader.start()
    rename, renamed = Path.rename, []
    monkeypatch.setattr(Path, "rename", lambda path, target: (renamed.append(path), rename(path, target))[1])
    append(config(), progress=False)
    over.set()
    reader.join()
    assert not missed
    assert made.store not in renamed
    assert len(open_store(made.store).times) == 20


def test_a_disk_that_cannot_exchange_names(config, monkeypatch) -> None:
    build(config(period=SHORT), progress=False)
    monkeypatch.setattr("data_pipeline.building.build.exchange", lambda *_: False)
    grown = append(config(), progress=False)
    assert len(open_store(grown).times) == 20
    assert verify(grown) == []
    assert not partial_path(grown).exists()


def test_a_store_that_stands_elsewhere(config, tmp_path) -> None:
    store = build(config(period=SHORT), progress=False)
    store.rename(tmp_path / "elsewhere.zarr")
    store.symlink_to(tmp_path / "elsewhere.zarr")
    append(config(), progress=False)
    assert len(open_store(store).times) == 20
    assert len(open_store(tmp_path / "elsewhere.zarr").times) == 12
    assert not partial_path(store).exists()


def test_death_right_after_the_exchange(config, monkeypatch) -> None:
    build(config(period=SHORT), progress=False)
    monkeypatch.setattr("data_pipeline.building.build.clear_all", lambda _: None)
    grown = append(config(), progress=False)
    monkeypatch.undo()
    before = contents(grown)
    assert (partial_path(grown) / "store").exists()
    assert append(config(), progress=False) == grown
    assert contents(grown) == before
    assert not partial_path(grown).exists()


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(("time", "code"), [(9, "2001-01-03T06"), (11, "2001-01-03T18")])
def test_sources_that_changed_are_not_appended_in_silence(
    config, tmp_path, monkeypatch, precision: str, time: int, code: str
) -> None:
    monkeypatch.setitem(CODES, SOURCE_CHANGED, Code("error", "A source changed."))
    build(config(period=SHORT, precision=precision), progress=False)
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        revised = raw.load()
    revised["t2m"][time, 8:10] += 0.5
    (tmp_path / "states.nc").unlink()
    revised.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=f"other values of 2m_temperature at {code} than .*changed since .*build it"):
        append(config(precision=precision), progress=False)
    grown = append(config(precision=precision, accept=[SOURCE_CHANGED]), progress=False)
    assert [one.time for one in read_report(report_path(grown)) if one.code == SOURCE_CHANGED] == [code]


def test_death_between_the_two_renames(config) -> None:
    made = config()
    build(made, progress=False)
    before = contents(made.store)
    folder = partial_path(made.store)
    (folder / REPLACED).mkdir(parents=True)
    made.store.rename(folder / "store")
    append(made, progress=False)
    assert contents(made.store) == before
    assert not folder.exists()


def test_a_copy_across_the_seam_is_seen(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.precheck.PAIRS", 1)
    two_days = {"training_period": {"start": "2001-01-01", "stop": "2001-01-02"}}
    build(
        config(period={"start": "2001-01-01", "stop": "2001-01-03T06"}, **two_days), progress=False
    )  # two full shards
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        stuck = raw.load()
    stuck["t2m"][10] = stuck["t2m"][9].values
    (tmp_path / "states.nc").unlink()
    stuck.to_netcdf(tmp_path / "states.nc")
    with pytest.raises(DataError, match=r"field-repeated \(2m_temperature, 2001-01-03T12\)"):
        append(config(**two_days), progress=False)


def test_what_was_noticed_before_stays_in_the_report(config, tmp_path) -> None:
    with xr.open_dataset(tmp_path / "states.nc" if config() else "", engine="netcdf4") as raw:
        stuck = raw.load()
    stuck["t2m"][4] = stuck["t2m"][3].values
    (tmp_path / "states.nc").unlink()
    stuck.to_netcdf(tmp_path / "states.nc")
    accepted = {"accept": ["field-repeated"]}
    at_once = build(config(store=tmp_path / "at once.zarr", **accepted), progress=False)
    build(config(period=SHORT, **accepted), progress=False)
    grown = append(config(**accepted), progress=False)
    assert contents(grown) == contents(at_once)
    for store in (at_once, grown):
        found = [one for one in read_report(report_path(store)) if one.code == "field-repeated"]
        assert [(one.variable, one.time, one.count) for one in found] == [("2m_temperature", "2001-01-02T00", 1)]


def test_half_precision_is_not_lengthened_inside_the_training_period(config) -> None:
    long = {"training_period": {"start": "2001-01-01", "stop": "2001-01-04"}, "precision": "float16"}
    earlier = {"period": Period.model_validate(SHORT)}  # as configs could be once
    build(config(**long).model_copy(update=earlier), progress=False)
    with pytest.raises(DataError, match=r"was scaled before its training period ended \(2001-01-04\); build it anew"):
        append(config(**long), progress=False)


def test_a_disk_without_links(config, monkeypatch) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr("data_pipeline.building.append.os", SimpleNamespace(link=link))
    build(config(period=SHORT), progress=False)
    assert verify(append(config(), progress=False)) == []


def test_no_store(config) -> None:
    with pytest.raises(DataError, match=r"no training store at .*; make it with 'sphercast data build CONFIG'"):
        append(config(), progress=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variables": {"2m_temperature": None}}, "built with other variables; expected only a later period.stop"),
        ({"period": {"start": "2000-12-31T18", "stop": "2001-01-05"}}, "built with other period.start"),
        (
            {"period": {"start": "2001-01-01", "stop": "2001-01-03T23"}},
            "goes to 2001-01-03 already, got 2001-01-03T23",
        ),
        ({"precision": "float16", "interval_hours": 12}, "built with other interval_hours, precision"),
    ],
)
def test_anything_else_is_refused(config, changes: dict, message: str) -> None:
    build(config(period=SHORT), progress=False)
    with pytest.raises(DataError, match=message):
        append(config(**changes), progress=False)


def test_a_damaged_shard_is_not_taken_over(config) -> None:
    made = config(period=SHORT)
    build(made, progress=False)
    shard = shard_path(made.store / "fields", 1)
    content = bytearray(shard.read_bytes())
    content[50] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match="is damaged: its sha256 differs; build the store anew"):
        append(config(), progress=False)


def test_the_build_says_that_append_is_meant(config) -> None:
    build(config(period=SHORT), progress=False)
    with pytest.raises(DataError, match="if only the end of the period moved, run 'sphercast data append'"):
        build(config(), progress=False)
