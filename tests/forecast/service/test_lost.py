"""Forecasts that are no longer there as they were published, and scores that come or go later."""

from __future__ import annotations

import pathlib
from errno import ESTALE
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import DataError, SphercastError, TemporaryError
from forecast.service.cycles import name_of
from forecast.service.entries import page
from forecast.service.folders import Folders
from forecast.service.requests import retry
from forecast.service.retention import prunable
from forecast.service.states import State
from tests.forecast.service.world import FakeClock, World, a_job, at, fake_forecast, serving, shoot, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.service.job_file import JobFile

MANIFEST = "forecast.manifest.json"


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(5)))


@pytest.fixture
def job(tmp_path: Path) -> JobFile:
    return a_job(tmp_path)


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


LOSSES = [("forecast.nc", remove), ("forecast.nc", cut), (MANIFEST, remove), (MANIFEST, cut)]


@pytest.mark.parametrize(("name", "lose"), LOSSES)
def test_a_forecast_that_is_lost_is_made_again(
    job: JobFile, world: World, name: str, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    shoot(job, world, at(0))
    folder = Folders(job.folder).cycle(at(0))
    whole = (folder / "forecast.nc").read_bytes()
    lose(folder / name)
    assert shoot(job, world, at(0)).state is State.DONE
    assert (world.count("forecast", at(0)), (folder / "forecast.nc").read_bytes()) == (2, whole)
    said = f"no longer there as published: {name}; the forecast is made again"
    assert (said in caplog.text) == ((name, lose) != (MANIFEST, remove)), "of a folder without manifest nobody knows"


def test_maps_of_a_lost_forecast_are_drawn_anew(job: JobFile, world: World) -> None:
    """The job may say something else by now."""
    shoot(job, world, at(0))
    remove(Folders(job.folder).cycle(at(0)) / "forecast.nc")
    shoot(job, world, at(0))
    assert world.count("draw", at(0)) == 2


def test_maps_of_a_lost_forecast_stay_until_there_can_be_another(job: JobFile, world: World) -> None:
    shoot(job, world, at(0))
    folder = Folders(job.folder).cycle(at(0))
    (folder / "forecast.nc").write_bytes(b"somebody edited it")
    world.arrives[at(0)] = None
    assert shoot(job, world, at(0)).state is not State.DONE
    assert (folder / "map.png").exists()


def test_a_disk_that_does_not_answer_is_no_loss(job: JobFile, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shoot(job, world, at(0))

    def stale(path: Path) -> bytes:
        raise OSError(ESTALE, "Stale file handle", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_bytes", stale)
        with pytest.raises(TemporaryError, match="Stale file handle"):
            Folders(job.folder).lost(at(0))
    assert Folders(job.folder).lost(at(0)) == []


def test_lost_cycles_do_not_count_as_kept(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, retention={"cycles": 2}, catch_up={"window": "0 h"})
    for hour in (0, 6, 12):
        fake_forecast(at(hour), Folders(tmp_path).cycle(at(hour)))
    remove(Folders(tmp_path).cycle(at(6)) / "forecast.nc")
    with serving(job, world) as service:
        assert prunable(service) == []


def test_what_a_step_makes_is_made_by_it_alone(job: JobFile, world: World) -> None:
    """Products that came with the forecast are listed in its manifest."""
    folder = Folders(job.folder).cycle(at(0))
    fake_forecast(at(0), folder, files=("forecast.nc", "map.png"))
    shoot(job, world, at(0))
    remove(folder / "map.png")
    assert shoot(job, world, at(0)).state is State.DONE
    assert (world.count("forecast", at(0)), world.count("draw", at(0))) == (0, 1)


def test_a_lost_forecast_is_due_when_asked_for(job: JobFile, world: World) -> None:
    shoot(job, world, at(0))
    remove(Folders(job.folder).cycle(at(0)) / "forecast.nc")
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
        assert entry is not None
        assert "\nlost       forecast.nc; 'sphercast run' or 'sphercast jobs retry' has it made" in page(
            service, entry, []
        )
        assert retry(service, at(0)).startswith(f"cycle {name_of(at(0))}: due")


def test_a_damaged_manifest_can_be_shown(job: JobFile, world: World) -> None:
    shoot(job, world, at(0))
    cut(Folders(job.folder).cycle(at(0)) / MANIFEST)
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
        assert entry is not None
        assert f"\nlost       {MANIFEST}; " in page(service, entry, [])


def test_a_new_ledger_has_no_lost_forecasts(job: JobFile, world: World) -> None:
    folders = Folders(job.folder)
    for hours in (0, 6):
        fake_forecast(at(hours), folders.cycle(at(hours)))
    remove(folders.cycle(at(0)) / "forecast.nc")
    assert states(job, world) == {6: "processing"}


def test_the_last_complete_cycle_is_kept(tmp_path: Path, world: World) -> None:
    job, folders = a_job(tmp_path, retention={"cycles": 1}, catch_up={"window": "0 h"}), Folders(tmp_path)
    for hours in (0, 48, 96):
        fake_forecast(at(hours), folders.cycle(at(hours)))
    remove(folders.cycle(at(96)) / "forecast.nc")
    with serving(job, world) as service:
        assert prunable(service) == [at(0)]


def scores_of(job: JobFile, world: World) -> str:
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
    assert entry is not None
    return entry.scores


def test_scores_that_are_wanted_later(tmp_path: Path, world: World) -> None:
    """Of cycles that were made before, as long as their truth would have been waited for."""
    shoot(a_job(tmp_path), world, at(0))
    job = a_job(tmp_path, scores={"truth": "era5.zarr", "give_up": "2 d"})
    world.truth_until = at(10 * 24)
    for days, expected in ((9.9, ""), (12.1, ""), (10, "done")):
        world.clock.time = at(days * 24)
        shoot(job, world, at(0))
        assert scores_of(job, world) == expected


def test_scores_that_are_asked_for_again(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, scores={"truth": "era5.zarr"})
    shoot(job, world, at(0))
    world.clock.time, world.truth_until = at(250), at(250)
    world.trouble["score", at(0)] = [DataError("damaged")]
    shoot(job, world, at(0))
    scores = Folders(tmp_path).cycle(at(0)) / "scores.nc"
    for number in (1, 2):
        with serving(job, world) as service:
            assert retry(service, at(0)) == f"cycle {name_of(at(0))}: its scores are due again"
        assert shoot(job, world, at(0)).exit_code == 0
        with serving(job, world) as service:
            entry = service.ledger.entry(at(0))
            assert entry is not None
            assert (entry.scores, entry.message) == ("done", "3 members, 4 steps; scored"), "no word of the trouble"
            with pytest.raises(SphercastError, match=r"is done; .*; to score it anew, .*scores.nc"):
                retry(service, at(0))
        assert world.count("score", at(0)) == 1 + number
        scores.unlink()


def test_scores_of_an_old_cycle_by_hand(tmp_path: Path, world: World) -> None:
    shoot(a_job(tmp_path), world, at(0))
    world.clock.time, world.truth_until = at(1000), at(1000)
    job = a_job(tmp_path, scores={"truth": "era5.zarr", "give_up": "2 d"})
    with serving(job, world) as service:
        retry(service, at(0))
    shoot(job, world, at(0))
    assert scores_of(job, world) == "done"
