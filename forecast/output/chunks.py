"""Chunks of files: how they are made, and the record of where they are, from which a killed run goes on."""

from __future__ import annotations

import json
import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from errno import EIO
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import google_crc32c
import numpy as np

from data_pipeline.errors import SphercastError
from data_pipeline.loading import default_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Raw = bytes | NDArray[np.uint8]
    """Bytes, which lie one after the other."""

T = TypeVar("T")
R = TypeVar("R")


class LostOutput(SphercastError):  # noqa: N818, it says what happened
    """Output that should have been kept is damaged or gone, from advance number ``advance`` on."""

    def __init__(self, advance: int, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; what was written from advance {advance} on must be computed again")
        self.advance = advance


class Chunk(NamedTuple):
    """Stored values: their variable, position of the first one, place in the file in bytes, and CRC-32C."""

    variable: str
    place: tuple[int, ...]
    offset: int
    size: int
    crc: int


def encoded(field: NDArray[np.float32], compression: int) -> bytes:
    """The bytes of a chunk as the filters shuffle and deflate of HDF5 and Zarr make them; plain without compression."""
    if compression == 0:
        return field.tobytes()
    shuffled = field.reshape(-1).view(np.uint8).reshape(-1, field.itemsize).T
    return zlib.compress(shuffled.tobytes(), compression)


def checksum(raw: Raw) -> int:
    """CRC-32C, which processors have an instruction for."""
    return int(google_crc32c.value(raw))


def in_threads(make: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``make`` of each item, in order: compressing and writing let other threads work meanwhile."""
    return _pool().map(make, items)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(default_threads(), "sphercast-chunks")


class Record:
    """The record of an open file: a line for each advance, written at once, with a checksum of its own.

    A new one is made aside; ``take_place`` puts it in the place of the old one.
    """

    def __init__(self, path: Path) -> None:
        self.path = record_path(path)
        self._aside = self.path.with_name(f"{self.path.name}.new")
        self._file = self._aside.open("wb", buffering=0)

    def append(self, advance: int, chunks: Iterable[Chunk]) -> None:
        """Note the chunks of one advance, which are in the file already."""
        line = _line(advance, chunks)
        while line:  # where only a part has room, the next part says why
            line = line[self._file.write(line) :]

    def take_place(self) -> None:
        """From now on a resume goes by it."""
        self._aside.replace(self.path)

    def close(self) -> None:
        """Close the file of the record."""
        self._file.close()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What libraries raise of a full or failing disk in words of their own, as an OSError with the path."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        said = re.search(r"errno = (\d+)", str(error))  # HDF5's RuntimeErrors have it only in words
        code = getattr(error, "errno", None) or (int(said[1]) if said else EIO)
        raise OSError(code, os.strerror(code) if code != EIO else f"cannot write ({error})", str(path)) from error


def record_path(path: Path) -> Path:
    """Where the record of the chunks of ``path`` is."""
    return path.with_name(f"{path.name}.chunks")


def read_record(path: Path, committed: int) -> list[list[Chunk]]:
    """The chunks of ``path`` of advances 0 to ``committed`` - 1.

    Raises
    ------
    LostOutput
        If one of them is not there, or its line is damaged.
    """
    record = record_path(path)
    lines = record.read_bytes().splitlines(keepends=True) if record.is_file() else []
    found: list[list[Chunk]] = []
    for advance in range(committed):
        chunks = _parse(lines[advance], advance) if advance < len(lines) else None
        if chunks is None:
            raise LostOutput(advance, path, f"the record of advance {advance} is {_what_is_wrong(lines, advance)}")
        found.append(chunks)
    return found


def _line(advance: int, chunks: Iterable[Chunk]) -> bytes:
    text = json.dumps([advance, [list(chunk) for chunk in chunks]], separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(line: bytes, advance: int) -> list[Chunk] | None:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text) or not line.endswith(b"\n"):
        return None
    number, chunks = json.loads(text)
    found = [Chunk(name, tuple(place), *numbers) for name, place, *numbers in chunks]
    return found if number == advance else None


def _what_is_wrong(lines: Sequence[bytes], advance: int) -> str:
    return "damaged" if advance < len(lines) else "missing"
