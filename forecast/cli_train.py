"""``sphercast train``: one stage or all of them, each from where it was left, or the curves of their logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from data_pipeline.errors import ConfigError
from forecast.cli_data import Config, Quiet

if TYPE_CHECKING:
    from forecast.config import Experiment


def train(
    config: Config,
    stage: Annotated[
        Optional[str], typer.Option(help="One of the config's stages; default: all of them, one after the other.")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the loss so far, of all stages or of one, and train nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all that could stop it, say what would be done, train nothing.")
    ] = False,
    out: Annotated[
        Optional[Path], typer.Option(help="With --plot: PNG file to write; default: loss.png in training.folder.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a forecaster on its store. Run again to resume.

    To share the work, start it as 'torchrun --nproc-per-node N -m forecast train ...'.
    """
    from forecast.config import load_experiment

    if out and not plot:
        raise ConfigError(f"got --out {out} without --plot, for which it is; leave it out, or add --plot")
    experiment = load_experiment(config)
    trainings = _trainings(experiment, stage)
    if plot:
        _plot(trainings, out or (trainings[stage] if stage else experiment).training.folder / "loss.png")
        return
    from forecast.training.checking import check, planned
    from forecast.training.distributed import joined
    from forecast.training.loop import train as run_training

    with joined() as world:
        check(trainings, world)
        if dry_run:
            if world.writes:
                print(*planned(trainings), sep="\n")
            return
        for each in trainings.values():
            path = run_training(each, progress=not quiet, world=world)
            if world.writes:
                print(f"checkpoint: {path}")


def _trainings(experiment: Experiment, stage: str | None) -> dict[str, Experiment]:
    """By the name of the stage, or of the folder if there are no stages."""
    if stage is None and not experiment.stages:
        return {experiment.training.folder.name: experiment}
    return {name: experiment.stage(name) for name in ([stage] if stage else experiment.stages)}


def _plot(trainings: dict[str, Experiment], out: Path) -> None:
    from forecast.cli_train_curves import draw_curves

    draw_curves({name: each.training for name, each in trainings.items()}, out)
    print(out)
