"""Look for the fields of a request in an archive, and fetch them: a few bytes from the first mirror that has them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING

import fsspec.asyn

from data_pipeline.errors import GoneError, TemporaryError, listed
from data_pipeline.realtime.archive import FINAL_AFTER, Mirrors, all_paths, by_cycle, locate, require_there
from data_pipeline.realtime.fields import fields_of, is_kept, keep
from data_pipeline.realtime.request import Readiness, utc_now
from data_pipeline.realtime.states import states_of
from data_pipeline.realtime.transport import AbsentError, ChangedLayoutError, host_of, reading_servers
from data_pipeline.sources.grib import GribSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import xarray as xr

    from data_pipeline.realtime.archive import Archive, Place
    from data_pipeline.realtime.fields import Field
    from data_pipeline.realtime.request import Request
    from data_pipeline.realtime.transport import Reader

MOST_AT_ONCE = 2**25
"""Bytes of one request: what a broken connection costs."""
_CONNECTIONS = 4
"""To one server: it has other clients too."""

_LOG = logging.getLogger(__name__)


def look_in(archive: Archive, request: Request, now: np.datetime64 | None) -> Readiness:
    """What no mirror has of a request."""
    try:
        archive.require_possible(request)
    except GoneError as error:
        return Readiness(gone=str(error))
    readiness: Readiness = fsspec.asyn.sync(
        fsspec.asyn.get_loop(), _look, archive, fields_of(request), utc_now() if now is None else now
    )
    return readiness


async def _look(archive: Archive, fields: Sequence[Field], now: np.datetime64) -> Readiness:
    missing: list[str] = []
    mirrors = Mirrors(list(archive.mirrors))
    async with reading_servers() as reader:
        for group in by_cycle(fields):
            if await _is_there(archive, mirrors, reader, group):
                continue
            looked_for = f"looked for {archive.index_path(all_paths(archive, group)[0])}: {mirrors.words}"
            if mirrors.all_are(ChangedLayoutError):
                return Readiness(gone=str(mirrors.troubles[0]))
            if mirrors.all_are(AbsentError) and now - group[0].cycle > FINAL_AFTER:
                return Readiness(gone=f"{looked_for}; it is older than they keep, was never made, or is elsewhere now")
            missing.append(looked_for)
    return Readiness(tuple(missing))


async def _is_there(archive: Archive, mirrors: Mirrors, reader: Reader, fields: Sequence[Field]) -> bool:
    """Whether one of the mirrors has the fields; if not, ``mirrors`` knows why."""
    mirrors.forget()
    for mirror in tuple(mirrors.order):
        try:
            await require_there(archive, mirror, reader, fields)
        except (TemporaryError, GoneError) as trouble:
            mirrors.note(mirror, trouble)
        else:
            return True
    return False


def fetch_from(archive: Archive, request: Request, folder: Path) -> xr.Dataset:
    """The states of a request; its messages are kept below ``folder``, each in a file of its own.

    Raises
    ------
    TemporaryError
        If no mirror has something, or sends it right.
    ChangedLayoutError
        If no mirror has an index that can be read.
    DataError
        If the archive never has it, or eccodes is missing.
    """
    archive.require_possible(request)
    kept = folder / f"{archive.name}-{digest(request)}"
    kept.mkdir(parents=True, exist_ok=True)
    fields = [wanted for wanted in fields_of(request) if not is_kept(wanted, kept)]
    for wanted in fields:
        (kept / wanted.file_name).unlink(missing_ok=True)  # the disk damaged it
    fsspec.asyn.sync(fsspec.asyn.get_loop(), _fetch, archive, fields, kept)
    opened = GribSource(path=str(kept), step_hours=0).open(request.channels.variables)
    return states_of(opened, request, archive.name)


def digest(request: Request, *origin: str) -> str:
    """A short name for what is asked for, and where."""
    return hashlib.sha256(repr((request, request.hours_accumulated, *origin)).encode()).hexdigest()[:12]


async def _fetch(archive: Archive, fields: Sequence[Field], folder: Path) -> None:
    mirrors = Mirrors(list(archive.mirrors))
    async with reading_servers() as reader:
        for group in by_cycle(fields):
            await _fetch_group(archive, mirrors, reader, group, folder)


async def _fetch_group(
    archive: Archive, mirrors: Mirrors, reader: Reader, fields: Sequence[Field], folder: Path
) -> None:
    mirrors.forget()
    for mirror in tuple(mirrors.order):
        wanted = [each for each in fields if not (folder / each.file_name).exists()]
        try:
            places = await locate(archive, mirror, reader, wanted)
            await _download(places, reader, folder)
            if len(places) == len(wanted):
                return
            lacking = [each.channel.name for each in wanted if each not in places]
            raise AbsentError(f"{host_of(mirror)} lists no {listed(lacking)}")
        except (TemporaryError, GoneError) as trouble:
            _LOG.warning("%s; going on with the next mirror", trouble)
            mirrors.note(mirror, trouble)
    if mirrors.all_are(ChangedLayoutError):
        raise mirrors.troubles[0]
    raise TemporaryError(
        f"looked for {archive.index_path(all_paths(archive, fields)[0])}: {mirrors.words}; try again later, what was "
        "fetched is kept"
    )


async def _download(places: Mapping[Field, Place], reader: Reader, folder: Path) -> None:
    """All of the fields, as far as they are sent right; then the first trouble is raised."""
    free = asyncio.Semaphore(_CONNECTIONS)

    async def one(stretch: Sequence[Field]) -> None:
        first = places[stretch[0]]
        async with free:
            content = await reader.part(first.url, first.offset, sum(places[wanted].length for wanted in stretch))
        for wanted in stretch:
            start = places[wanted].offset - first.offset
            keep(content[start : start + places[wanted].length], wanted, folder, host_of(first.url))

    ended = await asyncio.gather(*map(one, stretches(places)), return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


def stretches(places: Mapping[Field, Place]) -> list[list[Field]]:
    """Fields that lie side by side in one file, up to ``MOST_AT_ONCE`` bytes of them, for one request each."""
    found: list[list[Field]] = []
    stop, size, url = -1, 0, ""
    for wanted, place in sorted(places.items(), key=lambda item: item[1]):
        if place.url != url or place.offset != stop or size + place.length > MOST_AT_ONCE:
            found.append([])
            size = 0
        found[-1].append(wanted)
        stop, size, url = place.offset + place.length, size + place.length, place.url
    return found
