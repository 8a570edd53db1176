"""``sphercast train --plot``: the curves of a training, from its log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from data_pipeline.errors import CheckpointError
from forecast.cli_train_curves import _figure, _Log, draw_curves, smoothed
from forecast.config import load_experiment
from forecast.training.metrics import FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from forecast.training.config import TrainingConfig

    from .conftest import Run

CRPS: dict[str, Any] = {"training": {"objective": {"kind": "crps"}, "rollout": {0: 1, 60: 2, 150: 4}, "steps": 200}}
STAGES: dict[str, Any] = {
    "mean": {"training": {"objective": {"kind": "mean"}, "steps": 100}, "sampler": {"name": "mean"}}, "crps": CRPS,
}  # fmt: skip


def write_log(folder: Path, steps: int = 100, *, start: float = 1.0, end: float = 0.01) -> None:
    """Falling geometrically from one loss to the other, every step of ten; validation every fifty."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("w") as file:
        for step in range(10, steps + 1, 10):
            loss = start * (end / start) ** (step / steps)
            file.write(
                json.dumps({"step": step, "loss": loss, "gradient_norm": 3 * loss, "learning_rate": 1e-3}) + "\n"
            )
            if step % 50 == 0:
                file.write(json.dumps({"step": step, "validation_loss": 2 * loss}) + "\n")


@pytest.fixture
def config(tmp_path: Path, write_config: Callable[..., Path]) -> Path:
    return write_config(tmp_path, training__steps=200)


@pytest.fixture
def staged(tmp_path: Path, write_config: Callable[..., Path]) -> Path:
    path = write_config(tmp_path, sampler__name="euler", sampler__steps=1)
    with path.open("a") as file:
        file.write(json.dumps({"stages": STAGES})[1:-1].replace('"stages": ', "stages: ") + "\n")
    return path


def panels(config: TrainingConfig, lines: list[dict[str, float]]) -> list[Axes]:
    """Of loss, learning rate and gradient norm."""
    return _figure({"run": _Log(config, lines)}, []).axes


# the picture


def test_draws_what_the_log_holds(config: Path, tmp_path: Path) -> None:
    training = load_experiment(config).training
    write_log(training.folder)
    lines = [json.loads(line) for line in (training.folder / FILE).read_text().splitlines()]
    loss, rate, norm = panels(training, lines)
    batch, mean, validation = loss.get_lines()
    steps = np.arange(10, 101, 10)
    np.testing.assert_allclose(batch.get_xdata(), steps)
    np.testing.assert_allclose(batch.get_ydata(), 0.01 ** (steps / 100))
    np.testing.assert_allclose(mean.get_ydata(), smoothed(np.asarray(batch.get_ydata())))
    np.testing.assert_allclose(validation.get_xydata(), [[50, 0.2], [100, 0.02]])
    np.testing.assert_allclose(rate.get_lines()[0].get_ydata(), 1e-3)
    np.testing.assert_allclose(norm.get_lines()[0].get_ydata(), 3 * np.asarray(batch.get_ydata()))
    assert set(np.ravel(norm.get_lines()[2].get_ydata())) == {training.clip_norm}
    assert [axes.get_yscale() for axes in (loss, rate, norm)] == ["log", "linear", "log"]
    assert loss.get_title(loc="left") == ("run (denoising): step 100 of 200\nvalidation 0.02, lowest 0.02 at step 100")


@pytest.mark.parametrize(("start", "end", "scale"), [(1.0, 0.5, "linear"), (1.0, -0.5, "linear"), (1.0, 0.1, "log")])
def test_axes_are_logarithmic_where_values_go_far(config: Path, start: float, end: float, scale: str) -> None:
    training = load_experiment(config).training
    lines = [{"step": 10.0, "loss": start}, {"step": 20.0, "loss": end}]
    loss, *_ = panels(training, lines)
    assert loss.get_yscale() == scale


def test_marks_where_rollouts_grow(staged: Path) -> None:
    training = load_experiment(staged).stage("crps").training
    loss, *_ = panels(training, [{"step": step, "loss": 1.0} for step in (10.0, 100.0)])
    assert [(text.get_text(), text.xy[0]) for text in loss.texts] == [("2 steps", 60)], "4 steps have not begun"


def test_a_log_without_validation_or_with_nothing_finite_is_drawn(config: Path, tmp_path: Path) -> None:
    training = load_experiment(config).training
    nan = float("nan")
    assert "validation" not in panels(training, [{"step": 10.0, "loss": nan}])[0].get_title(loc="left")
    assert "validation" not in panels(training, [{"step": 10.0, "validation_loss": nan}])[0].get_title(loc="left")


def test_smoothing_is_the_mean_of_what_is_near() -> None:
    values = np.random.default_rng(0).normal(size=200)
    twin = [values[max(0, place - 5) : place + 6].mean() for place in range(200)]
    np.testing.assert_allclose(smoothed(values), twin)
    np.testing.assert_allclose(smoothed(np.full(77, 3.0)), 3.0)
    assert smoothed(np.empty(0)).size == 0


# the command


def test_one_training_into_its_folder(run: Run, config: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "run")
    outcome = run("train", config, "--plot")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{tmp_path / 'run' / 'loss.png'}\n", "")
    with Image.open(tmp_path / "run" / "loss.png") as picture:
        assert picture.size[0] == 800
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["loss.png", FILE], "nothing is trained"


def test_stages_side_by_side_or_one(run: Run, staged: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "run" / "mean")
    write_log(tmp_path / "run" / "crps")
    assert run("train", staged, "--plot").out == f"{tmp_path / 'run' / 'loss.png'}\n"
    assert run("train", staged, "--stage", "crps", "--plot", "--out", "one.png").out == "one.png\n"
    assert run("train", staged, "--stage", "crps", "--plot").out == f"{tmp_path / 'run' / 'crps' / 'loss.png'}\n"
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "run" / "crps" / "loss.png").read_bytes()


def test_stages_that_have_not_begun_are_named(staged: Path, tmp_path: Path) -> None:
    experiment = load_experiment(staged)
    write_log(tmp_path / "run" / "mean")
    draw_curves({name: experiment.stage(name).training for name in STAGES}, tmp_path / "loss.png")
    figure = _figure({"mean": _Log(experiment.stage("mean").training, [{"step": 10.0, "loss": 1.0}])}, ["crps"])
    assert figure.texts[1].get_text().endswith("not begun: crps")
    assert len(figure.axes) == 3


def test_a_line_that_is_being_written_is_left_out(run: Run, config: Path, tmp_path: Path) -> None:
    write_log(tmp_path / "run")
    with (tmp_path / "run" / FILE).open("a") as file:
        file.write('{"step": 110, "lo')
    assert run("train", config, "--plot").code == 0


def test_refuses_where_there_is_no_log(config: Path, fails: Callable[..., str], tmp_path: Path) -> None:
    assert "no metrics.jsonl with any step in" in fails("train", config, "--plot")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / FILE).touch()
    with pytest.raises(CheckpointError, match="train first, without --plot"):
        draw_curves({"run": load_experiment(config).training}, tmp_path / "loss.png")


def test_refuses_other_pictures_and_an_idle_out(config: Path, fails: Callable[..., str], tmp_path: Path) -> None:
    write_log(tmp_path / "run")
    assert "got loss.jpg; give a name that ends in .png" in fails("train", config, "--plot", "--out", "loss.jpg")
    assert "got --out loss.png without --plot" in fails("train", config, "--out", "loss.png")
    assert "no stage 'mean'" in fails("train", config, "--plot", "--stage", "mean")
