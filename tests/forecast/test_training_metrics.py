"""The log of a training, and TensorBoard's beside it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_pipeline.errors import CheckpointError, ConfigError
from forecast.training.loop import train
from forecast.training.metrics import FILE, Metrics, read_lines
from tests.forecast.trainings import left_by, log, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Experiment


class Board:
    """Remembers what TensorBoard would be given."""

    made: list[Board]

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step = folder, purge_step
        self.scalars: list[tuple[str, float, int]] = []
        self.flushed = 0
        self.made.append(self)

    def add_scalar(self, *scalar: Any) -> None:
        self.scalars.append(scalar)

    def flush(self) -> None:
        self.flushed = len(self.scalars)


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> list[Board]:
    """What has been made in the place of TensorBoard's writer, which is an extra."""
    monkeypatch.setattr(Board, "made", [], raising=False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Board))
    return Board.made


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    assert read_lines(tmp_path) == []
    metrics = Metrics(tmp_path, 0)
    metrics.add(10, loss=1 / 3, learning_rate=1e-3)
    metrics.add(10, validation_loss=0.25)
    assert read_lines(tmp_path) == [
        {"step": 10, "loss": 0.333333, "learning_rate": 0.001}, {"step": 10, "validation_loss": 0.25},
    ]  # fmt: skip
    Metrics(tmp_path, 9)
    assert read_lines(tmp_path) == [], "what is repeated is removed"


@pytest.mark.parametrize("damaged", ["{}", "[1]", "7", '{"loss": 1.0}', "\0\0", '{"step": 1', ""])
def test_refuses_a_line_that_is_none_of_ours(tmp_path: Path, damaged: str) -> None:
    (tmp_path / FILE).write_text('{"step": 1}\n' + damaged + '\n{"step": 3}\n')
    with pytest.raises(CheckpointError, match=r'line 2 of .*metrics\.jsonl is .*, expected JSON such as \{"step": 10'):
        read_lines(tmp_path)


def test_tensorboard_gets_all_that_is_logged(
    experiment: Callable[..., Experiment], boards: list[Board], tmp_path: Path
) -> None:
    folder = train(experiment(training__log_every=2), progress=False).parent
    whole = left_by(folder)
    assert boards == []
    states(folder)[-1].unlink()
    (folder / "checkpoint.safetensors").unlink()
    train(experiment(training__log_every=2, training__tensorboard=True), progress=False)
    assert left_by(folder) == whole, "resuming may begin with it, and the log is the same"
    (board,) = boards
    assert (board.folder, board.purge_step) == (str(tmp_path / "run" / "tensorboard"), 5)
    resumed = [line for line in log(folder) if line["step"] > 4]
    assert board.scalars == [
        (name, value, int(line["step"])) for line in resumed for name, value in line.items() if name != "step"
    ]
    assert board.flushed == len(board.scalars), "nothing waits for the end"


def test_says_what_to_install_for_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"needs the package tensorboard .*pip install 'sphercast\[tensorboard\]'"):
        Metrics(tmp_path, 0, tensorboard=True)
    assert list(tmp_path.iterdir()) == []
