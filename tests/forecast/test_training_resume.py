"""Rerun = resume: killed at any moment, the same command leaves the same bytes."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from data_pipeline.errors import CheckpointError
from forecast.config import load_experiment
from forecast.training.identity import origin
from forecast.training.loop import Run, train
from forecast.training.preparing import prepare
from tests.forecast.trainings import EVERYTHING, OBJECTIVES, left_by, log, run_in_one_thread, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment

KINDS = [(kind, optimizer) for kind in OBJECTIVES for optimizer in ("adamw", "muon")]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """New processes that have the packages loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.forecast.trainings"])
    return context


@pytest.mark.parametrize(("kind", "optimizer"), KINDS)
def test_resumed_from_an_early_state_leaves_the_same_bytes(
    experiment: Callable[..., Experiment], kind: str, optimizer: str
) -> None:
    config = experiment(**OBJECTIVES[kind], **EVERYTHING, training__optimizer=optimizer, training__keep=3)
    folder = train(config, progress=False).parent
    whole = left_by(folder)
    for state in states(folder)[1:]:
        state.unlink()
    (folder / "checkpoint.safetensors").unlink()
    train(config, progress=False)
    assert left_by(folder) == whole


@pytest.mark.parametrize(("kind", "optimizer"), [("mean", "muon"), ("denoising", "adamw"), ("crps", "muon")])
def test_killed_anywhere_and_run_again_leaves_the_same_bytes(
    tmp_path: Path, write_config: Callable[..., Path], store: TrainingStore, processes: ForkServerContext,
    kind: str, optimizer: str,
) -> None:  # fmt: skip
    changes: dict[str, Any] = {
        **OBJECTIVES[kind], **EVERYTHING, "data__store": str(store.path), "training__optimizer": optimizer,
        "training__steps": 9, "training__save_every": 1, "training__log_every": 1,
    }  # fmt: skip
    paths = {name: tmp_path / name for name in ("whole", "killed")}
    for path in paths.values():
        path.mkdir()
    train(load_experiment(write_config(paths["whole"], **changes)), progress=False)
    config, folder = write_config(paths["killed"], **changes), paths["killed"] / "run"
    dice, kills = random.Random(f"{kind} {optimizer}"), 0
    for target in (dice.randint(0, 3), dice.randint(4, 7)):
        process = processes.Process(target=run_in_one_thread, args=(config,))
        process.start()
        _wait_for_state(process, folder, target)
        process.join(dice.uniform(0.0, 0.04))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills > 0
    train(load_experiment(config), progress=False)
    assert left_by(folder) == left_by(paths["whole"] / "run")
    assert not list(folder.glob(".*")), "nothing half-written stays"


def _wait_for_state(process: Any, folder: Path, target: int) -> None:
    """Until there is one of ``target`` steps or more; for none, until the log is begun."""
    while process.is_alive() and not any(_step(path) >= target for path in (folder / "metrics.jsonl", *states(folder))):
        time.sleep(0.002)


def _step(path: Path) -> int:
    if path.suffix == ".jsonl":
        return 0 if path.exists() else -1
    return int(path.stem.removeprefix("state-"))


def test_running_again_changes_nothing(experiment: Callable[..., Experiment]) -> None:
    folder = train(experiment(), progress=False).parent
    before = left_by(folder)
    train(experiment(), progress=False)
    assert left_by(folder) == before


def test_last_states_are_kept(experiment: Callable[..., Experiment]) -> None:
    folder = train(experiment(training__keep=2), progress=False).parent
    assert [state.name for state in states(folder)] == ["state-0000004.safetensors", "state-0000006.safetensors"]


@pytest.mark.parametrize("length", [0, 7, 1000, -1])
def test_truncated_state_falls_back_to_the_one_before(experiment: Callable[..., Experiment], length: int) -> None:
    path = train(experiment(), progress=False)
    whole, newest = left_by(path.parent), states(path.parent)[-1]
    newest.write_bytes(newest.read_bytes()[:length])
    path.unlink()
    train(experiment(), progress=False)
    assert left_by(path.parent) == whole, "the repeated steps are logged once"


def test_torn_line_of_the_log_is_written_anew(experiment: Callable[..., Experiment]) -> None:
    path = train(experiment(training__log_every=1), progress=False)
    folder, whole = path.parent, left_by(path.parent)
    states(folder)[-1].unlink()
    path.unlink()
    (folder / "metrics.jsonl").write_bytes(whole[1][:-9])
    train(experiment(training__log_every=1), progress=False)
    assert left_by(folder) == whole


def test_refuses_the_state_of_another_config(experiment: Callable[..., Experiment]) -> None:
    folder = train(experiment(), progress=False).parent
    said = r"another config: training.learning_rate was 0.\d+, now 0.5; remove .*run, or set another 'folder'"
    with pytest.raises(CheckpointError, match=said):
        train(experiment(training__learning_rate=0.5), progress=False)
    assert len(states(folder)) == 2


def test_refuses_to_go_on_with_other_samples(experiment: Callable[..., Experiment]) -> None:
    config = experiment()
    path = train(config, progress=False)
    path.unlink()
    count = len(prepare(config).samples)
    run = Run.begin(prepare(config), config.training, {**origin(config), "samples": str(count + 2)})
    with pytest.raises(CheckpointError, match=f"from {count} samples, the stores hold {count + 2} now; remove .*run"):
        run._restore()


def test_refuses_a_state_that_is_none(experiment: Callable[..., Experiment]) -> None:
    path = train(experiment(), progress=False)
    path.rename(path.parent / "state-0000009.safetensors")
    with pytest.raises(CheckpointError, match="another config"):
        train(experiment(), progress=False)


def test_can_be_lengthened_but_not_shortened(experiment: Callable[..., Experiment]) -> None:
    steps = experiment().training.steps
    folder = train(experiment(), progress=False).parent
    train(experiment(training__steps=steps + 1), progress=False)
    assert log(folder)[-1]["step"] == steps + 1
    with pytest.raises(CheckpointError, match=rf"has {steps + 1} steps, the config asks for {steps}; raise it"):
        train(experiment(), progress=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"save_every": 3, "keep": 5, "log_every": 2},
        {"residence": "disk"},
        {"device": "cpu"},
        {"checkpointing": True},
    ],
)
def test_where_and_how_often_may_change(experiment: Callable[..., Experiment], changes: dict[str, Any]) -> None:
    path = train(experiment(training__log_every=2), progress=False)
    before = path.read_bytes()
    states(path.parent)[-1].unlink()
    path.unlink()
    train(experiment(**{"training__log_every": 2} | {f"training__{k}": v for k, v in changes.items()}), progress=False)
    assert path.read_bytes() == before
