"""``sphercast score list``: what can be asked for."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from forecast.cli_score import score_app


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
    from evaluation.settings import USUAL_THRESHOLDS, Settings

    match what:
        case Listing.scores:
            return _score_lines()
        case Listing.regions:
            boxes = [f"{name:<28} {south:g}..{north:g} N, {west:g}..{east:g} E"
                     for name, (south, north, west, east) in BOXES.items()]  # fmt: skip
            return [*boxes, "extra-tropics, land, sea, band:SOUTH,NORTH, box:SOUTH,NORTH,WEST,EAST,",
                    "polygon:FILE.geojson, stations:FILE.csv, and any of them joined by &;",
                    "map, alone: every point by itself"]  # fmt: skip
        case Listing.baselines:
            return list(BASELINES)
        case Listing.variables:
            return [f"{name:<32} {entry.units}" for name, entry in DERIVED.items()]
        case Listing.settings:
            chosen = {name: value for name, value in asdict(Settings()).items() if name != "thresholds"}
            usual = "; ".join(f"{name} > {', '.join(map(str, own))}" for name, own in USUAL_THRESHOLDS.items())
            return [*(f"{name:<24} {_written(value)}" for name, value in chosen.items()),
                    f"thresholds, by --threshold instead of --set; without any: {usual}"]  # fmt: skip


def _written(value: object) -> str:
    """As ``--set`` takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


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


def _better(direction: str) -> str:
    return {"lower": "lower is better", "higher": "higher is better", "zero": "best at 0", "one": "best at 1"}.get(
        direction, "neither way better"
    )
