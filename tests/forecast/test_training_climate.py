"""What a training finds out about its world before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from data_pipeline.dataset import Request
from data_pipeline.errors import CheckpointError
from forecast.checkpoint import save_checkpoint
from forecast.global_means import clock
from forecast.training import climate
from forecast.training.checking import check
from forecast.training.climate import STUDIED, spread_samples
from forecast.training.preparing import prepare
from tests.forecast.conftest import MEMORY, SCALES
from tests.forecast.trainings import OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Experiment
    from forecast.forecaster import Forecaster

    Make = Callable[..., Experiment]


def test_memory_of_the_world_is_found(experiment: Make) -> None:
    """Its anomalies keep half in 12 hours, at every scale and in the global mean."""
    made = prepare(experiment(model__other_step_hours=[24])).learner.forecaster
    assert made.persistence
    assert made.global_means
    scalars = [c.variable_name not in {"u_component_of_wind", "v_component_of_wind"} for c in made.channels]
    for hours, key in ((12, None), (24, 24)):
        expected = MEMORY ** (hours / 12)
        assert made.persistence.kept[key][scalars, 2:].mean() == pytest.approx(expected, abs=0.03)
        assert made.global_means.memory[hours].kept.mean() == pytest.approx(expected, abs=0.15)
    mean, std = np.array([SCALES[channel.variable_name] for channel in made.channels]).T
    np.testing.assert_allclose(made.persistence.mean.mean((1, 2)), mean, atol=0.1 * std.max(), rtol=0.02)
    at_points = (made.persistence.mean - made.normalizer.mean) / made.normalizer.std
    assert at_points.abs().max() < 0.7, "means of states that remember each other"


def test_what_is_found_is_always_the_same(experiment: Make) -> None:
    first, second = (prepare(experiment()).learner.forecaster for _ in range(2))
    assert first.persistence
    assert second.persistence
    assert torch.equal(first.persistence.mean, second.persistence.mean)
    assert torch.equal(first.persistence.kept[None], second.persistence.kept[None])


def test_samples_are_of_all_hours_and_seasons(experiment: Make) -> None:
    prepared = prepare(experiment())
    known = [(sample.forcings[0], sample.hour[0]) for sample in spread_samples(prepared.samples)]
    forcings, hours = (torch.cat(each) for each in zip(*known, strict=True))
    count = len(forcings)
    assert 0.9 * min(len(prepared.samples), STUDIED) <= count <= STUDIED
    cosine, sine, *_ = clock(forcings, hours).unbind(-1)
    turns = torch.atan2(sine, cosine).diff()
    assert 0 <= turns.min() < turns.max() < 6 * turns.mean(), "all along the year, and in order"
    assert set(hours.tolist()) == {0.0, 12.0}
    assert 0.4 * count < (hours == 12).sum() < 0.6 * count


@pytest.mark.parametrize(("bytes_of_samples", "count"), [(0, 16), (40, 40), (1e9, 64)])
def test_large_samples_are_fewer(
    experiment: Make, monkeypatch: pytest.MonkeyPatch, bytes_of_samples: float, count: int
) -> None:
    """At least 16 and at most 64 here; 40 in 40 times what one takes."""
    samples = prepare(experiment()).samples
    one = samples.batch(Request(torch.tensor([0])))
    size = sum(fields.nbytes for fields in one[:3])
    for name, value in {"STUDIED": 64, "AT_LEAST": 16, "READ": bytes_of_samples * size}.items():
        monkeypatch.setattr(climate, name, value)
    assert sum(len(sample.current) for sample in spread_samples(samples)) == count


def test_without_damping_nothing_is_known(experiment: Make) -> None:
    made = prepare(experiment(model__damped=False)).learner.forecaster
    assert made.persistence is None
    assert made.global_means is None
    state = torch.randn(1, 7, 8, 16)
    assert made.persisted(state) is state


def test_increments_of_another_kind_are_no_start(experiment: Make) -> None:
    stages = {
        "first": {"training": OBJECTIVES_OF["mean"], "sampler": {"name": "mean"}, "model": {"damped": False}},
        "second": {"training": {**OBJECTIVES_OF["crps"], "start": "first"}, "sampler": {"name": "euler", "steps": 1}},
    }
    whole = experiment(**{f"stages__{name}": changes for name, changes in stages.items()})
    with pytest.raises(CheckpointError, match=r"starts with stage first, whose network is another \(model.damped\)"):
        check({name: whole.stage(name) for name in stages})


def test_a_checkpoint_of_another_kind_is_no_start(
    experiment: Make, make_forecaster: Callable[..., Forecaster], tmp_path: Path
) -> None:
    start = tmp_path / "whole.safetensors"
    save_checkpoint(make_forecaster(damped=False), start, {})
    with pytest.raises(CheckpointError, match=r"has model.damped False, the config True: its increments start"):
        prepare(experiment(training__start=str(start)))


OBJECTIVES_OF: dict[str, dict[str, Any]] = {
    kind: {"objective": OBJECTIVES[kind]["training__objective"]} for kind in ("mean", "crps")
}
