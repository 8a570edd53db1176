"""Moments that merge: against numpy in float64, with and without missing values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.moments import Moments, merge

WEIGHTS = np.array([0.5, 1.2, 1.3, 1.0])
WIDE = np.broadcast_to(WEIGHTS[:, None], (4, 5))
RNG = np.random.default_rng(0)
WALK = RNG.standard_normal((30, 3, 4, 5)).cumsum(axis=0)
FIELDS = (WALK + np.array([5e5, 1e-5, 280.0])[:, None, None]).astype(np.float32)
HOLES = FIELDS.copy()
HOLES[:, 2, :, :3] = np.nan
HOLES[RNG.random(HOLES.shape) < 0.1] = np.nan
HOLES[4:9, 0] = np.nan

splits = st.lists(st.integers(1, 29), max_size=6, unique=True).map(sorted)


def expected(fields: np.ndarray) -> dict[str, np.ndarray]:
    """Two plain passes in float64 over the values that are not NaN."""
    rows = []
    for channel in np.moveaxis(fields.astype(np.float64), 1, 0):
        valid = ~np.isnan(channel)
        values, weights = channel[valid], np.broadcast_to(WIDE, channel.shape)[valid]
        mean = np.average(values, weights=weights)
        std = np.sqrt(np.average((values - mean) ** 2, weights=weights))
        share = weights.sum() / WIDE.sum()
        rows.append((share, mean, std, values.min(), values.max(), values.size))
    return dict(zip(("weight", "mean", "std", "minimum", "maximum", "count"), np.transpose(rows), strict=True))


def agree(moments: Moments, fields: np.ndarray) -> None:
    for name, values in expected(fields).items():
        np.testing.assert_allclose(getattr(moments, name), values, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("fields", [FIELDS, HOLES], ids=["whole", "holes"])
@given(cuts=splits)
def test_merged_moments_are_those_of_the_concatenation(fields: np.ndarray, cuts: list[int]) -> None:
    agree(merge([Moments.of(part, WEIGHTS) for part in np.split(fields, cuts)]), fields)


def test_merging_does_not_depend_on_the_order() -> None:
    a, b, c = (Moments.of(part, WEIGHTS) for part in np.split(HOLES, [3, 20]))
    np.testing.assert_allclose(((a + b) + c).squares, (c + (b + a)).squares, rtol=1e-12)


def test_a_complete_field_weighs_one_on_any_scale_of_the_weights() -> None:
    np.testing.assert_allclose(Moments.of(FIELDS, 7 * WEIGHTS).weight, 30, rtol=1e-12)
    np.testing.assert_allclose(Moments.of(FIELDS, WEIGHTS).mean, Moments.of(FIELDS, 7 * WEIGHTS).mean, rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 5.4e5, 1e-30])
def test_a_constant_has_no_spread(value: float) -> None:
    moments = Moments.of(np.full((3, 1, 4, 5), value, np.float32), WEIGHTS)
    assert moments.std.tolist() == [0.0]
    assert moments.mean.tolist() == moments.minimum.tolist() == moments.maximum.tolist() == [float(np.float32(value))]


def test_a_channel_without_values_is_neutral_in_a_merge() -> None:
    nothing = Moments.of(np.full((2, 3, 4, 5), np.nan, np.float32), WEIGHTS)
    assert nothing.count.tolist() == nothing.weight.tolist() == nothing.mean.tolist() == [0, 0, 0]
    assert np.isnan([*nothing.minimum, *nothing.maximum, *nothing.std]).all()
    something = Moments.of(FIELDS, WEIGHTS)
    for total in (something + nothing, nothing + something):
        agree(total, FIELDS)
        np.testing.assert_array_equal(total.mean, something.mean)
    assert (nothing + nothing).count.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_any_float_will_do(dtype: str) -> None:
    fields = FIELDS[:, 1:2].astype(dtype)
    agree(Moments.of(fields, WEIGHTS), fields)


def test_strided_fields_will_do() -> None:
    agree(Moments.of(HOLES[::2, ::-1], WEIGHTS), HOLES[::2, ::-1])


def test_changes_are_taken_in_float64() -> None:
    changes = HOLES[4:].astype(np.float64) - HOLES[:-4]
    agree(Moments.of_changes(zip(HOLES[:-4], HOLES[4:], strict=True), WEIGHTS), changes)


def test_infinity_shows() -> None:
    fields = FIELDS.copy()
    fields[3, 0, 1, 1] = np.inf
    moments = Moments.of(fields, WEIGHTS)
    assert moments.maximum[0] == np.inf
    assert not np.isfinite(moments.mean[0])
    np.testing.assert_allclose(moments.mean[1:], Moments.of(FIELDS, WEIGHTS).mean[1:], rtol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_a_large_mean_costs_no_precision(shift: float) -> None:
    fields = np.random.default_rng(1).standard_normal((50, 1, 4, 5)) + shift
    agree(Moments.of(fields, WEIGHTS), fields)
