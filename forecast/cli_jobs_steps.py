"""What a job does after its forecast with the evaluation's help: maps, and scores when the truth has arrived."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.reading import open_states
from forecast.output import read_manifest
from forecast.service.work import SCORES, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.service.job_file import JobFile
    from forecast.service.job_plots import Plot

_LOG = logging.getLogger(__name__)


def plot_steps(job: JobFile) -> list[Step]:
    """A step for each picture of the job."""
    return [Step(f"the picture {plot.name}", (plot.name,), _draws(job, plot)) for plot in job.plots]


def _draws(job: JobFile, plot: Plot) -> Callable[[Path], None]:
    output = job.main_output
    assert output is not None, "the job file was checked"

    def make(folder: Path) -> None:
        from evaluation.plots import Request, draw
        from evaluation.plots.animation import animate
        from evaluation.plots.places import Local, draw_at
        from evaluation.readers import open_run
        from forecast.cli_jobs_checks import options_at_a_place, options_of, place_of

        run, out = open_run(folder / output.name), folder / plot.name
        if plot.at is not None:
            draw_at(Local.of(run, place_of(job, plot.at)), kind=plot.kind, out=out, **options_at_a_place(plot))
        elif plot.animate:
            animate(run, plot.kind, Request(**options_of(plot)), out)
        else:
            draw(run, out=out, kind=plot.kind, **options_of(plot))

    return make


def scorer(job: JobFile) -> Callable[[Path], bool] | None:
    """Scores a published cycle if the truth is there, and says whether it was; None if the job wants no scores."""
    scores, output = job.scores, job.main_output
    if scores is None or output is None:
        return None

    def score(folder: Path) -> bool:
        from evaluation.metrics.registry import DEFAULT_METRICS
        from evaluation.question import Question
        from forecast.cli_jobs_checks import check_scores
        from forecast.cli_score import run as run_score

        check_scores(scores.scores or (), len(read_manifest(folder).members))
        if not _has_come(scores.truth, folder):
            return False
        question = Question(metrics=scores.scores or DEFAULT_METRICS)
        paths = [str(folder / output.name), scores.truth]
        run_score(paths, folder / SCORES, question, scores.climatology, progress=False)
        return True

    return score


def _has_come(truth: str, folder: Path) -> bool:
    """Whether the truth has every valid time of the forecast."""
    from forecast.initial import times_of

    manifest = read_manifest(folder)
    steps = np.arange(1, manifest.steps + 1) * np.timedelta64(round(manifest.step_hours * 3600), "s")
    try:
        missing = np.setdiff1d(np.datetime64(manifest.initial_time) + steps, times_of(open_states(truth)))
    except DataError as error:  # the file itself may come with the first of its times
        _LOG.info("no truth yet: %s", error)
        return False
    return missing.size == 0
