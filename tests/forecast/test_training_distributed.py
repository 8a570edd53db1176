"""Several processes train as one does, and go on where another number of them has stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from data_pipeline.errors import CheckpointError, ConfigError, SphercastError
from forecast.config import load_experiment
from forecast.training import distributed, loop
from forecast.training.distributed import World, choose_own_device, joined
from forecast.training.loop import Run, train
from forecast.training.preparing import prepare
from tests.forecast.training_processes import Pair, child_of_torchrun
from tests.forecast.trainings import OBJECTIVES, left_by, log, states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment

    from .conftest import Run as RunCommand

    Write = Callable[..., Path]

SHARED: dict[str, Any] = {
    "model__other_step_hours": [24], "training__mirror": True, "training__rotate": True,
    "training__batch_size": 6, "training__accumulate": 3,
    "training__log_every": 1, "training__validation_period": {"start": "2000-04-02T12", "stop": "2000-04-06"},
}  # fmt: skip
"""The second process begins with a mirrored sample, and has none of the last part of the validation."""
RUNS: dict[str, dict[str, Any]] = {
    "mean": OBJECTIVES["mean"],
    "denoising": {"model__network": "transformer", "model__widths": [8]},
    "crps": {**OBJECTIVES["crps"], "training__checkpointing": True},
    "muon": {"training__optimizer": "muon"},
}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


@pytest.fixture
def write(tmp_path: Path, write_config: Write, store: TrainingStore) -> Write:
    """A config in a folder of this name."""

    def make(name: str, **changes: Any) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        return write_config(tmp_path / name, data__store=str(store.path), **changes)

    return make


def assert_same_curve(got: Path, expected: Path) -> None:
    """But for the rounding of sums in another order."""
    lines, others = log(got / "run"), log(expected / "run")
    assert [sorted(line) for line in lines] == [sorted(line) for line in others]
    for line, other in zip(lines, others, strict=True):
        assert line == pytest.approx(other, rel=1e-4)


def assert_same(got: Path, expected: Path) -> None:
    """Curves and weights."""
    assert_same_curve(got, expected)
    weights, wanted = (load_file(path / "run" / "checkpoint.safetensors") for path in (got, expected))
    assert weights.keys() == wanted.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize("kind", RUNS)
def test_two_processes_learn_as_one(pair: Pair, write: Write, tmp_path: Path, kind: str) -> None:
    changes = {**SHARED, **RUNS[kind]}
    one, both = write("one", **changes), [write("ddp", **changes)]
    if kind != "muon":
        both.append(write("fsdp", **changes, training__shard=True, training__flat_cache=str(tmp_path / "flat")))
    train(load_experiment(one), progress=False)
    assert pair.train(*both) == [None, None]
    for config in both:
        if kind == "muon":  # its half precision makes much of rounding in small gradients
            assert_same_curve(config.parent, one.parent)
        else:
            assert_same(config.parent, one.parent)
    before = [left_by(config.parent / "run") for config in both]
    assert pair.train(*both) == [None, None], "what is finished is passed over"
    assert [left_by(config.parent / "run") for config in both] == before


def test_any_number_goes_on_where_another_stopped(pair: Pair, write: Write, tmp_path: Path) -> None:
    changes = {**SHARED, **OBJECTIVES["crps"], "training__keep": 9}
    one = write("one", **changes)
    train(load_experiment(one), progress=False)
    for name in ("fsdp", "ddp", "alone"):
        shutil.copytree(tmp_path / "one", tmp_path / name)
    forget(tmp_path / "fsdp", 2)
    assert pair.train(write("fsdp", **changes, training__shard=True)) == [None, None]
    for name in ("ddp", "alone"):
        forget(tmp_path / name, 0)
        shutil.copy(states(tmp_path / "fsdp" / "run")[1], tmp_path / name / "run")
    assert pair.train(write("ddp", **changes)) == [None, None]
    train(load_experiment(write("alone", **changes)), progress=False)
    for name in ("fsdp", "ddp", "alone"):
        assert_same(tmp_path / name, tmp_path / "one")


def forget(folder: Path, after: int) -> None:
    """What a training did after this step, but for its log."""
    (folder / "run" / "checkpoint.safetensors").unlink()
    for state in states(folder / "run"):
        if int(state.stem.removeprefix("state-")) > after:
            state.unlink()


def test_nan_in_one_process_stops_all(pair: Pair, write: Write) -> None:
    failures = pair.train(write("nan"), poisoned=1)
    assert [type(failure) for failure in failures] == [SphercastError, SphercastError]
    assert str(failures[0]) == str(failures[1])
    assert "the loss is nan and its gradient nan at step 0, samples starting at 2000-" in str(failures[0])


def test_a_process_but_the_first_neither_writes_nor_speaks(
    run: RunCommand, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "joined", lambda: nullcontext(World(1, 2)))
    monkeypatch.setattr(World, "sum", lambda _, value: value)
    monkeypatch.setattr(loop, "averaging", lambda _, loss: loss)
    config = write("second")
    outcome = run("train", config)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert not (config.parent / "run").exists()


def test_torchrun_goes_on_after_a_kill_to_the_same_bytes(pair: Pair, write: Write, environment: dict[str, str]) -> None:
    changes = {"training__steps": 24, "training__batch_size": 8, "model__dropout": 0.1}
    whole, killed = write("whole", **changes), write("killed", **changes)
    assert pair.train(whole) == [None, None]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    command = [sys.executable, *launcher, "-m", "forecast", "train", str(killed), "--quiet"]
    folder = killed.parent / "run"
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not states(folder) and process.poll() is None:
            time.sleep(0.02)
        child = child_of_torchrun(process.pid, 1)
        assert child, "it is still at work"
        os.kill(child, signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    assert b"Signal 9" in err or b"exitcode: -9" in err
    assert out.decode() == f"checkpoint: {folder / 'checkpoint.safetensors'}\n", "process 0 alone speaks"
    assert left_by(folder) == left_by(whole.parent / "run")


def test_memory_is_shared_out(experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
    (alone,) = prepare(experiment()).samples.parts
    assert alone._held is not None
    monkeypatch.setattr("data_pipeline.dataset.free_memory", lambda: 3 * alone._held.nbytes)
    assert [part.residence for part in prepare(experiment()).samples.parts] == ["memory"]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert [part.residence for part in prepare(experiment()).samples.parts] == ["disk"]


# what is refused


def test_batch_that_cannot_be_shared_out(
    experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "sum", lambda _, value: value)
    config = experiment(training__batch_size=6, training__accumulate=2)
    with pytest.raises(ConfigError, match="batch_size 6 is not a multiple of 2 processes x accumulate 2; change one"):
        train(config, progress=False, world=World(0, 2))


def test_muon_of_sharded_weights(experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(ConfigError, match="muon needs whole weights, expected optimizer adamw with shard"):
        experiment(training__optimizer="muon", training__shard=True)


def test_a_folder_that_is_another_for_each(
    experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = experiment()
    run = Run.begin(prepare(config), config.training, {}, World(1, 2))
    monkeypatch.setattr(World, "sum", lambda _, value: value + 4)
    with pytest.raises(CheckpointError, match=r"process 1 found 0 steps in .*run, another process others; put it on"):
        run._restore()


@pytest.mark.parametrize(("asked", "most"), [("auto", 3), ("cuda", 3), ("cuda:1", 1)])
def test_fewer_gpus_than_processes(asked: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ConfigError, match=f"got 4 processes for device {asked}, expected one for each GPU, {most} at"):
        choose_own_device(asked, World(0, 4))


def test_a_process_that_loses_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(distributed, "_join", lambda: World(1, 2))
    monkeypatch.setattr(distributed.distributed, "destroy_process_group", lambda: None)
    with (
        pytest.raises(
            SphercastError, match=r"process 1 of torchrun lost another \(\[gloo/pair.cc\] Read error\); look"
        ),
        joined(),
    ):
        raise RuntimeError("[gloo/pair.cc]\nRead error")
    with pytest.raises(RuntimeError, match="of its own"), joined():
        raise RuntimeError("of its own")
