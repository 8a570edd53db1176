"""However the sample is cut and ordered, the mean is the same."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.aggregate import Places, Sum
from evaluation.regions import region

GRID = Grid.equiangular(5, 6, poles=True)
GLOBE = Places(GRID, (region("global"),))
REGIONS = Places(GRID, tuple(map(region, ("global", "tropics", "box:-90,90,-40,40", "northern-hemisphere"))))
EVERYWHERE = np.ones(GRID.shape, dtype=bool)


@given(st.integers(0, 2**32 - 1))
def test_sums_are_their_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    statistic, observed = rng.exponential(1e3, (2, *GRID.shape)), rng.random(GRID.shape) < 0.6
    found = REGIONS.sum(statistic, observed)
    assert found.total.shape == (4, 2)
    area = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    for place, mask in enumerate(REGIONS.masks):
        inside = mask & observed
        expected = (statistic * area)[:, inside].sum(axis=1)
        np.testing.assert_allclose(found.total[place], expected, rtol=1e-12)
        assert found.weight[place] == pytest.approx(area[inside].sum(), rel=1e-12)
        np.testing.assert_array_equal(REGIONS.weights(observed)[place], np.where(inside, area, 0))


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    """Of a grid that is large enough for BLAS to share the work."""
    code = (
        "import numpy as np; from evaluation.aggregate import Places; from evaluation.regions import region; "
        "from data_pipeline.grid import Grid; grid = Grid.equiangular(121, 240, poles=True); "
        "places = Places(grid, (region('global'), region('tropics'))); "
        "fields = np.random.default_rng(0).random((20, *grid.shape)); everywhere = np.ones(grid.shape, bool); "
        "print([places.sum(field, everywhere).total.tobytes().hex() for field in fields])"
    )
    found = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **dict.fromkeys(_THREADS, count)},
                       capture_output=True, check=True, text=True).stdout
        for count in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def test_the_mean_is_the_integral_over_the_sphere() -> None:
    fine = Grid.equiangular(181, 4, poles=True)
    squared_sine = np.repeat(np.sin(np.deg2rad(fine.latitude))[:, np.newaxis] ** 2, 4, axis=1)
    found = Places(fine, (region("global"),)).sum(squared_sine, np.ones(fine.shape, bool))
    assert found.mean == pytest.approx(1 / 3, abs=1e-4)
    assert squared_sine.mean() > 0.49, "an unweighted mean must differ, or this test shows nothing"


def test_a_constant_keeps_its_value_whatever_is_observed() -> None:
    observed = np.random.default_rng(0).random(GRID.shape) < 0.5
    statistic = np.where(observed, 7.0, np.nan)
    assert GLOBE.sum(statistic, observed).mean == pytest.approx(7.0, rel=1e-14)


def test_a_missing_observation_neither_counts_nor_spoils_but_a_missing_forecast_does_where_it_is() -> None:
    observed = EVERYWHERE.copy()
    observed[2, 3] = False
    statistic = np.ones(GRID.shape)
    statistic[2, 3] = np.nan
    found = REGIONS.sum(statistic, observed)
    np.testing.assert_allclose(found.mean, 1.0)
    assert found.weight[0] == pytest.approx(GRID.area_weights().sum() * 6 - GRID.area_weights()[2])
    statistic[0, 0] = np.nan
    assert np.isnan(REGIONS.sum(statistic, observed).mean).tolist() == [True, False, True, True]
    by_axis = np.stack([np.ones(GRID.shape), statistic])
    assert np.isnan(REGIONS.sum(by_axis, observed).mean[0]).tolist() == [False, True]


def test_sums_of_parts_add_up() -> None:
    rng = np.random.default_rng(3)
    fields, observed = rng.normal(size=(4, *GRID.shape)), rng.random((4, *GRID.shape)) < 0.7
    sums = [REGIONS.sum(one, there) for one, there in zip(fields, observed, strict=True)]
    one_way = sums[0].plus(sums[1]).plus(sums[2].plus(sums[3]))
    other_way = sums[3].plus(sums[1]).plus(sums[0]).plus(sums[2])
    np.testing.assert_allclose(one_way.mean, other_way.mean, rtol=1e-13)


def test_nothing_has_no_mean() -> None:
    assert np.isnan(Sum(np.zeros(1), np.zeros(1)).mean)
    assert np.isnan(GLOBE.sum(np.full(GRID.shape, np.nan), ~EVERYWHERE).mean)


def test_a_region_between_the_points_is_refused() -> None:
    with pytest.raises(ScoreError, match=r"no point of the 5x6 grid .* is in box:1,2,3,4; choose larger regions"):
        Places(GRID, (region("box:1,2,3,4"),))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_makes_the_sum_of_its_regions_infinite_and_no_others(value: float) -> None:
    statistic = np.ones(GRID.shape)
    statistic[0, 0] = value
    assert REGIONS.sum(statistic, EVERYWHERE).mean.tolist() == [value, 1.0, value, value]
    statistic[0, 1] = np.nan
    assert np.isnan(REGIONS.sum(statistic, EVERYWHERE).mean).tolist() == [True, False, False, True]
    hidden = EVERYWHERE.copy()
    hidden[0, :2] = False
    np.testing.assert_allclose(REGIONS.sum(statistic, hidden).mean, 1.0)
