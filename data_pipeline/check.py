"""``sphercast data check``: everything that is wrong with what lies at a path, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.canonical import canonicalise, known_names, note_unknown
from data_pipeline.ensembles import one_member
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.overlooked import unknown_in_grib
from data_pipeline.progress import track
from data_pipeline.quality.expectation import Expectation, spread_pairs
from data_pipeline.quality.findings import DefectError, Report
from data_pipeline.quality.labels import check_labels
from data_pipeline.quality.periods import declared_periods
from data_pipeline.quality.scope import Scope
from data_pipeline.quality.signatures import check_signatures
from data_pipeline.quality.streams import StoreStream, VariableStream, check_stream, held_levels
from data_pipeline.reading import (
    SAMPLE,
    is_grib_path,
    is_store_path,
    open_fields,
    refuse_members,
    refuse_steps,
    sample_path,
)
from data_pipeline.sources.expver import one_version
from data_pipeline.sources.grib import GribSource
from data_pipeline.store import open_store
from data_pipeline.times import shown
from data_pipeline.variables import VARIABLES, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import xarray as xr

    from data_pipeline.quality.labels import Span
    from data_pipeline.store import TrainingStore

    Stream = VariableStream | StoreStream

SIGNATURE_PAIRS = 12
"""Pairs of states, spread over the period, that the signatures are looked for in."""


def check_path(
    path: str | Path, *, interval_hours: int | None = None, levels: Collection[int] | None = None,
    sample: int | None = None, member: int | None = None, step_hours: int | None = None, progress: bool = True,
) -> Report:  # fmt: skip
    """Check labels, values and signatures of a training store, a file, a folder, a glob, a URL or ``sample``.

    Bad data never raise: they are findings. ``member`` and ``step_hours`` choose of an ensemble and of a forecast's
    steps in GRIB; the others are as in ``Expectation``.

    Raises
    ------
    ConfigError
        If the path is empty.
    DataError
        If nothing is there, it cannot be opened at all, or has no such member or step.
    """
    expected = Expectation(interval_hours, levels, sample, progress)
    report = Report()
    if is_grib_path(path):
        _check_grib(path, member, step_hours, expected, report)
        return report
    refuse_steps(path, step_hours)
    if is_store_path(path):
        refuse_members(path, member)
        _check_store(open_store(Path(path)), expected, report)
    else:
        _check_files(path, member, expected, report)
    return report


def unreadable(error: DataError) -> Report:
    """The report on data that cannot be opened at all, for programs that read reports."""
    report = Report()
    report.add("unreadable", str(error))
    return report


def check_dataset(
    raw: xr.Dataset, *, interval_hours: int | None = None, levels: Collection[int] | None = None,
    sample: int | None = None, progress: bool = False,
) -> Report:  # fmt: skip
    """The same of data that are open already, with labels of any known layout."""
    report = Report()
    _check_raw(raw, "the dataset", None, Expectation(interval_hours, levels, sample, progress), report)
    return report


def _check_grib(
    path: str | Path, member: int | None, step_hours: int | None, expected: Expectation, report: Report
) -> None:
    try:
        note_unknown(unknown_in_grib(path), report)
        raw = GribSource(path=str(path), member=member, step_hours=step_hours).open(tuple(VARIABLES))
    except DefectError as defect:
        report.add(defect.code, str(defect), variable=defect.variable)
        return
    _check_raw(raw, str(path), None, expected, report)


def _check_store(store: TrainingStore, expected: Expectation, report: Report) -> None:
    states = _stored(store)
    streams: list[Stream] = [StoreStream(store), *_static_streams(states, report)]
    _check(str(store.path), states, streams, expected, report)


def _check_files(path: str | Path, member: int | None, expected: Expectation, report: Report) -> None:
    raw = open_fields(path)
    try:
        chosen = one_member(raw, member, str(path))
    except DefectError as defect:
        report.add(defect.code, str(defect))
        return
    lies_at = str(sample_path()) if str(path) == SAMPLE else str(path)
    _check_raw(chosen, str(path), lies_at if chosen is raw else None, expected, report)


def _check_raw(raw: xr.Dataset, name: str, lies_at: str | None, expected: Expectation, report: Report) -> None:
    """Where ``lies_at`` is given, single states can be read again from there."""
    states = _canonical(raw, report)
    if states is not None:
        fields = [VariableStream(field, held_levels(field, report), lies_at) for field in states.data_vars.values()]
        _check(name, states, fields, expected, report, declared_periods(raw.attrs, report))


def _check(
    name: str, states: xr.Dataset, streams: Sequence[Stream], expected: Expectation, report: Report,
    periods: Sequence[Span] = (),
) -> None:  # fmt: skip
    check_labels(states, report, interval=expected.interval, levels=expected.levels, periods=periods)
    report.scope = _scope(name, states, streams, expected)
    if states.sizes.get("time", 1) > 0:
        for stream in streams:
            _check_values(stream, expected, report)
        _check_signatures(states, report)


def _scope(name: str, states: xr.Dataset, streams: Sequence[Stream], expected: Expectation) -> Scope:
    held = [stream.channels.variables for stream in streams]
    variables = {variable: list(levels or []) for part in held for variable, levels in part.items()}
    times = states["time"].values if "time" in states.dims else np.array([])
    period = tuple(shown(time) for time in np.unique(times[[0, -1]])) if times.size else ()
    looked_at = expected.positions(times.size).size if times.size else 0
    return Scope(name, str(Grid.of(states)), variables, times.size, period, looked_at)


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
            if not known_names(raw):
                return None  # what is wrong with each is said; that none is left would be said as if there were none
        else:
            report.merge(repairs)
            return states


def _raw_name(raw: xr.Dataset, name: str | None) -> str | None:
    """A defect names a variable as it is in the data or, after it was renamed, in canonical form."""
    return name if name is None or name in raw else known_names(raw)[name]


def _static_streams(states: xr.Dataset, report: Report) -> list[VariableStream]:
    static = [field for name, field in states.data_vars.items() if variable(str(name)).role == "static"]
    return [VariableStream(field, held_levels(field, report)) for field in static]


def _check_values(stream: Stream, expected: Expectation, report: Report) -> None:
    positions = expected.positions(stream.times.size)
    done, name = _one_by_one(check_stream(stream, positions, report)), f"check {stream.name}"
    for _ in track(done, name, "state", total=positions.size, enabled=expected.progress):
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
