"""A file that many threads read at random positions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class OpenFile:
    """A file opened for reading, closed when nobody holds this object any more.

    So a cache may drop it while a thread still reads: its descriptor is not given to another file meanwhile. What is
    renamed to ``path`` later is not seen.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing; build or copy the store again") from error
        except OSError as error:
            raise DataError(f"{path} cannot be opened ({error.strerror}); mend that, and start again") from error

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __reduce__(self) -> tuple[type[OpenFile], tuple[Path]]:
        return OpenFile, (self.path,)  # a descriptor means nothing elsewhere, and is closed once

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def read_into(self, offset: int, *outs: NDArray[Any]) -> None:
        """Fill ``outs``, contiguous each, with the bytes from ``offset`` on, without a copy or Python's lock.

        Raises
        ------
        DataError
            If the file ends before, or the disk fails.
        """
        if self._read(offset, *outs) < sum(out.nbytes for out in outs):
            for out in outs:
                self._read_on(offset, out)
                offset += out.nbytes

    def _read_on(self, offset: int, out: NDArray[Any]) -> None:
        """In as many pieces as it takes: a signal cuts reading short, and Linux reads 2 GiB at once at most."""
        got = self._read(offset, out)
        while got < out.nbytes:
            more = self._read(offset + got, out.reshape(-1).view(np.uint8)[got:])
            if more == 0:
                raise DataError(f"{self.path} ends {out.nbytes - got} bytes early; build or copy the store again")
            got += more

    def _read(self, offset: int, *outs: NDArray[Any]) -> int:
        try:
            return os.preadv(self._descriptor, [out.data for out in outs], offset)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror}); copy or build the store again") from error
