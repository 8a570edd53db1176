"""An HDF5 file that takes ready chunks and says where in the file they are."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from forecast.output.chunks import Chunk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ROOM = 2**20
"""Bytes that what HDF5 writes at the end may take."""
_SMALL = 2048
"""Bytes up to which HDF5 puts several things into one block."""
_NOWHERE = "sphercast abandoned output"


class ChunkFile:
    """A file that the netCDF library made, open for more; chunks go to the disk at once, all else when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "r+")
        self._raw = os.open(path, os.O_RDWR)
        self._size, self._behind = self._file.id.get_filesize(), 0
        self._data: dict[str, Any] = {}

    def put(self, variable: str, place: tuple[int, ...], raw: bytes) -> Chunk:
        """Write the chunk of ``variable`` whose first value has the position ``place``."""
        if variable not in self._data:
            self._data[variable] = self._file[variable].id  # looking it up takes longer than writing
        data, end = self._data[variable], self._size
        data.write_direct_chunk(place, raw)
        self._size = self._file.id.get_filesize()
        nothing_else = len(raw) > _SMALL and self._size == end + len(raw)
        offset = end if nothing_else else self._find(data, place, raw, end)
        self._behind = offset + len(raw)
        return Chunk(variable, place, offset, len(raw), zlib.crc32(raw))

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

    def _find(self, data: Any, place: tuple[int, ...], raw: bytes, end: int) -> int:
        """Where a chunk was put: at what was the file's end, or if small behind the last one, or HDF5 must say.

        HDF5 goes through all chunks of the variable to say it.
        """
        for guess in (end, self._behind):
            if os.pread(self._raw, len(raw), guess) == raw and any(raw):  # what is not written yet is zeros
                return guess
        return int(data.get_chunk_info_by_coord(place).byte_offset)
