"""Whether a question can be answered at all, before hours are spent."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.applicable import applicable
from evaluation.metrics.definitions import FieldStatistic
from evaluation.metrics.registry import STATISTICS, metric, needed_statistics
from evaluation.metrics.seeps import PRECIPITATION
from evaluation.settings import USUAL_THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import xarray as xr

    from data_pipeline.grid import Grid
    from evaluation.climate import Climatology
    from evaluation.question import Question

LARGEST_MAP = 8e9
"""Bytes of sums (total and weight, float64) of one run."""


def check_answerable(
    question: Question, sizes: Sequence[int], climatology: Climatology | None, variables: Collection[str]
) -> None:
    """Raise a ScoreError if a score cannot be had from ensembles of these ``sizes``, this climatology or variables."""
    check_sizes(question, sizes)
    idle = sorted(set(question.settings.thresholds) - set(USUAL_THRESHOLDS) - set(variables))
    if idle:
        raise ScoreError(
            f"there are thresholds for {', '.join(idle)}, expected variables that are scored: "
            f"{', '.join(sorted(variables))}; leave them out"
        )
    if variables:
        check_variables(question, variables)
    _check_climatology(question, climatology)
    if question.is_map:
        _check_has_map(question)


def check_variables(question: Question, variables: Collection[str]) -> None:
    """Raise a ScoreError for a score that none of the variables can have."""
    possible = {name for variable in variables for name in applicable(question.metrics, variable, question.settings)}
    vain, others = [name for name in question.metrics if name not in possible], ", ".join(sorted(variables))
    thresholds = [name for name in vain if "thresholds" in metric(name).needs]
    if thresholds:
        raise ScoreError(
            f"{needs(thresholds)} thresholds, and there are none for {others}; give some, e.g. --threshold "
            "'2m_temperature>303.15'"
        )
    if vain:
        raise ScoreError(
            f"{needs(vain)} {' or '.join(PRECIPITATION)}, and got {others}; score one of these, or leave "
            f"{', '.join(vain)} out"
        )


def check_metres(question: Question, variables: Collection[str], datasets: Sequence[xr.Dataset]) -> None:
    """Raise a ScoreError for precipitation that is not in metres, as scores of fixed amounts take it to be.

    Readers convert what the table of variables knows, and leave other names in the units of the file.
    """
    wet = [name for name in question.metrics if "precipitation" in metric(name).needs]
    for name, data in product(sorted(set(PRECIPITATION) & set(variables)), datasets):
        units = str(data[name].attrs.get("units", "")) if name in data else ""
        if wet and units not in {"", "m"}:
            raise ScoreError(f"{needs(wet)} {name} in m, and got it in {units!r}; convert it")


def needs(names: Sequence[str]) -> str:
    """What several names need, or one needs.

    >>> needs(["crps"]), needs(["acc", "crps"])
    ('crps needs', 'acc, crps need')
    """
    return f"{', '.join(names)} need{'s' if len(names) == 1 else ''}"


def check_sizes(question: Question, sizes: Sequence[int]) -> None:
    """Raise a ScoreError if a score cannot be had from ensembles of these ascending ``sizes``."""
    too_small = [name for name in question.metrics if sizes[0] < metric(name).minimum_members]
    if too_small:
        raise ScoreError(
            f"{', '.join(too_small)} cannot be had from {sizes[0]} member{'s' if sizes[0] > 1 else ''}, at least "
            f"{max(metric(name).minimum_members for name in too_small)} are expected; score fewer members with e.g. "
            "standard_crps (of one, its absolute error), rmse, mae and bias"
        )
    counted = [name for name in question.metrics if metric(name).family == "ranks" and "pit" not in name]
    if counted and len(sizes) > 1:
        raise ScoreError(
            f"{needs(counted)} ensembles of one size, got sizes {', '.join(map(str, sizes))}; score them "
            "apart, or use pit_histogram"
        )


def _check_climatology(question: Question, climatology: Climatology | None) -> None:
    blind = [name for name in question.metrics if metric(name).needs & {"climate", "quantiles"}]
    if blind and climatology is None:
        raise ScoreError(f"{needs(blind)} a climatology, and there is none; give one with --climatology")
    coarse = [name for name in question.metrics if "quantiles" in metric(name).needs]
    if coarse and not hasattr(climatology, "quantiles_at"):
        raise ScoreError(
            f"{needs(coarse)} quantiles, and the climatology has none; give one by hour and day of the year, "
            "e.g. --climatology STORE/day_of_year, or --climatology truth"
        )


def check_map_fits(question: Question, grid: Grid, fields: int, models: int) -> None:
    """Raise a ScoreError if a map of so many ``fields`` (leads and channels) is too large to be held in memory."""
    statistics = len(needed_statistics(question.metrics))
    size = 16 * statistics * models * fields * int(np.prod(grid.shape))
    if size > LARGEST_MAP:
        raise ScoreError(
            f"a map of {fields} fields on a {grid} takes {size / 1e9:.0f} GB, at most {LARGEST_MAP / 1e9:.0f} GB are "
            "held at a time; score fewer variables or scores, or a coarser --grid"
        )


def _check_has_map(question: Question) -> None:
    whole = [
        name for name in question.metrics if any(isinstance(STATISTICS[own], FieldStatistic)
                                                 for own in metric(name).statistics)
    ]  # fmt: skip
    if whole:
        raise ScoreError(f"there is no map of {', '.join(whole)}, only of scores of single points; leave the rest out")
