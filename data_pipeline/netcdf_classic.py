"""Whether a file of NetCDF's classic format is whole: past the end of one that is not, its library reads zeros.

The layout is that of the NetCDF User's Guide, "File Format Specifications" (CDF-1, CDF-2 with 64-bit offsets, CDF-5).
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Of a value, by the number of its type."""
_VERSIONS = (1, 2, 5)


def check_whole(path: str | Path) -> None:
    """Raise an EOFError if a file of the classic format is shorter than its header says, or the header is damaged.

    Files of other formats are not looked at: HDF5 refuses a truncated one itself.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        magic = file.read(4)
        if magic[:3] != b"CDF" or magic[3:] not in {bytes([version]) for version in _VERSIONS}:
            return
        try:
            expected = _Header(file, magic[3]).end()
        except (struct.error, KeyError) as error:
            raise EOFError("its header is damaged") from error
    if size < expected:
        raise EOFError(f"truncated: it has {size} bytes, its header says {expected}")


class _Variable(NamedTuple):
    """Bytes of one record, or of all where there are no records, and where they begin."""

    size: int
    begin: int
    has_records: bool


class _Header:
    """What stands at the start of a file, read in order."""

    def __init__(self, file: BinaryIO, version: int) -> None:
        self._file = file
        self._count = ">q" if version == 5 else ">i"
        self._offset = ">i" if version == 1 else ">q"

    def end(self) -> int:
        """Where the last value ends."""
        records = self._number(self._count)
        lengths = [self._dimension() for _ in self._items()]
        self._attributes()
        variables = [self._variable(lengths) for _ in self._items()]
        ends = [own.begin + own.size for own in variables if not own.has_records]
        sizes = [own.size for own in variables if own.has_records]
        record = sizes[0] if len(sizes) == 1 else sum(_padded(size) for size in sizes)
        if records > 0:  # -1: not counted, as in a stream
            ends += [own.begin + (records - 1) * record + own.size for own in variables if own.has_records]
        return max(ends, default=0)

    def _number(self, kind: str) -> int:
        (number,) = struct.unpack(kind, self._file.read(struct.calcsize(kind)))
        return int(number)

    def _skip(self, size: int) -> None:
        self._file.seek(_padded(size), 1)

    def _items(self) -> range:
        self._number(">i")  # dimensions, attributes, variables: they come in this order
        return range(self._number(self._count))

    def _dimension(self) -> int:
        self._skip(self._number(self._count))
        return self._number(self._count)

    def _attributes(self) -> None:
        for _ in self._items():
            self._skip(self._number(self._count))
            kind = self._number(">i")
            self._skip(_BYTES[kind] * self._number(self._count))

    def _variable(self, lengths: list[int]) -> _Variable:
        self._skip(self._number(self._count))
        dims = [self._number(self._count) for _ in range(self._number(self._count))]
        self._attributes()
        kind = self._number(">i")
        self._number(self._count)  # a size that is wrong beyond 4 GB
        has_records = bool(dims) and lengths[dims[0]] == 0
        size = _BYTES[kind] * prod(lengths[dim] for dim in dims[has_records:])
        return _Variable(size, self._number(self._offset), has_records)


def _padded(size: int) -> int:
    return size + -size % 4
