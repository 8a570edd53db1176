"""One run of the fields of several pieces, each of them once, of members that are complete."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError, listed
from evaluation.readers.fields import gathered
from evaluation.readers.pieces import Slot, labelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evaluation.readers.fields import Source
    from evaluation.readers.pieces import Piece

    Slots = Mapping[Slot, Source]


@dataclass(frozen=True)
class Part:
    """The fields of a piece with the members that they are of."""

    path: str
    sources: Mapping[Slot, Source]


def assembled(pieces: Sequence[Piece], parts: Sequence[Part]) -> tuple[xr.Dataset, list[str]]:
    """One run of all fields, and the members that were left out because they lack some.

    Raises
    ------
    ScoreError
        If a field is there twice, no member is complete, or grids or units differ.
    """
    first = pieces[0]
    _check_grids(pieces)
    complete, left_out = _complete(_together(parts))
    axes = _Axes.of(complete)
    fields = {name: _field(name, axes, complete, pieces) for name in axes.variables}
    labels = {"lead_time": list(axes.leads), **({"level": list(axes.levels)} if axes.levels else {})}
    run = xr.Dataset(fields, {**labels, **first.grid.coordinates, "initial_time": first.initial_time})
    if axes.members != (None,):
        run = run.assign_coords(realization=list(axes.members))
    others = f" and {len(pieces) - 1} more" if len(pieces) > 1 else ""
    about = {
        "path": f"{first.path}{others}",
        "files": tuple(dict.fromkeys(piece.path for piece in pieces)),
        "members": axes.members,
        "channels": " ".join(channel.name for channel in axes.channels),
        "absent": axes.absent(complete),
        "unread": tuple(sorted({name for piece in pieces for name in piece.unread})),
    }
    return labelled(run).assign_attrs(about), left_out


@dataclass(frozen=True)
class _Axes:
    """The labels of a run."""

    leads: tuple[np.timedelta64, ...]
    members: tuple[int | None, ...]
    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, slots: Slots) -> _Axes:
        numbers = sorted({slot.member for slot in slots if slot.member is not None})
        members: list[int | None] = [*numbers] or [None]
        leads = sorted({slot.lead_time for slot in slots})
        return cls(tuple(leads), tuple(members), tuple(dict.fromkeys(slot.channel for slot in slots)))

    @property
    def variables(self) -> list[str]:
        return list(dict.fromkeys(channel.variable_name for channel in self.channels))

    @property
    def levels(self) -> list[int]:
        return sorted({channel.level for channel in self.channels if channel.level is not None})

    def levels_of(self, name: str) -> list[int | None]:
        """Those that all variables share; none for a variable without levels."""
        on_levels = any(channel.level for channel in self.channels if channel.variable_name == name)
        return [*self.levels] if on_levels else [None]

    def absent(self, slots: Slots) -> tuple[str, ...]:
        """Fields that no member has at a lead time of others."""
        held = {(slot.lead_time, slot.channel) for slot in slots}
        every = ((lead, channel) for lead in self.leads for channel in self.channels)
        return tuple(Slot(lead, None, channel).name for lead, channel in every if (lead, channel) not in held)


def _check_grids(pieces: Sequence[Piece]) -> None:
    first = pieces[0]
    for piece in pieces:
        if not piece.grid.matches(first.grid):
            raise ScoreError(
                f"{piece.path} is on a {piece.grid}, {first.path} on a {first.grid}; expected one grid in all files "
                "of a run: regrid one of them"
            )


def _together(parts: Sequence[Part]) -> dict[Slot, Source]:
    every: dict[Slot, Source] = {}
    path_of: dict[Slot, str] = {}
    for part in parts:
        for slot, source in part.sources.items():
            if slot in every:
                member = "" if slot.member is None else f", member {slot.member},"
                raise ScoreError(
                    f"{slot.name}{member} stands in {path_of[slot]} and in {part.path}; expected each field once: "
                    "remove one, or number the members (coordinate realization)"
                )
            every[slot], path_of[slot] = source, part.path
    return every


def _complete(every: Slots) -> tuple[dict[Slot, Source], list[str]]:
    """The members that have every field that any member has, and what is said of the others."""
    own: dict[int | None, set[tuple[np.timedelta64, Channel]]] = defaultdict(set)
    for slot in every:
        own[slot.member].add((slot.lead_time, slot.channel))
    union = set().union(*own.values())
    whole = {member for member, held in own.items() if held == union}
    left_out = [
        f"member {member} lacks {listed(_names(union - held))}" for member, held in own.items() if member not in whole
    ]
    if not whole:
        raise ScoreError(f"no member has every field: {'; '.join(left_out)}; complete one, or leave the rest out")
    return {slot: source for slot, source in every.items() if slot.member in whole}, left_out


def _names(missing: Iterable[tuple[np.timedelta64, Channel]]) -> list[str]:
    ordered = sorted(missing, key=lambda item: (item[0], item[1].name))
    return [Slot(lead, None, channel).name for lead, channel in ordered]


def _units(name: str, pieces: Sequence[Piece]) -> str:
    found = {units: piece.path for piece in pieces if (units := piece.units(name)) is not None}
    if len(found) > 1:
        (one, path), (other, another), *_ = found.items()
        raise ScoreError(f"{name} is in {one!r} in {path}, in {other!r} in {another}; convert one")
    return next(iter(found))


def _field(name: str, axes: _Axes, complete: Slots, pieces: Sequence[Piece]) -> xr.Variable:
    """A variable of all lead times, and of all members and levels where it has them."""
    levels = axes.levels_of(name)
    sources = np.full((len(axes.leads), len(axes.members), len(levels)), None, dtype=object)
    for lead, member, level in np.ndindex(sources.shape):
        slot = Slot(axes.leads[lead], axes.members[member], Channel(name, levels[level]))
        sources[lead, member, level] = complete.get(slot)
    dims = ["lead_time", "realization", "level"]
    single = [dim for dim, labels in zip(dims, ((), axes.members, levels), strict=True) if labels in ((None,), [None])]
    sources = sources.squeeze(tuple(dims.index(dim) for dim in single))
    dtype = np.result_type(*{source.dtype for slot, source in complete.items() if slot.channel.variable_name == name})
    kept = [dim for dim in dims if dim not in single]
    return gathered(kept, sources, pieces[0].grid.shape, dtype, _units(name, pieces))
