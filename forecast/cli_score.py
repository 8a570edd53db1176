"""The commands about scores: ``sphercast score``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from forecast.cli_data import AsJson, Quiet

if TYPE_CHECKING:
    from evaluation.answer import Answer
    from evaluation.compare import Comparison
    from evaluation.climate import Climatology
    from evaluation.question import Question
    from evaluation.settings import Settings


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
            help="E.g. global, tropics, land, europe&land, box:S,N,W,E, map; may be repeated. Default: global."
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
        variables=tuple(variable) if variable else None, regions=tuple(regions or ["global"]), grid=grid, by=by,
        baselines=_names(baseline) if baseline else None, allow_missing=allow_missing, part=_part(part),
        settings=_settings(setting, threshold),
        **({"metrics": _names(scores)} if scores else {}),
    )  # fmt: skip
    answer = run(paths, out, question, climatology, scheduler=scheduler, progress=not quiet)
    if as_json:
        print(json.dumps(_summary(answer)))
        return
    if "crps" in question.metrics and by is None and not question.is_map:
        print(crps_table(answer.scores))
    print(f"scores: {out}")


class Listing(StrEnum):
    """What ``score list`` lists."""

    scores = "scores"
    regions = "regions"
    baselines = "baselines"
    variables = "variables"
    settings = "settings"


@score_app.command("list")
def score_list(
    what: Annotated[
        Listing, typer.Argument(help="Scores, regions, baselines, derived variables, or settings.")
    ] = Listing.scores,
) -> None:
    """Name every score, with a line on each; or every region, baseline or derived variable."""
    print("\n".join(_listing(what)))


def _listing(what: Listing) -> list[str]:
    from evaluation.derived import DERIVED
    from evaluation.more_baselines import BASELINES
    from evaluation.regions import BOXES
    from evaluation.settings import Settings

    match what:
        case Listing.scores:
            return _score_lines()
        case Listing.regions:
            boxes = [f"{name:<28} {south:g}..{north:g} N, {west:g}..{east:g} E"
                     for name, (south, north, west, east) in BOXES.items()]  # fmt: skip
            return [*boxes, "extra-tropics, land, sea, band:SOUTH,NORTH, box:SOUTH,NORTH,WEST,EAST,",
                    "polygon:FILE.geojson, stations:FILE.csv, and any of them joined by &"]  # fmt: skip
        case Listing.baselines:
            return list(BASELINES)
        case Listing.variables:
            return [f"{name:<32} {entry.units}" for name, entry in DERIVED.items()]
        case Listing.settings:
            return [f"{name:<24} {value}" for name, value in asdict(Settings()).items()]


def _score_lines() -> list[str]:
    from evaluation.metrics.registry import METRICS

    lines: list[str] = []
    for family in dict.fromkeys(entry.family for entry in METRICS.values()):
        lines += ["", family]
        own = {name: entry for name, entry in METRICS.items() if entry.family == family}
        for name, entry in own.items():
            needs = f"; needs {', '.join(sorted(entry.needs))}" if entry.needs else ""
            lines.append(f"  {name:<40} {entry.summary} ({_better(entry.direction)}{needs})")
    return lines[1:]


@score_app.command("merge")
def score_merge(
    parts: Annotated[list[Path], typer.Argument(help="Files of 'score --part'.", metavar="PART...")],
    out: Out = Path("scores.nc"),
) -> None:
    """Put parts together: the scores are those of one run over everything."""
    from evaluation.answer import merge
    from evaluation.score_files import write_scores

    write_scores(merge(parts), out)
    print(f"scores: {out}")


def run(
    paths: list[str], out: Path, question: Question, climatology: str | None = None, *, scheduler: str | None = None,
    progress: bool = True,
) -> Answer:  # fmt: skip
    """Score files and write ``out``; says on standard error what could not be scored."""
    from data_pipeline.channels import inventory
    from data_pipeline.climatology_reading import open_climatology
    from data_pipeline.errors import ScoreError
    from data_pipeline.reading import find_climatology, open_states
    from evaluation.kept import keeping
    from evaluation.other_years import ClimatologyOfTruth
    from evaluation.score import score
    from evaluation.score_files import write_scores

    *forecasts, truth = paths
    if not forecasts:
        raise ScoreError(f"got one path, {truth}; expected forecasts and then the truth, e.g. forecast.nc sample")
    states = open_states(truth)
    scored = [name for name in question.variables or states.data_vars if name in states]
    fields = inventory(states[scored]) or None
    seasons: Climatology | None
    if climatology == "truth":
        seasons = ClimatologyOfTruth(states)
    else:
        seasons = find_climatology(truth) if climatology is None else open_climatology(climatology, fields)
    inputs = {"forecasts": {path: _stamp(path) for path in forecasts}, "truth": truth, "climatology": climatology}
    with keeping(out, question, inputs) as kept:
        answer = score(
            forecasts, states, question, climatology=seasons, kept=kept, scheduler=scheduler,
            progress=progress,
        )  # fmt: skip
        write_scores(answer, out)
    if answer.scores.attrs["invalid_values"] != "none":
        invalid = answer.scores.attrs["invalid_values"]
        print(f"sphercast: warning: not every value could be scored: {invalid}", file=sys.stderr)
    return answer


def _stamp(path: str) -> list[int]:
    """Tells files from others that replaced them."""
    from evaluation.readers import files_of

    stats = [Path(file).stat() for file in files_of(path) if Path(file).exists()]
    return [number for stat in stats for number in (stat.st_size, stat.st_mtime_ns)]


def _names(words: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for word in words for name in word.split(",") if name.strip())


def _part(text: str) -> tuple[int, int]:
    from data_pipeline.errors import ScoreError

    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise ScoreError(f"got --part {text}, expected i/n, e.g. 1/4")
    return int(number), int(count)


def _settings(words: list[str] | None, thresholds: list[str] | None) -> Settings:
    from data_pipeline.errors import ScoreError
    from evaluation.settings import Settings

    found: dict[str, list[float]] = {}
    for text in thresholds or ():
        variable, _, value = text.partition(">")
        try:
            found.setdefault(variable.strip(), []).append(float(value))
        except ValueError:
            raise ScoreError(f"got --threshold {text!r}, expected VARIABLE>VALUE, e.g. 2m_temperature>303.15") from None
    own = {name: tuple(sorted(values)) for name, values in found.items()}
    return Settings.of(words or (), own if thresholds else None)


def _better(direction: str) -> str:
    return {"lower": "lower is better", "higher": "higher is better", "zero": "best at 0", "one": "best at 1"}.get(
        direction, "neither way better"
    )


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


Score = Annotated[
    str | None, typer.Option("--scores", help="Names from 'score list', with commas; default: all of both.")
]
Against = Annotated[
    str | None, typer.Option(help="A baseline of the file, e.g. climatology, instead of a second file.")
]
Test = Annotated[str, typer.Option(help="Of intervals and p-values: ewc, geer, diebold_mariano or bootstrap.")]
FalseDiscoveries = Annotated[float, typer.Option(help="Share of false discoveries among what is marked.")]


@score_app.command("compare")
def score_compare(
    paths: Annotated[list[Path], typer.Argument(help="Two files of scores, or one.", metavar="A.nc [B.nc]")],
    against: Against = None,
    scores: Score = None,
    test: Test = "ewc",
    false_discovery_rate: FalseDiscoveries = 0.1,
    out: Annotated[Path | None, typer.Option(help="NetCDF file to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether A is better than B, or than a baseline, and how surely."""
    from data_pipeline.publish import write_netcdf
    from evaluation.comparison_text import comparison_json, comparison_table

    comparison = compared(paths, against, scores, test, false_discovery_rate)
    if out is not None:
        write_netcdf(comparison.to_dataset(), out)
    print(json.dumps(comparison_json(comparison)) if as_json else comparison_table(comparison))
    if out is not None and not as_json:
        print(f"comparison: {out}")


