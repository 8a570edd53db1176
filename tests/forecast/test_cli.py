"""The command line: help, one sentence for every mistake, and the whole way from data to maps."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
import yaml

from forecast import cli
from forecast.config import load_experiment, shipped_configs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.store import TrainingStore

    from .conftest import Run

COMMANDS = [
    [], ["data"], ["data", "append"], ["data", "build"], ["data", "check"], ["data", "info"], ["data", "latest"],
    ["data", "regrid"],
    ["data", "sample"], ["data", "simulate"], ["data", "stats"], ["data", "verify"], ["config"], ["config", "list"],
    ["config", "show"], ["train"], ["forecast"], ["products"], ["score"], ["score", "compare"], ["score", "joint"],
    ["score", "list"], ["score", "merge"], ["score", "plot"], ["score", "run"], ["scorecard"], ["tracks"],
    ["tracks", "find"], ["tracks", "score"], ["plot"], ["demo"], ["run"], ["schedule"], ["jobs"], ["jobs", "cancel"],
    ["jobs", "check"], ["jobs", "deploy"], ["jobs", "example"], ["jobs", "list"], ["jobs", "prune"], ["jobs", "retry"],
    ["jobs", "show"], ["view"],
]  # fmt: skip


# what it says of itself


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help(run: Run, words: list[str]) -> None:
    outcome = run(*words, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: sphercast")
    assert outcome.err == ""


def test_every_command_is_known_here() -> None:
    """So that a new one gets its test of --help."""
    groups = {
        "": cli.app,
        "data": cli.data_app,
        "config": cli.config_app,
        "score": cli.score_app,
        "tracks": cli.tracks_app,
        "jobs": cli.jobs_app,
    }
    names = [
        f"{group} {command.name or command.callback.__name__}".strip()
        for group, app in groups.items()
        for command in app.registered_commands
        if command.callback
    ]
    assert sorted(names) == sorted(" ".join(words) for words in COMMANDS if " ".join(words) not in groups)


def test_version(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"sphercast {version('sphercast')}\n")


def test_without_a_command_it_helps(run: Run) -> None:
    outcome = run()
    assert "Usage: sphercast" in outcome.out + outcome.err


def test_help_needs_no_torch(environment: dict[str, str]) -> None:
    """Heavy imports wait for their command."""
    script = "import sys; from forecast import cli; print({'torch', 'xarray', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_config_list_and_show(run: Run) -> None:
    outcome = run("config", "list")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(shipped_configs())
    for name, text in shipped_configs().items():
        assert run("config", "show", name).out == text


# mistakes


def test_unknown_shipped_config(fails: Callable[..., str]) -> None:
    assert "no shipped config 'marsh'; expected one of: " in fails("config", "show", "marsh")


@pytest.mark.parametrize("command", [("data", "build"), ("train",)])
def test_unknown_config_key(
    fails: Callable[..., str], write_config: Callable[..., Path], tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = write_config(tmp_path, model__wdiths=[8])
    assert "unknown key 'model.wdiths'; remove it or mend the spelling" in fails(*command, path)


def test_config_that_is_not_there(fails: Callable[..., str]) -> None:
    assert "no config file nowhere.yaml" in fails("train", "nowhere.yaml")


def test_variable_that_the_source_lacks(
    fails: Callable[..., str], write_config: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_config(tmp_path, data__variables={"mean_sea_level_pressure": None})
    assert "lack mean_sea_level_pressure; they have" in fails("data", "build", path)


def test_source_with_a_missing_time(
    fails: Callable[..., str], write_config: Callable[..., Path], world: xr.Dataset, tmp_path: Path
) -> None:
    gappy = tmp_path / "gappy.nc"
    world.drop_isel(time=[30, 31]).to_netcdf(gappy, engine="netcdf4")
    path = write_config(tmp_path, data__sources=[{"kind": "files", "path": str(gappy)}])
    line = fails("data", "build", path)
    assert "2 of 240 times are missing at an interval of 12 h: 2000-01-16T00, 2000-01-16T12" in line


def test_training_before_building(fails: Callable[..., str], write_config: Callable[..., Path], tmp_path: Path) -> None:
    assert "no training store at" in fails("train", write_config(tmp_path))


def test_training_on_a_store_that_lacks_a_variable(
    fails: Callable[..., str], write_config: Callable[..., Path], tmp_path: Path, store: TrainingStore
) -> None:
    path = write_config(tmp_path, data__store=str(store.path), data__variables={"mean_sea_level_pressure": None})
    assert "the config asks for ['mean_sea_level_pressure']; rebuild it" in fails("train", path)


@pytest.mark.parametrize("command", ["plot", "score"])
def test_forecast_that_is_no_netcdf(fails: Callable[..., str], tmp_path: Path, states: Path, command: str) -> None:
    (tmp_path / "bad.nc").write_bytes(b"CDF nothing")
    words = ["--variable", "2m_temperature", "--out", "p.png"] if command == "plot" else [states, "--out", "s.nc"]
    assert "bad.nc" in fails(command, "bad.nc", *words, *(["--quiet"] if command == "score" else []))


def test_score_of_the_truth_alone(fails: Callable[..., str], states: Path) -> None:
    assert "expected forecasts and then the truth" in fails("score", states)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_interruption_says_so_and_leaves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:  # fmt: skip
    def interrupted() -> None:
        signal.raise_signal(signal.Signals[name])

    monkeypatch.setattr("forecast.stopping.SECONDS_TO_STOP", 1e5)
    monkeypatch.setattr("forecast.config.shipped_configs", interrupted)
    outcome = run("config", "list")
    assert outcome.code == code
    assert outcome.err == "sphercast: stopped; run the same command to go on\n"


def test_scores_of_a_forecast_with_missing_values_say_so(
    run: Run, checkpoint: Path, states: Path, tmp_path: Path
) -> None:
    file = tmp_path / "f.nc"
    assert run("forecast", checkpoint, "--data", states, "--days", "1", "--members", "2", "--out", file).code == 0
    whole = run("score", file, states, "--out", tmp_path / "s.nc", "--quiet")
    with netCDF4.Dataset(file, "a") as opened:
        name = next(name for name, variable in opened.variables.items() if variable.ndim >= 4)
        opened[name][0] = np.nan
    holed = run("score", file, states, "--out", tmp_path / "s.nc", "--quiet")
    assert whole.err == ""
    assert "warning: not every value could be scored" in holed.err
    assert name in holed.err


def test_store_that_lost_its_statistics(
    fails: Callable[..., str], write_config: Callable[..., Path], tmp_path: Path, store: TrainingStore
) -> None:
    copy = shutil.copytree(store.path, tmp_path / "copy.zarr")
    shutil.rmtree(copy / "statistics")
    line = fails("train", write_config(tmp_path, data__store=str(copy)))
    assert "copy.zarr/statistics lost the values of '" in line
    assert "so it is not whole; build or copy it again" in line


# the whole way


def test_from_data_to_maps(run: Run, write_config: Callable[..., Path], tmp_path: Path) -> None:
    config = write_config(tmp_path)
    store = load_experiment(config).data.store
    file, scores, image = (tmp_path / name for name in ("forecast.nc", "scores.nc", "map.png"))

    def succeeds(*words: Any) -> str:
        outcome = run(*words)
        assert outcome.code == 0, outcome.err
        return outcome.out

    assert succeeds("data", "build", config, "--quiet") == f"store: {store}\n"
    assert "8x16 grid" in succeeds("data", "info", store)
    assert "240 times, 2000-01-01T00 to 2000-04-29T12" in succeeds("data", "info", store)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    assert succeeds("train", config, "--quiet") == f"checkpoint: {checkpoint}\n"
    words = ("--data", store, "--init", "2000-04-10", "--members", 3, "--days", 1, "--out", file, "--quiet")
    assert succeeds("forecast", checkpoint, *words) == f"forecast: {file}\n"
    with xr.open_dataset(file, engine="netcdf4", decode_timedelta=False) as written:
        assert written.attrs["checkpoint_trained_on"].startswith("store.zarr")
        assert len(written.attrs["checkpoint_sha256"]) == 64
        assert written.sizes["realization"] == 3
        assert np.isfinite(written["2m_temperature"]).all()
    assert f"scores: {scores}\n" in succeeds("score", file, store, "--out", scores, "--quiet")
    with xr.open_dataset(scores, engine="netcdf4", decode_timedelta=False) as scored:
        assert np.isfinite(scored["crps_2m_temperature"].sel(model="forecast")).all()
        assert {"forecast", "persistence", "climatology"} <= set(scored["model"].values.tolist())
    assert succeeds("plot", file, "--variable", "2m_temperature", "--out", image) == f"map: {image}\n"
    assert image.read_bytes().startswith(b"\x89PNG")
    cuts = ("--period", "2000-04-01..2000-04-05", "--out", tmp_path / "cut")
    succeeds("data", "sample", store, *cuts)
    again = ("--data", tmp_path / "cut" / "states.nc", "--members", 2, "--days", 0.5, "--out", tmp_path / "second.nc")
    succeeds("forecast", checkpoint, *again, "--quiet")
    names = {path.name for path in tmp_path.iterdir()}
    assert not [name for name in names if "partial" in name]


def test_the_experiment_shown_can_be_written_back(run: Run, tmp_path: Path) -> None:
    for name in shipped_configs():
        path = tmp_path / "copy.yaml"
        path.write_text(run("config", "show", name).out)
        assert load_experiment(path) == load_experiment(name)
        assert yaml.safe_load(path.read_text())["model"]
