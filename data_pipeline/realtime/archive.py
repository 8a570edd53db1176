"""Archives of GRIB files with indexes beside them, on several mirrors: where a field lies, and what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

import numpy as np
from pydantic import AfterValidator
from pydantic import Field as Checked

from data_pipeline.errors import listed
from data_pipeline.realtime.transport import AbsentError, LyingMirrorError, host_of
from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from data_pipeline.errors import GoneError, TemporaryError
    from data_pipeline.realtime.fields import Field
    from data_pipeline.realtime.index_files import Entry
    from data_pipeline.realtime.request import Request
    from data_pipeline.realtime.transport import Reader

FINAL_AFTER = np.timedelta64(48, "h")
"""Whatever is on no mirror so long after its time will not come: providers publish within half a day."""

_HEAD, _END = 16, b"7777"
"""Bytes of a GRIB 2 message's first section, whose last 8 are its length, and what a message ends with."""


def _address(mirror: str) -> str:
    if not mirror.startswith(("http://", "https://")):
        raise ValueError(f"got the mirror {mirror!r}, expected an address that begins with https:// or http://")
    return mirror.rstrip("/")


Addresses = Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], Checked(min_length=1)]
"""Of mirrors; one or more."""


class Archive(Protocol):
    """What is to be known of a provider."""

    @property
    def name(self) -> str:
        """Of the folder that its messages are kept in."""
        ...

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Addresses with the same files below them, in the order in which they are tried."""
        ...

    def paths(self, wanted: Field) -> tuple[str, ...]:
        """The GRIB files that may hold a field, below a mirror, in the order in which they are looked at."""
        ...

    def index_path(self, path: str) -> str:
        """The index of a GRIB file."""
        ...

    def entries(self, text: str, url: str) -> list[Entry]:
        """What an index lists of the variables that are known; a ``ChangedLayoutError`` if it is none."""
        ...

    def require_possible(self, request: Request) -> None:
        """Raise a DataError if the archive never has what is asked for, a GoneError if it is older than the archive."""
        ...


class Place(NamedTuple):
    """Where a field lies on a mirror."""

    url: str
    offset: int
    length: int


@dataclass
class Mirrors:
    """The mirrors of one look or fetch, best first, and what went wrong with each of them."""

    order: list[str]
    troubles: list[TemporaryError | GoneError] = field(default_factory=list)

    def note(self, mirror: str, trouble: TemporaryError | GoneError) -> None:
        """One that lied is not asked again, one in trouble only after the others; one that is late keeps its place."""
        self.troubles.append(trouble)
        if not isinstance(trouble, AbsentError):
            self.order.remove(mirror)
        if not isinstance(trouble, (AbsentError, LyingMirrorError)):
            self.order.append(mirror)

    @property
    def words(self) -> str:
        """The troubles since the last ``forget``, each once."""
        return ", ".join(dict.fromkeys(map(str, self.troubles))) or "every mirror sent something wrong before"

    def all_are(self, kind: type[Exception]) -> bool:
        """Whether every mirror said the same kind of thing."""
        return bool(self.troubles) and all(isinstance(trouble, kind) for trouble in self.troubles)

    def forget(self) -> None:
        """Before other files are asked for."""
        self.troubles.clear()


def by_cycle(fields: Iterable[Field]) -> list[list[Field]]:
    """Fields of the same cycle and step together: they lie in the same files."""
    ordered = sorted(fields, key=lambda wanted: (wanted.cycle, wanted.step_hours))
    return [list(group) for _, group in groupby(ordered, key=lambda wanted: (wanted.cycle, wanted.step_hours))]


def all_paths(archive: Archive, fields: Sequence[Field]) -> list[str]:
    """The files that may hold some fields, each once, in the order in which they are looked at."""
    return list(dict.fromkeys(path for wanted in fields for path in archive.paths(wanted)))


async def locate(archive: Archive, mirror: str, reader: Reader, fields: Sequence[Field]) -> dict[Field, Place]:
    """Where a mirror has the fields, as its indexes say; those that are not listed are left out.

    Raises
    ------
    TemporaryError
        If an index cannot be had, or is of another cycle.
    ChangedLayoutError
        If an index cannot be read.
    """
    places: dict[Field, Place] = {}
    for path in all_paths(archive, fields):
        wanted = [each for each in fields if each not in places and path in archive.paths(each)]
        if wanted:
            url = f"{mirror}/{archive.index_path(path)}"
            entries = archive.entries(await reader.text(url), url)
            _require_cycle(entries, wanted[0].cycle, url)
            places |= await _places(entries, f"{mirror}/{path}", reader, wanted)
    return places


def _require_cycle(entries: Sequence[Entry], cycle: np.datetime64, url: str) -> None:
    others = [entry.cycle for entry in entries if entry.cycle != cycle]
    if others:
        raise LyingMirrorError(f"{host_of(url)} sent an index of {shown(others[0])}, expected {shown(cycle)}")


async def _places(entries: Sequence[Entry], url: str, reader: Reader, fields: Sequence[Field]) -> dict[Field, Place]:
    listed_at = {(entry.channel, entry.member, entry.step_hours): entry for entry in reversed(entries)}  # first counts
    places = {}
    for wanted in fields:
        entry = listed_at.get((wanted.channel, wanted.number, wanted.step_hours))
        if entry is not None:
            length = entry.length or await _length_at(url, entry.offset, reader)
            places[wanted] = Place(url, entry.offset, length)
    return places


async def _length_at(url: str, offset: int, reader: Reader) -> int:
    """Of the last message of a file, as the message itself says."""
    head = await reader.part(url, offset, _HEAD)
    if head[:4] != b"GRIB":
        raise LyingMirrorError(f"{host_of(url)} has no message at byte {offset} of {url}, where its index puts one")
    return int.from_bytes(head[8:])


async def require_there(archive: Archive, mirror: str, reader: Reader, fields: Sequence[Field]) -> None:
    """Raise an AbsentError unless a mirror lists all of the fields and has the last byte of the last one.

    Other trouble is raised as ``locate`` does.
    """
    places = await locate(archive, mirror, reader, fields)
    lacking = [wanted.channel.name for wanted in fields if wanted not in places]
    if lacking:
        raise AbsentError(f"{host_of(mirror)} lists {len(places)} of {len(fields)} fields, not {listed(lacking)}")
    for url in {place.url for place in places.values()}:
        stop = max(place.offset + place.length for place in places.values() if place.url == url)
        if await reader.part(url, stop - len(_END), len(_END)) != _END:
            raise AbsentError(f"{host_of(mirror)} has no message that ends at byte {stop} of {url}")
