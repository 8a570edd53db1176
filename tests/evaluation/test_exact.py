"""Sums that are the same to the bit in any order and any grouping of what is added."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from evaluation.exact import ExactSum, digits

if TYPE_CHECKING:
    from collections.abc import Iterable

FINITE = st.floats(-1e300, 1e300)
ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(FINITE, min_size=width, max_size=width), min_size=1, max_size=8)
)


def terms_of(rows: Iterable[xr.DataArray]) -> list[xr.DataArray]:
    total = ExactSum()
    for row in rows:
        total.add(row)
    return total.terms()


def same(ours: list[xr.DataArray], theirs: list[xr.DataArray]) -> bool:
    return len(ours) == len(theirs) and all(one.identical(other) for one, other in zip(ours, theirs, strict=True))


@given(ROWS, st.randoms())
def test_any_order_and_any_parts_give_the_same_bits(rows: list[list[float]], chance) -> None:
    arrays = [xr.DataArray(row, dims="bin") for row in rows]
    whole = terms_of(arrays)
    chance.shuffle(arrays)
    assert same(terms_of(arrays), whole)
    cut = chance.randrange(len(arrays)) + 1
    parts = [terms_of(part) for part in (arrays[:cut], arrays[cut:]) if part]
    assert same(terms_of(term for part in parts for term in part), whole)


@given(ROWS)
def test_nothing_is_lost_and_the_first_term_is_the_sum(rows: list[list[float]]) -> None:
    terms = terms_of(xr.DataArray(row, dims="bin") for row in rows)
    for column, values in enumerate(zip(*rows, strict=True)):
        own = [float(term[column]) for term in terms]
        assert sum(map(Fraction, own)) == sum(map(Fraction, values))
        assert abs(own[0] - math.fsum(values)) <= math.ulp(own[0])


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_digits_are_whole_numbers_of_32_bits(values: list[float]) -> None:
    found = digits(np.array(values))
    for digit in found.values():
        np.testing.assert_array_equal(digit, np.rint(digit))
        assert np.abs(digit).max() <= 2**32
    for column, value in enumerate(values):
        parts = (Fraction(digit[column]) * Fraction(2) ** (32 * place - 1074) for place, digit in found.items())
        assert sum(parts) == Fraction(value)


def test_infinities_and_nan_are_what_they_are_in_any_order() -> None:
    rows = [xr.DataArray(row, dims="bin") for row in ([np.inf, 1.0, -np.inf, 2.0], [1.0, np.nan, np.inf, 3.0],
                                                      [np.inf, 2.0, 1.0, -5.0])]  # fmt: skip
    for own in (rows, rows[::-1]):
        (total,) = terms_of(own)
        np.testing.assert_array_equal(total, [np.inf, np.nan, np.nan, 0.0])


def test_what_has_no_label_counts_as_zero() -> None:
    labelled = (([0, 1], [1.0, 1e-20]), ([2], [5.0]), ([1, 2], [1.0, 0.0]), ([3], [0.0]))
    rows = [xr.DataArray(values, {"rank": ranks}, ["rank"]) for ranks, values in labelled]
    for own in (rows, rows[::-1]):
        total, rest = terms_of(own)
        assert total["rank"].values.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(total, [1.0, 1.0, 5.0, 0.0])
        np.testing.assert_array_equal(rest, [0.0, 1e-20, 0.0, 0.0])
