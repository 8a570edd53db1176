"""Table (Markdown) and figure of the study, from what ``python -m benchmarks.study`` wrote.

python -m benchmarks.study_table [--scores runs/speedy/study] [--variable geopotential_500] [--figure FILE.png]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.sentences import in_a_sentence
from benchmarks.study import CLIMATOLOGY, GENERATORS, file_name
from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Scores = Mapping[str, NDArray[Any]]

DAYS = (1, 3, 5, 7, 10)
RESAMPLES = 2000
METRES = 9.80665
SHARE = 2 / 3
"""Of the degrees that the grid holds, those whose power is compared."""


def main() -> None:
    """Print the table, draw the figure."""
    options = _options()
    studied, climate = scores_in(options.scores)
    channel = list(climate["channels"]).index(options.variable)
    scale = METRES if options.variable.startswith("geopotential") else 1.0
    print(table(studied, climate, channel, scale))
    if options.figure:
        figure(studied, climate, channel, scale, options.variable).savefig(options.figure, dpi=110)


def scores_in(folder: Path) -> tuple[dict[str, Scores], Scores]:
    """The scores of each generator, in the study's order, and of the climatology; other files are named on stderr.

    Raises
    ------
    DataError
        If the climatology is missing, or of another test than a generator.
    """
    files = {file_name(name): name for name in GENERATORS}
    others = {path.name for path in folder.glob("*.npz")} - {*files, CLIMATOLOGY}
    if others:
        print(f"not of the study, left out: {', '.join(sorted(others))}", file=sys.stderr)
    if not (folder / CLIMATOLOGY).exists():
        raise DataError(f"{folder} has no {CLIMATOLOGY}, which 'python -m benchmarks.study' writes; run that first")
    climate = _read(folder / CLIMATOLOGY)
    studied = {name: _read(folder / file) for file, name in files.items() if (folder / file).exists()}
    for name, scores in studied.items():
        _require_same_test(name, scores, climate)
    return studied, climate


def _read(path: Path) -> Scores:
    with np.load(path) as file:
        return dict(file)


def _require_same_test(name: str, scores: Scores, climate: Scores) -> None:
    """By their shapes, and by what they say, if both do."""
    tests = [str(each.get("test", "")) for each in (scores, climate)]
    if scores["crps"].shape != climate["crps"].shape or (all(tests) and len(set(tests)) > 1):
        told = [test or f"scores {each['crps'].shape}" for test, each in zip(tests, (scores, climate), strict=True)]
        raise DataError(
            f"{name} and the climatology are of other tests ({told[0]} and {told[1]}); run both anew with the same "
            "options, or into another --out"
        )


def table(studied: Mapping[str, Scores], climate: Scores, channel: int, scale: float) -> str:
    """Fair CRPS with 95 % intervals, skill over climatology, spread/skill, spectra and cost."""
    days = [day for day in DAYS if day <= len(climate["crps"])]
    head = ["generator", *(f"CRPS day {day}" for day in days), "CRPSS", "spread/skill", "power", "evaluations a day",
            "ms a member-day"]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    known = climate["crps"][..., channel] / scale
    rows.append(["climatology", *(_interval(known[day - 1]) for day in days), "0", "", "", "", ""])
    for name, scores in studied.items():
        crps = scores["crps"][..., channel] / scale
        skill = 1 - crps.mean(1) / known.mean(1)
        ratio, power = _spread_skill(scores, channel), _power(scores, channel)
        spread = _listed(ratio) if ratio.any() else "none"
        rows.append([
            name, *(_interval(crps[day - 1]) for day in days), _listed(skill), spread,
            f"{power[0]:.2f} to {power[1]:.2f}", str(_evaluations(name)),
            f"{1000 * float(scores['seconds_per_member_day']):.2f}",
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _evaluations(generator: str) -> int:
    """Of the network in a day; a generator's number is that in a step."""
    each = re.search(r"-(\d+)", generator)
    return (24 // (GENERATORS[generator].hours or 24)) * int(each[1] if each else 1)


def figure(studied: Mapping[str, Scores], climate: Scores, channel: int, scale: float, variable: str) -> Figure:
    """CRPS and spread/skill by lead, and the last day's spectra over the truth's."""
    drawn = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = drawn.subplots(1, 3)
    colours = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    for number, (name, scores) in enumerate(studied.items()):
        style: dict[str, Any] = {"color": colours[number % 20], "label": name, "lw": 1.6}
        crps = scores["crps"][..., channel] / scale
        left.plot(scores["lead_days"], crps.mean(1), **style)
        low, high = zip(*(_bounds(row) for row in crps), strict=True)
        left.fill_between(scores["lead_days"], low, high, color=style["color"], alpha=0.12, lw=0)
        if (ratio := _spread_skill(scores, channel)).any():
            middle.plot(scores["lead_days"], ratio, **style)
        power = (scores["spectrum"] / scores["truth_spectrum"])[-1, channel]
        right.plot(np.arange(1, len(power)), power[1:], **style)
    left.plot(
        np.arange(1, len(climate["crps"]) + 1),
        climate["crps"][..., channel].mean(1) / scale,
        "k--",
        label="climatology",
    )
    _label(left, "days", f"fair CRPS of {variable}" + (" (m)" if scale == METRES else ""))
    _label(middle, "days", "spread / skill")
    _label(right, "degree of the harmonic", f"power over truth's, day {len(climate['crps'])}")
    right.set_yscale("log")
    for axes in (middle, right):
        axes.axhspan(0.9, 1.1, color="0.9", zorder=0)
    left.legend(fontsize=7, ncols=2)
    return drawn


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)


def _spread_skill(scores: Scores, channel: int) -> NDArray[np.float64]:
    spread, error = (scores[name][..., channel].mean(1) for name in ("variance", "squared_error"))
    return np.asarray(np.sqrt(spread / error))


def _power(scores: Scores, channel: int) -> tuple[float, float]:
    """The lowest and highest ratio of members' power to the truth's over the larger scales, at any lead."""
    ratio = (scores["spectrum"] / scores["truth_spectrum"])[:, channel, 1:]
    kept = ratio[:, : int(SHARE * ratio.shape[1])]
    return float(kept.min()), float(kept.max())


def _bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    """A 95 % interval of the mean over initial times, by resampling them."""
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _interval(values: NDArray[np.float64]) -> str:
    low, high = _bounds(values)
    return f"{values.mean():.2f} ({low:.2f}-{high:.2f})"


def _listed(values: NDArray[np.float64]) -> str:
    return " ".join(f"{values[day - 1]:.2f}" for day in DAYS if day <= len(values))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, default=Path("runs/speedy/study"))
    parser.add_argument("--variable", default="geopotential_500")
    parser.add_argument("--figure", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    with in_a_sentence():
        main()
