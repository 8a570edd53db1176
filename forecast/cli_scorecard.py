"""The commands that compare scores and draw them: ``sphercast score compare``, ``score plot`` and ``scorecard``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli_data import AsJson
from forecast.cli_score import score_app
from forecast.cli_score_words import refuse_inputs

if TYPE_CHECKING:
    from evaluation.compare import Comparison

Pair = Annotated[list[Path], typer.Argument(help="Two files of scores, or one.", metavar="A.nc [B.nc]")]
Against = Annotated[
    str | None, typer.Option(help="A baseline of the one file instead of a second; default: climatology, if there.")
]
Scores = Annotated[
    str | None, typer.Option("--scores", help="Names from 'score list', with commas; default: all that both have.")
]
Test = Annotated[str, typer.Option(help="Of intervals and p-values: ewc, geer, diebold_mariano or bootstrap.")]
By = Annotated[
    str | None,
    typer.Option(help="Each season, month or hour by itself, or all together; default: as both were scored."),
]
FalseDiscoveries = Annotated[
    float, typer.Option("--false-discovery-rate", help="Share of false ones among what is marked significant.")
]


@score_app.command("compare")
def score_compare(
    paths: Pair,
    against: Against = None,
    scores: Scores = None,
    test: Test = "ewc",
    false_discovery_rate: FalseDiscoveries = 0.1,
    by: By = None,
    out: Annotated[Path | None, typer.Option(help="NetCDF file to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether A is better than B, or than a baseline, and how surely."""
    from data_pipeline.publish import write_netcdf
    from evaluation.comparison_text import comparison_json, comparison_table

    if out is not None:
        refuse_inputs(out, paths)
    comparison = _compared(paths, against, scores, test, false_discovery_rate, by)
    if out is not None:
        write_netcdf(comparison.to_dataset(), out)
    if as_json:
        print(json.dumps(comparison_json(comparison)))
        return
    print(comparison_table(comparison))
    if out is not None:
        print(f"comparison: {out}")


@score_app.command("plot")
def score_plot(
    paths: Annotated[list[Path], typer.Argument(help="Files of scores.", metavar="SCORES...")],
    variable: Annotated[str, typer.Option(help="E.g. geopotential, 2m_temperature.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    kind: Annotated[
        str, typer.Option(help="curve, spread_error, rank_histogram, reliability, roc or spread_skill.")
    ] = "curve",
    score: Annotated[str | None, typer.Option(help="Name from 'score list'; of curves several, with commas.")] = None,
    level: Annotated[int | None, typer.Option(help="Pressure level in hPa.")] = None,
    region: Annotated[str | None, typer.Option(help="Default: the first.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Of scores --by season, month or hour, e.g. DJF; default: a panel for each.")
    ] = None,
    lead: Annotated[float | None, typer.Option(help="Lead time of a diagram in hours; default: up to four.")] = None,
    test: Test = "ewc",
) -> None:
    """Draw scores against lead time, rank histograms, reliability, ROC or error by spread."""
    from evaluation.estimates import Trial
    from evaluation.plots.scores import draw_scores

    draw_scores(
        paths, out, kind=kind, score=score, variable=variable, level=level, region=region, lead=lead, group=group,
        trial=Trial(test),
    )  # fmt: skip
    print(f"picture: {out}")


def scorecard(
    paths: Pair,
    out: Annotated[Path, typer.Option(help="File to write: .html, .png or .csv.")],
    against: Against = None,
    scores: Scores = None,
    test: Test = "ewc",
    false_discovery_rate: FalseDiscoveries = 0.1,
    by: By = None,
) -> None:
    """Show where A is better than B, or than a baseline: triangles by variable, level, lead and region."""
    from evaluation.scorecard import write_scorecard

    write_scorecard(_compared(paths, against, scores, test, false_discovery_rate, by), out)
    print(f"scorecard: {out}")


def _compared(
    paths: list[Path], against: str | None, scores: str | None, test: str, false_discovery_rate: float, by: str | None
) -> Comparison:
    from evaluation.compare import compare
    from evaluation.estimates import Trial
    from evaluation.scored import open_pair

    ours, theirs = open_pair(paths, against)
    names = [name.strip() for name in scores.split(",")] if scores else None
    return compare(ours, theirs, names, Trial(test), false_discovery_rate, by)
