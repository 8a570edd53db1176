"""Models side by side: their sums where all of them have some, one variable at a time."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.estimates import ADDED_UP, added_up_in
from evaluation.pairs import minutes
from evaluation.sums import statistics_of, weights_of, with_shared_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from evaluation.scored import Scored
    from evaluation.sums import Sums

_SAMPLES = 3
"""How many labels are named where many are lacking."""
_PADDED = ("probability", "rounded_probability", "rank", "order")
"""Axes that are longer for larger ensembles: what one lacks is zero. Of all others, what one lacks is in neither."""


def common_variables(scored: Sequence[Scored]) -> tuple[list[str], list[str]]:
    """Variables that all models have, and in words what only some have."""
    variables = list(dict.fromkeys(name for one in scored for name in one.sums))
    lacking = [
        f"{one.name} lacks {', '.join(absent)}"
        for one in scored if (absent := [name for name in variables if name not in one.sums])
    ]  # fmt: skip
    return [name for name in variables if all(name in one.sums for one in scored)], lacking


def side_by_side(scored: Sequence[Scored], statistics: Collection[str] | None = None) -> tuple[Sums, list[str]]:
    """Sums of all models where all have them, in memory, and in words what only some have; as ``joined``.

    Raises
    ------
    ScoreError
        If they have nothing in common, or different units.
    """
    variables, lacking = common_variables(scored)
    common: Sums = {}
    for variable in variables:
        together, missing = joined(scored, variable, statistics)
        lacking += missing
        if together is not None and together.data_vars:
            common[variable] = together
    if not common:
        raise nothing_common(scored, lacking)
    return common, list(dict.fromkeys(lacking))


def nothing_common(scored: Sequence[Scored], lacking: Sequence[str]) -> ScoreError:
    """What is said of models that have nothing in common."""
    return ScoreError(
        f"nothing is in the scores of {' and '.join(one.name for one in scored)}: "
        f"{'; '.join(dict.fromkeys(lacking))}; score both alike"
    )


def joined(
    scored: Sequence[Scored], variable: str, statistics: Collection[str] | None = None
) -> tuple[xr.Dataset | None, list[str]]:
    """The sums of a variable of all models, read now, and what only some have.

    None if they have no labels in common; without any variables if they have no statistics in common.

    Parameters
    ----------
    scored
        Models that have the variable.
    statistics
        Names of those that are wanted; None: all.

    Raises
    ------
    ScoreError
        If units differ.
    """
    sums = [one.sums[variable] for one in scored]
    units = dict.fromkeys(str(own.attrs.get("units", "")) for own in sums)
    if len(units) > 1:
        raise ScoreError(f"{variable} is in {' and '.join(map(repr, units))}; score both in the same units")
    held = [
        name for name in statistics_of(sums[0])
        if all(f"total_{name}" in own for own in sums) and (statistics is None or name in statistics)
    ]  # fmt: skip
    about = {**sums[0].attrs, ADDED_UP: " ".join(sorted({*chain(*map(added_up_in, sums))}))}
    if not held:
        return xr.Dataset(attrs=about), []
    alike = _padded([_of(own, held, apart=not _share_alike(sums, held)) for own in sums])
    lacking = [text for dim in _compared(alike) for text in _lacking(alike, [one.name for one in scored], dim)]
    aligned = xr.align(*alike, join="inner", exclude={"model"})
    if any(size == 0 for size in aligned[0].sizes.values()):
        return None, lacking
    return xr.concat(aligned, "model", data_vars="all").assign_attrs(about), lacking


def _share_alike(sums: Sequence[xr.Dataset], statistics: Sequence[str]) -> bool:
    """Whether the same statistics have the same weights in all."""
    return len({tuple(weights_of(own, name) for name in statistics) for own in sums}) == 1


def _of(sums: xr.Dataset, statistics: Sequence[str], *, apart: bool) -> xr.Dataset:
    """Some statistics, with weights for each, or one array for those that share it."""
    whole = with_shared_weights(sums) if apart else sums
    weights = dict.fromkeys(f"weight_{name}" if apart else weights_of(sums, name) for name in statistics)
    return whole[[*(f"total_{name}" for name in statistics), *weights]]


def _padded(sums: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """With the same labels along axes that are longer for larger ensembles, zero where one has none."""
    found = list(sums)
    for dim in (dim for dim in _PADDED if all(dim in own.dims for own in sums)):
        labels = np.unique(np.concatenate([own[dim].values for own in sums]))
        found = [
            own if np.array_equal(own[dim], labels) else own.reindex({dim: labels}, fill_value=0.0) for own in found
        ]
    return found


def _compared(sums: Sequence[xr.Dataset]) -> list[str]:
    """Dimensions of any of them, but for the model."""
    return [dim for dim in dict.fromkeys(str(dim) for own in sums for dim in own.dims) if dim != "model"]


def _lacking(sums: Sequence[xr.Dataset], names: Sequence[str], dim: str) -> list[str]:
    """Which labels of a dimension one has and another lacks, in words."""
    labels = [own[dim].values.tolist() if dim in own.dims else [] for own in sums]
    every = sorted({label for held in labels for label in held})
    absent = {
        name: [label for label in every if label not in set(held)] for name, held in zip(names, labels, strict=True)
    }
    return [f"{name} lacks {_named(dim, own)}" for name, own in absent.items() if own]


def _named(dim: str, labels: list[Any]) -> str:
    """E.g. ``2 initial times (2020-01-01T00:00, 2020-01-02T00:00)``."""
    shown = [_label(dim, label) for label in labels[:_SAMPLES]] + ["..."] * (len(labels) > _SAMPLES)
    return f"{len(labels)} {dim.replace('_', ' ')}{'s' if len(labels) > 1 else ''} ({', '.join(shown)})"


def _label(dim: str, label: Any) -> str:
    if dim == "initial_time":
        return minutes(np.datetime64(label, "ns"))
    return {"lead_time": f"+{label} h", "level": f"{label} hPa"}.get(dim, str(label))
