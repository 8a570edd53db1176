"""Two models compared, score by score: how much better, how surely, and what of it survives many looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial, estimate, has_series, only, score_of
from evaluation.improvement import MEANING, improvement
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.scored import side_by_side
from evaluation.significance import MINIMUM_TIMES, TESTS, Spacing, false_discoveries, spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.scored import Scored
    from evaluation.sums import Sums

ALPHA = 0.10
"""Share of false discoveries among those marked: twice the level of one test, as Wilks 2016 advises."""


@dataclass(frozen=True)
class Comparison:
    """Ours against theirs.

    Attributes
    ----------
    cells
        By metric and variable: ``ours``, ``theirs`` (scores), ``improvement``, ``lower``, ``upper`` (per cent, positive
        where ours is better), ``p_value``, ``significant`` and ``sample_size``, each (lead_time, [level], region), with
        the attributes ``metric``, ``variable``, ``units`` and ``direction``.
    notes
        What could not be compared, and what a reader must know.
    attributes
        Names, test, initial times.
    """

    ours: str
    theirs: str
    cells: dict[tuple[str, str], xr.Dataset]
    notes: list[str]
    attributes: dict[str, str]

    def to_dataset(self) -> xr.Dataset:
        """All of it as one dataset, variables called ``<metric>_<variable>_<what>``."""
        fields = {
            f"{metric}_{variable}_{name}": field.assign_attrs(_described(str(name), cells))
            for (metric, variable), cells in self.cells.items() for name, field in cells.data_vars.items()
        }  # fmt: skip
        return xr.Dataset(fields).assign_attrs(self.attributes, notes="; ".join(self.notes) or "none")


def compare(
    ours: Scored,
    theirs: Scored,
    metrics: Sequence[str] | None = None,
    trial: Trial = Trial(),  # noqa: B008, frozen
    alpha: float = ALPHA,
) -> Comparison:
    """Compare two models where both have scores.

    Parameters
    ----------
    ours, theirs
        Models of one file or of two.
    metrics
        Names; default: those that both were asked for.
    trial
        How intervals and p-values are found.
    alpha
        Share of false discoveries (Benjamini-Hochberg) over all cells.

    Raises
    ------
    ScoreError
        If nothing can be compared.
    """
    sums, lacking = side_by_side([ours, theirs])
    names, notes = _comparable(ours, theirs, sums, metrics)
    cells = {
        (name, variable): _cells(own, name, variable, (ours.name, theirs.name), trial)
        for variable, own in sums.items() for name in names if has_series(own, name)
    }  # fmt: skip
    gaps = spacing(_times(sums))
    count = max(int(own["sample_size"].max()) for own in cells.values())
    notes = [*lacking, *notes, *_caveats(ours, theirs), *_few(count, gaps)]
    attributes = {
        "title": f"{ours.name} against {theirs.name}",
        "initial_times": " ".join(minutes(time) for time in _times(sums)),
        "initial_times_spacing": str(gaps),
        "test": TESTS[trial.test],
        "confidence": f"{trial.confidence:g}",
        "false_discovery_rate": f"{alpha:g} (Benjamini and Hochberg 1995), over all cells",
        "ensemble_size": ", ".join(f"{one.name} {one.members}" for one in (ours, theirs) if one.members),
    }
    return Comparison(ours.name, theirs.name, _marked(cells, alpha, trial.confidence), notes, attributes)


def _cells(sums: xr.Dataset, name: str, variable: str, models: tuple[str, str], trial: Trial) -> xr.Dataset:
    """What is compared of one metric and variable, without marks."""
    entry = metric(name)
    pair = only(sums, models)

    def gain(score: xr.DataArray) -> xr.DataArray:
        ours, theirs = (score.sel(model=model, drop=True) for model in models)
        return improvement(ours, theirs, entry.direction)

    found = estimate(pair, name, gain, trial).rename(value="improvement")
    scores = score_of(pair, name)
    both = {side: scores.sel(model=model, drop=True) for side, model in zip(("ours", "theirs"), models, strict=True)}
    units = str(sums.attrs.get("units", "")) if entry.units == "variable" else entry.units
    about = {"metric": name, "variable": variable, "units": units, "direction": entry.direction}
    return found.assign(both).drop_attrs().drop_vars("model", errors="ignore").assign_attrs(about)


def _comparable(ours: Scored, theirs: Scored, sums: Sums, wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Metrics that can be compared, and in words those that cannot."""
    asked = list(wanted or [name for name in ours.question.metrics if name in theirs.question.metrics])
    for name in asked:
        metric(name)
    without = [name for name in asked if not any(has_series(own, name) for own in sums.values())]
    undecided = [name for name in asked if metric(name).direction == "none" and name not in without]
    names = [name for name in asked if name not in {*without, *undecided}]
    notes = []
    if undecided:
        notes.append(f"not compared, as neither way is better: {', '.join(undecided)}")
    if without:
        notes.append(f"not compared, as not kept for each initial time: {', '.join(without)}")
    if not names:
        raise ScoreError(
            f"no score can be compared of {ours.name} and {theirs.name}: {'; '.join(notes) or 'none is in both'}; "
            "score both with the same --scores"
        )
    return names, notes


def _caveats(ours: Scored, theirs: Scored) -> list[str]:
    """What makes the comparison uneven."""
    notes = []
    sizes = [one.about.get("ensemble_size") for one in (ours, theirs)]
    if None not in sizes and sizes[0] != sizes[1]:
        notes.append(f"ensembles of {sizes[0]} and {sizes[1]} members: only fair scores, such as crps, are even")
    truths = [one.about.get("truth_source", "unknown") for one in (ours, theirs)]
    if truths[0] != truths[1]:
        notes.append(f"scored against different truths, {truths[0]} and {truths[1]}")
    if ours.question.settings != theirs.question.settings:
        notes.append("scored with different settings")
    return notes


def _few(count: int, gaps: Spacing) -> list[str]:
    notes = [] if gaps.even else [f"initial times are {gaps}"]
    if count < MINIMUM_TIMES:
        notes.append(
            f"{count} initial time{'s' if count != 1 else ''}: nothing is claimed with fewer than {MINIMUM_TIMES}"
        )
    return notes


def _marked(
    cells: dict[tuple[str, str], xr.Dataset], alpha: float, confidence: float
) -> dict[tuple[str, str], xr.Dataset]:
    limit = false_discoveries(np.concatenate([own["p_value"].values.ravel() for own in cells.values()]), alpha)
    limit = min(limit, 1 - confidence)  # no mark where an interval holds zero
    return {key: own.assign(significant=own["p_value"] <= limit) for key, own in cells.items()}


def _times(sums: Sums) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    return np.unique(np.concatenate([own["initial_time"].values for own in sums.values()]))


def _described(name: str, cells: xr.Dataset) -> dict[str, str]:
    about = {key: str(cells.attrs[key]) for key in ("metric", "variable", "direction")}
    units = {"ours": cells.attrs["units"], "theirs": cells.attrs["units"]}
    gain = f"improvement over the other, positive is better, {MEANING[cells.attrs['direction']]}"
    text = {
        "improvement": gain, "lower": f"lower end of the interval of the {gain}",
        "upper": f"upper end of the interval of the {gain}", "p_value": "p-value of no difference",
        "significant": "significant after control of the false discovery rate",
        "sample_size": "initial times", "ours": "score", "theirs": "score of the other",
    }[name]  # fmt: skip
    percent = {"improvement": "percent", "lower": "percent", "upper": "percent"}
    return {"long_name": text, "units": str({**units, **percent}.get(name, "1")), **about}
