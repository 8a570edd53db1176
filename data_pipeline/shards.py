"""Shards of the training store, written state by state and read at random, without the whole shard in memory.

The bytes are those of zarr v3's sharding codec (https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed):
inner chunks of one state each, compressed by blosc and closed by a crc32c, then the index of (offset, length) pairs,
closed by a crc32c too. Any zarr v3 reader reads them.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import google_crc32c
import numpy as np
from numcodecs import blosc

from data_pipeline.errors import DataError
from data_pipeline.open_file import OpenFile
from data_pipeline.publish import publishing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

COMPRESSOR: Final = "lz4"
COMPRESSION_LEVEL = 5
_ABSENT = 2**64 - 1
_CHECKSUM_BYTES = 4
_ENTRY_BYTES = 16
_BLOSC_HEADER_BYTES = 16

OPEN_SHARDS = 128
"""Descriptors that one ``Shards`` keeps open at most; a process may often have no more than 1024."""


def shard_path(array: Path, number: int) -> Path:
    """Where zarr keeps shard ``number`` of a (time, channel, latitude, longitude) array that is sharded in time."""
    return array / "c" / str(number) / "0" / "0" / "0"


def write_shard(path: Path, states: Iterable[NDArray[Any]], slots: int) -> str:
    """Write ``states``, at most ``slots`` of them, as one shard, whole or not at all; its sha256.

    One state is held at a time. The file is on the disk when this returns.

    Raises
    ------
    DataError
        If there are more states than ``slots``.
    OSError
        If the disk is full.
    """
    index = np.full((slots, 2), _ABSENT, dtype="<u8")
    digest, offset = hashlib.sha256(), 0
    with publishing(path) as aside, aside.open("wb") as file:
        for slot, state in enumerate(states):
            if slot == slots:
                raise DataError(f"got more states than the shard's {slots}; give them to the next shard")
            chunk = encode_chunk(state)
            file.write(chunk)
            digest.update(chunk)
            index[slot] = offset, len(chunk)
            offset += len(chunk)
        table = _with_checksum(index.tobytes())
        file.write(table)
        digest.update(table)
    return digest.hexdigest()


def encode_chunk(state: NDArray[Any]) -> bytes:
    """The bytes of one inner chunk."""
    plain = np.ascontiguousarray(state, dtype=state.dtype.newbyteorder("<"))
    packed: bytes = blosc.compress(plain, COMPRESSOR.encode(), COMPRESSION_LEVEL, blosc.SHUFFLE, 0, plain.itemsize)
    return _with_checksum(packed)


def _with_checksum(content: bytes) -> bytes:
    checksum: int = google_crc32c.value(content)
    return content + checksum.to_bytes(_CHECKSUM_BYTES, "little")


@dataclass(frozen=True)
class Shards:
    """The states of an array on disk: ``array`` is its folder, ``shape`` that of one state.

    Shards stay open for the next read, the latest used OPEN_SHARDS of them, and are closed with this object. A shard
    that is replaced while it is open is read as it was.
    """

    array: Path
    slots: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        """Read the states from position ``time`` on into ``outs``, contiguous, each of this shape and dtype.

        Safe to call from many threads. Reading and decompression release Python's lock; the checksum, at more than
        10 GB of compressed bytes a second, does not.

        Raises
        ------
        DataError
            If a shard is missing or torn, lacks a state, or a checksum does not fit.
        """
        for position, out in enumerate(outs, time):
            self._read_one(position, out)

    def _read_one(self, time: int, out: NDArray[Any]) -> None:
        number, slot = divmod(time, self.slots)
        shard = self._opened(number)
        offset, length = shard.index[slot].tolist()
        if offset == _ABSENT:
            raise DataError(f"{shard.file.path} lacks the state at position {time}; build or copy the store again")
        content = _scratch(length)
        shard.file.read_into(offset, content)
        _decompress(_checked(content, shard.file.path), out, shard.file.path)

    def read(self, time: int) -> NDArray[Any]:
        """The state at position ``time``."""
        out = np.empty(self.shape, dtype=self.dtype)
        self.read_into(time, out)
        return out

    @cached_property
    def _opened(self) -> Callable[[int], _Shard]:
        return lru_cache(OPEN_SHARDS)(partial(_Shard.open, self.array, self.slots))

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # what is open stays here


@dataclass(frozen=True)
class _Shard:
    """An open shard and its (offset, length) pairs."""

    file: OpenFile
    index: NDArray[np.uint64]

    @classmethod
    def open(cls, array: Path, slots: int, number: int) -> _Shard:
        file = OpenFile(shard_path(array, number))
        table = np.empty(slots * _ENTRY_BYTES + _CHECKSUM_BYTES, dtype=np.uint8)
        file.read_into(max(file.size - len(table), 0), table)
        return cls(file, _checked(table, file.path).view("<u8").reshape(slots, 2))


_local = threading.local()


def _scratch(length: int) -> Bytes:
    """Memory of this thread for one chunk, to be used before the next call."""
    held: Bytes | None = getattr(_local, "bytes", None)
    if held is None or len(held) < length:
        held = _local.bytes = np.empty(length, dtype=np.uint8)
    return held[:length]


def _checked(content: Bytes, path: Path) -> Bytes:
    """The content without its checksum, if that fits."""
    body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if google_crc32c.value(body) != int.from_bytes(checksum.tobytes(), "little"):
        raise DataError(f"{path} is damaged: a checksum does not fit; copy or build the store again")
    return body


def _decompress(content: Bytes, out: NDArray[Any], path: Path) -> None:
    """Into ``out``, which must be filled to its last byte."""
    holds = int.from_bytes(content[4:8].tobytes(), "little")  # of the header's 16 bytes
    if len(content) < _BLOSC_HEADER_BYTES or holds != out.nbytes:
        raise DataError(f"{path} holds states of {holds} bytes, expected {out.nbytes}; build the store again")
    try:
        blosc.decompress(content, out)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{path} cannot be decompressed ({error}); copy or build the store again") from error
