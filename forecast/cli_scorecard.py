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
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    variable: Annotated[
        str | None, typer.Option(help="E.g. geopotential, 2m_temperature; default: the only one.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="curve, spread_error, rank_histogram, reliability, roc, spread_skill, spectrum, economic_value, map "
            "or joint; default: what suits the file and the score."
        ),
    ] = None,
    score: Annotated[str | None, typer.Option(help="Name from 'score list'; of curves several, with commas.")] = None,
    level: Annotated[int | None, typer.Option(help="Pressure level in hPa.")] = None,
    region: Annotated[str | None, typer.Option(help="Default: the first; of a map the part to show.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Of scores --by season, month or hour, e.g. DJF; default: a panel for each.")
    ] = None,
    lead: Annotated[
        float | None, typer.Option(help="Lead time in hours; default: up to four of a diagram, the last of a map.")
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="One of a score's own thresholds or the like, e.g. threshold=280.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Of a map: a baseline to subtract.")] = None,
    projection: Annotated[str | None, typer.Option(help="Of a map; names as in 'sphercast plot'.")] = None,
    test: Test = "ewc",
) -> None:
    """Draw scores: against lead time, as maps, spectra, rank histograms, reliability, ROC and other diagrams."""
    from evaluation.estimates import Trial
    from evaluation.plots.scores import draw_scores

    draw_scores(
        paths, out, kind=kind, score=score, variable=variable, level=level, region=region, lead=lead, group=group,
        at=_labels(at), against=against, projection=projection, trial=Trial(test),
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

    comparison = _compared(paths, against, scores, test, false_discovery_rate, by)
    write_scorecard(comparison, out)
    print("\n".join([f"scorecard: {out}", *(f"note: {note}" for note in comparison.notes)]))


def _labels(asked: list[str] | None) -> dict[str, float | str]:
    """Labels by axis, of words such as ``threshold=280``."""
    from data_pipeline.errors import ScoreError

    found: dict[str, float | str] = {}
    for word in asked or ():
        axis, equals, label = word.partition("=")
        if not (axis and equals and label):
            raise ScoreError(f"got --at {word}, expected an axis and a label, e.g. --at threshold=280")
        try:
            found[axis] = float(label)
        except ValueError:
            found[axis] = label
    return found


def _compared(
    paths: list[Path], against: str | None, scores: str | None, test: str, false_discovery_rate: float, by: str | None
) -> Comparison:
    from evaluation.compare import compare
    from evaluation.estimates import Trial
    from evaluation.scored import open_pair

    ours, theirs = open_pair(paths, against)
    names = [name.strip() for name in scores.split(",")] if scores else None
    return compare(ours, theirs, names, Trial(test), false_discovery_rate, by)
