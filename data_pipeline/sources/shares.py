"""From raw data to what a source gives: the wanted variables, inside the window, canonical and lazy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.canonical import canonicalise, known_names
from data_pipeline.errors import DataError
from data_pipeline.sources.expver import one_version
from data_pipeline.sources.lazy import chunked, inside, time_name
from data_pipeline.sources.opening import joined
from data_pipeline.times import shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import xarray as xr

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window


def canonical_share(raw: xr.Dataset, wanted: Collection[str], path: str, report: Report | None = None) -> xr.Dataset:
    """Those of the ``wanted`` variables that ``raw`` holds, canonical; a DataError if it holds none of them."""
    held = held_names(raw, wanted, path)
    return canonicalise(one_version(raw[list(held.values())], report), list(held), report=report)


def share_of_parts(
    parts: Sequence[xr.Dataset], wanted: Collection[str], path: str,
    window: Window | None = None, report: Report | None = None,
) -> xr.Dataset:  # fmt: skip
    """Those of the ``wanted`` variables that raw ``parts`` hold, canonical and lazy, inside ``window``.

    Fields that never change are taken from the first part, at its first time where it has none inside.

    Raises
    ------
    DataError
        If they hold none of the variables or no time inside the window, or do not follow each other in time.
    """
    held = held_names(parts[0], wanted, path)
    changing = any(variable(name).role == "prognostic" for name in held)
    chosen = [part[list(held.values())] for part in (parts if changing else parts[:1])]
    cut = cut_to(chosen, window, path) if changing else [_at_any_time(chosen[0], window, path)]
    return canonical_share(joined(cut, path), list(held), path, report)


def cut_to(parts: Sequence[xr.Dataset], window: Window | None, path: str) -> list[xr.Dataset]:
    """Those of the parts that have times inside ``window``, cut to it, as dask arrays.

    Raises
    ------
    DataError
        If none has; it says which times there are.
    """
    positions = [inside(part, window) for part in parts]
    pairs = [(part, where) for part, where in zip(parts, positions, strict=True) if not _is_empty(where)]
    if not pairs and window is not None:
        times = np.concatenate([np.atleast_1d(part[time_name(part)].values) for part in parts])
        span = f"it has {shown(times.min())} .. {shown(times.max())}" if times.size else "it has none"
        expected = f"{shown(window[0])} .. {shown(window[1])}"
        raise DataError(f"{path} has no times in {expected}; {span}; change the period, or the source")
    return [chunked(part, path, where) for part, where in pairs]


def _at_any_time(part: xr.Dataset, window: Window | None, path: str) -> xr.Dataset:
    where = inside(part, window)
    return chunked(part, path, slice(0, 1) if _is_empty(where) else where)


def _is_empty(positions: object) -> bool:
    return isinstance(positions, np.ndarray) and not positions.size


def held_names(raw: xr.Dataset, wanted: Collection[str], path: str) -> dict[str, str]:
    """``{canonical name: name in raw}`` of what is wanted and there; a DataError if nothing is."""
    known = known_names(raw)
    held = {name: old for name, old in known.items() if name in wanted}
    if not held:
        have = ", ".join(known) or "no variable that sphercast knows"
        raise DataError(f"{path} holds none of {', '.join(sorted(wanted))}; it has {have}; remove the source")
    return held


def accumulated_over(dataset: xr.Dataset, hours: int | None) -> xr.Dataset:
    """Canonical data whose accumulated variables say that they are sums over so many hours, if that is known."""
    for name, field in dataset.data_vars.items():
        if hours is not None and variable(str(name)).accumulated:
            field.attrs["accumulation_hours"] = hours
    return dataset
