"""Fields as 16-bit codes, and pieces as scripts: what a page can load from a server and from a disk alike.

A page opened from a disk (file://) may not fetch data but may load scripts. Each piece is therefore a script that calls
one function with one JSON object.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MISSING = 65535
"""The code of a value that is not known."""
LARGEST = 65534

_CALL = "sphercast.receive"
# What could end a script or a line of one, or start a tag, were the text ever put inside a page.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True)
class Quantized:
    """Values as ``codes * scale + offset``; never further from them than half a ``scale``."""

    codes: NDArray[np.uint16]
    scale: float
    offset: float

    def values(self) -> NDArray[np.float64]:
        """What a reader gets: the shape of the codes, NaN where they are missing."""
        known = self.codes != MISSING
        return np.where(known, self.codes * self.scale + self.offset, np.nan)


def quantize(values: NDArray[np.floating[Any]]) -> Quantized:
    """Codes from 0 at the least value to ``LARGEST`` at the largest; what is not finite is missing.

    >>> quantize(np.array([0.0, 1.0, np.nan])).codes.tolist()
    [0, 65534, 65535]
    """
    known = np.isfinite(values)
    if not known.any():
        return Quantized(np.full(values.shape, MISSING, "<u2"), 0.0, 0.0)
    low, high = float(values[known].min()), float(values[known].max())
    scale = (high - low) / LARGEST
    steps = np.rint((np.where(known, values, low) - low) / (scale or 1.0))
    return Quantized(np.where(known, steps, MISSING).astype("<u2"), scale, low)


def packed(codes: NDArray[np.uint16]) -> str:
    """Codes in row-major order, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(codes, "<u2").tobytes()).decode("ascii")


def script(key: str, content: Mapping[str, Any]) -> bytes:
    """The piece as a script, in ASCII.

    >>> script("meta", {"title": "</script>"})
    b'sphercast.receive({"key":"meta","title":"\\\\u003c/script\\\\u003e"});\\n'
    """
    text = json.dumps({"key": key, **content}, allow_nan=False, separators=(",", ":"))
    for sign, escape in _ESCAPES.items():
        text = text.replace(sign, escape)
    return f"{_CALL}({text});\n".encode("ascii")
