"""The command ``sphercast scorecard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli_score import Against, FalseDiscoveries, Score, Test, compared


def scorecard(
    paths: Annotated[list[Path], typer.Argument(help="Two files of scores, or one.", metavar="A.nc [B.nc]")],
    out: Annotated[Path, typer.Option(help="File to write: .html, .png or .csv.")],
    against: Against = None,
    scores: Score = None,
    test: Test = "ewc",
    false_discovery_rate: FalseDiscoveries = 0.1,
) -> None:
    """Show where A is better than B, or than a baseline: triangles by variable, level, lead and region."""
    from evaluation.scorecard import write_scorecard

    write_scorecard(compared(paths, against, scores, test, false_discovery_rate), out)
    print(f"scorecard: {out}")
