"""What a training is known by: what may move or change when it goes on, what is passed over, what is refused."""

from __future__ import annotations

import shutil
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from data_pipeline.errors import CheckpointError, FormatError
from forecast.checkpoint import load_checkpoint, provenance, read_tensors
from forecast.config import load_experiment
from forecast.training import loop
from forecast.training.identity import digest, origin, weights_sha256
from forecast.training.loop import train
from forecast.training.preparing import prepare
from forecast.training.state import require_same_origin
from tests.forecast.trainings import OBJECTIVES, left_by, log, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment

    Make = Callable[..., Experiment]

STAGES: dict[str, Any] = {
    "stages__first": {}, "stages__second": {"training": {"start": "first", "learning_rate": 1e-4}},
}  # fmt: skip


@pytest.fixture
def trained(experiment: Make) -> Experiment:
    """An experiment whose two stages are finished."""
    whole = experiment(**STAGES, training__keep=3)
    for name in whole.stages:
        train(whole.stage(name), progress=False)
    return whole


def half_trained(folder: Path) -> None:
    """Forget what came after the first state."""
    for path in (*states(folder)[1:], folder / "checkpoint.safetensors"):
        path.unlink()


# the digest


def test_digest_leaves_out_what_may_change(experiment: Make) -> None:
    same: list[dict[str, Any]] = [
        {"folder": "elsewhere"}, {"steps": 999}, {"save_every": 7}, {"log_every": 7}, {"keep": 7}, {"device": "cpu"},
        {"residence": "disk"}, {"compile": True}, {"checkpointing": True}, {"flat_cache": "cache"},
    ]  # fmt: skip
    other: list[dict[str, Any]] = [
        {"seed": 1}, {"batch_size": 8}, {"accumulate": 2}, {"optimizer": "muon"}, {"mirror": True}, {"rotate": True},
        {"start": "planet"}, {"more_stores": ["more.zarr"]},
    ]  # fmt: skip
    own = digest(experiment())
    for changes in (*same, *other):
        made = experiment(**{f"training__{name}": value for name, value in changes.items()})
        assert (digest(made) == own) == (changes in same), changes
    assert digest(experiment(model__dropout=0.1)) != own


def test_digest_knows_files_by_their_names(write_config: Callable[..., Path], tmp_path: Path) -> None:
    def of(folder: str, name: str) -> str:
        sources = [{"kind": "speedy", "path": f"{folder}/{name}.nc", "static_path": f"{folder}/static.nc"}]
        changes = {"sources": sources, "store": f"{folder}/{name}.zarr"}
        more, start = [f"{folder}/more.zarr"], f"{folder}/{name}.safetensors"
        file = write_config(
            tmp_path, **{f"data__{key}": value for key, value in changes.items()}, training__more_stores=more,
            training__start=start,
        )  # fmt: skip
        return digest(load_experiment(file))

    assert of("here", "a") == of("/over/there", "a") != of("here", "b")


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_digest_has_the_sampler_only_where_it_is_learnt_with(experiment: Make, kind: str) -> None:
    plain, other = (experiment(**OBJECTIVES[kind], sampler__bfloat16=on) for on in (False, True))
    assert (digest(plain) == digest(other)) == (kind != "crps")


# going on


def test_a_moved_folder_goes_on(write_config: Callable[..., Path], store: TrainingStore, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**STAGES, "training__keep": 3}
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    shutil.copytree(store.path, here / "store.zarr")
    whole = load_experiment(write_config(here, **changes))
    folders = [train(whole.stage(name), progress=False).parent for name in whole.stages]
    before = [left_by(folder) for folder in folders]
    half_trained(folders[1])
    here.rename(there)
    moved = load_experiment(write_config(there, **changes))
    assert [left_by(train(moved.stage(name), progress=False).parent) for name in moved.stages] == before


