"""GRIB 1 and 2: analyses, forecasts of one step, or one member of an ensemble, on a regular grid.

Labels come from our own index of the headers (cfgrib decodes a header per message, writes index files beside the data
and fills what does not fit with NaN); eccodes unpacks values, one message after the other, when they are asked for.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import dask.array
import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from data_pipeline.channels import Channel
from data_pipeline.errors import DAMAGES, DataError, listed
from data_pipeline.grid import COORDINATE_TOLERANCE
from data_pipeline.sources.grib_index import GribIndex, Stamp, grib_files, index_files
from data_pipeline.sources.grib_message import Layout, decode, layout_of
from data_pipeline.sources.grib_selection import Selection, contents, held_variables, pressure
from data_pipeline.sources.shares import canonical_share
from data_pipeline.times import shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window

    Messages = NDArray[np.void]
    Layouts = dict[int, Layout]

BLOCK_BYTES = 2**18
"""Of values that are unpacked together: one field at a degree, more where a field costs less than its task."""

_UNITS = {"m of water equivalent": "m", "deg C": "degC", "~": "1", "Numeric": "1"}

_ADVICE = {
    "reduced_gg": "`cdo setgridtype,regular IN OUT`",
    "reduced_ll": "`cdo setgridtype,regular IN OUT`",
    "sh": "`cdo sp2gpl IN OUT`",
}
"""What makes a regular grid of others."""


class GribSource(BaseModel):
    """A GRIB file, a folder or a glob of them; neither their order nor that of the messages matters.

    ``member`` chooses one of an ensemble, ``step_hours`` one forecast step (0 is the analysis) where there are several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["grib"] = "grib"
    path: str
    member: int | None = Field(default=None, ge=0)
    step_hours: int | None = Field(default=None, ge=0)

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy (dask), inside ``window``.

        The time is the valid time. Static fields are those of the first time. Accumulated fields say with the
        attribute ``accumulation_hours`` what they cover.

        Raises
        ------
        DataError
            If files are damaged, hold none of ``wanted`` or no time inside ``window``, lack a field of the
            hypercube or have one twice, mix grids, members, steps or accumulations, or are on no regular grid.
        """
        index = index_files(grib_files(self.path))
        chosen = self._chosen(index, wanted, window)
        layouts = self._layouts(index, np.concatenate(list(chosen.values())))
        fields = [self._field(name, chosen, index, layouts) for name in chosen]
        raw = xr.merge(fields, join="outer", compat="override", combine_attrs="override")
        canonical = canonical_share(raw, list(chosen), self.path, report)
        for name, messages in chosen.items():
            hours = index.kinds[messages["kind"][0]].accumulation_hours
            if variable(name).accumulated and hours:
                canonical[name].attrs["accumulation_hours"] = int(hours)
        return canonical

    def _chosen(self, index: GribIndex, wanted: Collection[str], window: Window | None) -> dict[str, Messages]:
        """``{variable: its messages}`` of those that are wanted and held."""
        held = held_variables(index.kinds)
        kept = sorted(set(wanted) & set(held))
        if not kept:
            raise DataError(
                f"{self.path} holds none of {', '.join(sorted(wanted))}; it has {contents(index.kinds)}; "
                "remove the source"
            )
        selection = Selection(self.path, self.member, self.step_hours, window)
        return {name: selection.of(name, index, held[name]) for name in kept}

    def _layouts(self, index: GribIndex, messages: Messages) -> Layouts:
        """How the messages of each kind fill the grid that all of them share."""
        numbers, first = np.unique(messages["kind"], return_index=True)
        grids: dict[bytes, Layout] = {}
        for number, message in zip(numbers, messages[first], strict=True):
            kind = index.kinds[number]
            if kind.grid not in grids:
                file = index.files[message["file"]]
                grids[kind.grid] = _layout(file, int(message["offset"]), int(message["length"]), kind.grid_type)
        reference, *others = grids.values()
        if not all(_same_grid(reference, other) for other in others):
            sizes = listed({f"{layout.latitude.size}x{layout.longitude.size}" for layout in grids.values()})
            raise DataError(f"{self.path} has fields on different grids ({sizes}), expected one grid; split the files")
        return {int(number): grids[index.kinds[number].grid] for number in numbers}

    def _field(self, name: str, chosen: dict[str, Messages], index: GribIndex, layouts: Layouts) -> xr.DataArray:
        """A variable as a lazy hypercube of all times of its like; ``layouts`` agree in their labels."""
        entry, messages = variable(name), chosen[name]
        alike = [messages] if entry.role == "static" else _with_the_same_times(name, chosen)
        times = np.unique(np.concatenate(alike)["time"])
        levels = np.array([pressure(kind) for kind in index.kinds])[messages["kind"]]
        cube = self._cube(name, messages, times, levels)
        labels = next(iter(layouts.values()))
        fields = xr.DataArray(
            _lazy(cube, index.files, layouts),
            {"time": times.astype("M8[ns]"), "level": ("level", np.unique(levels), {"units": "hPa"}),
             "latitude": labels.latitude, "longitude": labels.longitude},
            ("time", "level", "latitude", "longitude"),
            name,
            {"units": _units(index.kinds[messages["kind"][0]].units, entry.units)},
        )  # fmt: skip
        fields = fields if entry.on_levels else fields.isel(level=0, drop=True)
        return fields.isel(time=0, drop=True) if entry.role == "static" else fields

    def _cube(
        self, name: str, messages: Messages, times: NDArray[np.datetime64], levels: NDArray[np.float64]
    ) -> Messages:
        """Messages (time, level), each of them there once."""
        held, columns = np.unique(levels, return_inverse=True)
        places = np.searchsorted(times, messages["time"]) * held.size + columns
        counts = np.bincount(places, minlength=times.size * held.size)
        names = [Channel(name, int(level) or None).name for level in held]
        twice, missing = (
            [f"{names[place % held.size]} at {shown(times[place // held.size])}" for place in np.flatnonzero(wrong)]
            for wrong in (counts > 1, counts == 0)
        )
        if twice:
            raise DataError(f"{self.path} has fields more than once: {listed(twice)}; remove the copies")
        if missing:
            raise DataError(
                f"{self.path} lacks {len(missing)} of {counts.size} fields of {name}: {listed(missing)}; complete it, "
                "or choose a period or variables without the gap"
            )
        return messages[np.argsort(places)].reshape(times.size, held.size)


def _with_the_same_times(name: str, chosen: dict[str, Messages]) -> list[Messages]:
    """Instantaneous fields belong together; accumulations may end at other times than those are valid for."""
    entries = {other: variable(other) for other in chosen}
    return [
        chosen[other]
        for other, entry in entries.items()
        if entry.role == "prognostic" and entry.accumulated == entries[name].accumulated
    ]


def _units(units: str, expected: str) -> str:
    """As the message says, spelt as the canonical form reads it; where it says nothing, as the table does."""
    if units in {"", "unknown"}:
        return expected
    return "1" if units.startswith("(Code table") else _UNITS.get(units, units)


def _same_grid(one: Layout, other: Layout) -> bool:
    return all(
        mine.size == theirs.size and np.allclose(mine, theirs, rtol=0, atol=COORDINATE_TOLERANCE)
        for mine, theirs in ((one.latitude, other.latitude), (one.longitude, other.longitude))
    )


@lru_cache(maxsize=64)
def _layout(file: Stamp, offset: int, length: int, grid_type: str) -> Layout:
    if grid_type not in {"regular_ll", "regular_gg"}:
        advice = _ADVICE.get(grid_type, "`cdo remapcon,GRID IN OUT`")
        raise DataError(
            f"{file.path} is on a grid of type {grid_type}, expected regular_ll or regular_gg; convert it with "
            f"{advice}, or request a regular grid"
        )
    with open(file.path, "rb", buffering=0) as opened:
        try:
            return layout_of(os.pread(opened.fileno(), length, offset))
        except DAMAGES as error:
            raise DataError(f"{file.path}: the grid at byte {offset} is not read ({error}); regrid it") from error


def _lazy(cube: Messages, files: tuple[Stamp, ...], layouts: Layouts) -> dask.array.Array:
    """Fields (time, level, latitude, longitude) of messages (time, level); a block is a few times of one level."""
    used, positions = np.unique(cube["file"], return_inverse=True)
    cube["file"] = positions.reshape(cube.shape)
    labels = next(iter(layouts.values()))
    shape = (labels.latitude.size, labels.longitude.size)
    times = max(1, BLOCK_BYTES // (4 * shape[0] * shape[1]))
    blocks = dask.array.from_array(cube, chunks=(times, 1))  # type: ignore[no-untyped-call]
    fields: dask.array.Array = dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _read,
        blocks,
        files=tuple(files[position] for position in used),
        layouts=layouts,
        shape=shape,
        new_axis=[2, 3],
        chunks=(*blocks.chunks, *((size,) for size in shape)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0, 0), np.float32),
    )
    return fields


def _read(cube: Messages, files: tuple[Stamp, ...], layouts: Layouts, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Unpack a block of messages; each is read at once, where the index says."""
    fields = np.empty((cube.size, *shape), np.float32)
    with ExitStack() as opened:
        descriptors = {
            int(position): opened.enter_context(open(files[position].path, "rb", buffering=0)).fileno()
            for position in np.unique(cube["file"])
        }
        for field, (file, kind, _, offset, length) in zip(fields, cube.ravel().tolist(), strict=True):
            try:
                decode(os.pread(descriptors[file], length, offset), layouts[kind].in_scanning_order(field))
            except DAMAGES as error:
                raise DataError(
                    f"{files[file].path}: the field at byte {offset} cannot be unpacked ({error}); it is damaged: "
                    "copy it again"
                ) from error
    return fields.reshape(*cube.shape, *shape)
