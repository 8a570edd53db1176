"""Tracks of cyclones in states or in forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import Grid
from evaluation.tracks.detect import detect
from evaluation.tracks.fields import fields_of, ground_of, require_fields
from evaluation.tracks.link import is_long_enough, link
from evaluation.tracks.mesh import Mesh
from evaluation.tracks.settings import TrackSettings
from evaluation.tracks.track import Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from evaluation.tracks.track import Centre

    Centres = Mapping[np.datetime64, Sequence[Centre]]


def find_tracks(
    dataset: xr.Dataset,
    settings: TrackSettings = TrackSettings(),  # noqa: B008, frozen
    ground: xr.DataArray | None = None,
) -> list[Track]:
    """All tracks of a dataset, in order of member and of first centre.

    Parameters
    ----------
    dataset
        Canonical states over ``time``; or one run of a forecast (``evaluation.readers.open_run``) over ``lead_time``
        and, if it has members, ``realization``.
    settings
        What counts as a cyclone.
    ground
        Surface geopotential (m2 s-2), if the dataset does not hold it.

    Raises
    ------
    DataError
        If a field cannot be read.
    ScoreError
        If a criterion's fields are not there, values are missing, or there are fewer than two times.
    """
    if "lead_time" not in dataset.dims:
        return make_tracks(centres_of(dataset, settings, ground), settings)
    initial_time = np.datetime64(dataset["initial_time"].item(), "ns")
    tracks = []
    for member, own in enumerate(members(dataset)):
        centres = centres_of(own, settings, ground)
        tracks += make_tracks(centres, settings, initial_time, member)
    return tracks


def members(run: xr.Dataset) -> list[xr.Dataset]:
    """The members of a run of a forecast, each over valid ``time``."""
    run = run.assign_coords(time=run["initial_time"] + run["lead_time"]).swap_dims(lead_time="time")
    if "realization" not in run.dims:
        return [run]
    return [run.isel(realization=member) for member in range(run.sizes["realization"])]


def centres_of(
    dataset: xr.Dataset,
    settings: TrackSettings,
    ground: xr.DataArray | None = None,
    damaged: dict[np.datetime64, DataError] | None = None,
) -> dict[np.datetime64, list[Centre]]:
    """The centres of cyclones at each ``time`` of a dataset of one member, which is read time by time.

    Times that cannot be read are put into ``damaged``, if that is given.

    Raises
    ------
    DataError
        If a field cannot be read, unless ``damaged`` takes it.
    ScoreError
        If a criterion's fields are not there, or values are missing.
    """
    require_fields(dataset, ground, settings)
    mesh = Mesh(Grid.of(dataset))
    heights = ground_of(dataset, ground, mesh.grid)
    moving = dataset[[name for name, field in dataset.data_vars.items() if "time" in field.dims]]
    found = {}
    for index, time in enumerate(dataset["time"].values.astype("datetime64[ns]")):
        try:
            fields = fields_of(moving.isel(time=index), time, mesh.grid, heights, settings)
        except DataError as error:
            if damaged is None:
                raise
            damaged[time] = error
        else:
            found[time] = detect(fields, mesh, settings)
    return found


def make_tracks(
    centres: Centres, settings: TrackSettings, initial_time: np.datetime64 | None = None, member: int | None = None
) -> list[Track]:
    """The tracks through centres, by time, that fulfil the criteria on whole tracks; named T0001, T0002, ...

    Raises
    ------
    ScoreError
        If there are fewer than two times.
    """
    times = sorted(centres)
    if len(times) < 2:
        raise ScoreError(f"got {len(times)} times, expected at least two to link cyclones; give more")
    step = np.diff(np.array(times)).min()
    linked = link(times, [centres[time] for time in times], settings)
    kept = [own for own in linked if is_long_enough(own, settings, step)]
    return [Track(f"T{number:04d}", own, initial_time, member) for number, own in enumerate(kept, 1)]
