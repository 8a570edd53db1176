"""The curves of a training: its loss, and beneath it the learning rate and the norm of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from data_pipeline.errors import CheckpointError
from evaluation.plots.canvas import INK, save
from evaluation.plots.frames import COLOURS, GREYS, legend_below, plain, sheet
from forecast.training.metrics import FILE, read_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from forecast.training.config import TrainingConfig

    Floats = NDArray[np.float64]

ROWS = {"loss": 3.2, "learning rate": 1.2, "gradient norm": 1.6}
"""Panels of a stage, and how high they are in inches."""
COLUMN = 3.8
"""Inches."""
WIDEST_LINEAR = 5.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
SMOOTHED_SHARE = 0.05


class _Log(NamedTuple):
    config: TrainingConfig
    lines: list[dict[str, float]]

    def series(self, name: str) -> tuple[Floats, Floats]:
        """Steps and values."""
        pairs = [(line["step"], line[name]) for line in self.lines if name in line]
        steps, values = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return steps, values


def draw_curves(stages: Mapping[str, TrainingConfig], out: Path) -> None:
    """Draw the logs of stages, by name, side by side into the PNG file ``out``, written whole or not at all.

    Raises
    ------
    CheckpointError
        If no stage has a log, or a log is damaged.
    DataError
        If ``out`` does not end in ``.png``.
    """
    logs = {name: _Log(config, read_lines(config.folder)) for name, config in stages.items()}
    begun = {name: log for name, log in logs.items() if log.lines}
    if not begun:
        folders = " or ".join(str(config.folder) for config in stages.values())
        raise CheckpointError(f"no {FILE} with any step in {folders}; train first, without --plot")
    save(_figure(begun, [name for name in logs if name not in begun]), out)


def _figure(logs: Mapping[str, _Log], absent: list[str]) -> Figure:
    second = f"Smoothed over {SMOOTHED_SHARE:.0%} of the log" + (f"   not begun: {', '.join(absent)}" if absent else "")
    figure = sheet(max(8.0, COLUMN * len(logs)), sum(ROWS.values()) + 2.0, "Training curves", second)
    panels = figure.subplots(len(ROWS), len(logs), sharex="col", squeeze=False, height_ratios=list(ROWS.values()))
    for column, (name, log) in zip(panels.T, logs.items(), strict=True):
        _draw_loss(column[0], log)
        _draw_rate(column[1], log)
        _draw_norm(column[2], log)
        first = column[0] is panels[0, 0]
        for axes, row in zip(column, ROWS, strict=True):
            plain(axes, x="step" if axes is column[-1] else "", y=row if first else "")
        column[0].set_title(_title(name, log), fontsize=9.5, color=INK, loc="left")
        column[0].set_xlim(0, log.lines[-1]["step"])
        column[0].xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    legend_below(figure, list(panels.ravel()))
    return figure


def _title(name: str, log: _Log) -> str:
    title = f"{name} ({log.config.objective.kind}): step {log.lines[-1]['step']} of {log.config.steps}"
    steps, losses = log.series("validation_loss")
    if not np.isfinite(losses).any():
        return title
    best = int(np.nanargmin(losses))
    return f"{title}\nvalidation {losses[-1]:.4g}, lowest {losses[best]:.4g} at step {steps[best]:.0f}"


def _draw_loss(axes: Axes, log: _Log) -> None:
    _draw_noisy(axes, log, "loss")
    steps, values = log.series("validation_loss")
    label = "validation, of the averaged weights"
    axes.plot(steps, values, "o-", color=COLOURS[1], markersize=3.5, linewidth=1.6, label=label)
    for step, length in log.config.rollout.items():
        if 0 < step < log.lines[-1]["step"]:
            axes.axvline(step, color=GREYS[1], linewidth=1.0, linestyle=":", label="longer rollouts begin")
            axes.annotate(
                f"{length} steps", (step, 1.0), (2, -2), xycoords=axes.get_xaxis_transform(),
                textcoords="offset points", color=GREYS[0], fontsize=9, va="top",
            )  # fmt: skip
    _scale(axes)


def _draw_rate(axes: Axes, log: _Log) -> None:
    axes.plot(*log.series("learning_rate"), color=COLOURS[2], linewidth=1.6)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.yaxis.set_major_formatter(FuncFormatter(_number))


def _draw_norm(axes: Axes, log: _Log) -> None:
    _draw_noisy(axes, log, "gradient_norm")
    axes.axhline(log.config.clip_norm, color=GREYS[0], linewidth=1.0, linestyle="--", label="clip_norm")
    _scale(axes)


def _draw_noisy(axes: Axes, log: _Log, name: str) -> None:
    """As it was logged, thin, and its running mean."""
    steps, values = log.series(name)
    axes.plot(steps, values, color=COLOURS[4], linewidth=0.8, label="of a batch")
    axes.plot(steps, smoothed(values), color=COLOURS[0], linewidth=1.8, label="smoothed")


def smoothed(values: Floats) -> Floats:
    """The mean over a centred window of a twentieth of the values, which is cut at both ends.

    >>> smoothed(np.arange(4.0)).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    if not values.size:
        return values
    half = round(SMOOTHED_SHARE * len(values) / 2)
    window = np.ones(2 * half + 1)
    padded = np.pad(values, half), np.pad(np.ones(len(values)), half)
    total, count = (np.convolve(each, window, mode="valid") for each in padded)
    return np.asarray(total / count)


def _scale(axes: Axes) -> None:
    """A logarithmic axis for values that go over more than a factor of five."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines()])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() / values.min() > WIDEST_LINEAR:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_number))


def _number(value: float, position: int | None = None) -> str:
    del position
    return f"{value:.6g}"
