"""Fields of all members on the disk, until the products that need them are made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np

from forecast.output.chunks import Chunk, LostOutput, Record, read_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Fields = np.memmap[Any, np.dtype[np.float32]]
    """(field, member, latitude, longitude)"""

_VALUE = np.dtype(np.float32)


class Spool:
    """A file for each lead time, at ``path`` and its position, of ``shape`` (field, member, latitude, longitude).

    Lead times become whole one after the other. A record says what is there, with a checksum for each advance; that of
    advances below ``committed`` is kept.

    Raises
    ------
    LostOutput
        If the record of one of them is not there or damaged.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int], committed: int) -> None:
        self._path, self._shape = path, shape
        self._notes = [chunks[0] for chunks in read_record(path, committed)]
        self._there: dict[int, list[int]] = {}
        for note in self._notes:
            self._there.setdefault(note.place[0], []).extend(note.place[1:])

    def open(self, first: int) -> None:
        """Go on with the lead times from position ``first`` on; those before are removed.

        Raises
        ------
        LostOutput
            If their fields are not there or damaged.
        OSError
            If the disk is full or fails.
        """
        for advance, note in enumerate(self._notes):
            lead, *rows = note.place
            if lead >= first and rows and self._crc(lead, rows) != note.crc:
                raise LostOutput(advance, self._path, f"{self._file(lead).name} is damaged or gone")
        self._record = Record(self._path)
        for advance, note in enumerate(self._notes):
            self._record.append(advance, [note])
        self._record.take_place()
        self.forget(first)

    @property
    def whole(self) -> int:
        """How many lead times have all members."""
        return sum(len(rows) == self._shape[1] for rows in self._there.values())

    def skip(self, advance: int) -> None:
        """Note that an advance has nothing to be kept."""
        self._note(advance, 0, [], 0)

    def put(self, advance: int, lead: int, rows: Sequence[int], fields: NDArray[np.float32]) -> None:
        """Keep ``fields`` (row, field, latitude, longitude) of the members at ``rows``; what is there is replaced."""
        crc = 0
        descriptor = os.open(self._file(lead), os.O_WRONLY | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            for number, row in self._places(rows):
                content = np.ascontiguousarray(fields[rows.index(row), number])
                file.seek(self._offset(number, row))
                file.write(content.data)  # by hand: of a full disk a mapped file kills the process
                crc = google_crc32c.extend(crc, content.tobytes())
        self._note(advance, lead, rows, crc)

    def fields(self, lead: int) -> Fields:
        """The fields at a lead time that is whole, read when they are looked at."""
        return np.memmap(self._file(lead), _VALUE, "r", shape=self._shape)

    def forget(self, first: int) -> None:
        """Remove the lead times before position ``first``."""
        for lead in range(first):
            self._file(lead).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the record; all files stay."""
        self._record.close()

    def _note(self, advance: int, lead: int, rows: Sequence[int], crc: int) -> None:
        self._there.setdefault(lead, []).extend(rows)
        self._record.append(advance, [Chunk("lead", (lead, *rows), 0, 0, crc)])

    def _crc(self, lead: int, rows: Sequence[int]) -> int | None:
        """Of what is there; None if there is no such file."""
        if not self._file(lead).is_file():
            return None
        crc = 0
        with self._file(lead).open("rb") as file:
            for number, row in self._places(rows):
                file.seek(self._offset(number, row))
                crc = google_crc32c.extend(crc, file.read(self._size))
        return crc

    def _places(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """(field, row), in the order in which they lie in the file."""
        return [(number, row) for number in range(self._shape[0]) for row in sorted(rows)]

    @property
    def _size(self) -> int:
        return self._shape[2] * self._shape[3] * _VALUE.itemsize

    def _offset(self, number: int, row: int) -> int:
        return (number * self._shape[1] + row) * self._size

    def _file(self, lead: int) -> Path:
        return self._path.with_name(f"{self._path.name}.lead-{lead + 1:05d}")
