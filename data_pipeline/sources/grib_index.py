"""What GRIB files hold: one pass over the headers finds the variable, level, member, time and place of each message.

Headers that differ in nothing but the reference time say the same of everything else, so eccodes parses each sort of
header once and the pass costs a few small reads per message. Results are kept as long as the process lives and the
file does not change.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.errors import DAMAGES, DataError
from data_pipeline.sources.grib_message import Kind, kind_of
from data_pipeline.sources.grib_sections import Header, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SUFFIXES = (".grib", ".grib1", ".grib2", ".grb", ".grb1", ".grb2", ".gb", ".gb1", ".gb2")
"""What files of a folder must end with to be read."""

MESSAGE = np.dtype([("file", "i4"), ("kind", "i4"), ("time", "M8[s]"), ("offset", "i8"), ("length", "i8")])
"""One message: positions of its file and kind in the index, valid time, and place in bytes."""

_GAP = 2**16
"""Bytes that may lie before a message (telecommunication headers, padding)."""

_SHORTEST_MONTH = 28 * 24


class Stamp(NamedTuple):
    """A file at one moment: another size or time of change (ns) means other content."""

    path: str
    size: int
    changed: int


@dataclass(frozen=True)
class GribIndex:
    """Messages of files, shape (messages,) of dtype ``MESSAGE``, in the order of the files."""

    files: tuple[Stamp, ...]
    kinds: tuple[Kind, ...]
    messages: NDArray[np.void]


def grib_files(path: str) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    Raises
    ------
    DataError
        If there are none.
    """
    exact = Path(path)
    if exact.is_file():
        return [exact]
    if exact.is_dir():
        found = sorted(file for file in exact.iterdir() if file.suffix.lower() in SUFFIXES)
        if not found:
            raise DataError(f"no GRIB in the folder {path}, expected names ending with {', '.join(SUFFIXES)}; rename")
        return found
    found = sorted(file for file in Path(exact.anchor or ".").glob(path.removeprefix(exact.anchor)) if file.is_file())
    if not found:
        raise DataError(f"no such file: {path}; check the path (relative to {Path.cwd()}; remote GRIB is copied first)")
    return found


def index_files(paths: Sequence[Path]) -> GribIndex:
    """Index all messages of files.

    Raises
    ------
    DataError
        If eccodes is missing, or a file is damaged, empty, no GRIB, or has several fields in one message.
    """
    return _joined(tuple(_stamp(path) for path in paths))


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return Stamp(str(path.absolute()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _joined(files: tuple[Stamp, ...]) -> GribIndex:
    numbers: dict[Kind, int] = {}
    parts = []
    for position, file in enumerate(files):
        single = _index_one(file)
        renumbered = np.array([numbers.setdefault(kind, len(numbers)) for kind in single.kinds])
        part = single.messages.copy()
        part["file"], part["kind"] = position, renumbered[part["kind"]]
        parts.append(part)
    return GribIndex(files, tuple(numbers), np.concatenate(parts))


@cache
def _index_one(file: Stamp) -> GribIndex:
    numbers: dict[Kind, int] = {}
    known: dict[bytes, Kind] = {}
    rows = []
    with open(file.path, "rb", buffering=0) as opened:
        descriptor, offset = opened.fileno(), 0
        while (offset := _next_message(descriptor, offset, file)) < file.size:
            header = _header(descriptor, offset, file)
            kind = known.get(header.key) or _kind(descriptor, offset, header, file)
            if kind.step_hours < _SHORTEST_MONTH:  # months differ: a step of one depends on the reference time
                known[header.key] = kind
            valid = header.reference + np.timedelta64(round(kind.step_hours * 3600), "s")
            rows.append((0, numbers.setdefault(kind, len(numbers)), valid, offset, header.length))
            offset += header.length
    if not rows:
        raise DataError(f"{file.path} holds no GRIB message; name GRIB files, or remove it")
    return GribIndex((file,), tuple(numbers), np.array(rows, dtype=MESSAGE))


def _next_message(descriptor: int, offset: int, file: Stamp) -> int:
    """Where the next message starts, the size of the file if there is none.

    Raises
    ------
    DataError
        If what follows is something else.
    """
    if os.pread(descriptor, 4, offset) == b"GRIB":
        return offset
    gap = os.pread(descriptor, _GAP, offset)
    if b"GRIB" in gap:
        return offset + gap.index(b"GRIB")
    if gap.strip(b"\0\r\n\3 ") or len(gap) == _GAP:
        raise DataError(f"{file.path} is no GRIB from byte {offset} on; name GRIB files, or copy it again")
    return file.size


def is_grib(path: Path) -> bool:
    """Whether a file, glob or folder holds GRIB, as names tell.

    Raises
    ------
    DataError
        If a folder holds NetCDF beside GRIB.
    """
    if not path.is_dir():
        return path.suffix.lower() in SUFFIXES
    kinds = {file.suffix.lower() for file in path.iterdir()}
    others = sorted(kinds & {".nc", ".nc4", ".netcdf"})
    if kinds.intersection(SUFFIXES) and others:
        raise DataError(
            f"{path} holds GRIB beside {', '.join(others)} files, of which only one kind can be read at a time; put "
            "them in folders of their own, or give a glob such as '*.grib'"
        )
    return bool(kinds.intersection(SUFFIXES))


def _header(descriptor: int, offset: int, file: Stamp) -> Header:
    try:
        header = read_header(descriptor, offset, file.size)
    except DAMAGES as error:
        raise _damaged(file.path, offset, error) from error
    if header.fields > 1:
        raise DataError(
            f"{file.path} has {header.fields} fields in the message at byte {offset}, expected one; split it with "
            f"`grib_copy {Path(file.path).name} OUT`"
        )
    return header


def _kind(descriptor: int, offset: int, header: Header, file: Stamp) -> Kind:
    try:
        return kind_of(os.pread(descriptor, header.length, offset), header.grid)
    except DAMAGES as error:
        raise _damaged(file.path, offset, error) from error


def _damaged(path: str, offset: int, reason: Exception) -> DataError:
    return DataError(f"{path} cannot be read at byte {offset} ({reason}); it is damaged: copy it again")
