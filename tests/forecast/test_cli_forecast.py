"""``sphercast forecast``: every refusal is one sentence, and every option does what it says."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from forecast.checkpoint import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.forecaster import Forecaster

    from .conftest import Run


@pytest.fixture
def forecasts(run: Run, checkpoint: Path, states: Path) -> Callable[..., list[str]]:
    """Run ``sphercast forecast`` of the small model for a day; the lines that it prints."""

    def command(*words: object) -> list[str]:
        outcome = run("forecast", checkpoint, "--data", states, "--days", 1, "--quiet", *words)
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        return outcome.out.splitlines()

    return command


def opened(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as file:
        return file.load()


# what it does


def test_the_same_command_again_has_nothing_to_do(forecasts: Callable[..., list[str]], tmp_path: Path) -> None:
    words = ("--out", tmp_path / "f.nc", "--members", 3)
    assert forecasts(*words) == [f"forecast: {tmp_path / 'f.nc'}"]
    before = (tmp_path / "f.nc").stat().st_mtime_ns
    assert forecasts(*words) == [f"forecast: {tmp_path / 'f.nc'} is complete already"]
    assert (tmp_path / "f.nc").stat().st_mtime_ns == before
    assert forecasts(*words, "--seed", 1) == [f"forecast: {tmp_path / 'f.nc'}"], "another forecast replaces it"
    assert opened(tmp_path / "f.nc").attrs["seed"] == "1"


def test_several_files_each_with_what_is_asked_for(forecasts: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_text("name,latitude,longitude\nHere,10,20\nThere,-30,200\n")
    lines = forecasts(
        "--out", "a.nc", "--out", "b.zarr", "--points", "stations.csv", "--variables",
        "2m_temperature,u_component_of_wind", "--levels", 850, "--leads", 24, "--region=-60,60,10,200",
        "--keep-bits", 7, "--compression", 1, "--members", 2,
    )  # fmt: skip
    assert lines == ["forecast: a.nc", "forecast: b.zarr", "forecast: stations.nc"]
    field = opened(tmp_path / "a.nc")
    assert set(field.data_vars) >= {"2m_temperature", "u_component_of_wind"}
    assert field["level"].values.tolist() == [850]
    assert field["forecast_period"].values.tolist() == [24]
    assert -60 <= field["latitude"].min() < field["latitude"].max() <= 60
    assert opened(tmp_path / "stations.nc")["station_name"].values.astype(str).tolist() == ["Here", "There"]
    assert json.loads((tmp_path / "a.manifest.json").read_text())["files"][1]["name"] == "b.zarr"


def test_products_meanwhile(forecasts: Callable[..., list[str]], run: Run, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text("variables: [2m_temperature]\nquantiles: [0.5]\n")
    words = ("--out", "f.nc", "--members", 3, "--products", wanted)
    assert forecasts(*words) == ["forecast: f.nc", "products: f.products.nc"]
    assert run("products", "f.nc", "--out", "after.nc", "--variables", "2m_temperature", "--quantiles", "0.5").code == 0
    xr.testing.assert_identical(opened(tmp_path / "f.products.nc"), opened(tmp_path / "after.nc"))
    wanted.write_text("name: p.nc\nvariables: [2m_temperature]\n")
    assert forecasts(*words)[1] == "products: p.nc"


@pytest.mark.parametrize(("text", "message"), [
    ("quantile: [0.5]", "wanted.yaml: unknown key 'quantile'; remove it or mend the spelling (did you mean 'quantil"),
    ("windows: [24-72]", "the window 24-72 h is not inside the forecast, which has lead times from 12 to 24 h every"),
    ("control: out", "the forecast names no control member (attribute control_member) to be left out"),
    ("name: f.nc", "two outputs are called f.nc; give each a name of its own"),
    (None, "--products wanted.yaml cannot be read (No such file or directory); give a YAML file"),
])  # fmt: skip
def test_products_that_cannot_be(
    run: Run, checkpoint: Path, states: Path, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "wanted.yaml").write_text(text)
    words = ("--out", "f.nc", "--members", 2, "--days", 1, "--products", "wanted.yaml")
    outcome = run("forecast", checkpoint, "--data", states, *words)
    assert outcome.code == 1
    assert message in outcome.err
    assert not [path for path in tmp_path.iterdir() if path.name == "f.nc" or path.name.endswith(".partial")]


@pytest.mark.parametrize(("words", "said", "control"), [
    (("noise",), "spherical noise of 0.1 standard deviations of the tendency; member 0 is unperturbed", "0"),
    (("lagged", "--amplitude", 0.2, "--lag", 12, "--init", "2000-01-09"), "+-0.2 times the differences", "0"),
])  # fmt: skip
def test_perturbed_initial_states(
    forecasts: Callable[..., list[str]], tmp_path: Path, words: tuple[object, ...], said: str, control: str
) -> None:
    forecasts("--out", "f.nc", "--members", 3, "--perturb", *words)
    written = opened(tmp_path / "f.nc")
    assert written.attrs["initial_perturbation"].startswith(said)
    assert written.attrs["control_member"] == control


def test_members_of_an_ensemble_analysis(
    forecasts: Callable[..., list[str]], fails: Callable[..., str], checkpoint: Path, world: xr.Dataset, tmp_path: Path
) -> None:
    shifted = [world.isel(time=slice(3)), world.isel(time=slice(3)) * 1.001]
    xr.concat(shifted, "number", data_vars="all").to_netcdf(tmp_path / "eda.nc", engine="netcdf4")
    words = ("--data", "eda.nc", "--perturb", "analysis", "--out", "f.nc")
    forecasts(*words, "--members", 2)
    written = opened(tmp_path / "f.nc")
    assert written.attrs["initial_perturbation"] == "each member starts from its own member of the ensemble analysis"
    assert "control_member" not in written.attrs
    line = fails("forecast", checkpoint, *words, "--members", 3)
    assert "the ensemble analysis has 2 members, got --members 3; ask for at most 2" in line
    plain = fails("forecast", checkpoint, "--data", "states.nc", "--perturb", "analysis", "--out", "g.nc")
    assert "states.nc is no ensemble analysis; give one, or perturb it with --perturb noise or lagged" in plain


@pytest.fixture
def several_steps(make_forecaster: Callable[..., Forecaster], checkpoint: Path) -> Path:
    """A model of 24 h steps that knows those of 6, 12 and 18 h too, in place of the usual one."""
    save_checkpoint(make_forecaster(step_hours=24, other_step_hours=(6, 12, 18)), checkpoint, {})
    return checkpoint


def test_output_on_the_way(several_steps: Path, forecasts: Callable[..., list[str]], tmp_path: Path) -> None:
    forecasts("--out", "a/f.nc", "--members", 2, "--output-hours", 6)
    forecasts("--out", "b/f.nc", "--members", 2)
    often, plain = opened(tmp_path / "a" / "f.nc"), opened(tmp_path / "b" / "f.nc")
    assert often["forecast_period"].values.tolist() == [6, 12, 18, 24]
    xr.testing.assert_equal(often.isel(time=[3]).drop_vars("steps_completed"), plain.drop_vars("steps_completed"))
    assert often.attrs["model_steps"] == "steps of 24 h with output every 6 h from the same noise"
    assert "model_steps" not in plain.attrs
    manifest = json.loads((tmp_path / "a" / "f.manifest.json").read_text())
    assert (manifest["steps"], manifest["step_hours"], manifest["hours_complete"]) == (4, 6, 24)


def test_shorter_steps(
    several_steps: Path, forecasts: Callable[..., list[str]], fails: Callable[..., str], tmp_path: Path
) -> None:
    forecasts("--out", "f.nc", "--members", 3, "--step-hours", 12, "--perturb", "noise")
    written = opened(tmp_path / "f.nc")
    assert written["forecast_reference_time"].values == np.datetime64("2000-01-02T00"), "the first with all before it"
    assert written["forecast_period"].values.tolist() == [12, 24]
    words = ("forecast", several_steps, "--data", "states.nc", "--out", "g.nc", "--step-hours", 12)
    line = fails(*words, "--init", "2000-01-01T12")
    assert "no state at 1999-12-31T12, 2000-01-01T00" not in line
    assert "no state at 1999-12-31T12; they hold 240 times" in line
    assert "A forecast needs 1999-12-31T12, 2000-01-01T00, 2000-01-01T12; choose another --init" in line


@pytest.mark.parametrize(("words", "said"), [
    (["--step-hours", 8], "got steps of 8 h (step_hours), but the model knows steps of 6, 12, 18, 24 h; choose one"),
    (["--output-hours", 8], "takes steps of 8, 16 h too (output_hours), but the model knows steps of 6, 12, 18, 24 h"),
    (["--output-hours", 6, "--days", 0.1], "got 0.1 days, expected a multiple of the time between outputs of 6 h"),
])  # fmt: skip
def test_steps_that_cannot_be(
    several_steps: Path, states: Path, fails: Callable[..., str], words: list[object], said: str
) -> None:
    assert said in fails("forecast", several_steps, "--data", states, "--out", "f.nc", *words)


# what it refuses


@pytest.mark.parametrize(("words", "said"), [
    (["--memory", "1MB"], "one member takes"),
    (["--memory", "much"], "got --memory 'much', expected a size as in 4GiB or 500MB; mend it"),
    (["--scheduler", "tcp://127.0.0.1:9"], "no dask scheduler answers at 'tcp://127.0.0.1:9'; start one with"),
    (["--device", "cuda:7"], "got device 'cuda:7', expected one of: cpu; choose one that is there"),
    (["--perturb", "lagged", "--lag", "12"], "with lagged perturbations from 2000-01-01T12 need states back to"),
    (["--lag", "12"], "got --lag without --perturb; give --perturb noise or lagged"),
    (["--perturb", "noise", "--lag", "12"], "got --lag with --perturb noise, which has none; leave it out"),
    (["--perturb", "noise", "--amplitude", "-1"], "amplitude: Input should be greater than 0"),
    (["--perturb", "noise", "--amplitude", "1e4"], "which cannot be; give a smaller --amplitude"),
    (["--out", "other/g.nc"], "got --out in 2 folders, expected one, as a forecast is published in one piece"),
    (["--out", "f.nc"], "got the files f.nc, f.nc, expected each once; rename one"),
    (["--levels", "low"], "levels"),
    (["--variables", "ozone"], "the forecast has no ozone; expected some of"),
])  # fmt: skip
def test_options_that_cannot_be(
    fails: Callable[..., str], checkpoint: Path, states: Path, monkeypatch: pytest.MonkeyPatch, words: list[str],
    said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("forecast.spread_cluster._SECONDS", 0.2)
    assert said in fails("forecast", checkpoint, "--data", states, "--days", 1, "--quiet", "--out", "f.nc", *words)


def test_initial_time_outside_the_data(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    line = fails("forecast", checkpoint, "--data", states, "--init", "2020-01-01", "--out", "f.nc")
    assert "no state at 2019-12-31T12, 2020-01-01T00; they hold 240 times in 2000-01-01T00..2000-04-29T12" in line


def test_initial_time_that_is_none(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    line = fails("forecast", checkpoint, "--data", states, "--init", "tomorrow", "--out", "f.nc")
    assert "cannot read the time 'tomorrow'; expected UTC as in" in line


def test_data_with_a_missing_time(
    fails: Callable[..., str], checkpoint: Path, world: xr.Dataset, tmp_path: Path
) -> None:
    world.drop_isel(time=3).to_netcdf(tmp_path / "gappy.nc", engine="netcdf4")
    line = fails("forecast", checkpoint, "--data", "gappy.nc", "--init", "2000-01-03", "--out", "f.nc")
    assert "no state at 2000-01-02T12;" in line


def test_data_that_lack_a_variable(
    fails: Callable[..., str], checkpoint: Path, world: xr.Dataset, tmp_path: Path
) -> None:
    world.drop_vars("specific_humidity").to_netcdf(tmp_path / "dry.nc", engine="netcdf4")
    assert "lack specific_humidity_700; they have" in fails("forecast", checkpoint, "--data", "dry.nc", "--out", "f.nc")


def test_checkpoint_of_another_grid(
    fails: Callable[..., str], checkpoint: Path, world: xr.Dataset, tmp_path: Path
) -> None:
    world.isel(longitude=slice(None, None, 2)).to_netcdf(tmp_path / "coarse.nc", engine="netcdf4")
    line = fails("forecast", checkpoint, "--data", "coarse.nc", "--out", "f.nc")
    assert "the checkpoint is for the 8x16 grid" in line
    assert "the data are on the 8x8 grid" in line


def test_truncated_checkpoint(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    line = fails("forecast", checkpoint, "--data", states, "--out", "f.nc")
    assert "small.safetensors is truncated or no safetensors file" in line


def test_checkpoint_that_is_not_there(fails: Callable[..., str], states: Path) -> None:
    assert "no checkpoint at nowhere" in fails("forecast", "nowhere", "--data", states, "--out", "f.nc")


def test_days_that_are_no_steps(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    line = fails("forecast", checkpoint, "--data", states, "--days", "0.7", "--out", "f.nc")
    assert "got 0.7 days, expected a multiple of the model's step of 12 h" in line


def test_data_that_are_not_there(fails: Callable[..., str], checkpoint: Path) -> None:
    line = fails("forecast", checkpoint, "--data", "nowhere.nc", "--out", "f.nc")
    assert "no such file or store: nowhere.nc" in line


def test_full_disk(run: Run, checkpoint: Path, states: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "f.nc")

    with monkeypatch.context() as patch:
        patch.setattr("forecast.output.netcdf.NetcdfSink.write", full)
        outcome = run("forecast", checkpoint, "--data", states, "--days", "1", "--out", "f.nc", "--quiet")
    assert outcome.code == 1
    assert outcome.err == "sphercast: No space left on device: f.nc; free space or mend the path\n"
    assert not (tmp_path / "f.nc").exists()
    assert run("forecast", checkpoint, "--data", states, "--days", "1", "--out", "f.nc", "--quiet").code == 0


def test_full_disk_as_the_netcdf_library_says_it(
    checkpoint: Path, states: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A limit on the size of files stands for the full disk; the library raises a RuntimeError."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from forecast.cli import main; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)); main()"
    )
    words = ["forecast", checkpoint, "--data", states, "--days", "2", "--out", tmp_path / "f.nc", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("sphercast: ")
    assert line.endswith("f.nc; free space or mend the path")
    assert sorted(tmp_path.iterdir()) == sorted([checkpoint, states])


def test_wrong_option_value_is_a_usage_error(run: Run, checkpoint: Path) -> None:
    outcome = run("forecast", checkpoint, "--members", "0", "--out", "f.nc")
    assert outcome.code == 2
    assert "--members" in outcome.err


@pytest.mark.parametrize(("option", "value"), [("--days", "1e9"), ("--members", "1000000")])
def test_absurd_sizes_are_usage_errors(run: Run, checkpoint: Path, option: str, value: str) -> None:
    outcome = run("forecast", checkpoint, option, value, "--out", "f.nc")
    assert outcome.code == 2
    assert option in outcome.err


def test_empty_initial_time_is_not_the_default(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    assert "cannot read the time ''" in fails("forecast", checkpoint, "--data", states, "--init", "", "--out", "f.nc")


def test_forecast_into_a_folder(fails: Callable[..., str], checkpoint: Path, states: Path, tmp_path: Path) -> None:
    line = fails("forecast", checkpoint, "--data", states, "--days", "1", "--out", tmp_path, "--quiet")
    assert "expected the name of a file that ends in .nc or .zarr" in line
    (tmp_path / "x.nc").mkdir()
    line = fails("forecast", checkpoint, "--data", states, "--days", "1", "--out", "x.nc", "--quiet")
    assert "x.nc is a folder or a device, expected the name of a file to write; give another" in line


def test_store_with_a_truncated_shard(
    fails: Callable[..., str], checkpoint: Path, tmp_path: Path, store: TrainingStore
) -> None:
    copy = shutil.copytree(store.path, tmp_path / "copy.zarr")
    shard = copy / "fields" / "c" / "0" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:1000])
    line = fails("forecast", checkpoint, "--data", copy, "--days", "1", "--out", "f.nc", "--quiet")
    assert "a file is damaged: copy or build it again" in line
