"""A dry run: what it says is what the build then does, and it writes nothing."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from data_pipeline.building.append import append
from data_pipeline.building.build import Crew, build
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.plan import plan, plan_append
from data_pipeline.building.slabs import LEDGER
from data_pipeline.errors import DataError
from data_pipeline.shards import write_shard
from data_pipeline.store import partial_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np


def test_it_says_what_the_build_does(config, tmp_path) -> None:
    made = config(times_per_shard=6)
    planned = plan(made)
    assert sorted(os.listdir(tmp_path)) == ["states.nc", "static.nc"]
    assert (planned.channels, planned.times, planned.shards) == (3, 20, 4)
    assert planned.sources == {str(tmp_path / "states.nc"): "temperature_850, temperature_500, 2m_temperature"}
    assert planned.bytes_uncompressed == 20 * 3 * 8 * 16 * 4
    assert planned.seconds_for_fields > 0
    store = build(made, progress=False)
    written = sum(path.stat().st_size for path in (store / "fields" / "c").rglob("*") if path.is_file())
    assert planned.bytes_on_disk == pytest.approx(written, rel=0.1)


def test_for_people_and_for_programs(config) -> None:
    planned = plan(config(precision="float16"), threads=3)
    text = str(planned)
    for part in ("20, 2001-01-01T00 to 2001-01-05T18, in 1 shards", "8x16 grid", "with 3 threads", "uncompressed"):
        assert part in text
    assert json.loads(planned.to_json())["times"] == 20


def test_the_climatology_is_counted(config) -> None:
    without = plan(config())
    assert without.bytes_of_climatology == 0
    with_it = plan(config(climatology={"window_days": 61, "quantiles": []}))
    assert with_it.bytes_of_climatology == 2 * 4 * 366 * 3 * 8 * 16 * 4
    covered = 4 + 61  # days of the year: of the training period, and a window around it
    assert with_it.bytes_to_write == without.bytes_to_write + 2 * 4 * covered * 3 * 8 * 16 * 4


def test_it_refuses_what_the_build_refuses(config) -> None:
    with pytest.raises(DataError, match="the sources lack temperature_300"):
        plan(config(variables={"temperature": [300]}))


def test_what_is_found_is_json_too(config) -> None:
    found = json.loads(plan(config()).to_json())["findings"]
    assert "variables-renamed" in {row["code"] for row in found}
    assert {row["severity"] for row in found} == {"info"}


def test_a_finished_store_is_said(config) -> None:
    made = config()
    build(made, progress=False)
    planned = plan(made)
    assert (planned.action, planned.times_to_write, planned.bytes_to_write) == ("nothing", 0, 0)
    assert "to do      nothing, the store is finished" in str(planned)
    with pytest.raises(DataError, match=r"exists and was not built from this config \(other static\)"):
        plan(config(static=[]))
    shutil.rmtree(made.store)
    made.store.touch()
    with pytest.raises(DataError, match="exists and is not a training store; remove it"):
        plan(made)


def test_an_unfinished_build_is_said(config, monkeypatch) -> None:
    made = config(times_per_shard=6)
    write = write_shard

    def stopped(path: Path, states: Iterable[np.ndarray], slots: int) -> str:
        return write(path, states, slots) if path.parts[-4] in {"0", "1"} else str(1 / 0)

    monkeypatch.setattr("data_pipeline.building.slabs.write_shard", stopped)
    with pytest.raises(ZeroDivisionError):
        build(made, progress=False, crew=Crew(threads=1))
    planned = plan(made)
    assert (planned.action, planned.shards_to_write, planned.times_to_write) == ("resume", 2, 8)
    assert "to do      resume: 8 times in 2 shards; 2 are there" in str(planned)
    with pytest.raises(DataError, match=r"is an unfinished build of another config \(other static\)"):
        plan(config(times_per_shard=6, static=[]))


def test_an_append_is_planned(config) -> None:
    training = {"start": "2001-01-01", "stop": "2001-01-03"}
    build(config(period=training, training_period=training, times_per_shard=5), progress=False)
    longer = config(training_period=training, times_per_shard=5)
    planned = plan_append(longer)
    assert (planned.action, planned.times, planned.times_to_write, planned.shards_to_write) == ("append", 20, 10, 2)
    before = os.listdir(longer.store.parent)
    append(longer, progress=False)
    assert os.listdir(longer.store.parent) == before
    assert plan_append(longer).action == "nothing"
    with pytest.raises(DataError, match=r"goes to 2001-01-05 already, got 2001-01-03"):
        plan_append(config(period=training, training_period=training, times_per_shard=5))


def test_an_unfinished_append_is_planned(config, monkeypatch) -> None:
    training = {"start": "2001-01-01", "stop": "2001-01-03"}
    build(config(period=training, training_period=training, times_per_shard=5), progress=False)
    longer = config(training_period=training, times_per_shard=5)
    with monkeypatch.context() as patch:
        patch.setattr("data_pipeline.building.build.summarise", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            append(longer, progress=False)
    planned = plan_append(longer)
    assert (planned.action, planned.times_to_write, planned.shards_to_write) == ("append", 0, 0)


def test_a_disk_that_is_too_small(config, tmp_path, monkeypatch) -> None:
    made = config(store=tmp_path / "not" / "yet" / "store.zarr", times_per_shard=6)
    needed = plan(made).bytes_to_write
    usage = shutil.disk_usage(tmp_path)
    for free, fits in ((needed // 2, False), (needed * 2, True)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: usage._replace(free=free))
        planned = plan(made)
        assert planned.bytes_free == free
        assert ("TOO LITTLE" in str(planned)) is not fits
        if not fits:
            for refused in (planned.require_room, partial(build, made, progress=False)):
                with pytest.raises(
                    DataError, match=r"store\.zarr needs about .* more, its disk has .* free; free space"
                ):
                    refused()
            assert not partial_path(made.store).exists()
    build(made, progress=False)


def test_a_folder_that_cannot_be_written(config, tmp_path, monkeypatch) -> None:
    planned = plan(config())
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(DataError, match=f"{tmp_path} cannot be written; mend its permissions, or set another 'store'"):
        planned.require_room()


def test_a_disk_that_got_too_small(config, tmp_path, monkeypatch) -> None:
    made = config(times_per_shard=6)
    write = write_shard

    def stopped(path: Path, states: Iterable[np.ndarray], slots: int) -> str:
        return write(path, states, slots) if path.parts[-4] in {"0", "1"} else str(1 / 0)

    monkeypatch.setattr("data_pipeline.building.slabs.write_shard", stopped)
    with pytest.raises(ZeroDivisionError):
        build(made, progress=False, crew=Crew(threads=1))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(DataError, match=r"store\.zarr needs about .* more, its disk has 0\.1 kB free"):
        build(made, progress=False)
    assert Ledger(partial_path(made.store) / LEDGER).finished() >= {0, 1}
