"""The commands about scores: ``sphercast score``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from typer.core import TyperGroup

from forecast.cli_data import AsJson, Quiet, Scheduler, StepHours
from forecast.cli_score_options import (
    AllowMissing,
    Baselines,
    By,
    ClimatologyPath,
    OnGrid,
    Out,
    Part,
    Paths,
    Regions,
    Scores,
    Set,
    Thresholds,
    TruthMember,
    Variables,
    WithoutMembers,
)
from forecast.cli_score_words import (
    members_of,
    names_of,
    part_of,
    refuse_inputs,
    regions_of,
    settings_of,
    warn,
    warn_of_missing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.answer import Answer
    from evaluation.question import Question


class _RunUnlessNamed(TyperGroup):
    """``sphercast score FORECAST... TRUTH`` is ``sphercast score run FORECAST... TRUTH``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The subcommand named first, or else ``run``."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options before the first path are ``run``'s too."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


score_app = typer.Typer(
    cls=_RunUnlessNamed,
    no_args_is_help=True,
    help="Score forecasts: 'sphercast score FORECAST... TRUTH', or one of the commands below.",
)


@score_app.command("run")
def score_run(
    paths: Paths,
    out: Out = Path("scores.nc"),
    scores: Scores = None,
    variable: Variables = None,
    regions: Regions = None,
    grid: OnGrid = None,
    by: By = None,
    climatology: ClimatologyPath = None,
    baseline: Baselines = None,
    threshold: Thresholds = None,
    setting: Set = None,
    member: TruthMember = None,
    step_hours: StepHours = None,
    without_member: WithoutMembers = None,
    allow_missing: AllowMissing = False,
    part: Part = "1/1",
    scheduler: Scheduler = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score forecasts against the truth, beside climatology and persistence. Run again to resume."""
    from evaluation.question import Question

    question = Question(
        variables=tuple(variable) if variable else None, regions=regions_of(regions), grid=grid, by=by,
        baselines=names_of(baseline) if baseline else None, allow_missing=allow_missing,
        without_members=members_of(without_member), part=part_of(part), settings=settings_of(setting, threshold),
        **({"metrics": names_of(scores)} if scores else {}),
    )  # fmt: skip
    answer = run(
        paths, out, question, climatology, scheduler=scheduler, progress=not quiet, member=member,
        step_hours=step_hours,
    )  # fmt: skip
    _show(answer, question, out, as_json=as_json)


@score_app.command("merge")
def score_merge(
    parts: Annotated[list[Path], typer.Argument(help="Files of 'score --part'.", metavar="PART...")],
    out: Out = Path("scores.nc"),
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Merge although a part lacks.")] = False,
) -> None:
    """Put parts together: the scores are those of one run over everything."""
    from evaluation.answer import merge
    from evaluation.kept import scratch
    from evaluation.score_files import write_scores

    refuse_inputs(out, parts)
    with scratch(out) as folder:
        merged = merge(parts, allow_missing=allow_missing, into=folder / "all.nc")
        write_scores(merged, out)
    _warn_of(merged.scores.attrs)
    print(f"scores: {out}")


def run(
    paths: list[str], out: Path, question: Question, climatology: str | None = None, *, scheduler: str | None = None,
    progress: bool = True, member: int | None = None, step_hours: int | None = None,
) -> Answer:  # fmt: skip
    """Score files and write ``out``; says on standard error what could not be scored."""
    from data_pipeline.errors import ScoreError
    from data_pipeline.reading import open_states
    from evaluation.chosen_climatology import choose_climatology
    from evaluation.kept import keeping
    from evaluation.readers import files_of
    from evaluation.score import score
    from evaluation.score_files import write_scores

    *forecasts, truth = paths
    if not forecasts:
        raise ScoreError(f"got one path, {truth}; expected forecasts and then the truth, e.g. forecast.nc sample")
    refuse_inputs(out, [*(file for path in forecasts for file in files_of(path)), truth, climatology or truth])
    states = open_states(truth, member=member, step_hours=step_hours, others=True)
    chosen = choose_climatology(climatology, truth, states, question)
    if chosen.why:
        print(f"sphercast: scored beside the climatology {chosen.path}, as {chosen.why}", file=sys.stderr)
    inputs = {"truth": truth, "climatology": climatology, "member": member, "step_hours": step_hours}
    with keeping(out, question, inputs) as kept:
        answer = score(
            forecasts, states, question, climatology=chosen.climatology, kept=kept, scheduler=scheduler,
            progress=progress,
        )  # fmt: skip
        about = _about_climatology(chosen.path, answer)
        answer = replace(answer, scores=answer.scores.assign_attrs(about))
        write_scores(answer, out)
    _warn_of(answer.scores.attrs)
    return answer


def _warn_of(attributes: Mapping[str, str]) -> None:
    """Say on standard error what was not scored."""
    warn_of_missing(attributes["missing"])
    if attributes["unobserved_values"] != "none":
        warn(f"the truth lacks values that were forecast, which do not count: {attributes['unobserved_values']}")
    if attributes["invalid_values"] != "none":
        warn(f"not every value could be scored: {attributes['invalid_values']}")


def _about_climatology(path: str, answer: Answer) -> dict[str, str]:
    """Which climatology was used, and what must be said of it, also on standard error if it may know the truth."""
    from evaluation.alignment import overlap, training_period
    from evaluation.chosen_climatology import OTHER_YEARS

    if path == OTHER_YEARS or "climatology" not in answer.scores["model"].values:
        return {"climatology": path}
    own = next(iter(answer.sums.values()))
    leads = (own["lead_time"].values * 3600).astype("timedelta64[s]").astype("timedelta64[ns]")
    period = training_period(path)
    said = overlap(period, list(np.unique(own["initial_time"].values[:, None] + leads)))
    if said:
        warn(said)
    return {"climatology": path, "climatology_overlap": said or "none"}


def _show(answer: Answer, question: Question, out: Path, *, as_json: bool) -> None:
    """What was found, on standard output."""
    from evaluation.table import score_tables

    if as_json:
        print(json.dumps(_summary(answer)))
        return
    print(score_tables(answer.scores, question))
    lost, asked = answer.scores.attrs["unreadable_fields"].split(" of ")
    partial = f" (partial: {lost} of {asked} fields cannot be read; attribute 'missing')" if lost != "0" else ""
    print(f"scores: {out}{partial}")


def _summary(answer: Answer) -> dict[str, Any]:
    """Every score of the forecast as nested lists, with its labels; and what is missing, one by one."""
    from data_pipeline.tables import listed

    scores = answer.scores.sel(model="forecast")
    fields = {
        str(name): {"dims": list(map(str, field.dims)), "units": field.attrs["units"], "values": listed(field.values)}
        for name, field in scores.data_vars.items()
    }
    labels = {str(name): label.values.tolist() for name, label in scores.coords.items() if label.ndim}
    missing = scores.attrs["missing"]
    lacking = [] if missing == "none" else missing.split("; ")
    return {"attributes": dict(scores.attrs), "missing": lacking, "labels": labels, "scores": fields}
