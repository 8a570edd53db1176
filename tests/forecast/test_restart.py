"""What a killed run goes on from: states to the bit, damage that is noticed, runs that are not the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors import safe_open

from data_pipeline.errors import ConfigError, DataError
from forecast import restart
from forecast.batches import Plan, Turn
from forecast.guards import Stop
from forecast.restart import (
    LostStateError,
    Run,
    forget_states,
    holds_states,
    note_written,
    read_run,
    read_state,
    require_same,
    what_is_kept,
    write_state,
)
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(((range(2), range(2, 4)), (range(4, 5),)), steps=3)
PLAIN = Stepping(12)
STOP = Stop(1, 2, np.datetime64("2001-01-05T12", "ns"), "temperature", 500, 10.0, 20.0, np.nan)


def states(turn: Turn) -> np.ndarray:
    shape = (len(PLAN.batches[turn.batch]), 3, 4, 8)
    return np.random.default_rng([turn.batch, turn.step]).normal(size=shape).astype(np.float32)


def write(work: Path, advances: int) -> None:
    for turn in list(PLAN.turns())[:advances]:
        write_state(work, turn, states(turn), {1: STOP} if turn.batch == 0 and turn.step >= 2 else {}, PLAIN)
        note_written(work, turn.number + 1)


@pytest.mark.parametrize("advances", range(PLAN.advances + 1))
def test_the_last_two_states_of_every_batch_come_back(tmp_path: Path, advances: int) -> None:
    write(tmp_path, advances)
    kept = what_is_kept(tmp_path, PLAN, PLAIN)
    assert kept.computed == advances
    assert set(kept.stopped) == ({1} if advances >= 3 else set())
    for batch, last in enumerate(PLAN.steps_done(advances)):
        for step in range(max(last - 1, 1), last + 1):
            assert torch.equal(read_state(tmp_path, batch, step)[0], torch.from_numpy(states(Turn(0, batch, step))))
        assert len(list(tmp_path.glob(f"batch-{batch:03d}*"))) == min(last, 2), "older ones are removed"
    assert str(read_state(tmp_path, 0, 2)[1][1]) == str(STOP) if advances >= 3 else True


def test_the_file_is_safetensors(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with safe_open(tmp_path / "batch-000.step-00001.safetensors", framework="np") as file:
        assert file.keys() == ["states"]
        np.testing.assert_array_equal(file.get_tensor("states"), states(Turn(0, 0, 1)))


def test_what_a_kill_leaves_beside_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, 4)
    (tmp_path / ".batch-000.step-00003.safetensors.partial").write_bytes(b"half")
    (tmp_path / "batch-000.step-00000.safetensors").write_bytes(b"an old one that was to be removed")
    assert what_is_kept(tmp_path, PLAN, PLAIN).computed == 4


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "gone", "older gone"])
def test_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 4)
    path = tmp_path / "batch-001.step-00002.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    kinds = {"cut": bytes(data[:-50]), "flip": bytes(data), "empty": b"", "text": b"nothing" * 10}
    if damage in kinds:
        path.write_bytes(kinds[damage])
    else:
        (path if damage == "gone" else tmp_path / "batch-000.step-00001.safetensors").unlink()
    if damage == "gone":
        assert what_is_kept(tmp_path, PLAN, PLAIN).computed == 3, "as if the last advance had not been"
        return
    with pytest.raises(LostStateError, match="the forecast must be computed anew"):
        what_is_kept(tmp_path, PLAN, PLAIN)


def test_batches_that_do_not_fit_together(tmp_path: Path) -> None:
    write_state(tmp_path, Turn(0, 1, 1), states(Turn(0, 1, 1)), {}, PLAIN)
    with pytest.raises(LostStateError, match=r"the states in .* do not fit together"):
        what_is_kept(tmp_path, PLAN, PLAIN)
    assert holds_states(tmp_path)
    forget_states(tmp_path)
    assert not holds_states(tmp_path)
    assert what_is_kept(tmp_path, PLAN, PLAIN).computed == 0


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "_header", lambda *_: b"x")
    (tmp_path / ".batch-000.step-00001.safetensors.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        write(tmp_path, 1)
    assert caught.value.filename == str(tmp_path / "batch-000.step-00001.safetensors")
    assert not (tmp_path / "batch-000.step-00001.safetensors").exists()


RUN = Run({"seed": 1, "members": 5, "outputs": [{"name": "f.nc"}]}, PLAN, {"source": "a test"}, "2001-01-05T00:00:00Z")


def test_the_run_comes_back(tmp_path: Path) -> None:
    assert read_run(tmp_path) is None
    RUN.write(tmp_path)
    assert read_run(tmp_path) == RUN


@pytest.mark.parametrize("text", ["", "{", "[]", '{"identity": {}}'])
def test_a_damaged_description(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json cannot be read \(.*; remove .* to begin the forecast anew"):
        read_run(tmp_path)


@pytest.mark.parametrize(("change", "said"), [
    ({"seed": 2}, "seed was 1, now 2; give the same as before to go on with it, or remove"),
    ({"outputs": [{"name": "g.nc"}]}, 'outputs, g.nc, name was "f.nc", now "g.nc"'),
    ({"outputs": [{"name": "f.nc", "levels": [500]}]}, r"outputs, f\.nc, levels was null, now \[500\]"),
    ({"outputs": []}, r'outputs was \[\{"name": "f.nc"\}\], now \[\]'),
    ({"initial_states": "abc"}, 'initial states was null, now "abc"'),
])  # fmt: skip
def test_another_run_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_same(RUN.identity, {**RUN.identity, **change}, tmp_path)
    require_same(RUN.identity, RUN.identity, tmp_path)


def test_how_far_the_files_are(tmp_path: Path) -> None:
    write_state(tmp_path, Turn(0, 0, 1), states(Turn(0, 0, 1)), {}, PLAIN)
    assert what_is_kept(tmp_path, PLAN, PLAIN)[:2] == (1, 0)
    note_written(tmp_path, 1)
    assert what_is_kept(tmp_path, PLAN, PLAIN)[:2] == (1, 1)
    note_written(tmp_path, 2)
    assert what_is_kept(tmp_path, PLAN, PLAIN)[:2] == (1, 1), "files can go back"
    write_state(tmp_path, Turn(3, 0, 4), states(Turn(3, 0, 4)), {}, PLAIN)
    for behind in ("0", "-1"):
        (tmp_path / "written").write_text(behind)
        with pytest.raises(LostStateError, match="do not fit together; the forecast must be computed anew"):
            what_is_kept(tmp_path, Plan(((range(2),),), 5), PLAIN)
    (tmp_path / "written").write_bytes(b"\0")
    with pytest.raises(LostStateError, match="written is damaged; the forecast must be computed anew"):
        what_is_kept(tmp_path, PLAN, PLAIN)
    forget_states(tmp_path)
    assert what_is_kept(tmp_path, PLAN, PLAIN) == (0, 0, {})
