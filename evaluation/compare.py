"""Two models compared, score by score: how much better, how surely, and what of it survives many looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.by_group import group_name, grouping, in_groups, side_by_group
from evaluation.estimates import Trial, estimate, has_series, only, score_of
from evaluation.improvement import MEANING, improvement
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.scored import side_by_side
from evaluation.significance import MINIMUM_TIMES, TESTS, false_discoveries, spacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

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
        where ours is better), ``p_value``, ``significant`` and ``sample_size``, each ([group], lead_time, [level],
        region), with the attributes ``metric``, ``variable``, ``units`` and ``direction``.
    notes
        What could not be compared, and what a reader must know.
    attributes
        Names, test, initial times; ``by``, if seasons, months or initial hours are compared apart.
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
    by: str | None = None,
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
    by
        ``season``, ``month`` or ``hour``: each is compared by itself; ``all``: none is. Default: as both were scored.

    Raises
    ------
    ScoreError
        If nothing can be compared.
    """
    by, ungrouped = grouping(ours, theirs, by)
    sums, lacking = side_by_side([ours, theirs])
    names, notes = _comparable(ours, theirs, sums, metrics)
    groups = {variable: in_groups(own, by) for variable, own in sums.items()}
    cells = {
        (name, variable): _of_groups(groups[variable], name, variable, (ours.name, theirs.name), trial, by)
        for variable, own in sums.items() for name in names if has_series(own, name)
    }  # fmt: skip
    notes = [*lacking, *notes, *ungrouped, *_caveats(ours, theirs), *_few(cells, groups, by)]
    about = _about(ours, theirs, sums, trial, alpha) | ({} if by is None else {"by": by})
    return Comparison(ours.name, theirs.name, _marked(cells, alpha, trial.confidence), notes, about)


def _about(ours: Scored, theirs: Scored, sums: Sums, trial: Trial, alpha: float) -> dict[str, str]:
    """The attributes of a comparison."""
    times = _times(sums.values())
    return {
        "title": f"{ours.name} against {theirs.name}",
        "initial_times": " ".join(minutes(time) for time in times),
        "initial_times_spacing": str(spacing(times)),
        "test": TESTS[trial.test],
        "confidence": f"{trial.confidence:g}",
        "false_discovery_rate": f"{alpha:g} (Benjamini and Hochberg 1995), over all cells",
        "ensemble_size": ", ".join(f"{one.name} {one.members}" for one in (ours, theirs) if one.members),
    }


def _of_groups(
    groups: Mapping[str, xr.Dataset], name: str, variable: str, models: tuple[str, str], trial: Trial, by: str | None
) -> xr.Dataset:
    """As ``_cells``, of each group by itself."""
    found = {group: _cells(own, name, variable, models, trial) for group, own in groups.items()}
    return side_by_group(found, by)


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
        notes.append(f"not compared, as there is no one number for each initial time: {', '.join(without)}")
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


def _few(
    cells: Mapping[tuple[str, str], xr.Dataset], groups: Mapping[str, Mapping[str, xr.Dataset]], by: str | None
) -> list[str]:
    """What groups, or else the whole, have too few or uneven initial times."""
    uneven, short = [], []
    for group in dict.fromkeys(group for own in groups.values() for group in own):
        which = f"{group_name(by, group)}: " if by else ""
        gaps = spacing(_times([own[group] for own in groups.values() if group in own]))
        count = max(_largest(own, group) for own in cells.values())
        if not gaps.even:
            uneven.append(f"{which}initial times are {gaps}")
        if count < MINIMUM_TIMES:
            times = f"{count} initial time{'s' if count != 1 else ''}"
            short.append(f"{which}{times}: nothing is claimed with fewer than {MINIMUM_TIMES}")
    return [*uneven, *short]


def _largest(cells: xr.Dataset, group: str) -> int:
    """Sample of a group."""
    size = cells["sample_size"]
    if "group" not in size.dims:
        return int(size.max())
    return int(size.sel(group=group).max()) if group in size["group"].values else 0


def _marked(
    cells: dict[tuple[str, str], xr.Dataset], alpha: float, confidence: float
) -> dict[tuple[str, str], xr.Dataset]:
    limit = false_discoveries(np.concatenate([own["p_value"].values.ravel() for own in cells.values()]), alpha)
    limit = min(limit, 1 - confidence)  # no mark where an interval holds zero
    return {key: own.assign(significant=own["p_value"] <= limit) for key, own in cells.items()}


def _times(sums: Iterable[xr.Dataset]) -> NDArray[np.datetime64]:
    return np.unique(np.concatenate([own["initial_time"].values for own in sums]))


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
