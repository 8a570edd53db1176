"""The registered statistics of the CRPS family: their axes, forms, and averages over a region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.aggregate import Places
from evaluation.metrics.crps import crps, empirical_crps, gaussian_crps
from evaluation.metrics.crps_family import METRICS, STATISTICS
from evaluation.metrics.definitions import FieldStatistic, PointStatistic, Sample
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.hersbach import decompose
from evaluation.metrics.weighted_crps import outcome_weighted_crps, threshold_weighted_crps
from evaluation.regions import region
from evaluation.settings import Settings

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast

GRID, RNG = Grid.equiangular(6, 8, poles=False), np.random.default_rng(9)
SETTINGS = Settings(climate_quantiles=(0.1, 0.9), thresholds={"2m_temperature": (-0.5, 0.5, 1.0)}, pool_km=(1e3, 9e3))


class Usual:
    """A climate without season: its quantiles are its levels."""

    mean, std = np.zeros(GRID.shape), np.ones(GRID.shape)

    def quantiles(self, levels: tuple[float, ...]) -> np.ndarray:
        return np.array(levels)[:, None, None] * np.ones(GRID.shape)


def sample(forecast: Forecast, climate: Usual | None = None, variable: str = "2m_temperature") -> Sample:
    time = np.datetime64("2020-01-01", "ns")
    return Sample(forecast, Channel(variable, None), GRID, time, 24.0, SETTINGS, climate)  # type: ignore[arg-type]


def ensemble() -> Ensemble:
    return Ensemble.of(RNG.standard_normal((4, *GRID.shape)), RNG.standard_normal(GRID.shape))


FORMS = {
    "ensemble": ensemble(),
    "gaussian": Gaussian.of(RNG.standard_normal(GRID.shape), np.ones(GRID.shape), RNG.standard_normal(GRID.shape)),
    "point": Point.of(*RNG.standard_normal((2, *GRID.shape))),
}


def test_every_metric_has_its_statistics_and_states_what_it_is() -> None:
    for name, metric in METRICS.items():
        assert set(metric.statistics) <= set(STATISTICS), name
        assert metric.family == "crps"
        assert metric.formula
        assert metric.direction in {"lower", "higher", "none"}
    assert {name for metric in METRICS.values() for name in metric.statistics} == set(STATISTICS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name, entry in STATISTICS.items() if isinstance(entry, PointStatistic)])
def test_points_have_the_shape_that_their_axes_say(name: str, form: str) -> None:
    statistic, forecast = STATISTICS[name], FORMS[form]
    if not isinstance(forecast, statistic.forms):
        assert "pooled" in name
        return
    for one in (sample(forecast, Usual()), sample(forecast, Usual(), "geopotential"), sample(forecast)):
        found = statistic.of(one)  # type: ignore[call-arg]
        assert found.shape == (*map(len, statistic.axes(one).values()), *GRID.shape)
        assert found.dtype == np.float64
        needed = {need for metric in METRICS.values() if name in metric.statistics for need in metric.needs}
        assert np.isnan(found).all() if "climate" in needed and one.climate is None else np.isfinite(found).all()


def test_tails_are_those_of_the_settings() -> None:
    forecast = FORMS["ensemble"]
    one = sample(forecast, Usual())
    for kind, score in (("threshold", threshold_weighted_crps), ("outcome", outcome_weighted_crps)):
        for side in ("above", "below"):
            found = STATISTICS[f"{kind}_weighted_crps_{side}"].of(one)  # type: ignore[call-arg]
            expected = [score(forecast, limit, above=side == "above") for limit in (-0.5, 0.5, 1.0)]
            np.testing.assert_array_equal(found, expected)
        found = STATISTICS[f"{kind}_weighted_crps_climate"].of(one)  # type: ignore[call-arg]
        np.testing.assert_array_equal(found, [score(forecast, 0.1, above=False), score(forecast, 0.9, above=True)])


def test_uncertainty_is_the_score_of_the_climatology_whatever_is_scored() -> None:
    for forecast in FORMS.values():
        found = STATISTICS["crps_of_climate"].of(sample(forecast, Usual()))  # type: ignore[call-arg]
        expected = gaussian_crps(Gaussian.of(0.0 * forecast.observation, np.ones(GRID.shape), forecast.observation))
        np.testing.assert_array_equal(found, expected)


def test_parts_add_up_to_the_mean_over_a_region_and_times_with_gaps() -> None:
    statistic = STATISTICS["crps_order_sums"]
    assert isinstance(statistic, FieldStatistic)
    places = Places(GRID, (region("northern-hemisphere"),))
    sums, whole = np.zeros((5, 4)), None
    for _ in range(5):
        forecast = ensemble()
        forecast.observation[RNG.random(GRID.shape) < 0.3] = np.nan
        observed = np.isfinite(forecast.observation)
        sums += statistic.of(sample(forecast), places.weights(observed)[0]) / 5
        assert list(map(len, statistic.axes(sample(forecast)).values())) == [5, 4]
        one = places.sum(empirical_crps(forecast), observed)
        whole = one if whole is None else whole.plus(one)
    assert whole is not None
    np.testing.assert_allclose(sum(decompose(sums)), whole.mean[0], rtol=1e-12)


def test_small_neighbourhoods_are_points() -> None:
    found = STATISTICS["average_pooled_crps"].of(sample(FORMS["ensemble"]))  # type: ignore[call-arg]
    np.testing.assert_allclose(found[0], crps(FORMS["ensemble"]), atol=1e-13)
    assert np.abs(found[1] - found[0]).max() > 0.01
