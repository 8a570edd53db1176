"""The one way in which this package compiles loops: numba, without the interpreter lock, cached on disk.

Without numba the loops run as they are written, with the same results, a hundred times slower; a module that has a twin
in plain numpy is to import numba itself, so that the twin is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def compiled(function: F) -> F:
    """The function as machine code that threads run at the same time.

    Nothing is reordered and NaN stays NaN: a product may only be fused with the sum that it goes into. Where neither
    this package's folder nor the user's cache can be written, every process compiles anew, in seconds.
    """
    return _compile(function, {"contract"})


def compiled_sums(function: F) -> F:
    """Likewise, with the terms of sums in any order, so that they are vectorised; NaN stays NaN here too."""
    return _compile(function, {"contract", "nsz", "reassoc"})


def _compile(function: F, fastmath: set[str]) -> F:
    if numba is None:
        return np.errstate(all="ignore")(function)  # machine code does not warn either
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return cast("F", numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba's word for no folder to cache in
        return cast("F", numba.njit(**options)(function))
