"""Spectra: single waves, sums written out, spread and error by scale, effective resolution."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics.definitions import Sample
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.harmonics import cross_power, transform
from evaluation.metrics.scales import AT_ONCE, QUANTITIES, harmonic_spectra, wavelength, zonal_spectra
from evaluation.metrics.spectra import FIRST_DEGREE, METRICS, STATISTICS
from evaluation.settings import Settings
from evaluation.sphere import EARTH_RADIUS
from tests.evaluation.spectral_samples import harmonic

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast


BOTH = {"zonal": zonal_spectra, "harmonic": harmonic_spectra}
both = pytest.mark.parametrize("spectra", BOTH.values(), ids=BOTH)


def sample(forecast: Forecast, grid: Grid) -> Sample:
    now = np.datetime64("2020-01-01", "ns")
    return Sample(forecast, Channel("temperature", 500), grid, now, 24.0, Settings())


def area(grid: Grid) -> np.ndarray:
    return np.repeat(grid.area_weights()[:, None], grid.shape[1], axis=1)


def noise(grid: Grid, members: int = 5, seed: int = 0) -> Ensemble:
    rng = np.random.default_rng(seed)
    return Ensemble(rng.standard_normal((members, *grid.shape)) + 3, rng.standard_normal(grid.shape) + 3)


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 12), st.integers(4, 17), st.integers(0, 100))
def test_zonal_parseval(rows: int, columns: int, seed: int) -> None:
    """Trap 12: the sum over wavenumbers is C times the mean square, of odd and even numbers of longitudes."""
    grid = Grid.equiangular(rows, columns, poles=False)
    ensemble = noise(grid, 3, seed)
    found = dict(zip(QUANTITIES, zonal_spectra(sample(ensemble, grid), area(grid)), strict=True))
    circumference = 2 * np.pi * EARTH_RADIUS * np.cos(np.deg2rad(np.asarray(grid.latitude)))
    weights = grid.area_weights()[:, None] * circumference[:, None] / rows / columns
    assert found["truth"].sum() == pytest.approx((weights * ensemble.observation**2).sum())
    assert found["members"].sum() == pytest.approx((weights * ensemble.members**2).sum() / 3)
    assert found["mean"].sum() == pytest.approx((weights * ensemble.members.mean(axis=0) ** 2).sum())
    assert found["error"].sum() == pytest.approx((weights * ensemble.error**2).sum())
    assert found["agreement"].sum() == pytest.approx(
        (weights * ensemble.members.mean(axis=0) * ensemble.observation).sum()
    )
    expected = 4 / 3 * ensemble.members.var(axis=0, ddof=1)
    assert found["expected_error"].sum() == pytest.approx((weights * expected).sum())


def test_weatherbench2_doubles_the_nyquist_wavenumber_and_we_do_not() -> None:
    """Its ZonalEnergySpectrum written out; the mean over latitudes by area is ours. Only our sum is right (trap 12)."""
    grid = Grid.equiangular(5, 12, poles=False)
    ensemble = noise(grid, 1)
    coefficients = np.fft.rfft(ensemble.observation, norm="forward")
    circumference = 2 * np.pi * EARTH_RADIUS * np.cos(np.deg2rad(np.asarray(grid.latitude)))[:, None]
    theirs = np.abs(coefficients) ** 2 * np.array([1] + [2] * 6) * circumference
    theirs = np.average(theirs, axis=0, weights=grid.area_weights())
    ours = zonal_spectra(sample(ensemble, grid), area(grid))[QUANTITIES.index("truth")]
    np.testing.assert_allclose(ours[:-1], theirs[:-1])
    assert ours[-1] == pytest.approx(theirs[-1] / 2)


@pytest.mark.parametrize(("wavenumber", "factor"), [(0, 1.0), (3, 0.5), (8, 1.0)])
def test_a_single_wave_is_all_in_its_wavenumber(wavenumber: int, factor: float) -> None:
    """The mean of cos^2 is a half, but 1 of a constant and at the Nyquist wavenumber."""
    grid = Grid.equiangular(4, 16, poles=False)
    wave = 2 * np.cos(wavenumber * np.deg2rad(np.asarray(grid.longitude))) * np.ones((4, 1))
    weights = area(grid) * np.array([1.0, 0.0, 0.0, 0.0])[:, None]
    found = zonal_spectra(sample(Ensemble(wave[None], wave), grid), weights)[QUANTITIES.index("truth")]
    expected = np.zeros(9)
    expected[wavenumber] = 4 * factor * 2 * np.pi * EARTH_RADIUS * np.cos(np.deg2rad(67.5))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_zonal_spectra_agree_with_the_sum_written_out() -> None:
    grid = Grid.equiangular(3, 6, poles=False)
    ensemble = noise(grid, 1)
    weights, expected = grid.area_weights(), np.zeros(4)
    for row in range(3):
        circumference = 2 * np.pi * EARTH_RADIUS * np.cos(np.deg2rad(grid.latitude[row]))
        for k in range(4):
            f = sum(ensemble.observation[row, j] * np.exp(-2j * np.pi * k * j / 6) for j in range(6)) / 6
            expected[k] += weights[row] / 3 * (1 if k in (0, 3) else 2) * circumference * abs(f) ** 2
    found = zonal_spectra(sample(ensemble, grid), area(grid))
    np.testing.assert_allclose(found[QUANTITIES.index("truth")], expected)


@both
def test_quantities_agree_with_loops_over_members(spectra) -> None:
    grid, count = Grid.equiangular(8, 16, poles=False), AT_ONCE + 3  # two batches
    ensemble = noise(grid, count)
    found = dict(zip(QUANTITIES, spectra(sample(ensemble, grid), area(grid)), strict=True))

    def power(field: np.ndarray) -> np.ndarray:
        return spectra(sample(Ensemble(field[None], field), grid), area(grid))[QUANTITIES.index("truth")]

    mean = ensemble.members.mean(axis=0)
    np.testing.assert_allclose(found["members"], np.mean([power(member) for member in ensemble.members], axis=0))
    np.testing.assert_allclose(found["mean"], power(mean))
    np.testing.assert_allclose(found["truth"], power(ensemble.observation))
    np.testing.assert_allclose(found["error"], power(mean - ensemble.observation))
    both_ways = (power(mean + ensemble.observation) - power(mean - ensemble.observation)) / 4
    np.testing.assert_allclose(found["agreement"], both_ways, atol=1e-9 * found["truth"].max())
    spread = sum(power(member - mean) for member in ensemble.members) / (count - 1)
    np.testing.assert_allclose(found["expected_error"], (count + 1) / count * spread)


@both
def test_order_of_members_does_not_matter_and_scale_squares(spectra) -> None:
    grid = Grid.gaussian(6, 12)
    ensemble = noise(grid, 4)
    found = spectra(sample(ensemble, grid), area(grid))
    turned = Ensemble(ensemble.members[::-1], ensemble.observation)
    np.testing.assert_allclose(spectra(sample(turned, grid), area(grid)), found)
    for scale in (1e-12, 1e12):
        scaled = Ensemble(ensemble.members * scale, ensemble.observation * scale)
        np.testing.assert_allclose(spectra(sample(scaled, grid), area(grid)), found * scale**2)


@both
def test_members_equal_to_the_truth_have_no_error_even_in_single_precision(spectra) -> None:
    grid = Grid.gaussian(8, 16)
    truth = (noise(grid).observation + 5e4).astype(np.float32)
    found = dict(
        zip(QUANTITIES, spectra(sample(Ensemble(np.stack([truth] * 3), truth), grid), area(grid)), strict=True)
    )
    assert (found["error"] == 0).all()
    assert (found["expected_error"] == 0).all()
    np.testing.assert_allclose(found["members"], found["truth"])


@both
def test_one_member_has_no_spread_and_a_single_value_is_one_member(spectra) -> None:
    grid = Grid.gaussian(6, 12)
    ensemble = noise(grid, 1)
    found = spectra(sample(ensemble, grid), area(grid))
    assert np.isnan(found[-1]).all()
    assert np.isfinite(found[:-1]).all()
    point = Point.of(ensemble.members[0], ensemble.observation)
    np.testing.assert_allclose(spectra(sample(point, grid), area(grid))[:-1], found[:-1])


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_member_is_seen_everywhere_but_in_the_truth(spectra, bad: float) -> None:
    grid = Grid.gaussian(6, 12)
    ensemble = noise(grid, 3)
    ensemble.members[1, 2, 3] = bad
    found = dict(zip(QUANTITIES, spectra(sample(ensemble, grid), area(grid)), strict=True))
    assert np.isfinite(found.pop("truth")).all()
    assert all(np.isnan(values).all() for values in found.values())


def test_where_the_truth_is_not_known() -> None:
    grid = Grid.gaussian(6, 12)
    ensemble = noise(grid, 3)
    whole = zonal_spectra(sample(ensemble, grid), np.where(np.arange(6)[:, None] == 2, 0, area(grid)))
    ensemble.observation[2, 3] = np.nan
    weights = np.where(np.isfinite(ensemble.observation), area(grid), 0.0)
    np.testing.assert_allclose(zonal_spectra(sample(ensemble, grid), weights), whole)
    assert np.isnan(harmonic_spectra(sample(ensemble, grid), weights)).all()
    assert np.isnan(zonal_spectra(sample(ensemble, grid), weights * (np.arange(12) < 5))).all()


def test_uneven_longitudes_have_no_wavenumbers() -> None:
    grid = Grid((45.0, 0.0, -45.0), tuple(range(0, 90, 5)))
    with pytest.raises(ScoreError, match="expected evenly spaced longitudes all round"):
        zonal_spectra(sample(noise(grid), grid), area(grid))


def means_of(grid: Grid, ensembles: list[Ensemble]) -> dict[str, xr.DataArray]:
    """Averages of both statistics over fields, as the engine makes them."""
    found = {}
    for name, statistic in STATISTICS.items():
        values = np.mean([statistic.of(sample(own, grid), area(grid)) for own in ensembles], axis=0)
        axes = statistic.axes(sample(ensembles[0], grid))
        found[name] = xr.DataArray(values[None], dims=("lead_time", *axes), coords={"lead_time": [24.0], **axes})
    return found


def smooth_ensemble(grid: Grid, factor: np.ndarray, seed: int) -> Ensemble:
    """Members with other weather than the truth, and its power times ``factor`` (degree)."""
    rng = np.random.default_rng(seed)
    fields = np.zeros((3, *grid.shape))
    for degree in range(len(factor)):
        for order in range(degree + 1):
            amplitudes = rng.standard_normal(3) * np.array([1, factor[degree] ** 0.5, factor[degree] ** 0.5])
            fields += amplitudes[:, None, None] * harmonic(grid, degree, order)
    return Ensemble(fields[1:], fields[0])


def test_effective_resolution_is_where_power_falls_out_of_the_band() -> None:
    grid = Grid.gaussian(24, 48)
    truth = noise(grid, 1).observation
    coefficients = [1.0] * 15 + [0.8, 0.6, 0.1, 1.0, 0.01, 0.0, 0.0, 0.0, 0.0]
    means = means_of(grid, [smooth_ensemble(grid, np.ones(24), 0)])
    spectra = means["harmonic_spectra"].copy()
    spectra.loc[{"harmonic_quantity": "truth"}] = 2.0
    spectra.loc[{"harmonic_quantity": "members"}] = 2.0 * np.array(coefficients)
    found = METRICS["effective_resolution"].finalise({"harmonic_spectra": spectra})
    assert found.dims == ("lead_time",)
    assert found.item() == pytest.approx(2e-3 * np.pi * EARTH_RADIUS / np.sqrt(16 * 17))
    spectra.loc[{"harmonic_quantity": "members"}] = 2.0
    assert METRICS["effective_resolution"].finalise({"harmonic_spectra": spectra}).item() == pytest.approx(
        wavelength(23)
    )
    spectra.loc[{"harmonic_quantity": "members", "degree": FIRST_DEGREE}] = 5.0
    assert np.isnan(METRICS["effective_resolution"].finalise({"harmonic_spectra": spectra}).item())
    assert truth.shape == grid.shape


def test_ratio_and_coherence_of_a_copy_and_of_another_weather() -> None:
    grid = Grid.gaussian(12, 24)
    truth = noise(grid).observation
    means = means_of(grid, [Ensemble(2 * truth[None], truth)])
    for prefix, spectrum in (("zonal", "zonal_spectrum"), ("spectral", "power_spectrum")):
        np.testing.assert_allclose(METRICS[f"{spectrum}_ratio"].finalise(means), 4)
        np.testing.assert_allclose(METRICS[f"{spectrum}_ratio_of_mean"].finalise(means), 4)
        np.testing.assert_allclose(METRICS[f"{prefix}_coherence"].finalise(means), 1)
        assert np.isnan(METRICS[f"{prefix}_spread_skill"].finalise(means)).all()
    means = means_of(grid, [noise(grid, 1, seed) for seed in range(60)])
    assert abs(METRICS["spectral_coherence"].finalise(means)[..., 4:]).max() < 0.2
    np.testing.assert_allclose(METRICS["power_spectrum_ratio"].finalise(means)[..., 4:], 1, atol=0.25)


def test_reliable_members_have_a_spread_skill_of_one_at_every_scale() -> None:
    grid = Grid.gaussian(12, 24)
    rng = np.random.default_rng(1)

    def draw() -> Ensemble:
        centre = rng.standard_normal(grid.shape)
        return Ensemble(centre + rng.standard_normal((4, *grid.shape)), centre + rng.standard_normal(grid.shape))

    means = means_of(grid, [draw() for _ in range(300)])
    np.testing.assert_allclose(METRICS["spectral_spread_skill"].finalise(means)[..., 2:], 1, atol=0.12)
    np.testing.assert_allclose(METRICS["zonal_spread_skill"].finalise(means)[..., 1:], 1, atol=0.12)
    coherence = METRICS["spectral_coherence_of_mean"].finalise(means) - METRICS["spectral_coherence"].finalise(means)
    assert (coherence > 0).all()


def test_a_truth_without_power_has_no_ratio() -> None:
    grid = Grid.gaussian(6, 12)
    truth = np.zeros(grid.shape)
    means = means_of(grid, [Ensemble(noise(grid).members, truth)])
    for name in ("power_spectrum_ratio", "spectral_coherence", "zonal_spectrum_ratio", "effective_resolution"):
        assert np.isnan(METRICS[name].finalise(means)).all()


REAL = Path(__file__).parents[3] / "shared" / "data" / "era5_z_t_1deg.nc"


@pytest.mark.skipif(not REAL.is_file(), reason=f"no real data at {REAL}")
def test_the_spectrum_of_real_geopotential_falls_as_in_the_textbooks_to_its_very_end() -> None:
    """About l^-5 (l^-3 of kinetic energy over l^2); with area weights alone it would end at 15 instead of 0.1."""
    with xr.open_dataset(REAL) as data:
        field = data["z"].isel(time=0).sel(level=500).values
    power = cross_power(*[transform(field, Grid.equiangular(181, 360, poles=True))] * 2)
    degree = np.arange(20, 100)
    assert -5.5 < np.polyfit(np.log(degree), np.log(power[degree]), 1)[0] < -4
    assert power[178] < 0.2


def test_every_metric_has_its_statistics_and_a_finalizer_that_works() -> None:
    grid = Grid.gaussian(12, 24)
    means = means_of(grid, [noise(grid)])
    for metric in METRICS.values():
        assert set(metric.statistics) <= set(STATISTICS)
        found = metric.finalise(means)
        assert found.dims[0] == "lead_time"
        assert np.isfinite(found).all() or "resolution" in metric.summary
        assert replace(metric, units="1").family == "spectra"