def test_a_finished_training_is_passed_over(
    trained: Experiment, experiment: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is needed for it: neither its states, nor its start, nor the store."""
    monkeypatch.setattr(loop, "prepare", None)
    second = trained.stage("second")
    before = left_by(second.training.folder)
    for path in (*states(second.training.folder), trained.stage("first").training.folder / "checkpoint.safetensors"):
        path.unlink()
    train(second, progress=False)
    assert left_by(second.training.folder) == before
    with pytest.raises(CheckpointError, match="has 6 steps, the config asks for 7; its states are gone: empty the fol"):
        train(experiment(**STAGES, training__steps=7).stage("second"), progress=False)
    with pytest.raises(CheckpointError, match="has 6 steps, the config asks for 5; raise it, or empty the folder"):
        train(experiment(**STAGES, training__steps=5).stage("second"), progress=False)
    with pytest.raises(CheckpointError, match=r"with another config: training.seed was 0, now 1; remove"):
        train(experiment(**STAGES, training__seed=1).stage("second"), progress=False)


@pytest.mark.parametrize(("old", "new"), list(permutations(OBJECTIVES, 2)))
def test_another_objective_is_named_and_not_what_follows_from_it(
    experiment: Make, tmp_path: Path, old: str, new: str
) -> None:
    found, wanted = (origin(experiment(**OBJECTIVES[kind])) for kind in (old, new))
    said = f'with another config: training.objective.kind was "{old}", now "{new}"; remove'
    with pytest.raises(CheckpointError, match=said):
        require_same_origin(found, wanted, tmp_path / "state.safetensors")


def test_a_checkpoint_of_another_version_is_not_overwritten(trained: Experiment) -> None:
    path = trained.stage("second").training.folder / "checkpoint.safetensors"
    metadata, tensors = read_tensors(path)
    save_file(tensors, path, metadata={**metadata, "format": "sphercast checkpoint 1"})
    before = path.read_bytes()
    said = r"has format 'sphercast checkpoint 1', expected 'sphercast checkpoint 3'; remove .*, or set another 'folder'"
    with pytest.raises(FormatError, match=said):
        train(trained.stage("second"), progress=False)
    assert path.read_bytes() == before


def test_a_damaged_checkpoint_counts_as_absent(trained: Experiment) -> None:
    folder = trained.stage("second").training.folder
    whole = left_by(folder)
    (folder / "checkpoint.safetensors").write_bytes(whole[0][:-1])
    train(trained.stage("second"), progress=False)
    assert left_by(folder) == whole


def test_members_learn_without_inflation_and_get_it_when_they_have_learnt(experiment: Make, tmp_path: Path) -> None:
    plain, more = (experiment(**OBJECTIVES["crps"], sampler__inflation=value) for value in (1.0, 1.2))
    assert digest(plain) == digest(more)
    assert prepare(more).learner.forecaster.sampler.inflation == 1.0
    first = train(plain, progress=False)
    weights = {name: value for name, value in read_tensors(first)[1].items() if name.startswith("weight.")}
    again = train(more, progress=False)
    assert load_checkpoint(again).sampler.inflation == 1.2
    assert all(torch.equal(value, read_tensors(again)[1][name]) for name, value in weights.items())


def test_another_sampler_changes_no_weight(trained: Experiment, experiment: Make) -> None:
    first, second = (trained.stage(name).training.folder / "checkpoint.safetensors" for name in trained.stages)
    weights, said = weights_sha256(first), provenance(first)
    other = experiment(**STAGES, sampler__steps=2)
    for name in other.stages:
        train(other.stage(name), progress=False)
    assert weights_sha256(first) == weights == provenance(second)["start_sha256"]
    assert load_checkpoint(first).sampler.steps == load_checkpoint(second).sampler.steps == 2
    assert {**said, "sha256": ""} == {**provenance(first), "sha256": ""}


# another start


@pytest.mark.parametrize("half", [True, False])
def test_refuses_to_go_on_from_another_start(trained: Experiment, experiment: Make, half: bool) -> None:
    first, second = (trained.stage(name) for name in trained.stages)
    if half:
        half_trained(second.training.folder)
    train(experiment(**STAGES, training__steps=7).stage("first"), progress=False)
    expected = r"(state-\d+|checkpoint).safetensors began with other weights than training.start has now; remove .*seco"
    with pytest.raises(CheckpointError, match=expected):
        train(second, progress=False)
    assert first.training.folder != second.training.folder


@pytest.mark.parametrize("damaged", [True, False])
def test_goes_on_without_its_start(trained: Experiment, damaged: bool) -> None:
    first, second = (trained.stage(name).training.folder for name in trained.stages)
    before, start = left_by(second), weights_sha256(first / "checkpoint.safetensors")
    half_trained(second)
    if damaged:
        (first / "checkpoint.safetensors").write_bytes(b"no more")
    else:
        shutil.rmtree(first)
    train(trained.stage("second"), progress=False)
    assert left_by(second) == before
    assert provenance(second / "checkpoint.safetensors")["start_sha256"] == start


# which states are kept


def test_a_damaged_newer_state_does_not_push_out_a_good_one(experiment: Make) -> None:
    folder = train(experiment(training__keep=3), progress=False).parent
    (folder / "checkpoint.safetensors").unlink()
    for state in states(folder)[1:]:
        state.write_bytes(state.read_bytes()[:-1])
    train(experiment(training__keep=2, training__save_every=5, training__steps=5), progress=False)
    assert [state.name for state in states(folder)] == ["state-0000002.safetensors", "state-0000005.safetensors"]
    assert log(folder)[-1]["step"] == 5
    assert torch.isfinite(load_checkpoint(folder / "checkpoint.safetensors").static).all()
