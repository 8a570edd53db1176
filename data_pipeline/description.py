"""``sphercast data info``: what lies at a path, as a few lines for people. No field is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.ensembles import described, member_numbers
from data_pipeline.grid import Grid
from data_pipeline.overlooked import unknown_variables
from data_pipeline.reading import is_grib_path, is_store_path, open_fields, open_states, refuse_members, refuse_steps
from data_pipeline.store import open_store
from data_pipeline.times import HOUR, shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore

_FEWEST_FOR_INTERVAL = 2


def describe_path(path: str | Path, *, member: int | None = None, step_hours: int | None = None) -> str:
    """What a training store, file, folder, glob or URL holds, what of it is not known, and of which ensemble it is.

    Raises
    ------
    ConfigError
        If the path is empty.
    DataError
        If nothing readable is there, none of it is known, or there is no such member or step.
    """
    if is_store_path(path):
        refuse_steps(path, step_hours)
        refuse_members(path, member)
        return describe_store(open_store(Path(path)))
    lines = []
    if not is_grib_path(path) and member is None:
        raw = open_fields(path)
        lines = [f"{kind}, each with:" for kind in [described(raw)] if kind]
        member = next(iter(member_numbers(raw).tolist()), None)
    states = open_states(path, member=member, step_hours=step_hours)
    unknown = unknown_variables(path)
    lines += [describe(states), *([f"not known to sphercast: {', '.join(unknown)}"] if unknown else [])]
    return "\n".join(lines)


def describe(dataset: xr.Dataset) -> str:
    """Grid, times and variables with levels of canonical data."""
    lines = [str(Grid.of(dataset))]
    if "time" in dataset.dims:
        lines.append(_times(dataset["time"].values))
    for name, field in dataset.data_vars.items():
        levels = field["level"].values.tolist() if "level" in field.dims else []
        lines.append(_variable(str(name), levels))
    return "\n".join(lines)


def describe_store(store: TrainingStore) -> str:
    """Everything that a training store holds, and the space that it takes."""
    config = store.group.attrs.get("config")
    training = config.get("training_period") if isinstance(config, dict) else None
    lines = [f"training store on the {store.grid}", _times(store.times)]
    lines += [f"training period {training['start']} to {training['stop']}"] if isinstance(training, dict) else []
    lines += [_variable(name, sorted(levels or [])) for name, levels in store.channels.variables.items()]
    lines += [f"{_variable(name, [])}, static" for name in store.static[0]]
    lines += [_precision(store), *_summaries(store), _size_on_disk(store.path)]
    return "\n".join(lines)


def _times(times: NDArray[np.datetime64]) -> str:
    if not times.size:
        return "no times"
    if times.size < _FEWEST_FOR_INTERVAL:
        return f"1 time, {shown(times[0])}"
    steps, counts = np.unique(np.diff(times) / HOUR, return_counts=True)
    others = int(counts.sum() - counts.max())
    gaps = f" but for {others} step{'s' * (others > 1)}" if others else ""
    period = f"{shown(times[0])} to {shown(times[-1])}"
    return f"{times.size} times, {period}, every {steps[counts.argmax()]:g} h{gaps}"


def _variable(name: str, levels: Sequence[int]) -> str:
    at = f" at {', '.join(map(str, levels))} hPa" if levels else ""
    return f"{name} [{variable(name).units}]{at}"


def _precision(store: TrainingStore) -> str:
    kind = "normalised" if store.scaling else "physical units"
    return f"stored as {store.shards.dtype}, {kind}"


def _summaries(store: TrainingStore) -> Iterator[str]:
    lags = ", ".join(str(hours) for hours in sorted(store.statistics.tendency_std))
    yield f"statistics: mean, deviation, range, tendencies over {lags} h"
    yield "climatology: harmonics of the year"
    if "day_of_year" in store.group:
        yield "climatology by hour and day of year: mean, deviation, quantiles"
    else:
        yield "climatology by hour and day of year: none"


def _size_on_disk(folder: Path) -> str:
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return f"{sum(sizes) / 1e6:.4g} MB on disk in {len(sizes)} files"
