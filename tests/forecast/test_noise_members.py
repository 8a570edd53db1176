"""Every kind of noise, by name: one generator per member and step, the same numbers on any device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.errors import ConfigError
from data_pipeline.grid import Grid
from forecast.noise import NOISES, GlobalNoise, Noise, SphericalNoise, make_noise, member_generator

TIME = np.datetime64("2001-01-05T00", "ns")
GRID = Grid.equiangular(8, 16, poles=False)
KINDS = {
    "spherical": SphericalNoise(GRID),
    "smooth": SphericalNoise(GRID, slope=2.0),
    "white": make_noise("white", GRID),
    "global": make_noise("global", GRID),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def noise(request: pytest.FixtureRequest) -> Noise:
    kind: Noise = request.param
    return kind


def draw(noise: Noise, members: list[int], channels: int = 3) -> torch.Tensor:
    return noise.draw([member_generator(0, TIME, member, 0) for member in members], channels)


# kinds


@pytest.mark.parametrize(("name", "shape"), [("spherical", (3, 8, 16)), ("white", (3, 8, 16)), ("global", (32,))])
def test_noise_by_name_has_its_shape_and_precision(name: str, shape: tuple[int, ...]) -> None:
    drawn = draw(make_noise(name, GRID), [0, 5])
    assert drawn.shape == (2, *shape)
    assert drawn.dtype == torch.float32


def test_options_reach_the_noise() -> None:
    smooth, long = make_noise("spherical", GRID, slope=2.0), make_noise("global", GRID, size=7)
    assert torch.equal(draw(smooth, [1]), draw(KINDS["smooth"], [1]))
    assert draw(long, [1]).shape == (1, 7)


def test_white_noise_is_the_generators_own_numbers() -> None:
    expected = member_generator(0, TIME, 4, 0).standard_normal((3, 8, 16), dtype=np.float32)
    np.testing.assert_array_equal(draw(KINDS["white"], [4])[0], expected)


def test_global_noise_knows_no_channels() -> None:
    assert torch.equal(draw(KINDS["global"], [1], channels=1), draw(KINDS["global"], [1], channels=50))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no noise 'pink'; choose one of spherical, white, global"):
        make_noise("pink", GRID)


@pytest.mark.parametrize("name", sorted({*NOISES} - {"spherical"}))
def test_a_slope_without_harmonics_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"only spherical noise has a slope, got slope 1.0 for {name} noise"):
        make_noise(name, GRID, slope=1.0)


def test_global_noise_has_a_number_at_least() -> None:
    with pytest.raises(ConfigError, match="one number or more, got size 0"):
        GlobalNoise(0)


# members


@pytest.mark.parametrize("channels", [1, 3, 13])
def test_noise_of_a_member_does_not_depend_on_the_batch(noise: Noise, channels: int) -> None:
    together = draw(noise, [0, 1, 2, 3, 4], channels)
    assert torch.equal(draw(noise, [3], channels)[0], together[3])
    assert torch.equal(draw(noise, [4, 1], channels), together[[4, 1]])


def test_batches_do_not_change_members_on_a_large_grid() -> None:
    noise = SphericalNoise(Grid.equiangular(32, 64, poles=False))
    assert torch.equal(draw(noise, [4, 1], 13), draw(noise, [0, 1, 2, 3, 4], 13)[[4, 1]])


def test_same_numbers_give_identical_bits(noise: Noise) -> None:
    first, second = (noise.draw([member_generator(7, TIME, 2, 3)], 4) for _ in range(2))
    assert torch.equal(first, second)


def test_any_other_number_gives_other_noise() -> None:
    noise, hour = KINDS["spherical"], np.timedelta64(1, "h")
    numbers = [(0, TIME, 0, 0), (1, TIME, 0, 0), (0, TIME + hour, 0, 0), (0, TIME, 1, 0), (0, TIME, 0, 1)]
    drawn = torch.stack([noise.draw([member_generator(*words)], 3)[0] for words in numbers]).flatten(1)
    correlation = torch.corrcoef(drawn).fill_diagonal_(0)
    assert correlation.abs().max() < 0.35, "independent, within the chance of 3 x 128 correlated numbers"


def test_members_are_independent_at_every_point(noise: Noise) -> None:
    """Two members over many steps: each product of the same point averages to zero, each square to one."""
    steps = 400
    first, second = (
        noise.draw([member_generator(0, TIME, member, step) for step in range(steps)], 1).flatten(1)
        for member in (0, 1)
    )
    assert (first * second).mean(0).abs().max() < 5 / steps**0.5
    assert (first.square().mean(0) - 1).abs().max() < 5 * (2 / steps) ** 0.5


def test_times_before_the_epoch_have_noise_too() -> None:
    generator = member_generator(0, np.datetime64("1850-01-01", "ns"), 0, 0)
    assert np.isfinite(generator.standard_normal(3)).all()


# training draws its numbers on the device


@pytest.mark.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()])
def test_numbers_of_a_whole_batch_give_the_noise_of_its_members(noise: Noise, device: str) -> None:
    shape = noise.shape_of_numbers(3)
    normal = [member_generator(0, TIME, member, 0).standard_normal(shape, dtype=np.float32) for member in range(6)]
    for _ in range(2):
        together = noise.of_normal(torch.from_numpy(np.stack(normal)).to(device))
        assert together.device.type == device
        torch.testing.assert_close(together.cpu(), draw(noise, list(range(6))), rtol=0, atol=1e-5)


def test_autocast_does_not_round_it(noise: Noise) -> None:
    expected = draw(noise, [0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(draw(noise, [0]), expected)
