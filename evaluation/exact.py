"""Sums of which every bit is kept, so that they do not depend on the order in which numbers are added.

A number is cut into digits of 32 bits, whole multiples of powers of two that are the same for all numbers; digits of
one place add up without rounding (Kulisch's long accumulator; Neal 2015, arXiv:1505.05571).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Digits = dict[int, Floats]

_BITS = 32
"""Of a digit. Sums of digits are exact up to 2**52, that is of a million numbers."""
_BASE = 2.0**_BITS
_LEAST = -1074
"""Exponent of the smallest float64 above zero, the unit of place 0."""
_BLOCK = 16_384
"""Numbers that are cut at a time, so that they stay in the cache."""


@dataclass
class ExactSum:
    """The sum of labelled arrays; where one has no label of another, it counts as zero.

    >>> total = ExactSum()
    >>> for number in (1e16, 1.0, -1e16):
    ...     total.add(xr.DataArray([number], dims="bin"))
    >>> [float(term[0]) for term in total.terms()]
    [1.0]
    """

    _labels: xr.DataArray | None = None
    _digits: Digits = field(default_factory=dict)
    _wild: Floats | None = None

    def add(self, values: xr.DataArray) -> None:
        """Add an array, in which infinities and NaN may be: the sum is then what it would be in any order."""
        numbers = self._aligned(values)
        finite = np.isfinite(numbers)
        if not finite.all():
            wild = np.where(finite, 0.0, numbers)
            with np.errstate(invalid="ignore"):  # infinity less infinity is NaN
                self._wild = wild if self._wild is None else self._wild + wild
            numbers = np.where(finite, numbers, 0.0)
        for place, digit in digits(numbers).items():
            self._digits[place] = digit if place not in self._digits else np.add(self._digits[place], digit, out=digit)

    def _aligned(self, values: xr.DataArray) -> Floats:
        """With the labels of all arrays so far, which what is held gets, too."""
        if self._labels is None:
            self._labels = _of_zeros(values)
        values = values.transpose(*self._labels.dims)
        if not all(values.indexes[dim].equals(index) for dim, index in self._labels.indexes.items()):
            ours, values = xr.align(self._labels, values, join="outer", fill_value=0.0, copy=False)
            self._digits = {place: self._with_labels_of(ours, own) for place, own in self._digits.items()}
            self._wild = None if self._wild is None else self._with_labels_of(ours, self._wild)
            self._labels = _of_zeros(ours)
        return values.values

    def _with_labels_of(self, other: xr.DataArray, array: Floats) -> Floats:
        assert self._labels is not None
        return self._labels.copy(data=array).reindex_like(other, fill_value=0.0).values

    def terms(self) -> list[xr.DataArray]:
        """Arrays that add up to the sum exactly: the first is the sum in float64, the others what that lacks.

        They are the same for the same sum, however it was made.
        """
        assert self._labels is not None
        rest = _carried(self._digits)
        found = [_rounded(rest, self._labels.shape)]
        while rest := _less(rest, found[-1]):
            found.append(_rounded(rest, self._labels.shape))
        if self._wild is not None:
            found[0] = found[0] + self._wild
        return [self._labels.copy(data=term) for term in found]


def _of_zeros(like: xr.DataArray) -> xr.DataArray:
    """Labels that take no memory."""
    return xr.DataArray(np.broadcast_to(0.0, like.shape), like.coords, like.dims)


def digits(values: Floats) -> Digits:
    """Whole numbers, at most 2**32 in size, by place: ``values`` is the sum of ``digit * 2**(32 place - 1074)``."""
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    found: Digits = {0: np.zeros(flat.size)} if not flat.any() else {}
    for start in range(0, flat.size, _BLOCK):
        rest = flat[start : start + _BLOCK].copy()
        while largest := float(np.abs(rest).max()):
            place = (math.frexp(largest)[1] - 1 - _LEAST) // _BITS
            whole = np.rint(rest / _unit(place))
            found.setdefault(place, np.zeros(flat.size))[start : start + _BLOCK] = whole
            rest -= whole * _unit(place)
    return {place: own.reshape(np.shape(values)) for place, own in found.items()}


def _unit(place: int) -> float:
    return math.ldexp(1.0, _BITS * place + _LEAST)


def _carried(uneven: Mapping[int, Floats]) -> Digits:
    """The same numbers with every digit in [-2**31, 2**31), of which there is one way only; zeros are left out."""
    found: Digits = {}
    carry: Floats = np.zeros(())
    place, last = min(uneven), max(uneven)
    while place <= last or carry.any():
        whole = uneven.get(place, 0.0) + carry
        carry = np.floor(whole / _BASE + 0.5)
        digit = whole - carry * _BASE
        if digit.any():
            found[place] = digit
        place += 1
    return found


def _rounded(even: Mapping[int, Floats], shape: tuple[int, ...]) -> Floats:
    """In float64, from the lowest place upwards: at most one unit in the last place off."""
    total = np.zeros(shape)
    for place in sorted(even):
        total += even[place] * _unit(place)
    return total


def _less(even: Mapping[int, Floats], term: Floats) -> Digits:
    """What is left without ``term``."""
    taken = digits(term)
    places = {*even, *taken}
    return _carried({place: even.get(place, 0.0) - taken.get(place, np.zeros(term.shape)) for place in places})
