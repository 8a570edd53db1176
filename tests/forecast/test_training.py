"""Training: its batches, its loss, its average, its resumption, and what it learns."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from data_pipeline.building.build import build
from data_pipeline.dataset import Sample, StoreDataset
from data_pipeline.errors import CheckpointError, DataError, SphercastError
from data_pipeline.store import open_store
from forecast.checkpoint import load_checkpoint
from forecast.config import Experiment, load_experiment
from forecast.rollout import InitialState, rollout
from forecast.training import loop
from forecast.training.ema import MovingAverage
from forecast.training.loop import batch_loss, draw_indices, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.forecaster import Forecaster

MEMORY = 0.5  # of the world in conftest.py


@pytest.fixture
def experiment(tmp_path: Path, write_config: Callable[..., Path], store: TrainingStore) -> Callable[..., Experiment]:
    """The small experiment on the session's store; keywords change it."""

    def make(**changes: Any) -> Experiment:
        return load_experiment(write_config(tmp_path, data__store=str(store.path), **changes))

    return make


def states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# batches


@pytest.mark.parametrize(("count", "size"), [(10, 4), (7, 7), (3, 8), (1, 2)])
def test_each_epoch_shows_each_sample_once(count: int, size: int) -> None:
    batches = [draw_indices(count, size, 1, step) for step in range(4 * count)]
    drawn = torch.cat(batches)
    assert all(batch.shape == (size,) for batch in batches)
    for epoch in drawn[: len(drawn) // count * count].reshape(-1, count):
        assert sorted(epoch.tolist()) == list(range(count))


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    first, second = draw_indices(50, 50, 0, 0), draw_indices(50, 50, 0, 1)
    assert first.tolist() != second.tolist()
    assert first.tolist() != draw_indices(50, 50, 1, 0).tolist()
    assert first.tolist() == draw_indices(50, 50, 0, 0).tolist()


# the loss


@pytest.fixture
def batch(store: TrainingStore, experiment: Callable[..., Experiment]) -> Sample:
    samples = StoreDataset(store, experiment().data.training_period, np.timedelta64(12, "h"))
    return samples.batch(torch.tensor([3, 40, 77]))


def test_loss_is_a_function_of_seed_and_step(forecaster: Forecaster, batch: Sample) -> None:
    def loss(seed: int, step: int) -> float:
        return batch_loss(forecaster, batch, seed=seed, step=step, bfloat16=False).item()

    torch.manual_seed(1)
    first = loss(0, 0)
    torch.manual_seed(2)
    assert loss(0, 0) == first
    assert loss(0, 1) != first
    assert loss(1, 0) != first


def test_mirroring_twice_changes_nothing(forecaster: Forecaster, batch: Sample) -> None:
    clean = forecaster.normalizer.increment(batch.current, batch.following)
    condition = forecaster.condition(batch.previous, batch.current, batch.forcings)
    once = loop._mirror_every_second(forecaster, clean, condition)
    twice = loop._mirror_every_second(forecaster, *once)
    assert torch.equal(twice[0], clean)
    assert torch.equal(twice[1], condition)
    assert torch.equal(once[0][::2], clean[::2]), "only every second sample is mirrored"
    assert not torch.equal(once[0][1], clean[1])


def test_mirrored_condition_is_that_of_the_mirrored_states(forecaster: Forecaster, batch: Sample) -> None:
    """A northward wind in the north becomes a southward wind in the south; latitude stays what it is."""
    names = forecaster.channels.names
    sign = torch.tensor([-1.0 if name.startswith("v_") else 1.0 for name in names])[:, None, None]

    def mirrored(fields: torch.Tensor) -> torch.Tensor:
        return fields.flip(-2) * sign

    scales = forecaster.normalizer
    v_mean = scales.mean[names.index("v_component_of_wind_850")].item()
    assert v_mean == 0, "so that the sign applies to the scaled field as to the physical one"
    clean = scales.increment(batch.current, batch.following)
    condition = forecaster.condition(batch.previous, batch.current, batch.forcings)
    got_clean, got_condition = loop._mirror_every_second(forecaster, clean, condition)
    assert torch.equal(got_clean[1], scales.increment(mirrored(batch.current), mirrored(batch.following))[1])
    count = len(names)
    assert torch.allclose(got_condition[1, :count], scales.state(mirrored(batch.previous))[1])
    assert torch.allclose(got_condition[1, count : 2 * count], scales.state(mirrored(batch.current))[1])
    solar, *year = got_condition[1, 2 * count : 2 * count + 3]
    assert torch.equal(solar, batch.forcings[1, 0].flip(-2))
    assert all(torch.equal(got, -was) for got, was in zip(year, batch.forcings[1, 1:], strict=True))
    assert torch.allclose(got_condition[1, -2:], forecaster.static[-2:], atol=1e-6)
    assert torch.equal(got_condition[1, -3], forecaster.static[-3].flip(-2))


def test_mirrored_loss_differs_and_is_finite(forecaster: Forecaster, batch: Sample) -> None:
    plain = batch_loss(forecaster, batch, seed=0, step=0, bfloat16=False)
    mirrored = batch_loss(forecaster, batch, seed=0, step=0, bfloat16=False, mirror=True)
    assert mirrored.isfinite()
    assert mirrored != plain


# the average


def test_moving_average_has_its_closed_form() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(module, horizon=5)
    expected = module.weight.item()
    for step in range(1, 60):
        with torch.no_grad():
            module.weight.fill_(float(step))
        average.update(module, step)
        decay = min(1 - 1 / 5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert average.weights["weight"].item() == pytest.approx(59 - 4, abs=0.01), "a ramp lags by horizon - 1 steps"


def test_moving_average_of_constant_weights_is_constant() -> None:
    module = torch.nn.Linear(3, 2)
    average = MovingAverage(module, horizon=100)
    for step in range(1, 5):
        average.update(module, step)
    assert all(torch.equal(average.weights[name], value) for name, value in module.state_dict().items())


# the loop


def test_writes_checkpoint_states_and_log(experiment: Callable[..., Experiment]) -> None:
    config = experiment()
    path = train(config, progress=False)
    assert load_checkpoint(path).channels == config.data.channels
    assert [state.name for state in states(path.parent)] == ["state-0000004.safetensors", "state-0000006.safetensors"]
    assert [line["step"] for line in log(path.parent)] == [2, 4, 6]
    assert not list(path.parent.glob(".*")), "nothing temporary stays"


def test_running_again_changes_nothing(experiment: Callable[..., Experiment]) -> None:
    path = train(experiment(), progress=False)
    before = path.read_bytes(), (path.parent / "metrics.jsonl").read_bytes()
    train(experiment(), progress=False)
    assert (path.read_bytes(), (path.parent / "metrics.jsonl").read_bytes()) == before


def test_truncated_state_falls_back_to_the_one_before(experiment: Callable[..., Experiment]) -> None:
    path = train(experiment(), progress=False)
    before, logged = load_file(path), log(path.parent)
    newest = states(path.parent)[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    path.unlink()
    train(experiment(), progress=False)
    after = load_file(path)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert log(path.parent) == logged, "the repeated steps are logged once"


def test_refuses_the_state_of_another_config(experiment: Callable[..., Experiment]) -> None:
    folder = train(experiment(), progress=False).parent
    with pytest.raises(CheckpointError, match=r"another config; remove .*run, or set another 'folder'"):
        train(experiment(training__learning_rate=0.5), progress=False)
    assert len(states(folder)) == 2


def test_can_be_lengthened_but_not_shortened(experiment: Callable[..., Experiment]) -> None:
    steps = experiment().training.steps
    folder = train(experiment(), progress=False).parent
    train(experiment(training__steps=steps + 1), progress=False)
    assert log(folder)[-1]["step"] == steps + 1
    with pytest.raises(CheckpointError, match=rf"has {steps + 1} steps, the config asks for {steps}; raise it"):
        train(experiment(), progress=False)


def test_refuses_a_state_that_is_none(experiment: Callable[..., Experiment]) -> None:
    path = train(experiment(), progress=False)
    (path.parent / "state-0000009.safetensors").write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="another config"):
        train(experiment(), progress=False)


def test_non_finite_loss_names_step_and_samples(
    experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = loop.batch_loss

    def ill(*args: Any, step: int, **options: Any) -> torch.Tensor:
        return healthy(*args, step=step, **options) * (torch.nan if step == 3 else 1)

    monkeypatch.setattr(loop, "batch_loss", ill)
    with pytest.raises(SphercastError, match=r"loss is nan at step 3, samples starting at 2000-\d\d.*learning_rate"):
        train(experiment(), progress=False)
    folder = experiment().training.folder
    assert [state.name for state in states(folder)] == ["state-0000002.safetensors"]
    assert not (folder / "checkpoint.safetensors").exists()


def test_refuses_a_store_of_other_channels(experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(DataError, match="the config asks for"):
        train(experiment(data__variables={"geopotential": [500]}), progress=False)


def test_refuses_a_store_on_another_grid(experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(DataError, match=r"8x16 grid.* config asks for the 16x32 grid"):
        train(experiment(data__grid={"kind": "gaussian", "latitudes": 16, "longitudes": 32}), progress=False)


def test_dropout_resumes_too(experiment: Callable[..., Experiment]) -> None:
    config = experiment(model__dropout=0.3)
    whole = load_file(train(config, progress=False))
    for state in states(config.training.folder)[1:]:
        state.unlink()
    resumed = load_file(train(config, progress=False))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


TRAIN = """
import sys, torch
torch.set_num_threads(1)
from forecast.config import load_experiment
from forecast.training.loop import train
print("ready", flush=True)
train(load_experiment(sys.argv[1]), progress=False)
"""


def test_killed_anywhere_and_run_again_gives_identical_weights(
    tmp_path: Path, write_config: Callable[..., Path], store: TrainingStore, environment: dict[str, str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    changes = {"data__store": str(store.path), "training__steps": 30, "training__save_every": 3}
    paths = {}
    for folder in (whole, killed):
        folder.mkdir()
        paths[folder] = write_config(folder, **changes)
    began = time.monotonic()
    checkpoint = train(load_experiment(paths[whole]), progress=False)
    duration = time.monotonic() - began
    wait = random.Random(4)
    kills = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(paths[killed])], env=environment, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait.uniform(0.1, 0.7) * duration)
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
    assert kills > 0
    subprocess.run([sys.executable, "-c", TRAIN, str(paths[killed])], env=environment, check=True, capture_output=True)
    expected, got = load_file(checkpoint), load_file(killed / "run" / "checkpoint.safetensors")
    assert all(torch.equal(got[name], value) for name, value in expected.items())
    assert log(killed / "run") == log(whole / "run")


def test_learns_the_conditional_mean_and_spread_of_a_linear_world(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """x' = m x + sqrt(1 - m^2) noise, in units of the standard deviation."""
    config = load_experiment(write_config(
        tmp_path, data__variables={"2m_temperature": None}, model__widths=[16], sampler__steps=8,
        training__steps=250, training__batch_size=16, training__save_every=50, training__learning_rate=5e-3,
        training__ema_steps=40, training__warmup_steps=20,
    ))  # fmt: skip
    build(config.data, progress=False)
    path = train(config, progress=False)
    losses = [line["validation_loss"] for line in log(path.parent)]
    assert losses[-1] < 1.4, "an untrained network has 2, the best that can be has 1.25"
    trained = load_checkpoint(path)
    held_out = StoreDataset(open_store(config.data.store), config.training.validation_period, trained.step_length)
    coefficients, spreads = [], []
    for index in (5, 20, 35):
        sample = held_out.batch(torch.tensor([index]))
        start = InitialState(sample.previous[0], sample.current[0], held_out.times[index + 1])
        (drawn,) = rollout(trained, start, members=range(24), steps=1, seed=0)
        anomaly = (drawn.states - trained.normalizer.mean) / trained.normalizer.std
        known = trained.normalizer.state(start.current)
        coefficients.append((anomaly.mean(0) * known).mean() / (known**2).mean())
        spreads.append(anomaly.std(0).square().mean().sqrt())
    assert float(torch.stack(coefficients).mean()) == pytest.approx(MEMORY, abs=0.12)
    assert float(torch.stack(spreads).mean()) == pytest.approx((1 - MEMORY**2) ** 0.5, rel=0.12)
