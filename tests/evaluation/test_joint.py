"""Joint histograms: counts by hand, marginals, distances, what is missing, common bins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import ScoreError
from evaluation.alignment import common_grid, on_grid
from evaluation.metrics.joint import hellinger, joint_histogram
from evaluation.readers import open_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

FIELDS = ("geopotential_500", "2m_temperature")


def joint(paths: list[Path], truth: xr.Dataset, fields=FIELDS, **options) -> xr.Dataset:
    return joint_histogram([run for path in paths for run in open_runs(path)], truth, fields, **options)


def test_shares_agree_with_counting(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    path = written(start=2, leads=2)
    edges = [53500, 53900, 54000, 54100, 54600], [270, 279, 280, 281, 290]
    found = joint([path], truth, edges=edges)
    run = open_runs(path)[0]
    weights = -np.diff(np.sin(np.deg2rad([90, 60, 30, 0, -30, -60, -90])))
    expected = np.zeros((2, 2, 4, 4))
    for lead in range(2):
        states = truth.isel(time=3 + lead)
        sides = [run.isel(lead_time=lead, realization=member) for member in range(4)], [states]
        for side, members in enumerate(sides):
            for member in members:
                for row in range(6):
                    for column in range(8):
                        values = (
                            member["geopotential"].sel(level=500).values[row, column],
                            member["2m_temperature"].values[row, column],
                        )
                        # the outer bins are open; a value on an edge is in the bin above
                        at = [
                            sum(value >= edge for edge in own[1:-1]) for value, own in zip(values, edges, strict=True)
                        ]
                        expected[side, lead, *at] += weights[row] / len(members) / 16
    np.testing.assert_allclose(found["forecast"].isel(region=0), expected[0], atol=1e-12)
    np.testing.assert_allclose(found["truth"].isel(region=0), expected[1], atol=1e-12)
    assert found["lead_time"].values.tolist() == [12.0, 24.0]
    assert found.attrs["missing"] == "none"
    for name in FIELDS:
        other = next(field for field in FIELDS if field != name)
        np.testing.assert_allclose(found[f"forecast_{name}"], found["forecast"].sum(other))
        np.testing.assert_allclose(found[f"forecast_{name}"].sum(name), 1)


def test_the_truth_as_a_forecast_has_no_distance_and_default_bins_hold_all_of_it(
    truth: xr.Dataset, written: Callable[..., Path]
) -> None:
    def perfect(data: xr.Dataset) -> xr.Dataset:
        for name in data.data_vars:
            data[name].values[:] = truth[name].isel(time=slice(1, 4)).values
        return data

    found = joint([written(perfect)], truth, regions=("global", "tropics"))
    for name in ("hellinger", *(f"hellinger_{field}" for field in FIELDS)):
        np.testing.assert_allclose(found[name], 0, atol=1e-7)
    assert found["edges_2m_temperature"][0] == truth["2m_temperature"].isel(time=slice(1, 4)).min()
    assert found["truth"].shape == (3, 2, 30, 30)


def test_fields_that_do_not_belong_together_are_seen_in_the_joint_histogram_alone(
    truth: xr.Dataset, written: Callable[..., Path]
) -> None:
    """The truth's height goes with its temperature; the forecast's is the same field turned half way round."""
    truth["geopotential"][:] = 5.4e4 + 100 * (truth["2m_temperature"] - 280)

    def shuffled(data: xr.Dataset) -> xr.Dataset:
        for name in data.data_vars:
            data[name].values[:] = truth[name].isel(time=slice(1, 4)).values
        data["geopotential"].values[:] = np.roll(data["geopotential"].values, 4, axis=-1)
        return data

    found = joint([written(shuffled)], truth)
    assert (found["hellinger_2m_temperature"] < 1e-7).all()
    assert (found["hellinger_geopotential_500"] < 1e-7).all()
    assert (found["hellinger"] > 0.5).all()


def test_runs_of_different_sizes_weigh_alike(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    few, many = written(start=0, members=2, leads=1), written(start=4, members=6, leads=1)
    edges = {"edges": ([53000, 54000, 55000], [270, 280, 290])}
    apart = [joint([path], truth, **edges)["forecast"] for path in (few, many)]
    np.testing.assert_allclose(joint([few, many], truth, **edges)["forecast"], (apart[0] + apart[1]) / 2)


def test_missing_values(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    def broken(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][1, 2, 0, 0] = np.nan
        return data

    path = written(broken)
    found = joint([path], truth, regions=("global", "tropics"))
    assert np.isnan(found["forecast"].isel(lead_time=2, region=0)).all()
    assert np.isnan(found["hellinger"].isel(lead_time=2, region=0))
    assert np.isfinite(found["hellinger"].isel(region=1)).all()
    assert np.isfinite(found["truth"]).all()
    truth["geopotential"][3, 0, 0, 0] = np.nan  # not observed: counts on neither side
    found = joint([path], truth)
    assert np.isfinite(found["hellinger"]).all()
    np.testing.assert_allclose(found["truth"].sum(FIELDS), 1)


def test_derived_fields_and_what_lacks_a_partner(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    fields = ("geopotential_500", "geopotential_thickness_500_850")
    path, short = written(start=14), truth.isel(time=slice(0, 17))
    words = rf"^not both {' and '.join(fields)} of 2020-01-08T00:00 at \+36 h are in forecast and truth"
    with pytest.raises(ScoreError, match=rf"{words}; pass --allow-missing to count only"):
        joint([path], short, fields)
    found = joint([path], short, fields, allow_missing=True)
    assert re.fullmatch(words, found.attrs["missing"])
    assert found.sizes["lead_time"] == 2
    assert found["edges_geopotential_thickness_500_850"].size == 31


def test_other_grids_are_regridded_as_in_scores(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    """Counting on a grid is counting what was regridded to it beforehand."""
    coarse, edges = "equiangular:3x4", ([53000, 54000, 55000], [270, 280, 290])
    (run,) = open_runs(written(leads=1))
    grid = common_grid([run], truth, coarse)
    beforehand = joint_histogram([on_grid(run, grid)], on_grid(truth, grid), FIELDS, edges)
    for asked, states in ((coarse, truth), (None, on_grid(truth, grid))):
        found = joint_histogram([run], states, FIELDS, edges, grid=asked)
        np.testing.assert_allclose(found["forecast"], beforehand["forecast"])
        np.testing.assert_allclose(found["truth"], beforehand["truth"])
        assert found.attrs["grid"].startswith("3x4 grid")


def test_a_constant_truth_has_one_bin_full(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    truth["2m_temperature"][:] = 280.0
    found = joint([written()], truth)
    assert (found["truth_2m_temperature"] > 0).sum("2m_temperature").max() == 1


def test_bad_questions(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    path = written()
    with pytest.raises(ScoreError, match="got 2m_temperature twice, expected two fields"):
        joint([path], truth, ("2m_temperature", "2m_temperature"))
    with pytest.raises(ScoreError, match=r"no field has both geopotential_700 and 2m_temperature, expected two of"):
        joint([path], truth, ("geopotential_700", "2m_temperature"))
    with pytest.raises(ScoreError, match="no forecast has vorticity"):
        joint([path], truth, ("vorticity_500", "2m_temperature"))
    for bad in ([280.0], [281.0, 280.0], [280.0, np.nan]):
        with pytest.raises(ScoreError, match="of 2m_temperature, expected two numbers or more, ascending"):
            joint([path], truth, edges=([0, 1], bad))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=9).filter(lambda counts: sum(counts) > 1e-3), st.randoms())
def test_hellinger_is_a_distance(counts: list[float], random) -> None:
    other = random.sample(counts, len(counts))
    one, two = np.array(counts) / sum(counts), np.array(other) / sum(counts)
    assert hellinger(one, one) == 0
    assert hellinger(one, two) == hellinger(two, one)
    assert 0 <= hellinger(one, two) <= 1 + 1e-12
    by_hand = np.sqrt(max(0.0, 1 - sum(float(p * q) ** 0.5 for p, q in zip(one, two, strict=True))))
    assert hellinger(one, two) == pytest.approx(by_hand, abs=1e-7)


def test_land_is_that_of_the_truth_as_in_scores(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    masked = truth.assign(land_sea_mask=truth["2m_temperature"].isel(time=0) * 0.0)
    masked["land_sea_mask"][2, :] = 1.0
    found = joint([written()], masked, regions=("land", "band:0,30"))
    np.testing.assert_array_equal(found["truth"].sel(region="land"), found["truth"].sel(region="band:0,30"))
