"""The loop: what it writes, where it begins, what it refuses, and that parts and fusion do not change it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from data_pipeline.dataset import Request
from data_pipeline.errors import CheckpointError, DataError, SphercastError
from forecast.checkpoint import load_checkpoint, provenance, read_tensors, save_checkpoint
from forecast.training.identity import digest
from forecast.training.loop import Run, train
from forecast.training.metrics import Metrics, read_lines
from forecast.training.preparing import prepare
from forecast.training.randomness import draw_indices
from tests.forecast.trainings import OBJECTIVES, begun, gradients, log, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Experiment
    from forecast.forecaster import Forecaster

    Make = Callable[..., Experiment]


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_writes_checkpoint_states_log_and_origin(experiment: Make, kind: str) -> None:
    config = experiment(**OBJECTIVES[kind])
    path = train(config, progress=False)
    assert load_checkpoint(path).channels == config.data.channels
    assert load_checkpoint(path).sampler == config.sampler
    assert [line["step"] for line in log(path.parent)] == [2, 4, 6]
    assert not list(path.parent.glob(".*")), "nothing temporary stays"
    said = provenance(path)
    assert said["objective"] == kind
    assert said["trained_on"] == "store.zarr, 2000-01-01 to 2000-03-31"
    assert said["config_sha256"] == digest(config)


def test_checkpoint_is_the_average_of_the_weights(experiment: Make) -> None:
    path = train(experiment(), progress=False)
    _, tensors = read_tensors(states(path.parent)[-1])
    average = {name.removeprefix("average."): value for name, value in tensors.items() if name.startswith("average.")}
    weights = load_checkpoint(path).denoiser.state_dict()
    assert weights.keys() == average.keys()
    assert all(torch.equal(weights[name], value) for name, value in average.items())


def test_log_has_loss_gradient_rate_and_validation(experiment: Make) -> None:
    first, second, *_ = log(train(experiment(training__log_every=1), progress=False).parent)
    assert first.keys() == {"step", "loss", "gradient_norm", "learning_rate"}
    assert first["loss"] == pytest.approx(1.75, abs=0.2), "noise of variance 1 less data of 1 - MEMORY**2"
    assert second["learning_rate"] == pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi / 6)), rel=1e-5)


def test_validation_is_the_same_whenever_it_is_asked(experiment: Make) -> None:
    run = begun(experiment(model__dropout=0.3, training__batch_size=24))
    before = {name: value.clone() for name, value in run.denoiser.state_dict().items()}
    first = run.validation_loss()
    torch.manual_seed(7)
    assert run.validation_loss() == first
    assert run.denoiser.training, "learning goes on with dropout"
    assert all(torch.equal(before[name], value) for name, value in run.denoiser.state_dict().items())


def test_log_is_read_without_its_torn_end(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0)
    metrics.add(1, loss=torch.tensor(1 / 3))
    metrics.add(2, loss=0.25, other=1e-9)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert read_lines(tmp_path) == [{"step": 1, "loss": 0.333333}, {"step": 2, "loss": 0.25, "other": 1e-9}]
    Metrics(tmp_path, 1).add(2, loss=0.5)
    assert read_lines(tmp_path)[1:] == [{"step": 2, "loss": 0.5}]


# what is asked of the data


def test_rollout_and_hours_of_the_steps(experiment: Make) -> None:
    run = begun(experiment(**OBJECTIVES["mean"]))
    assert [run._request(step).steps for step in (0, 2, 3, 5)] == [1, 1, 2, 2]
    assert run._request(3).hours is None
    run = begun(experiment(**OBJECTIVES["mean"], model__other_step_hours=[24]))
    asked = [run._request(step) for step in range(3, 40)]
    assert {(request.steps, request.hours) for request in asked} == {(2, None), (1, 24)}, "other steps come one by one"
    assert torch.equal(asked[0].indices, draw_indices(len(run.samples), 4, 0, 3))


def test_more_stores_are_learnt_from_whole(experiment: Make, tmp_path: Path) -> None:
    config = experiment()
    more = tmp_path / "more.zarr"
    more.symlink_to(config.data.store)
    run = begun(experiment(training__more_stores=[str(more)]))
    assert [len(part) for part in run.samples.parts] == [180, 238]
    assert len(run.held_out.parts) == 1
    path = train(experiment(training__more_stores=[str(more)]), progress=False)
    assert provenance(path)["trained_on"] == "store.zarr, 2000-01-01 to 2000-03-31, more.zarr"


# parts, fusion


def slopes(run: Run, monkeypatch: pytest.MonkeyPatch, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss and gradients of one training step."""
    found: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(run.optimizers, "step", lambda _: found.append(gradients(run.denoiser)))
    loss, _ = run._update(run.samples.batch(run._request(step)), step)
    return loss, found[0]


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_a_batch_in_parts_is_the_whole_batch(experiment: Make, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """To rounding: the same noise for each sample, in each member."""
    changes = {**OBJECTIVES[kind], "training__mirror": True, "training__rotate": True, "training__clip_norm": 1e9}
    whole = begun(experiment(**changes))
    parts = begun(experiment(**changes, training__accumulate=2))
    (loss, expected), (summed, got) = (slopes(run, monkeypatch, 4) for run in (whole, parts))
    torch.testing.assert_close(summed, loss, rtol=1e-5, atol=0)
    for name, value in got.items():
        torch.testing.assert_close(
            value, expected[name], rtol=1e-3, atol=1e-5 * float(expected[name].abs().max()) + 1e-7
        )


def test_gradients_are_cut_and_their_norm_is_told(experiment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    free, cut = (begun(experiment(training__clip_norm=norm)) for norm in (1e9, 1e-3))
    batch = free.samples.batch(Request(torch.arange(4)))
    found: list[dict[str, torch.Tensor]] = []
    told = []
    for run in (free, cut):
        monkeypatch.setattr(run.optimizers, "step", lambda _, run=run: found.append(gradients(run.denoiser)))
        told.append(run._update(batch, 0)[1].item())
    size = torch.stack([value.norm() for value in found[0].values()]).norm()
    assert told == pytest.approx([size.item()] * 2, rel=1e-5)
    assert torch.stack([value.norm() for value in found[1].values()]).norm().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own compiler does it
def test_compiled_network_is_the_same(experiment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the compiler's front; its back takes a minute, and is torch's."""
    compiled = torch.nn.Module.compile
    calls: list[torch.nn.Module] = []

    def by_front(self: torch.nn.Module) -> None:
        calls.append(self)
        compiled(self, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", by_front)
    plain, fused = (begun(experiment(training__compile=on)) for on in (False, True))
    assert calls == [fused.denoiser.network]
    assert plain.denoiser.state_dict().keys() == fused.denoiser.state_dict().keys()
    (loss, expected), (same, got) = (slopes(run, monkeypatch, 0) for run in (plain, fused))
    torch.testing.assert_close(same, loss)
    assert got.keys() == expected.keys()
    assert fused.validation_loss() == pytest.approx(plain.validation_loss(), rel=1e-5)


# where it begins


def test_begins_with_the_weights_of_a_checkpoint(experiment: Make, tmp_path: Path) -> None:
    first = train(experiment(training__folder=str(tmp_path / "first")), progress=False)
    run = Run.begin(prepare(experiment(training__start=str(first))), experiment().training, {})
    expected = load_checkpoint(first).denoiser.state_dict()
    assert all(torch.equal(expected[name], value) for name, value in run.denoiser.state_dict().items())
    assert all(torch.equal(expected[name], value) for name, value in run.average.weights.items())


def test_refuses_to_begin_with_another_network_or_other_channels(
    experiment: Make, make_forecaster: Callable[..., Forecaster], tmp_path: Path
) -> None:
    wide = tmp_path / "wide.safetensors"
    save_checkpoint(make_forecaster(widths=(8, 32)), wide, {})
    with pytest.raises(CheckpointError, match=r"wide.safetensors is of another network \(.*set another training.start"):
        train(experiment(training__start=str(wide)), progress=False)
    with pytest.raises(CheckpointError, match=r"planet.*is of \['geopotential_.* the config asks for .*set another"):
        train(experiment(training__start="planet"), progress=False)


def test_names_the_stage_that_must_be_trained_first(experiment: Make) -> None:
    config = experiment(stages__mean={}, stages__then={"training": {"start": "mean"}}).stage("then")
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*run/mean/checkpoint\.safetensors.*stage mean first"):
        train(config, progress=False)


# what it refuses


def test_names_five_samples_and_counts_the_others(experiment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "loss", lambda *_: torch.tensor(torch.inf, requires_grad=True))
    with pytest.raises(SphercastError, match=r"at step 0, samples starting at (\S+, ){4}\S+ and 7 more; lower le"):
        train(experiment(training__batch_size=12), progress=False)


def test_validation_loss_that_is_not_finite(experiment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "validation_loss", lambda _: torch.nan)
    with pytest.raises(SphercastError, match=r"the validation loss is nan after 2 steps; lower learning_rate, or look"):
        train(experiment(), progress=False)
    assert not states(experiment().training.folder)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_non_finite_loss_or_gradient_names_step_and_samples(
    experiment: Make, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    healthy = Run._update

    def ill(self: Run, batch: Any, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        loss, norm = healthy(self, batch, step)
        bad = torch.nan if step == 3 else 1
        return (loss * bad, norm) if what == "loss" else (loss, norm * bad)

    monkeypatch.setattr(Run, "_update", ill)
    said = r"the loss is (nan|\S+) and its gradient (nan|\S+) at step 3, samples starting at 2000-\d\d.*learning_rate"
    with pytest.raises(SphercastError, match=said):
        train(experiment(), progress=False)
    folder = experiment().training.folder
    assert [state.name for state in states(folder)] == ["state-0000002.safetensors"]
    assert not (folder / "checkpoint.safetensors").exists()
    assert all(math.isfinite(value) for line in log(folder) for value in line.values())


def test_refuses_a_store_of_other_channels(experiment: Make) -> None:
    with pytest.raises(DataError, match="the config asks for"):
        train(experiment(data__variables={"geopotential": [500]}), progress=False)


def test_refuses_a_store_on_another_grid(experiment: Make) -> None:
    with pytest.raises(DataError, match=r"8x16 grid.* config asks for the 16x32 grid"):
        train(experiment(data__grid={"kind": "gaussian", "latitudes": 16, "longitudes": 32}), progress=False)
