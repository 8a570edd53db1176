"""Rounding of fields to fewer bits, so that they compress; and what CF says of it in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numcodecs
import numpy as np
from numcodecs.bitround import BitRound

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTAINER = "quantization_info"
"""The variable that says how fields were rounded."""

ALL_BITS = 23
"""Of the significand of float32."""


def rounded(fields: NDArray[np.float32], keep_bits: int | None) -> NDArray[np.float32]:
    """``fields`` with the nearest significands of ``keep_bits`` bits, the even one of two; all bits by default.

    The relative error is at most 2**-(keep_bits + 1) (Kloewer et al. 2021, doi:10.1038/s43588-021-00156-2).

    >>> rounded(np.array([1 / 3, np.nan], np.float32), 4).tolist()
    [0.328125, nan]
    """
    if keep_bits is None or keep_bits == ALL_BITS:
        return fields
    near = BitRound(keep_bits).encode(fields).view(np.float32)
    return np.where(np.isnan(fields), np.float32(np.nan), near)  # rounding some patterns of NaN would make numbers


def container_attributes() -> dict[str, str]:
    """Of the variable that CF (1.12, section 8.4) calls the quantization container."""
    return {"algorithm": "bitround", "implementation": f"numcodecs BitRound version {numcodecs.__version__}"}


def field_attributes(keep_bits: int | None) -> dict[str, object]:
    """Of each rounded field (CF 1.12, section 8.4); none where all bits are kept."""
    if keep_bits is None:
        return {}
    return {"quantization": CONTAINER, "quantization_nsb": np.int32(keep_bits)}
