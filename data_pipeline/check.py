"""``sphercast data check``: everything that is wrong with what lies at a path, in one report."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.canonical import canonicalise, known_names
from data_pipeline.errors import DataError
from data_pipeline.progress import track
from data_pipeline.quality.findings import DefectError, Finding, Report
from data_pipeline.quality.labels import check_labels
from data_pipeline.quality.signatures import check_signatures
from data_pipeline.quality.streams import StoreStream, VariableStream, check_stream, held_levels
from data_pipeline.reading import SAMPLE
from data_pipeline.sampling import STATES
from data_pipeline.sources.expver import one_version
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.grib_index import is_grib
from data_pipeline.sources.opening import open_raw
from data_pipeline.store import is_store, open_store
from data_pipeline.variables import VARIABLES, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore

    Positions = NDArray[np.intp]

SIGNATURE_PAIRS = 12
"""Pairs of states, spread over the period, that the signatures are looked for in."""


def check_path(
    path: str | Path, *, interval_hours: int | None = None, levels: Collection[int] | None = None,
    sample: int | None = None, member: int | None = None, step_hours: int | None = None, progress: bool = True,
) -> Report:  # fmt: skip
    """Check labels, values and signatures of a training store, a file, a folder, a glob, a URL or ``sample``.

    Bad data never raise: they are findings.

    Parameters
    ----------
    path
        Where the data are.
    interval_hours
        Between two states; by default the one that occurs most.
    levels
        Levels in hPa that must be there; by default any.
    sample
        How many states to look at, evenly spread, each with the one that follows it; by default all.
    member, step_hours
        Which of an ensemble's members and of a forecast's steps to look at, in GRIB that has several.
    progress
        Whether to show how far it is, on standard error.

    Raises
    ------
    DataError
        If nothing is there, or it cannot be opened at all.
    """
    if is_store(Path(path)):
        store = open_store(Path(path))
        report, states = Report(), _stored(store)
        streams: list[VariableStream | StoreStream] = [StoreStream(store), *_static_streams(states, report)]
        _check(states, streams, report, interval_hours, levels, sample, progress=progress)
        return report
    if not is_grib(Path(path)):
        path = _sample_path() if str(path) == SAMPLE else path
        return _check_raw(open_raw(path), str(path), interval_hours, levels, sample, progress=progress)
    try:
        raw = GribSource(path=str(path), member=member, step_hours=step_hours).open(tuple(VARIABLES))
    except DefectError as defect:
        return Report([Finding(defect.code, str(defect), defect.variable)])
    return _check_raw(raw, None, interval_hours, levels, sample, progress=progress)


def check_dataset(
    raw: xr.Dataset, *, interval_hours: int | None = None, levels: Collection[int] | None = None,
    sample: int | None = None, progress: bool = False,
) -> Report:  # fmt: skip
    """The same of data that are open already, with labels of any known layout."""
    return _check_raw(raw, None, interval_hours, levels, sample, progress=progress)


def _check_raw(
    raw: xr.Dataset, path: str | None, interval_hours: int | None, levels: Collection[int] | None,
    sample: int | None, *, progress: bool,
) -> Report:  # fmt: skip
    report = Report()
    states = _canonical(raw, report)
    if states is not None:
        fields = [VariableStream(field, held_levels(field, report), path) for field in states.data_vars.values()]
        _check(states, fields, report, interval_hours, levels, sample, progress=progress)
    return report


def _check(
    states: xr.Dataset, streams: Sequence[VariableStream | StoreStream], report: Report, interval_hours: int | None,
    levels: Collection[int] | None, sample: int | None, *, progress: bool,
) -> None:  # fmt: skip
    interval = None if interval_hours is None else np.timedelta64(interval_hours, "h")
    check_labels(states, report, interval=interval, levels=levels)
    if states.sizes.get("time", 1) > 0:
        for stream in streams:
            _check_values(stream, sample, report, progress=progress)
        _check_signatures(states, report)


def _sample_path() -> Path:
    return Path(str(files("data_pipeline.sample"))) / STATES


def _stored(store: TrainingStore) -> xr.Dataset:
    """Fields and static fields of a training store."""
    names, values = store.static
    dims = ("latitude", "longitude")
    static = {name: (dims, field, variable(name).attributes) for name, field in zip(names, values, strict=True)}
    return store.dataset().assign(static)


def _canonical(raw: xr.Dataset, report: Report) -> xr.Dataset | None:
    """All variables that can be made canonical; none if something stands against all of them."""
    while True:
        repairs = Report()
        try:
            states = canonicalise(one_version(raw, repairs), report=repairs)
        except DefectError as defect:
            report.add(defect.code, str(defect), variable=defect.variable)
            name = _raw_name(raw, defect.variable)
            if name is None:
                return None
            raw = raw.drop_vars(name)
        else:
            report.merge(repairs)
            return states


def _raw_name(raw: xr.Dataset, name: str | None) -> str | None:
    """A defect names a variable as it is in the data or, after it was renamed, in canonical form."""
    return name if name is None or name in raw else known_names(raw)[name]


def _static_streams(states: xr.Dataset, report: Report) -> list[VariableStream]:
    static = [field for name, field in states.data_vars.items() if variable(str(name)).role == "static"]
    return [VariableStream(field, held_levels(field, report)) for field in static]


def _check_values(stream: VariableStream | StoreStream, sample: int | None, report: Report, *, progress: bool) -> None:
    count = stream.times.size
    positions = np.arange(count) if sample is None else spread_pairs(count, sample)
    done = check_stream(stream, positions, report)
    for _ in track(_one_by_one(done), f"check {stream.name}", "state", total=positions.size, enabled=progress):
        pass


def _one_by_one(slabs: Iterator[int]) -> Iterator[None]:
    for count in slabs:
        yield from [None] * count


def _check_signatures(states: xr.Dataset, report: Report) -> None:
    """Variable by variable: where one is damaged, which the report says already, the others can be looked at."""
    if "time" in states.dims:
        states = states.isel(time=spread_pairs(states.sizes["time"], SIGNATURE_PAIRS))
    for name in states.data_vars:
        try:
            check_signatures(states[[name]], report)
        except DataError as error:
            if "unreadable" not in report.codes:
                report.add("unreadable", str(error), variable=str(name))


def spread_pairs(count: int, pairs: int) -> Positions:
    """Positions of so many states, evenly spread over ``count``, and of those that follow them.

    >>> spread_pairs(100, 3).tolist()
    [0, 1, 49, 50, 98, 99]
    """
    firsts = np.linspace(0, max(count - 2, 0), pairs).round().astype(np.intp)
    return np.unique(np.clip([firsts, firsts + 1], 0, count - 1))
