"""The log of a training: ``metrics.jsonl``, a line of JSON for every few steps, and TensorBoard beside it if asked."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import CheckpointError, ConfigError
from data_pipeline.publish import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

FILE = "metrics.jsonl"


class Metrics:
    """Adds lines; those of steps after ``done``, which a resumed run repeats, are removed first.

    Raises
    ------
    CheckpointError
        If the log that is there holds a line that is none of ours.
    ConfigError
        If ``tensorboard`` is wanted and not installed.
    """

    def __init__(self, folder: Path, done: int, *, tensorboard: bool = False) -> None:
        self._path = folder / FILE
        self._board = _board(folder / "tensorboard", done) if tensorboard else None
        kept = [line for line in read_lines(folder) if line["step"] <= done]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def add(self, step: int, **values: float | Tensor) -> None:
        """A line of what is known after ``step`` steps."""
        line = {name: float(f"{float(value):.6g}") for name, value in values.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **line}) + "\n")
        if self._board:
            for name, value in line.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()  # so that a kill loses none


def read_lines(folder: Path) -> list[dict[str, float]]:
    """All whole lines of a training's log; none if there is no log.

    Raises
    ------
    CheckpointError
        If a line is no JSON object with a step.
    """
    path = folder / FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [_parsed(line, f"line {number} of {path}") for number, line in enumerate(lines, 1)]


def _parsed(text: str, name: str) -> dict[str, float]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or "step" not in line:
        expected = 'JSON such as {"step": 10, "loss": 0.5}'
        raise CheckpointError(f"{name} is {text[:40]!r}, expected {expected}; remove that line")
    return line


def _board(folder: Path, done: int) -> Any:
    """A writer of TensorBoard's files; what an earlier run wrote of steps after ``done`` is hidden."""
    return board_writer()(str(folder), purge_step=done + 1)


def board_writer() -> Any:
    """The class of TensorBoard's writers, or a ConfigError."""
    try:
        return import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise ConfigError(
            f"training.tensorboard needs the package tensorboard ({error}); "
            "pip install 'sphercast[tensorboard]', or set it to false"
        ) from error
