"""What a killed run goes on from: what it is (``run.json``), the states of every batch of members from which the next
ones are drawn, and how many of them its files have."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data_pipeline.errors import CheckpointError, ConfigError, DataError
from data_pipeline.publish import write_text
from forecast.batches import Plan
from forecast.checkpoint import read_tensors
from forecast.differences import difference, in_words
from forecast.guards import Stop
from forecast.output.chunks import naming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from forecast.batches import Turn
    from forecast.stepping import Stepping

RUN, WRITTEN = "run.json", "written"
_STATE = re.compile(r"batch-(\d+)\.step-(\d+)\.safetensors")


@dataclass(frozen=True)
class Run:
    """A run that was begun: its ``identity`` (checkpoint, initial states, ...), batches, attributes and time (UTC)."""

    identity: Mapping[str, Any]
    plan: Plan
    attributes: Mapping[str, str]
    started: str

    def write(self, work: Path) -> None:
        """Into the work folder, at once."""
        values = {"identity": self.identity, "batches": self.plan.to_json(), "steps": self.plan.steps,
                  "attributes": self.attributes, "started": self.started}  # fmt: skip
        write_text(work / RUN, json.dumps(values, indent=2) + "\n")


def read_run(work: Path) -> Run | None:
    """The run that was begun in the folder ``work``, or None; a DataError if its description is damaged."""
    if not (work / RUN).is_file():
        return None
    try:
        values = json.loads((work / RUN).read_bytes())
        plan = Plan.of_json(values["batches"], values["steps"])
        return Run(values["identity"], plan, values["attributes"], values["started"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{work / RUN} cannot be read ({error}); remove {work} to begin the forecast anew") from error


class LostStateError(DataError):
    """States that were kept are gone or damaged, as after a power cut; the run must begin anew."""


def require_same(begun: Mapping[str, Any], asked: Mapping[str, Any], work: Path) -> None:
    """Raise a ConfigError that names what differs, if the run in ``work`` is another than the one that is asked for."""
    for name, value in asked.items():
        if begun.get(name) != value:
            place, old, new = difference(name.replace("_", " "), begun.get(name), value)
            raise ConfigError(
                f"{work} holds a forecast that was begun otherwise: {place} was {in_words(old)}, now {in_words(new)}; "
                f"give the same as before to go on with it, or remove {work} to begin anew (of a job: 'jobs retry "
                "--fresh')"
            )


def write_state(
    work: Path, turn: Turn, states: NDArray[np.float32], stopped: Mapping[int, Stop], stepping: Stepping
) -> None:
    """Keep the ``states`` of a batch, and of the earlier ones what ``Stepping.kept`` names.

    By hand, as safetensors' own writer holds two copies of the states in memory.
    """
    path, states = _state_path(work, turn.batch, turn.step), np.ascontiguousarray(states)
    aside = path.with_name(f".{path.name}.partial")
    header = _header(states, {"crc32": str(zlib.crc32(states.data)), "stopped": _stops_text(stopped)})
    with naming(path), aside.open("wb") as file:
        file.write(header)
        file.write(states.data)
    aside.replace(path)
    for number in stepping.kept(turn.step - 1) - stepping.kept(turn.step):
        _state_path(work, turn.batch, number).unlink(missing_ok=True)


def read_state(work: Path, batch: int, step: int) -> tuple[Tensor, dict[int, Stop]]:
    """The states of a batch after a step, and its stopped members.

    Raises
    ------
    LostStateError
        If they are not there or damaged.
    """
    path = _state_path(work, batch, step)
    try:
        metadata, tensors = read_tensors(path)
        states = tensors["states"].contiguous()
        if zlib.crc32(states.numpy().data) != int(metadata["crc32"]):
            raise LostStateError(f"{path} is damaged; the forecast must be computed anew")
        stops = [Stop.of_json(values) for values in json.loads(metadata["stopped"])]
    except (CheckpointError, LookupError, ValueError) as error:
        raise LostStateError(f"{path} cannot be read; the forecast must be computed anew") from error
    return states, {stop.member: stop for stop in stops}


def note_written(work: Path, advances: int) -> None:
    """All files have the first ``advances`` advances."""
    path = work / WRITTEN
    aside = path.with_name(f".{path.name}.partial")
    with naming(path):
        aside.write_text(f"{advances}\n", encoding="utf-8")
    aside.replace(path)


class Kept(NamedTuple):
    """What a killed run left: how many advances are computed, how many of them are in all files, stopped members."""

    computed: int
    written: int
    stopped: dict[int, Stop]


def what_is_kept(work: Path, plan: Plan, stepping: Stepping) -> Kept:
    """Look through the states in ``work``.

    Raises
    ------
    LostStateError
        If states that are needed are gone or damaged, or batches and files do not fit together, as after a power cut.
    """
    steps, stopped = _last_steps(work, plan), dict[int, Stop]()
    written = min(_written(work), sum(steps))
    lag = islice(plan.turns(written), sum(steps) - written)
    fits = plan.steps_done(sum(steps)) == steps and all(_state_path(work, *turn[1:]).is_file() for turn in lag)
    if not fits or written < 0:
        raise LostStateError(f"the states in {work} do not fit together; the forecast must be computed anew")
    for batch, last in enumerate(steps):
        for step in sorted(stepping.kept(last)):
            stopped |= read_state(work, batch, step)[1]
    return Kept(sum(steps), written, stopped)


def _written(work: Path) -> int:
    try:
        return int((work / WRITTEN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0
    except ValueError as error:
        raise LostStateError(f"{work / WRITTEN} is damaged; the forecast must be computed anew") from error


def _last_steps(work: Path, plan: Plan) -> list[int]:
    """The last step of every batch whose states are there; 0 where there are none."""
    last = [0] * len(plan.batches)
    for path in work.glob("batch-*"):
        if (found := _STATE.fullmatch(path.name)) and int(found[1]) < len(last):
            last[int(found[1])] = max(last[int(found[1])], int(found[2]))
    return last


def holds_states(work: Path) -> bool:
    """Whether anything was computed there."""
    return any(work.glob("batch-*"))


def forget_states(work: Path) -> None:
    """Begin anew: remove the states of all batches."""
    (work / WRITTEN).unlink(missing_ok=True)
    for path in work.glob("batch-*"):
        path.unlink()


def _state_path(work: Path, batch: int, step: int) -> Path:
    return work / f"batch-{batch:03d}.step-{step:05d}.safetensors"


def _header(states: NDArray[np.float32], metadata: Mapping[str, str]) -> bytes:
    """Of a safetensors file with these states alone: its length in 8 bytes, then JSON."""
    entry = {"dtype": "F32", "shape": states.shape, "data_offsets": [0, states.nbytes]}
    text = json.dumps({"__metadata__": metadata, "states": entry}).encode()
    padded = text.ljust(-(-len(text) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded


def _stops_text(stopped: Mapping[int, Stop]) -> str:
    return json.dumps([stop.to_json() for stop in stopped.values()])
