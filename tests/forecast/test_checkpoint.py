"""Checkpoints: bit-identical round trips, and one clear error for everything else."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import forecast
from data_pipeline.errors import CheckpointError
from forecast.checkpoint import (
    find_checkpoint,
    load_checkpoint,
    provenance,
    read_tensors,
    save_checkpoint,
    shipped,
    write_tensors,
)
from forecast.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState


@pytest.fixture
def saved(forecaster: Forecaster, tmp_path: Path) -> Path:
    path = tmp_path / "made.safetensors"
    save_checkpoint(forecaster, path, {"trained_on": "nothing"})
    return path


@pytest.fixture
def changed(saved: Path) -> Callable[..., Path]:
    """The saved checkpoint with metadata or tensors replaced; None removes one."""

    def change(tensors: dict[str, torch.Tensor | None] | None = None, **metadata: str | None) -> Path:
        old_metadata, old_tensors = read_tensors(saved)
        new = {name: value for name, value in {**old_tensors, **(tensors or {})}.items() if value is not None}
        words = {name: value for name, value in {**old_metadata, **metadata}.items() if value is not None}
        save_file(new, saved, metadata=words)
        return saved

    return change


def test_round_trip_gives_identical_forecasts(forecaster: Forecaster, saved: Path, initial: InitialState) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.channels == forecaster.channels
    assert loaded.grid == forecaster.grid
    assert (loaded.model, loaded.sampler) == (forecaster.model, forecaster.sampler)
    assert not loaded.denoiser.training
    for got, want in zip(
        rollout(loaded, initial, members=range(2), steps=2, seed=3),
        rollout(forecaster, initial, members=range(2), steps=2, seed=3),
        strict=True,
    ):
        assert torch.equal(got.states, want.states)


def test_equal_forecasters_make_equal_files(forecaster: Forecaster, saved: Path, tmp_path: Path) -> None:
    for name in "abcd":
        save_checkpoint(forecaster, tmp_path / name, {"trained_on": "nothing"})
        assert (tmp_path / name).read_bytes() == saved.read_bytes()


def test_scales_of_other_steps_are_kept(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, tmp_path: Path
) -> None:
    made = make_forecaster(other_step_hours=[6, 24])
    others = {hours: hours / 12 * made.normalizer.tendency_std for hours in (6, 24)}
    made = replace(made, normalizer=replace(made.normalizer, others=others))
    assert made.persistence
    assert not torch.equal(made.persistence.kept[6], made.persistence.kept[24])
    path = tmp_path / "many.safetensors"
    save_checkpoint(made, path, {})
    loaded, noise = load_checkpoint(path), torch.randn(1, 7, 8, 16)
    for hours in (6, 12, 24):
        first, second = (
            one.step(initial.previous[None], initial.current[None], initial.time, noise, hours=hours)
            for one in (made, loaded)
        )
        assert torch.equal(first, second)
    metadata, tensors = read_tensors(path)
    for name in ("tendency_std.6", "kept.24"):
        save_file({key: value for key, value in tensors.items() if key != name}, path, metadata=metadata)
        with pytest.raises(CheckpointError, match=rf"do not fit together .*{name}"):
            load_checkpoint(path)


def test_increments_over_the_whole_state_have_no_persistence(
    make_forecaster: Callable[..., Forecaster], tmp_path: Path
) -> None:
    save_checkpoint(make_forecaster(damped=False), tmp_path / "whole.safetensors", {})
    assert load_checkpoint(tmp_path / "whole.safetensors").persistence is None


def test_half_precision_weights_load_as_single(
    forecaster: Forecaster, saved: Path, changed: Callable[..., Path]
) -> None:
    half = {name: value.half() for name, value in read_tensors(saved)[1].items() if name.startswith("weight.")}
    loaded = load_checkpoint(changed(half))
    assert {value.dtype for value in loaded.denoiser.parameters()} == {torch.float32}


def test_provenance_names_the_file(saved: Path) -> None:
    said = provenance(saved)
    assert said["trained_on"] == "nothing"
    assert len(said["sha256"]) == 64


@pytest.mark.parametrize("length", [0, 4, 8, 100, 5000, -1])
def test_truncated_file(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"made.safetensors is truncated or no safetensors file .*train it anew"):
        load_checkpoint(saved)


def test_not_safetensors_at_all(tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}) * 100)
    with pytest.raises(CheckpointError, match="truncated or no safetensors"):
        load_checkpoint(path)


def test_foreign_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"format None, expected 'sphercast checkpoint 3'"):
        load_checkpoint(path)


@pytest.mark.parametrize("number", [2, 4])
def test_earlier_or_later_format(changed: Callable[..., Path], number: int) -> None:
    with pytest.raises(CheckpointError, match=f"format 'sphercast checkpoint {number}'"):
        load_checkpoint(changed(format=f"sphercast checkpoint {number}"))


@pytest.mark.parametrize("key", ["channels", "latitude", "longitude", "model", "sampler"])
@pytest.mark.parametrize("value", [None, "", "7", '"x"', "[]", '{"a": 1}', '["no such variable"]'])
def test_bad_metadata(changed: Callable[..., Path], key: str, value: str | None) -> None:
    with pytest.raises(CheckpointError, match=r"do not fit together .*copy or train it anew") as caught:
        load_checkpoint(changed(**{key: value}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["mean", "std", "tendency_std", "static", "mean_state", "kept", "weight.network.stem.weight"]
)
@pytest.mark.parametrize("tensor", [None, torch.zeros(3, 1, 1), torch.zeros(())])
def test_missing_or_misshapen_tensor(changed: Callable[..., Path], name: str, tensor: torch.Tensor | None) -> None:
    with pytest.raises(CheckpointError, match="do not fit together") as caught:
        load_checkpoint(changed({name: tensor}))
    assert "\n" not in str(caught.value)


def test_surplus_weight(changed: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="do not fit together"):
        load_checkpoint(changed({"weight.network.extra": torch.zeros(2)}))


def test_other_network_than_the_weights(changed: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="size mismatch"):
        load_checkpoint(changed(model=json.dumps({"widths": [16, 16], "step_hours": 12})))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*none.safetensors; give"):
        load_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path)


def test_shipped_names_are_found() -> None:
    for name, path in shipped().items():
        assert find_checkpoint(name) == path
        assert load_checkpoint(path).channels
    assert find_checkpoint("some/where.safetensors") == Path("some/where.safetensors")


def test_failed_write_leaves_nothing(forecaster: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("forecast.checkpoint.write_tensors", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(forecaster, tmp_path / "a.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_nothing_is_unpickled(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    assert load_checkpoint(saved).channels
    sources = [path.read_text() for path in Path(str(forecast.__file__)).parent.rglob("*.py")]
    assert not [text for text in sources if "pickle" in text or "torch.load" in text or "torch.save" in text]


def test_written_tensors_are_read_back(tmp_path: Path) -> None:
    tensors = {"b": torch.randn(2, 3), "a": torch.tensor(7.0), "ü": torch.zeros(0, 2)}
    write_tensors(tensors, {"word": 'Grüße "quoted" \\ /'}, tmp_path / "t")
    metadata, got = read_tensors(tmp_path / "t")
    assert metadata == {"word": 'Grüße "quoted" \\ /'}
    assert all(np.array_equal(got[name], value) for name, value in tensors.items())
