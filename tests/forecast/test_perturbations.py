"""Initial-condition perturbations: their size, their pairs, a control that is left alone, a stream of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.errors import DataError
from forecast.initial import GivenMembers, given_members, initial_state, open_members
from forecast.noise import member_generator
from forecast.perturbation_kinds import AnalysisMembers, LaggedPerturbation, NoisePerturbation, described
from forecast.perturbations import PerturbedStates, perturbed_states

from .conftest import TIME

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from forecast.forecaster import Forecaster

MANY = 60
LATER = np.datetime64("2000-02-01T00", "ns")


def perturbed(
    forecaster: Forecaster,
    world: xr.Dataset,
    perturbation: NoisePerturbation | LaggedPerturbation,
    members: int = MANY,
    seed: int = 0,
) -> PerturbedStates:
    return perturbed_states(forecaster, world, LATER, perturbation, members=members, seed=seed)


def differences(states: PerturbedStates, members: int = MANY) -> torch.Tensor:
    """(2, member, channel, latitude, longitude), in standard deviations of the tendency."""
    start = states.of(range(members))
    both = torch.stack([start.previous, start.current])
    return (both - torch.stack(states.state[:2])[:, None]) / states.forecaster.normalizer.tendency_std


def test_noise_has_the_amplitude_that_is_asked_for(forecaster: Forecaster, world: xr.Dataset) -> None:
    shifts = differences(perturbed(forecaster, world, NoisePerturbation(amplitude=0.05)))[:, 1:]
    torch.testing.assert_close(shifts[0], shifts[1], atol=1e-3, rtol=0)
    sizes = shifts.std((0, 1, 3, 4))
    assert (sizes / 0.05 - 1).abs().max() < 0.1, "of every channel"
    assert shifts.mean().abs() < 0.005


def test_members_are_independent_and_repeat(forecaster: Forecaster, world: xr.Dataset) -> None:
    states = perturbed(forecaster, world, NoisePerturbation())
    together = states.of(range(5))
    alone = states.of([4])
    assert torch.equal(together.current[4], alone.current[0])
    flat = differences(states)[0, 1:].flatten(1)
    correlations = torch.corrcoef(flat) - torch.eye(MANY - 1)
    assert correlations.abs().max() < 0.35
    other = perturbed(forecaster, world, NoisePerturbation(), seed=1).of([4])
    assert not torch.equal(other.current, alone.current)


@pytest.mark.parametrize("kind", [NoisePerturbation, LaggedPerturbation])
def test_the_control_is_untouched_or_left_out(
    forecaster: Forecaster, world: xr.Dataset, kind: type[NoisePerturbation | LaggedPerturbation]
) -> None:
    plain = initial_state(forecaster, world, LATER)
    start = perturbed(forecaster, world, kind(), members=3).of([0, 1, 2])
    assert torch.equal(start.current[0], plain.current)
    assert torch.equal(start.previous[0], plain.previous)
    assert not torch.equal(start.current[1], plain.current)
    without = perturbed(forecaster, world, kind(control=False), members=3).of([0])
    assert not torch.equal(without.current[0], plain.current)
    assert "member 0 is unperturbed" in str(kind())
    assert "unperturbed" not in str(kind(control=False))


def test_noise_is_not_that_of_the_model() -> None:
    model = member_generator(3, TIME, 5, 0).standard_normal(1000)
    own = member_generator(3, TIME, 5, 0, stream=(1,)).standard_normal(1000)
    assert abs(np.corrcoef(model, own)[0, 1]) < 0.1


def test_humidity_is_never_negative(forecaster: Forecaster, world: xr.Dataset) -> None:
    wet = forecaster.channels.index("specific_humidity_700")
    states = perturbed(forecaster, world, NoisePerturbation(amplitude=2), members=8)
    assert states.of(range(8)).current[:, wet].min() == 0


def test_an_amplitude_that_leads_out_of_physics(forecaster: Forecaster, world: xr.Dataset) -> None:
    with pytest.raises(DataError, match=r"amplitude 500 takes .* of member 1 to .*, which cannot be; give a smaller"):
        perturbed(forecaster, world, NoisePerturbation(amplitude=500)).of([1])


def test_lagged_members_are_pairs_around_the_state(forecaster: Forecaster, world: xr.Dataset) -> None:
    lagged = LaggedPerturbation(amplitude=0.1, lag_hours=36)
    states = perturbed(forecaster, world, lagged, members=5)
    start = states.of(range(5))
    for plus, minus, lag in ((1, 2, 36), (3, 4, 72)):
        earlier = initial_state(forecaster, world, LATER - np.timedelta64(lag, "h"))
        for given, now, before in zip(start[:2], states.state[:2], earlier[:2], strict=True):
            expected = now + 0.1 * (now - before)
            torch.testing.assert_close(given[plus], expected.clamp_min(expected.min()), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(given[plus] + given[minus], 2 * now, rtol=1e-5, atol=1e-5)


def test_lagged_times_and_what_lacks(forecaster: Forecaster, world: xr.Dataset) -> None:
    lagged = LaggedPerturbation(lag_hours=24)
    unperturbed = (LATER - np.timedelta64(12, "h"), LATER)
    hours = [(time - LATER) / np.timedelta64(1, "h") for time in lagged.times(unperturbed, 4)]
    assert hours == [-60, -48, -36, -24, -12, 0]
    said = (
        r"4 members with lagged perturbations from 2000-01-03T00 need states back to 1999-12-31T12; the data lack 1 of "
        r"them, the first 1999-12-31T12\. Give longer data"
    )
    with pytest.raises(DataError, match=said):
        perturbed_states(forecaster, world, TIME, lagged, members=4, seed=0)


def test_what_they_are_made_of_is_hashed(forecaster: Forecaster, world: xr.Dataset) -> None:
    lagged = LaggedPerturbation()
    whole = perturbed(forecaster, world, lagged, members=4).sha256()
    changed = world.copy(deep=True)
    changed["2m_temperature"].loc[{"time": LATER - np.timedelta64(48, "h")}] += 0.5
    assert perturbed(forecaster, world, lagged, members=4).sha256() == whole
    assert perturbed(forecaster, changed, lagged, members=4).sha256() != whole
    assert perturbed(forecaster, world, NoisePerturbation()).sha256() != whole


def members_of(world: xr.Dataset, count: int) -> list[xr.Dataset]:
    return [world.isel(time=slice(60, 64)) * (1 + 1e-4 * member) for member in range(count)]


def test_members_of_an_ensemble_analysis(forecaster: Forecaster, world: xr.Dataset) -> None:
    data = members_of(world, 3)
    given = given_members(forecaster, data, LATER, 3)
    start = given.of([2, 0])
    for position, member in enumerate((2, 0)):
        expected = initial_state(forecaster, data[member], LATER)
        assert torch.equal(start.previous[position], expected.previous)
        assert torch.equal(start.current[position], expected.current)
    assert given.sha256() != GivenMembers(forecaster, data[::-1], LATER).sha256()
    data[1]["2m_temperature"][:] = 900.0
    for use in (lambda: given.of([0, 1]), given.sha256):
        with pytest.raises(DataError, match=r"^member 1: bad values: 2m_temperature spans 900\.\.900 K"):
            use()
    assert str(AnalysisMembers()).startswith("each member starts from its own")
    with pytest.raises(DataError, match="has 3 members, got --members 4; ask for at most 3"):
        given_members(forecaster, data, LATER, 4)


def test_what_files_say_of_a_perturbation() -> None:
    """The control of an ensemble analysis is known to its provider only."""
    told = "each member starts from its own member of the ensemble analysis"
    assert described(None) == ("none", None)
    assert described(AnalysisMembers()) == (told, None)
    assert described(AnalysisMembers(), 0) == (f"{told}; member 0 is from its control", 0)
    noise, lagged = NoisePerturbation(), LaggedPerturbation(control=False)
    assert (described(noise, 3), described(lagged, 0)) == ((str(noise), 0), (str(lagged), None))


def test_members_of_a_file(forecaster: Forecaster, world: xr.Dataset, tmp_path: Path) -> None:
    import xarray as xr

    together = xr.concat(members_of(world, 3), "number", data_vars="all").assign_coords(number=[0, 1, 5])
    together.to_netcdf(tmp_path / "eda.nc", engine="netcdf4")
    given = given_members(forecaster, open_members(str(tmp_path / "eda.nc")), LATER, 3)
    expected = initial_state(forecaster, members_of(world, 3)[2], LATER)
    torch.testing.assert_close(given.of([2]).current[0], expected.current)
    world.isel(time=slice(2)).to_netcdf(tmp_path / "one.nc", engine="netcdf4")
    with pytest.raises(DataError, match="is no ensemble analysis; give one, or perturb it with --perturb noise or"):
        open_members(str(tmp_path / "one.nc"))


def test_members_of_grib(tmp_path: Path) -> None:
    grib = pytest.importorskip("tests.data_pipeline.grib_messages", reason="the extra sphercast[grib] is not installed")
    contents = [
        message
        for number in (0, 3)
        for message in grib.messages(grib.WORLD[["temperature"]] + number, 2, productDefinitionTemplateNumber=1,
                                     numberOfForecastsInEnsemble=4, perturbationNumber=number)
    ]  # fmt: skip
    (tmp_path / "eps.grib").write_bytes(b"".join(contents))
    first, second = open_members(str(tmp_path / "eps.grib"))
    np.testing.assert_allclose(second["temperature"] - first["temperature"], 3, atol=1e-3)
