"""Statistics of slabs against numpy on the whole record, for any cuts."""

from __future__ import annotations

import json
from dataclasses import fields as fields_of
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.moments import Moments
from data_pipeline.statistics import (
    TENDENCY_HOURS,
    SlabSummary,
    Statistics,
    compute_statistics,
    longest_lag,
    merge_summaries,
    summarise_seam,
    summarise_slab,
)

WEIGHTS = np.array([0.5, 1.2, 1.3, 1.0])
RNG = np.random.default_rng(0)
WALK = RNG.standard_normal((30, 2, 4, 5)).cumsum(axis=0)
FIELDS = (WALK + np.array([5e5, 1e-5])[:, None, None]).astype(np.float32)
SEA = FIELDS.copy()
SEA[:, 1, :, :2] = np.nan
SEA[11, 1] = np.nan

splits = st.lists(st.integers(1, 29), max_size=12, unique=True).map(sorted)
intervals = st.sampled_from([1, 2, 3, 6, 12, 24])


def weighted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel, two plain passes in float64."""
    valid = ~np.isnan(values)
    weights = np.where(valid, WEIGHTS[:, None], 0.0)
    filled = np.where(valid, values.astype(np.float64), 0.0)
    mean = (filled * weights).sum(axis=(0, 2, 3)) / weights.sum(axis=(0, 2, 3))
    squares = np.where(valid, filled - mean[:, None, None], 0.0) ** 2 * weights
    return mean, np.sqrt(squares.sum(axis=(0, 2, 3)) / weights.sum(axis=(0, 2, 3)))


def check(statistics: Statistics, fields: np.ndarray, interval: int) -> None:
    mean, std = weighted(fields)
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(statistics.std, std, rtol=1e-9)
    np.testing.assert_array_equal(statistics.minimum, np.nanmin(fields, axis=(0, 2, 3)))
    np.testing.assert_array_equal(statistics.maximum, np.nanmax(fields, axis=(0, 2, 3)))
    np.testing.assert_allclose(statistics.valid_fraction, np.mean(~np.isnan(fields), axis=(0, 2, 3)), rtol=1e-12)
    lags = {hours: hours // interval for hours in TENDENCY_HOURS if hours % interval == 0}
    assert set(statistics.tendency_std) == {hours for hours, lag in lags.items() if lag < len(fields)}
    for hours, spread in statistics.tendency_std.items():
        changes = fields[lags[hours] :].astype(np.float64) - fields[: -lags[hours]]
        np.testing.assert_allclose(spread, weighted(changes)[1], rtol=1e-9)


@pytest.mark.parametrize("fields", [FIELDS, SEA], ids=["everywhere", "sea"])
@settings(max_examples=40)
@given(cuts=splits, interval=intervals)
def test_any_slabs_give_the_statistics_of_the_whole_record(fields: np.ndarray, cuts: list[int], interval: int) -> None:
    check(compute_statistics(iter(np.split(fields, cuts)), WEIGHTS, interval), fields, interval)


@settings(max_examples=40)
@given(splits, intervals, st.randoms())
def test_slabs_summarised_apart_in_any_order_are_merged_through_json(cuts, interval, random) -> None:
    """As the tasks of a build do it: each reads its slab and up to 24 hours before it."""
    edges = [0, *cuts, len(SEA)]
    tasks = list(range(len(edges) - 1))
    random.shuffle(tasks)
    summaries: dict[int, str] = {}
    seams: dict[int, dict[int, Moments]] = {}
    for task in tasks:
        start, stop = edges[task], edges[task + 1]
        summaries[task] = summarise_slab(SEA[start:stop], WEIGHTS, interval).to_json()
        day = 24 // interval
        before, after = SEA[max(start - day, 0) : start], SEA[start : min(start + day, stop)]
        seams[task] = summarise_seam(before, after, WEIGHTS, interval)
    parts = [SlabSummary.from_json(summaries[task]) for task in sorted(summaries)]
    check(merge_summaries(parts, [seams[task] for task in sorted(seams)][1:]), SEA, interval)


@given(splits)
def test_each_change_is_counted_once(cuts: list[int]) -> None:
    edges = [0, *cuts, len(FIELDS)]
    slabs = [FIELDS[start:stop] for start, stop in pairwise(edges)]
    parts = [summarise_slab(slab, WEIGHTS, 6).changes for slab in slabs]
    parts += [
        summarise_seam(FIELDS[:cut], FIELDS[cut:stop], WEIGHTS, 6) for cut, stop in zip(cuts, edges[2:], strict=True)
    ]
    for hours in TENDENCY_HOURS:
        counted = sum(part[hours].count[0] for part in parts if hours in part)
        assert counted == (30 - hours // 6) * 20


@pytest.mark.parametrize("fields", [FIELDS, SEA, np.full((3, 2, 4, 5), np.nan)], ids=["everywhere", "sea", "nothing"])
def test_summaries_survive_json_bit_for_bit(fields: np.ndarray) -> None:
    summary = summarise_slab(fields, WEIGHTS, 6)
    text = summary.to_json()
    json.loads(text, parse_constant=pytest.fail)  # neither NaN nor Infinity: any reader reads it
    back = SlabSummary.from_json(text)
    assert (back.total, set(back.changes)) == (summary.total, set(summary.changes))
    for mine, theirs in [(summary.states, back.states), *((summary.changes[h], back.changes[h]) for h in back.changes)]:
        for field in fields_of(Moments):
            np.testing.assert_array_equal(getattr(mine, field.name), getattr(theirs, field.name))
            assert getattr(mine, field.name).dtype == getattr(theirs, field.name).dtype


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"states": {}, "changes": {}, "total": 1}', "null"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"not the summary of a slab: .*; remove it and build the slab again"):
        SlabSummary.from_json(text)


def test_a_channel_without_values_is_nan_throughout() -> None:
    fields = FIELDS.copy()
    fields[:, 1] = np.nan
    statistics = compute_statistics([fields[:7], fields[7:]], WEIGHTS, 6)
    assert np.isnan([statistics.mean[1], statistics.std[1], statistics.tendency_std[6][1]]).all()
    assert np.isfinite([statistics.mean[0], statistics.std[0], statistics.tendency_std[6][0]]).all()
    assert statistics.valid_fraction is not None
    assert statistics.valid_fraction.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("interval", [48, 5])
def test_an_interval_that_divides_no_lag_gives_no_tendency(interval: int) -> None:
    assert compute_statistics([FIELDS, FIELDS], WEIGHTS, interval).tendency_std == {}


def test_one_state_has_no_tendency() -> None:
    statistics = compute_statistics([FIELDS[:1]], WEIGHTS, 6)
    assert statistics.tendency_std == {}
    assert np.isfinite(statistics.mean).all()


def test_a_slab_without_states_is_refused() -> None:
    with pytest.raises(DataError, match="got a slab without states, expected one or more"):
        summarise_slab(FIELDS[:0], WEIGHTS, 6)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused(value: float) -> None:
    fields = FIELDS.copy()
    fields[7, 1, 2, 2] = value
    with pytest.raises(DataError, match=r"channels \[1\] hold infinite values, expected numbers or NaN"):
        summarise_slab(fields, WEIGHTS, 6)


def test_no_slabs_are_refused() -> None:
    with pytest.raises(DataError, match="got no slabs to take statistics of, expected one or more"):
        merge_summaries([], [])


@settings(max_examples=15)
@given(intervals)
def test_states_summed_one_by_one_with_what_came_before(interval: int) -> None:
    """As a slab is written: only a day of states is held, as a list."""
    total, held = summarise_slab(SEA[:1], WEIGHTS, interval), [SEA[0]]
    for state in SEA[1:]:
        seam = summarise_seam(held, [state], WEIGHTS, interval)
        total = total + summarise_slab(state[None], WEIGHTS, interval).with_changes(seam)
        held = [*held, state][-longest_lag(interval) :]
    check(merge_summaries([total], []), SEA, interval)


def test_a_large_mean_costs_no_precision() -> None:
    fields = np.random.default_rng(1).standard_normal((50, 1, 4, 5)) + 1e6
    np.testing.assert_allclose(compute_statistics([fields], WEIGHTS, 6).std, weighted(fields)[1], rtol=1e-7)
