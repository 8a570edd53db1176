"""An HDF5 file that takes ready fields, in chunks or plain, and says where in the file they are."""

from __future__ import annotations

import os
from contextlib import suppress
from operator import mul
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from forecast.output.chunks import Chunk, checksum

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from forecast.output.chunks import Raw

_ROOM = 2**20
"""Bytes that what HDF5 writes at the end may take."""
_SMALL = 2048
"""Bytes up to which HDF5 puts several things into one block."""
_LARGE, _PAGE = 2**24, 4096
"""Bytes from which on a plain variable begins with a page, as whole pages are written faster."""
_NOWHERE = "sphercast abandoned output"


class _Stored(NamedTuple):
    """A variable of the file; if it is not in chunks, where it begins and its dimensions' strides, in bytes."""

    data: Any
    start: int | None = None
    strides: tuple[int, ...] = ()


class ChunkFile:
    """A file that the netCDF library made, open for more; fields go to the disk at once, all else when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "r+", alignment_threshold=_LARGE, alignment_interval=_PAGE)
        self._raw = os.open(path, os.O_RDWR)
        self._plain = [field for field in self._file.values() if _is_plain(field)]
        for field in self._plain:
            field[(0,) * field.ndim] = 0  # only then HDF5 gives it its place
        self._file.flush()  # so that HDF5 does not write these once more over what is put there
        self._size, self._behind = self._file.id.get_filesize(), 0
        self._stored: dict[str, _Stored] = {}

    def reserve(self) -> None:
        """Take the room of all plain variables; an OSError if the disk is too small."""
        for field in self._plain:
            os.posix_fallocate(self._raw, field.id.get_offset(), field.nbytes)

    def put(self, variable: str, place: tuple[int, ...], raw: Raw) -> Chunk:
        """Write the chunk of ``variable`` whose first value has the position ``place``.

        Of a variable without chunks, values that lie one after the other.
        """
        if variable not in self._stored:
            self._stored[variable] = self._look_up(variable)  # which takes longer than writing
        stored = self._stored[variable]
        put = self._put_chunk if stored.start is None else self._put_plainly
        return Chunk(variable, place, put(stored, place, raw), len(raw), checksum(raw))

    def finish(self, values: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Write the ``values`` of further variables, global ``attributes`` and all that is left, and close.

        Raises
        ------
        OSError, RuntimeError
            If the disk is full or fails.
        """
        room = _ROOM + sum(np.asarray(value).nbytes for value in values.values())
        os.posix_fallocate(self._raw, 0, self._file.id.get_filesize() + room)  # without room HDF5 crashes
        for variable, value in values.items():
            self._file[variable][...] = value
        for name, text in attributes.items():
            self._file.attrs.create(name, np.bytes_(text))  # as the netCDF library writes text
        self._file.flush()
        size = self._file.id.get_filesize()
        self._file.close()
        os.ftruncate(self._raw, size)
        os.close(self._raw)

    def abandon(self) -> None:
        """Close, and write no more: HDF5's last words go into memory, as the disk may be full."""
        if not self._file:
            return
        nowhere = os.memfd_create(_NOWHERE) if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._file.id.get_vfd_handle())
        with suppress(OSError, RuntimeError, ValueError):
            self._file.close()
        os.close(nowhere)
        os.close(self._raw)

    def _look_up(self, variable: str) -> _Stored:
        found = self._file[variable]
        if found.chunks is not None:
            return _Stored(found.id)
        strides = np.cumprod([found.dtype.itemsize, *found.shape[:0:-1]])[::-1]
        return _Stored(found.id, found.id.get_offset(), tuple(strides.tolist()))

    def _put_plainly(self, stored: _Stored, place: tuple[int, ...], raw: Raw) -> int:
        offset = int((stored.start or 0) + sum(map(mul, place, stored.strides)))
        written = 0
        while written < len(raw):  # where only a part has room, the next part says why
            written += os.pwrite(self._raw, raw[written:], offset + written)  # type: ignore[arg-type]  # numpy lacks it
        return offset

    def _put_chunk(self, stored: _Stored, place: tuple[int, ...], raw: Raw) -> int:
        data, end = stored.data, self._size
        data.write_direct_chunk(place, raw)
        self._size = self._file.id.get_filesize()
        nothing_else = len(raw) > _SMALL and self._size == end + len(raw)
        offset = end if nothing_else else self._find(data, place, raw, end)
        self._behind = offset + len(raw)
        return offset

    def _find(self, data: Any, place: tuple[int, ...], raw: Raw, end: int) -> int:
        """Where a chunk was put: at what was the file's end, or if small behind the last one, or HDF5 must say.

        HDF5 goes through all chunks of the variable to say it.
        """
        for guess in (end, self._behind):
            if os.pread(self._raw, len(raw), guess) == raw and any(raw):  # what is not written yet is zeros
                return guess
        return int(data.get_chunk_info_by_coord(place).byte_offset)


def _is_plain(field: h5py.Dataset) -> bool:
    return field.chunks is None and "_FillValue" in field.attrs