@score_app.command("plot")
def score_plot(
    paths: Annotated[list[Path], typer.Argument(help="Files of scores.", metavar="SCORES...")],
    variable: Annotated[str, typer.Option(help="E.g. geopotential, 2m_temperature.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    kind: Annotated[str, typer.Option(help="curve, spread_error, rank_histogram, reliability or roc.")] = "curve",
    score: Annotated[str | None, typer.Option(help="Name from 'score list'; of curves several, with commas.")] = None,
    level: Annotated[int | None, typer.Option(help="Pressure level in hPa.")] = None,
    region: Annotated[str | None, typer.Option(help="Default: the first.")] = None,
    lead: Annotated[float | None, typer.Option(help="Lead time of a diagram in hours; default: up to four.")] = None,
    test: Test = "ewc",
) -> None:
    """Draw scores against lead time, rank histograms, reliability or ROC."""
    from evaluation.estimates import Trial
    from evaluation.plots.scores import draw_scores

    draw_scores(
        paths, out, kind=kind, score=score, variable=variable, level=level, region=region, lead=lead, trial=Trial(test)
    )
    print(f"picture: {out}")


def compared(
    paths: list[Path], against: str | None, scores: str | None, test: str, false_discovery_rate: float
) -> Comparison:
    """The forecast of a file against that of another, or against a baseline in it (climatology, else the first)."""
    from evaluation.compare import compare
    from evaluation.estimates import Trial
    from evaluation.scored import open_pair

    ours, theirs = open_pair(paths, against)
    names = _names([scores]) if scores else None
    return compare(ours, theirs, names, Trial(test), false_discovery_rate)
