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

from forecast.cli_data import AsJson, Quiet
from forecast.cli_score_words import names_of, part_of, refuse_inputs, regions_of, settings_of

if TYPE_CHECKING:
    from evaluation.answer import Answer
    from evaluation.climate import Climatology
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

_MOST_MISSING = 10
"""Of what was not scored, so many are named on standard error."""

Out = Annotated[Path, typer.Option(help="NetCDF file of scores to write.")]


@score_app.command("run")
def score_run(
    paths: Annotated[
        list[str],
        typer.Argument(help="Forecast files, then the truth (store, file or 'sample').", metavar="FORECAST... TRUTH"),
    ],
    out: Out = Path("scores.nc"),
    scores: Annotated[
        list[str] | None,
        typer.Option("--scores", "--metric", help="Names from 'score list', with commas; default: the usual ones."),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(help="Score only this variable; may be repeated. Default: all.")
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            help="Names from 'score list regions', with commas, e.g. global,land,box:S,N,W,E; or map alone. "
            "Default: global."
        ),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="To score on, e.g. equiangular:32x64; default: the coarser of the two.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Scores of each season, month or hour beside each other.")] = None,
    climatology: Annotated[
        str | None,
        typer.Option(
            help="Climatology to score beside: a store, its day_of_year, a sample's folder, climatology.nc, or "
            "WeatherBench2's (path or URL); 'truth' for the truth's other years; default: the truth's own."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="Scored beside; see 'score list baselines'. Default: persistence, climatology if there."),
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="Of events, e.g. '2m_temperature>303.15'; may be repeated.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE, e.g. alpha=1, pool_km=500,1000; see 'score list settings'."),
    ] = None,
    member: Annotated[int | None, typer.Option(help="Of the truth, where that is an ensemble.")] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Score only what has a partner.")] = False,
    part: Annotated[str, typer.Option(help="i/n: only every n-th initial time from the i-th; then 'score merge'.")] = (
        "1/1"
    ),
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed cluster to work on.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score forecasts against the truth, beside climatology and persistence. Run again to resume."""
    from evaluation.question import Question
    from evaluation.table import crps_table

    question = Question(
        variables=tuple(variable) if variable else None, regions=regions_of(regions), grid=grid, by=by,
        baselines=names_of(baseline) if baseline else None, allow_missing=allow_missing, part=part_of(part),
        settings=settings_of(setting, threshold),
        **({"metrics": names_of(scores)} if scores else {}),
    )  # fmt: skip
    answer = run(paths, out, question, climatology, scheduler=scheduler, progress=not quiet, member=member)
    if as_json:
        print(json.dumps(_summary(answer)))
        return
    if "crps" in question.metrics and by is None and not question.is_map:
        print(crps_table(answer.scores))
    print(f"scores: {out}")


@score_app.command("merge")
def score_merge(
    parts: Annotated[list[Path], typer.Argument(help="Files of 'score --part'.", metavar="PART...")],
    out: Out = Path("scores.nc"),
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Merge although a part lacks.")] = False,
) -> None:
    """Put parts together: the scores are those of one run over everything."""
    from evaluation.answer import merge
    from evaluation.score_files import write_scores

    refuse_inputs(out, parts)
    merged = merge(parts, allow_missing=allow_missing)
    write_scores(merged, out)
    _warn_of_missing(merged)
    print(f"scores: {out}")


@score_app.command("joint")
def score_joint(
    paths: Annotated[list[str], typer.Argument(help="Forecasts, then the truth.", metavar="FORECAST... TRUTH")],
    fields: Annotated[str, typer.Option(help="Two fields with a comma, e.g. temperature_850,specific_humidity_700.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")] = Path("joint.nc"),
    regions: Annotated[list[str] | None, typer.Option(help="As of 'score'; may be repeated.")] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out forecasts that are broken.")
    ] = False,
) -> None:
    """Joint histogram of two fields, of members and of the truth, and how far apart they are."""
    from data_pipeline.errors import ScoreError
    from data_pipeline.publish import write_netcdf
    from data_pipeline.reading import open_states
    from evaluation.metrics.joint import joint_histogram
    from evaluation.readers import files_of, open_forecasts

    *forecasts, truth = paths
    first, *others = names_of([fields])
    if len(others) != 1:
        raise ScoreError(
            f"got --fields {fields}, expected two with a comma, e.g. temperature_850,specific_humidity_700"
        )
    refuse_inputs(out, [*(file for path in forecasts for file in files_of(path)), truth])
    runs, left_out = open_forecasts(forecasts, allow_missing=allow_missing)
    found = joint_histogram(runs, open_states(truth), (first, others[0]), regions=regions_of(regions))
    write_netcdf(found.assign_attrs(missing="; ".join(left_out) or "none"), out)
    print(f"joint histogram: {out}")


def run(
    paths: list[str], out: Path, question: Question, climatology: str | None = None, *, scheduler: str | None = None,
    progress: bool = True, member: int | None = None,
) -> Answer:  # fmt: skip
    """Score files and write ``out``; says on standard error what could not be scored."""
    from data_pipeline.channels import inventory
    from data_pipeline.climatology_reading import open_climatology
    from data_pipeline.errors import ScoreError
    from data_pipeline.reading import find_climatology, open_states
    from evaluation.kept import keeping
    from evaluation.other_years import ClimatologyOfTruth
    from evaluation.readers import files_of
    from evaluation.score import score
    from evaluation.score_files import write_scores

    *forecasts, truth = paths
    if not forecasts:
        raise ScoreError(f"got one path, {truth}; expected forecasts and then the truth, e.g. forecast.nc sample")
    refuse_inputs(out, [*(file for path in forecasts for file in files_of(path)), truth, climatology or truth])
    states = open_states(truth, member=member)
    scored = [name for name in question.variables or states.data_vars if name in states]
    fields = inventory(states[scored]) or None
    seasons: Climatology | None
    if climatology == "truth":
        seasons = ClimatologyOfTruth(states)
    else:
        seasons = find_climatology(truth) if climatology is None else open_climatology(climatology, fields)
    inputs = {"forecasts": {path: _stamp(path) for path in forecasts}, "truth": truth, "climatology": climatology,
              "member": member}  # fmt: skip
    with keeping(out, question, inputs) as kept:
        answer = score(
            forecasts, states, question, climatology=seasons, kept=kept, scheduler=scheduler,
            progress=progress,
        )  # fmt: skip
        about = {} if climatology == "truth" else _about_climatology(climatology or truth, answer)
        answer = replace(answer, scores=answer.scores.assign_attrs(about))
        write_scores(answer, out)
    _warn_of_missing(answer)
    if answer.scores.attrs["invalid_values"] != "none":
        invalid = answer.scores.attrs["invalid_values"]
        print(f"sphercast: warning: not every value could be scored: {invalid}", file=sys.stderr)
    return answer


def _warn_of_missing(answer: Answer) -> None:
    """Say on standard error what was not scored, if anything."""
    missing = answer.scores.attrs["missing"]
    if missing != "none":
        first, *more = missing.split("; ", _MOST_MISSING)
        said = "; ".join([first, *more[: _MOST_MISSING - 1]])
        rest = f"; and {more[-1].count('; ') + 1} more" if len(more) == _MOST_MISSING else ""
        print(f"sphercast: warning: not scored: {said}{rest} (attribute 'missing')", file=sys.stderr)


def _about_climatology(path: str, answer: Answer) -> dict[str, str]:
    """What must be said of a climatology, also on standard error if it has seen what is scored."""
    from evaluation.alignment import overlap, training_period

    if "climatology" not in answer.scores["model"].values:
        return {}
    own = next(iter(answer.sums.values()))
    leads = (own["lead_time"].values * 3600).astype("timedelta64[s]").astype("timedelta64[ns]")
    period = training_period(path)
    said = overlap(period, list(np.unique(own["initial_time"].values[:, None] + leads)))
    if said and period is not None:
        print(f"sphercast: warning: {said}", file=sys.stderr)
    return {"climatology": path, "climatology_overlap": said or "none"}


def _stamp(path: str) -> list[int]:
    """Tells files from others that replaced them."""
    from evaluation.readers import files_of

    stats = [Path(file).stat() for file in files_of(path) if Path(file).exists()]
    return [number for stat in stats for number in (stat.st_size, stat.st_mtime_ns)]


def _summary(answer: Answer) -> dict[str, Any]:
    """Every score of the forecast as nested lists, with its labels."""
    from data_pipeline.tables import listed

    scores = answer.scores.sel(model="forecast")
    fields = {
        str(name): {"dims": list(map(str, field.dims)), "units": field.attrs["units"], "values": listed(field.values)}
        for name, field in scores.data_vars.items()
    }
    labels = {str(name): label.values.tolist() for name, label in scores.coords.items() if label.ndim}
    return {"attributes": dict(scores.attrs), "labels": labels, "scores": fields}
