"""Simple packing in 8, 16 or 32 bits, unpacked by numpy: several times faster than eccodes on what archives hold most.

A value is (R + X 2**E) / 10**D with the packed integer X, the reference R and the binary and decimal scale E and D
(WMO Manual on Codes, FM 92 GRIB: edition 1, section 4; edition 2, data representation template 5.0).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype(">u2"), 32: np.dtype(">u4")}
_SHORTEST = 40
"""Bytes of a message's shortest header."""

_LARGE = 2**23
"""Bytes from which GRIB 1 may write lengths in another way."""


@dataclass(frozen=True)
class Packing:
    """How values are packed: (R, E, D), the bits of each, how many there are, and where the first byte is."""

    reference: float
    binary: int
    decimal: int
    bits: int
    count: int
    start: int


def unpack_simple(content: bytes, field: NDArray[np.float32]) -> bool:
    """Fill ``field``, two-dimensional in scanning order, with the values of a message.

    They are those of eccodes in double precision, rounded. False, and nothing is done, if they are packed in another
    way, or some are missing.

    Raises
    ------
    ValueError
        If the message has another number of values.
    """
    if len(content) < _SHORTEST or content[:4] != b"GRIB" or content[-4:] != b"7777":
        return False
    packing = _edition_2(content) if content[7] == 2 else _edition_1(content)
    if packing is None or packing.bits not in _DTYPES:
        return False
    packed = np.frombuffer(content, _DTYPES[packing.bits], packing.count, packing.start).reshape(field.shape)
    if packing.bits <= 16 and packing.decimal == 0:  # then the product is exact in single precision, and so is R
        np.multiply(packed, np.float32(2.0**packing.binary), out=field)
        field += np.float32(packing.reference)
    else:
        field[:] = (packed * 2.0**packing.binary + packing.reference) * 10.0**-packing.decimal
    return True


def _edition_1(content: bytes) -> Packing | None:
    has_grid, has_bitmap = content[15] & 0x80, content[15] & 0x40
    if has_bitmap or len(content) >= _LARGE:
        return None
    start = 8 + int.from_bytes(content[8:11])
    start += int.from_bytes(content[start : start + 3]) if has_grid else 0
    length, flags = int.from_bytes(content[start : start + 3]), content[start + 3]
    if flags >> 4 or content[start + 10] == 0:  # harmonics, complex packing, integers, more flags; a constant
        return None
    bits = content[start + 10]
    count = ((length - 11) * 8 - (flags & 0x0F)) // bits
    reference = _ibm(int.from_bytes(content[start + 6 : start + 10]))
    return Packing(reference, _signed(content[start + 4 : start + 6]), _signed(content[34:36]), bits, count, start + 11)


def _edition_2(content: bytes) -> Packing | None:
    places: dict[int, int] = {}
    position = 16
    while position < len(content) - 4:
        places[content[position + 4]] = position
        position += max(5, int.from_bytes(content[position : position + 4]))
    if not {5, 6, 7} <= set(places):
        return None
    template, bitmap, data = (places[number] for number in (5, 6, 7))
    count, number, reference = struct.unpack(">IHf", content[template + 5 : template + 15])
    if number != 0 or content[bitmap + 5] != 255:
        return None
    binary, decimal = (_signed(content[template + place : template + place + 2]) for place in (15, 17))
    return Packing(reference, binary, decimal, content[template + 19], count, data + 5)


def _signed(content: bytes) -> int:
    """Sign and magnitude.

    >>> _signed(bytes([0x80, 10]))
    -10
    """
    value = int.from_bytes(content)
    sign = 1 << (8 * len(content) - 1)
    return value if value < sign else sign - value


def _ibm(word: int) -> float:
    """A number of IBM's hexadecimal format: sign, exponent of 16, 24 bits behind the point.

    >>> _ibm(0xC276A000)
    -118.625
    """
    fraction, exponent = word & 0xFFFFFF, word >> 24 & 0x7F
    return (-1.0 if word >> 31 else 1.0) * fraction * 16.0 ** (exponent - 70)
