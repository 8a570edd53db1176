"""The one way in which this package compiles loops: numba, without the interpreter lock, cached on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba

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
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return cast("F", numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba's word for no folder to cache in
        return cast("F", numba.njit(**options)(function))
