"""A cycle with a real, tiny model: states from files, all kinds of initial states, and what goes wrong with them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import CheckpointError, ConfigError, DataError
from forecast.checkpoint import save_checkpoint
from forecast.forecaster import Forecaster
from forecast.output import read_manifest
from forecast.service import cycle_work as module
from forecast.service.cycle_work import check_job, cycle_work
from forecast.service.folders import INITIAL, Folders
from forecast.service.job_file import JobFile
from forecast.service.ledger_file import open_ledger
from forecast.service.one_shot import Outcome, run_cycle
from forecast.service.product_steps import product_steps
from forecast.service.service import Service
from forecast.service.states import State
from tests.forecast.service.world import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.service.work import Work

CYCLE = datetime(2000, 2, 1, tzinfo=UTC)


@pytest.fixture
def job(tmp_path: Path, forecaster: Forecaster, world_file: Path) -> Callable[..., JobFile]:
    save_checkpoint(forecaster, tmp_path / "model.safetensors", {})

    def made(**values: Any) -> JobFile:
        given = {
            "name": "tiny", "checkpoint": str(tmp_path / "model.safetensors"), "folder": tmp_path / "job", "members": 3,
            "days": 1, "batch": 4, "cycles": [0],
            "source": {"kind": "folder", "path": str(world_file), "quiet_seconds": 0},
        }  # fmt: skip
        return JobFile.model_validate({**given, **values})

    return made


def shoot(job: JobFile, change: Callable[[Work], Work] = lambda work: work) -> Outcome:
    clock = FakeClock(CYCLE)
    work = change(cycle_work(job, clock, product_steps(job, progress=False), None, progress=False))
    with open_ledger(Folders(job.folder).ledger, job.name, dict, clock.now()) as ledger:
        return run_cycle(Service(job, work, ledger, clock), CYCLE, patient=False)


def forecast_of(job: JobFile) -> xr.Dataset:
    return xr.load_dataset(Folders(job.folder).cycle(CYCLE) / "forecast.nc", engine="netcdf4", decode_timedelta=False)


def test_a_forecast_and_its_products(job: Callable[..., JobFile]) -> None:
    tiny = job(products={"quantiles": [0.5]}, outputs=[{"variables": ["geopotential"]}])
    outcome = shoot(tiny)
    assert outcome.message == "3 members, 2 steps"
    assert [path.name for path in outcome.files] == ["forecast.manifest.json", "forecast.nc", "products.nc"]
    manifest = read_manifest(Folders(tiny.folder).cycle(CYCLE))
    assert manifest.initial_time == "2000-02-01T00"
    assert manifest.initial_data.startswith('folder {"path": ')
    assert forecast_of(tiny).sizes["realization"] == 3
    assert [file.name for file in manifest.files] == ["forecast.nc", "products.nc"]


def test_products_that_are_wanted_when_the_forecast_is_there(job: Callable[..., JobFile], tmp_path: Path) -> None:
    """They are the same as if they had been made while it ran."""
    wanted: dict[str, Any] = {"products": {"name": "p.nc", "quantiles": [0.5]}, "outputs": [{"levels": [500]}]}
    running = job(**wanted)
    shoot(running)
    later = job(**{**wanted, "products": None, "folder": tmp_path / "later"})
    shoot(later)
    assert not (Folders(later.folder).cycle(CYCLE) / "p.nc").exists()
    outcome = shoot(job(**wanted, folder=tmp_path / "later"))
    assert [path.name for path in outcome.files] == ["forecast.manifest.json", "forecast.nc", "p.nc"]
    made = [xr.load_dataset(Folders(each.folder).cycle(CYCLE) / "p.nc", engine="netcdf4") for each in (running, later)]
    xr.testing.assert_identical(*made)


def test_another_cycle_has_other_noise(job: Callable[..., JobFile], tmp_path: Path) -> None:
    """The members of a cycle differ from those of another although the seed is the same, and repeat themselves."""
    first, again = job(), job(folder=tmp_path / "again")
    shoot(first)
    shoot(again)
    xr.testing.assert_identical(forecast_of(first), forecast_of(again))
    assert (Folders(first.folder).cycle(CYCLE) / "forecast.nc").read_bytes() == (
        Folders(again.folder).cycle(CYCLE) / "forecast.nc"
    ).read_bytes()


@pytest.mark.parametrize(
    ("perturbation", "words", "control"),
    [
        ({"kind": "noise", "amplitude": 0.3}, "spherical noise of 0.3 standard deviations", 0),
        ({"kind": "noise", "control": False}, "spherical noise", None),
        ({"kind": "lagged", "lag_hours": 24}, "k x 24 h before", 0),
    ],
)
def test_perturbed_initial_states(
    job: Callable[..., JobFile], perturbation: dict[str, Any], words: str, control: int | None
) -> None:
    tiny = job(perturbation=perturbation)
    assert shoot(tiny).state is State.DONE
    made = forecast_of(tiny)
    assert words in made.attrs["initial_perturbation"]
    assert made.attrs.get("control_member") == (None if control is None else str(control))


@pytest.mark.parametrize(
    ("asked", "leads"),
    [({"output_hours": 6}, [6, 12, 18, 24]), ({"step_hours": 12, "perturbation": {"kind": "lagged"}}, [12, 24])],
)
def test_steps_of_several_lengths(
    job: Callable[..., JobFile], make_forecaster: Callable[..., Forecaster], tmp_path: Path, asked: dict[str, Any],
    leads: list[int],
) -> None:  # fmt: skip
    model = make_forecaster(step_hours=24, other_step_hours=(6, 12, 18))
    save_checkpoint(model, tmp_path / "model.safetensors", {})
    outcome = shoot(job(**asked))
    assert outcome.state is State.DONE, outcome.message
    made = forecast_of(job(**asked))
    assert made["forecast_period"].values.tolist() == leads
    assert made.attrs["model_steps"].startswith(f"steps of {asked.get('step_hours', 24)} h")
    with pytest.raises(
        ConfigError, match=r"got steps of 8 h \(step_hours\), but the model knows steps of 6, 12, 18, 24"
    ):
        check_job(job(step_hours=8), CYCLE)


def test_members_of_an_analysis(job: Callable[..., JobFile], world: xr.Dataset, tmp_path: Path) -> None:
    """Each member starts from its own states; a source with fewer members says so."""
    near = world.sel(time=slice("2000-01-31T12", "2000-02-01T00"))
    names = [name for name in near.data_vars if "time" in near[name].dims]
    spread = [near[names] * (1 + 0.001 * number) for number in range(3)]
    ensemble = xr.concat([part.assign_attrs(near.attrs) for part in spread], "number").assign_coords(number=range(3))
    for name in names:
        ensemble[name].attrs = near[name].attrs
    ensemble.to_netcdf(tmp_path / "members.nc", engine="netcdf4")
    source = {"kind": "folder", "path": str(tmp_path / "members.nc"), "quiet_seconds": 0}
    tiny = job(perturbation={"kind": "analysis"}, source=source)
    outcome = shoot(tiny)
    assert outcome.state is State.DONE, outcome.message
    made = forecast_of(tiny)
    assert made.attrs["initial_perturbation"] == "each member starts from its own member of the ensemble analysis"
    assert "control_member" not in made.attrs, "no file says which member is the analysis' control"
    more = shoot(job(perturbation={"kind": "analysis"}, source=source, members=4, folder=tmp_path / "more"))
    assert more.state is not State.DONE


@pytest.mark.parametrize(
    ("source", "control"),
    [
        ({"kind": "gefs"}, 0),
        ({"kind": "ecmwf_open_data"}, 0),
        ({"kind": "ecmwf_open_data", "model": "aifs-single"}, None),
        ({"kind": "folder", "path": "x"}, None),
        ({"kind": "folder", "path": "x", "control": 2}, 2),
    ],
)
def test_the_control_of_an_analysis_is_its_providers(
    job: Callable[..., JobFile], source: dict[str, Any], control: int | None
) -> None:
    made = module._CycleWork(job(perturbation={"kind": "analysis"}, source=source), FakeClock(CYCLE), progress=False)
    assert made.control == control


def test_one_variable_that_is_nan(job: Callable[..., JobFile], world: xr.Dataset, tmp_path: Path) -> None:
    broken = world.copy(deep=True)
    broken["2m_temperature"].loc[{"time": "2000-02-01T00"}][2:, 3] = np.nan
    broken.to_netcdf(tmp_path / "broken.nc", engine="netcdf4")
    tiny = job(source={"kind": "folder", "path": str(tmp_path / "broken.nc"), "quiet_seconds": 0})
    outcome = shoot(tiny)
    assert (outcome.state, outcome.exit_code) == (State.FAILED, 1)
    assert "2m_temperature" in outcome.message
    assert outcome.files == ()
    world.to_netcdf(tmp_path / "mended.nc", engine="netcdf4")
    (tmp_path / "mended.nc").rename(tmp_path / "broken.nc")
    assert shoot(tiny).state is State.DONE, "what was refused is not kept"


def test_a_checkpoint_replaced_in_the_middle(
    job: Callable[..., JobFile],
    forecaster: Forecaster,
    make_forecaster: Callable[..., Forecaster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was begun with one model is not gone on with by another; the message names the folder to remove."""

    step, steps = Forecaster.step, []

    def interrupted(self: Forecaster, *arguments: Any, **options: Any) -> Any:
        steps.append(self)
        if len(steps) == 2:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    monkeypatch.setattr(Forecaster, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shoot(job())
    save_checkpoint(make_forecaster(seed=9), tmp_path / "model.safetensors", {})
    outcome = shoot(job())
    assert (outcome.state, outcome.exit_code, outcome.files) == (State.FAILED, 1, ())
    assert "checkpoint" in outcome.message
    assert ".forecast.partial" in outcome.message
    save_checkpoint(forecaster, tmp_path / "model.safetensors", {})
    assert shoot(job()).state is State.DONE


def test_a_checkpoint_replaced_while_it_is_read(
    job: Callable[..., JobFile], make_forecaster: Callable[..., Forecaster], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = module.load_checkpoint

    def replaced(path: Path) -> Forecaster:
        loaded = load(path)
        save_checkpoint(make_forecaster(seed=9), path, {})
        return loaded

    monkeypatch.setattr(module, "load_checkpoint", replaced)
    outcome = shoot(job())
    assert (outcome.state, outcome.exit_code) == (State.MISSED, 75) or outcome.state is State.WAITING
    assert "was replaced while it was read; run the same command again" in outcome.message


def interrupted(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_initial_states_are_kept_for_the_resume(job: Callable[..., JobFile], tmp_path: Path, world_file: Path) -> None:
    """The source may drop or change them meanwhile; what a run began with is what it goes on with."""
    moved = tmp_path / "states.nc"
    shutil.copy(world_file, moved)
    tiny = job(source={"kind": "folder", "path": str(moved), "quiet_seconds": 0})
    with pytest.raises(KeyboardInterrupt):
        shoot(tiny, lambda work: replace(work, forecast=interrupted))
    assert [path.name for path in (Folders(tiny.folder).initial(CYCLE) / INITIAL).glob("*.nc")] == ["0000.nc"]
    moved.unlink()
    assert shoot(tiny).state is State.DONE


def test_another_source_after_a_kill(
    job: Callable[..., JobFile], tmp_path: Path, world_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States of two sources are never mixed, nor said to be of the other."""
    other = tmp_path / "other.nc"
    with xr.open_dataset(world_file, engine="netcdf4") as states:
        (states * 1.0001).assign_coords(states.coords).to_netcdf(other)
    changed = {"source": {"kind": "folder", "path": str(other), "quiet_seconds": 0}}
    changed_job, clean = job(**changed), job(**changed, folder=tmp_path / "clean")
    with monkeypatch.context() as patch:
        patch.setattr(module, "publish_directory", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shoot(job())
    assert list(Folders(job().folder).initial(CYCLE).glob("states-*.partial/0000.nc"))
    shoot(changed_job)
    shoot(clean)
    xr.testing.assert_identical(forecast_of(changed_job).drop_attrs(), forecast_of(clean).drop_attrs())
    assert not Folders(job().folder).initial(CYCLE).exists()


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ({"kind": "folder", "path": "x"}, {"quiet_seconds": 5}),
        ({"kind": "gefs"}, {"mirrors": ["https://nearer.example.org"]}),
    ],
)
def test_where_and_when_to_look_is_not_what_is_fetched(
    job: Callable[..., JobFile], source: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Or what was fetched from a mirror could not be gone on with from another."""
    wanted = [
        module._CycleWork(job(source=each), FakeClock(CYCLE), progress=False)._wanted(CYCLE)
        for each in (source, {**source, **changes})
    ]
    assert wanted[0] == wanted[1]


def test_another_source_when_the_states_are_there(job: Callable[..., JobFile], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        shoot(job(), lambda work: replace(work, forecast=interrupted))
    outcome = shoot(job(source={"kind": "folder", "path": str(tmp_path / "other.nc"), "quiet_seconds": 0}))
    assert outcome.state is State.FAILED
    assert "were fetched from folder {" in outcome.message
    assert "put that back, or begin anew with 'sphercast jobs retry --fresh'" in outcome.message
    assert shoot(job()).state is State.DONE


def test_jobs_that_do_not_fit_their_checkpoint(job: Callable[..., JobFile]) -> None:
    check_job(job(), CYCLE)
    with pytest.raises(ConfigError, match=r"got 0.3 days, expected a multiple of the model's step of 12 h"):
        check_job(job(days=0.3), CYCLE)
    with pytest.raises(ConfigError, match="the forecast has no ozone"):
        check_job(job(outputs=[{"variables": ["ozone"]}]), CYCLE)
    with pytest.raises(ConfigError, match="'abacus', expected one of"):
        check_job(job(device="abacus"), CYCLE)
    with pytest.raises(CheckpointError, match="no checkpoint at nix"):
        check_job(job(checkpoint="nix"), CYCLE)
    members = {"members": 60, "perturbation": {"kind": "analysis"}}
    with pytest.raises(DataError, match=r"gefs has no member 31, expected 0 \(control\) to 30; choose one of them"):
        check_job(job(source={"kind": "gefs"}, **members), datetime(2026, 2, 1, tzinfo=UTC))
