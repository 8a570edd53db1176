"""Arrays to work in that may be larger than memory."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray


def working_array(shape: tuple[int, ...], dtype: DTypeLike, memory_bytes: int, folder: Path | None) -> NDArray[Any]:
    """Zeros: in memory if they take at most ``memory_bytes``, else in a file without a name in ``folder``.

    The file's room is reserved at once and is free again when the array is gone, or its process, however that ended.
    None is the system's folder for temporary files.

    Raises
    ------
    OSError
        If the disk has no room for the file.

    >>> working_array((2, 3), "float32", 0, None)[1].tolist()
    [0.0, 0.0, 0.0]
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= memory_bytes or size == 0:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            error.filename = str(folder or tempfile.gettempdir())
            raise
        return np.memmap(file, dtype, "r+", shape=shape)
