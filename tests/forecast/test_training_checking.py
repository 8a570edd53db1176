"""What would stop a stage is found before the first of them is trained."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import zarr
from safetensors.torch import save_file

from data_pipeline.errors import CheckpointError, ConfigError, DataError, SphercastError
from data_pipeline.grid import Grid
from forecast.checkpoint import read_tensors, save_checkpoint
from forecast.training.checking import check
from forecast.training.distributed import World
from forecast.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment
    from forecast.forecaster import Forecaster

    from .conftest import Run

    Make = Callable[..., Experiment]

CRPS = {"training": {"objective": {"kind": "crps"}, "start": "first"}, "sampler": {"name": "euler", "steps": 1}}


def staged(make: Make, second: dict[str, Any] | None = None, **changes: Any) -> dict[str, Experiment]:
    """An ordinary first stage and this second one."""
    whole = make(stages__first={}, stages__second=second or CRPS, **changes)
    return {name: whole.stage(name) for name in whole.stages}


def test_what_fits_passes_and_leaves_nothing(experiment: Make, tmp_path: Path) -> None:
    check(staged(experiment))
    check({"run": experiment()}, World(0, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["experiment.yaml"]


@pytest.mark.parametrize(("second", "kind", "said"), [
    ({"training": {"start": "first"}, "model": {"widths": [8, 32]}}, CheckpointError,
     r"it starts with stage first, whose network is another \(.* and \d+ more\); give both the same model"),
    ({"training": {"start": "nowhere/x.safetensors"}}, CheckpointError, r"no checkpoint at nowhere/x.safetensors"),
    ({"training": {"start": "planet"}}, CheckpointError, "planet.safetensors is of .*; set another training.start"),
    ({"training": {"batch_size": 5}}, ConfigError, "batch_size 5 is not a multiple of 2 processes x accumulate 1"),
    ({"training": {"more_stores": ["nowhere.zarr"]}}, DataError, "no training store at nowhere.zarr; make it with"),
    ({"training": {"tensorboard": True}}, ConfigError, "training.tensorboard needs the package tensorboard"),
    ({"model": {"step_hours": 36}}, DataError, "the store has no tendency statistics for 36 h steps; set model.step_"),
    ({"training": {"device": "abacus"}}, SphercastError, "abacus"),
    ({**CRPS, "training": {**CRPS["training"], "rollout": {0: 200}}}, DataError, "expected at least 202; choose a lo"),
    ({"training": {"validation_period": {"start": "2000-04-29T12", "stop": "2000-04-30"}}}, DataError,
     r"the period 2000-04-29T12..2000-04-30 is partly outside .*, which holds 2000-01-01T00 to 2000-04-29T12; shorten"),
    ({"training": {"validation_period": {"start": "2000-04-29", "stop": "2000-04-29"}}}, DataError, "holds 2 states"),
])  # fmt: skip
def test_names_the_stage_and_what_is_wrong(
    experiment: Make, monkeypatch: pytest.MonkeyPatch, second: dict[str, Any], kind: type[Exception], said: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(kind, match=f"^stage second: .*{said}"):
        check(staged(experiment, second), World(0, 2))


def test_a_shorter_store_than_the_config_says(experiment: Make, store: TrainingStore, tmp_path: Path) -> None:
    """That of another config, or of before its period was made longer."""
    copy = shutil.copytree(store.path, tmp_path / "store.zarr")
    later = zarr.open_group(copy, mode="r+")["time"]
    assert isinstance(later, zarr.Array)
    later[:] = later[:] + 30 * (later[1] - later[0])
    with pytest.raises(DataError, match=r"^the period 2000-01-01..2000-03-31 is partly outside .*store.zarr"):
        check({"run": experiment().model_copy(update={"data": experiment().data.model_copy(update={"store": copy})})})


def test_a_half_trained_stage_needs_no_start_but_its_own_config(experiment: Make) -> None:
    stages = staged(experiment)
    for each in stages.values():
        train(each, progress=False)
    second = stages["second"].training.folder
    (second / "checkpoint.safetensors").unlink()
    shutil.rmtree(stages["first"].training.folder)
    check(stages)
    check({"second": stages["second"]})
    other = staged(experiment, {**CRPS, "training": {**CRPS["training"], "learning_rate": 0.5}})
    with pytest.raises(CheckpointError, match=r"^stage second: .*state-0000006\.safetensors was trained with another"):
        check(other)


def test_a_finished_stage_is_not_looked_at(experiment: Make) -> None:
    stages = staged(experiment)
    train(stages["first"], progress=False)
    check({"first": stages["first"]}, World(0, 3))
    train(stages["first"], progress=False)


def test_refuses_a_start_on_another_grid(experiment: Make, forecaster: Forecaster, tmp_path: Path) -> None:
    """Of as many points, so that the weights would fit."""
    start, expected = tmp_path / "start.safetensors", r"is on the 8x16 grid \(.*the config asks for the 8x16 grid \("
    save_checkpoint(replace(forecaster, grid=Grid.gaussian(8, 16)), start, {})
    with pytest.raises(CheckpointError, match=expected):
        check({"run": experiment(training__start=str(start))})


def test_nothing_is_trained_if_a_later_stage_cannot_be(run: Run, experiment: Make, tmp_path: Path) -> None:
    experiment(stages__first={}, stages__second={"training": {"start": "first"}, "model": {"blocks": 2}})
    outcome = run("train", tmp_path / "experiment.yaml", "--quiet")
    assert outcome.code == 1
    assert outcome.err.startswith("sphercast: stage second: it starts with stage first, whose network is another (")
    assert not (tmp_path / "run").exists()


def test_what_a_half_trained_stage_has_is_checked(experiment: Make, store: TrainingStore) -> None:
    """More steps than are asked for, and other samples than there are, before anything is read."""
    path = train(experiment(), progress=False)
    path.unlink()
    with pytest.raises(CheckpointError, match="run has 6 steps, the config asks for 5; raise it, or empty the folder"):
        check({"run": experiment(training__steps=5)})
    state = next(iter(sorted(path.parent.glob("state-*"), reverse=True)))
    metadata, tensors = read_tensors(state)
    save_file(tensors, state, metadata={**metadata, "samples": "7"})
    with pytest.raises(CheckpointError, match="learnt from 7 samples, the stores hold"):
        check({"run": experiment()})
