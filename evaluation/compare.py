"""Two models compared, score by score: how much better, how surely, and what of it survives many looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.assemble import with_names_of_axes
from evaluation.by_group import group_name, grouping, in_groups, side_by_group
from evaluation.comparable import OBSTACLES, left_out, obstacle
from evaluation.estimates import Trial, estimate, only, score_of
from evaluation.improvement import MEANING, improvement
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.side_by_side import common_variables, joined, nothing_common
from evaluation.significance import MINIMUM_TIMES, TESTS, false_discoveries, spacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evaluation.scored import Scored

    Times = Mapping[str, NDArray[np.datetime64]]

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
        region, *axes), with the attributes ``metric``, ``variable``, ``units`` and ``direction``; axes are choices such
        as thresholds, of which each is compared by itself.
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
            f"{metric}_{variable}_{name}": own.assign_attrs(_described(str(name), cells))
            for (metric, variable), cells in self.cells.items() for name, own in cells.data_vars.items()
        }  # fmt: skip
        whole = xr.Dataset(with_names_of_axes(fields))
        return whole.assign_attrs(self.attributes, notes="; ".join(self.notes) or "none")


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
    _check(ours, theirs)
    by, ungrouped = grouping(ours, theirs, by)
    asked = list(metrics or [name for name in ours.question.metrics if name in theirs.question.metrics])
    statistics = {own for name in asked for own in metric(name).statistics}
    variables, lacking = common_variables([ours, theirs])
    found = _Found(by)
    for variable in variables:  # one after the other, as memory holds the sums of one
        sums, missing = joined([ours, theirs], variable, statistics) if asked else (None, [])
        lacking += missing
        if sums is not None:
            found.take_in(sums, variable, asked, (ours.name, theirs.name), trial)
    found.check(ours, theirs, asked, lacking)
    notes = [
        *dict.fromkeys(lacking),
        *left_out(found.why),
        *_empty(found, ours, theirs),
        *ungrouped,
        *_caveats(ours, theirs),
        *_few(found, by),
    ]
    about = _about(ours, theirs, found.times, trial, alpha) | ({} if by is None else {"by": by})
    return Comparison(ours.name, theirs.name, _marked(found.cells, alpha, trial.confidence), notes, about)


@dataclass
class _Found:
    """What is found variable by variable: cells without marks, initial times of each group, and why metrics lack."""

    by: str | None
    cells: dict[tuple[str, str], xr.Dataset] = field(default_factory=dict)
    times: dict[str, NDArray[np.datetime64]] = field(default_factory=dict)
    obstacles: dict[str, set[str]] = field(default_factory=dict)

    def take_in(
        self, sums: xr.Dataset, variable: str, names: Sequence[str], models: tuple[str, str], trial: Trial
    ) -> None:
        """Compare all metrics of one variable."""
        groups = in_groups(sums, self.by) if sums.data_vars else {}
        for group, own in groups.items():
            self.times[group] = np.union1d(self.times.get(group, own["initial_time"][:0]), own["initial_time"])
        for name in names:
            why = obstacle(sums, name)
            if why is None:
                self.cells[name, variable] = _of_groups(groups, name, variable, models, trial, self.by)
            else:
                self.obstacles.setdefault(name, set()).add(why)

    @property
    def why(self) -> dict[str, str]:
        """Of metrics that could not be compared for any variable the last of ``OBSTACLES``."""
        compared = {name for name, _ in self.cells}
        return {name: max(own, key=OBSTACLES.index) for name, own in self.obstacles.items() if name not in compared}

    def check(self, ours: Scored, theirs: Scored, asked: Sequence[str], lacking: Sequence[str]) -> None:
        """Raise a ScoreError if nothing was compared."""
        if lacking and not self.times:
            raise nothing_common([ours, theirs], lacking)
        if not self.cells:
            notes = left_out(self.why or dict.fromkeys(asked, OBSTACLES[0]))
            raise ScoreError(
                f"no score can be compared of {ours.name} and {theirs.name}: {'; '.join(notes) or 'none is in both'}; "
                "score both with the same --scores"
            )


def _about(ours: Scored, theirs: Scored, by_group: Times, trial: Trial, alpha: float) -> dict[str, str]:
    """The attributes of a comparison."""
    times = np.unique(np.concatenate([*by_group.values()]))
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


def _check(ours: Scored, theirs: Scored) -> None:
    """Raise a ScoreError for maps, of which every point is a mean over initial times."""
    for one in (ours, theirs):
        if one.question.is_map:
            raise ScoreError(
                f"the scores of {one.name} are a map, which keeps no series by initial time to compare; score "
                "regions, or draw the difference with 'sphercast score plot FILE --against BASELINE'"
            )


def _empty(found: _Found, ours: Scored, theirs: Scored) -> list[str]:
    """Which models have no value at all of a metric, such as spread/skill of persistence."""
    notes = []
    for name in dict.fromkeys(name for name, _ in found.cells):
        cells = [own for (metric_name, _), own in found.cells.items() if metric_name == name]
        lacking = [
            one.name for one, side in ((ours, "ours"), (theirs, "theirs"))
            if all(own[side].isnull().all() for own in cells)
        ]  # fmt: skip
        if lacking:
            notes.append(f"{name}: {' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} none")
    return notes


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


def _few(found: _Found, by: str | None) -> list[str]:
    """What groups, or else the whole, have too few or uneven initial times."""
    uneven, short = [], []
    for group, times in found.times.items():
        which = f"{group_name(by, group)}: " if by else ""
        gaps = spacing(times)
        count = max(_largest(own, group) for own in found.cells.values())
        if not gaps.even:
            uneven.append(f"{which}initial times are {gaps}")
        if count < MINIMUM_TIMES:
            words = f"{count} initial time{'s' if count != 1 else ''}"
            short.append(f"{which}{words}: nothing is claimed with fewer than {MINIMUM_TIMES}")
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
