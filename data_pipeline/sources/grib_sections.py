"""Where the sections of a GRIB message lie, and what they say of its time and length.

They are walked without eccodes (WMO Manual on Codes, FM 92 GRIB, editions 1 and 2): it takes a few small reads, tells
a damaged message from a whole one, and leaves the packed values on the disk.
"""

from __future__ import annotations

import os
import struct
from datetime import datetime
from typing import NamedTuple

import numpy as np

SHORTEST = 40
"""Bytes below which nothing is a GRIB message."""

_END = b"7777"
_LARGE = 0x800000
"""Bit of a GRIB 1 length that may say: the rest counts units of 120 bytes (ECMWF's way beyond 16 MiB)."""


class Header(NamedTuple):
    """What stands before the packed values: with the same ``key``, all but the reference time and length is the same.

    ``length`` is the message's, in bytes; ``grid`` the section that describes the grid; ``fields`` how many there are.
    """

    length: int
    key: bytes
    grid: bytes
    reference: np.datetime64
    fields: int = 1


def read_header(descriptor: int, offset: int, size: int) -> Header:
    """The header of the message at ``offset`` of an open file of ``size`` bytes.

    Raises
    ------
    ValueError
        With the reason why there is no whole message.
    """
    head = os.pread(descriptor, SHORTEST, offset)
    if len(head) < SHORTEST:
        raise ValueError("the file ends inside a message")
    if head[7] not in {1, 2}:
        raise ValueError(f"GRIB edition {head[7]}, expected 1 or 2")
    length = int.from_bytes(head[8:16]) if head[7] == 2 else _length_of_edition_1(descriptor, offset, head)
    if offset + length > size:
        raise ValueError("the file ends inside a message")
    if length < SHORTEST or os.pread(descriptor, len(_END), offset + length - len(_END)) != _END:
        raise ValueError(f"a message does not end with {_END.decode()}")
    return (_edition_2 if head[7] == 2 else _edition_1)(descriptor, offset, length)


def _length_of_edition_1(descriptor: int, offset: int, head: bytes) -> int:
    length = int.from_bytes(head[4:7])
    if not length & _LARGE:
        return length
    data = offset + _header_length(descriptor, offset, head)
    if head[15] & 0x40:
        data += int.from_bytes(os.pread(descriptor, 3, data))
    data_length = int.from_bytes(os.pread(descriptor, 3, data))
    # A data section too short to be one says so; its length is what the product of units has too much.
    return (length - _LARGE) * 120 - data_length + 4 if data_length < 120 else length


def _header_length(descriptor: int, offset: int, head: bytes) -> int:
    """Bytes of sections 0 to 2 of GRIB 1."""
    product = 8 + int.from_bytes(head[8:11])
    return product + (int.from_bytes(os.pread(descriptor, 3, offset + product)) if head[15] & 0x80 else 0)


def _edition_1(descriptor: int, offset: int, length: int) -> Header:
    head = os.pread(descriptor, SHORTEST, offset)
    end = _header_length(descriptor, offset, head)
    if end > length:
        raise ValueError("the sections of a message do not add up to its length")
    sections = bytearray(os.pread(descriptor, end - 8, offset + 8))
    year, century = sections[12], sections[24]
    reference = datetime((century - 1) * 100 + year, *sections[13:17])
    sections[12:17] = bytes(5)
    sections[24] = 0
    grid = bytes(sections[int.from_bytes(head[8:11]) :])
    return Header(length, bytes(sections), grid, np.datetime64(reference, "s"))


def _edition_2(descriptor: int, offset: int, length: int) -> Header:
    places: dict[int, slice] = {}
    fields, position = 0, 16
    while position < length - len(_END):
        section = os.pread(descriptor, 5, offset + position)
        end = position + int.from_bytes(section[:4])
        if not position + 5 <= end <= length - len(_END):
            raise ValueError("the sections of a message do not add up to its length")
        places.setdefault(section[4], slice(position, end))
        fields += section[4] == 4
        position = end
    if not {1, 3, 4} <= set(places):
        raise ValueError("a message lacks a section of time, grid or product")
    head = bytearray(os.pread(descriptor, places[4].stop, offset))
    reference = datetime(*struct.unpack(">H5B", head[28:35]))
    head[8:16], head[28:35] = bytes(8), bytes(7)
    return Header(length, bytes(head), bytes(head[places[3]]), np.datetime64(reference, "s"), fields)
