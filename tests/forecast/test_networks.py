"""Every network: shapes, gradients, what counts and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from forecast.checkpoint import load_checkpoint, save_checkpoint
from forecast.config import SamplerConfig
from forecast.networks import NETWORKS
from forecast.networks.dropout import share_dropout
from forecast.networks.embedding import Condition
from forecast.rollout import rollout

from .small_networks import MODELS, SIGNS, condition, network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState

EVERY = pytest.mark.parametrize("name", MODELS)
SIZES: list[tuple[str, dict[str, Any]]] = [
    ("unet", {"widths": (8,)}),
    ("unet", {"widths": (8, 16)}),
    ("unet", {"widths": (20, 36, 56), "blocks": 2}),
    ("transformer", {"patch": 1}),
    ("transformer", {"patch": 2, "blocks": 1}),
    ("transformer", {"patch": 4, "widths": (4,)}),
    ("transformer", {"patch": 8, "widths": (20,)}),
]


def fields(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, len(SIGNS), 8, 16)


def test_models_are_all_networks() -> None:
    assert list(MODELS) == list(NETWORKS)


@pytest.mark.parametrize(("name", "sizes"), SIZES)
def test_output_has_the_grid_of_the_input(name: str, sizes: dict[str, Any]) -> None:
    assert network(name, **sizes)(fields(), condition(2)).shape == (2, 3, 8, 16)


@EVERY
def test_untrained_network_says_zero(name: str) -> None:
    assert not network(name, random=False)(fields(), condition(2)).any()


@EVERY
@pytest.mark.parametrize("options", [{}, {"other_step_hours": (6,), "noise": "global", "noise_size": 4}])
def test_every_parameter_has_a_gradient(name: str, options: dict[str, Any]) -> None:
    made = network(name, blocks=2, **options)
    made(fields(), condition(2, latent=4 if options else 0)).square().mean().backward()
    dead = [name for name, value in made.named_parameters() if value.grad is None or not value.grad.any()]
    assert dead == []


@EVERY
def test_every_input_counts(name: str) -> None:
    made, known, given = network(name), fields(), condition(2)
    out = made(known, given)
    for position in range(len(SIGNS)):
        other = known.clone()
        other[:, position] += torch.randn(8, 16)
        assert not torch.equal(made(other, given), out)


@EVERY
def test_noise_level_step_and_latent_count(name: str) -> None:
    made = network(name, other_step_hours=(6,), noise="global", noise_size=4)
    known, given = fields(), condition(2, latent=4)
    out = made(known, given)
    for field, value in given._asdict().items():
        assert not torch.equal(made(known, given._replace(**{field: value + 0.1})), out), field


@EVERY
def test_step_does_not_count_where_a_model_has_but_one(name: str) -> None:
    made, known, given = network(name), fields(), condition(2)
    assert torch.equal(made(known, given), made(known, given._replace(step=given.step + 1)))


@EVERY
def test_samples_do_not_see_each_other(name: str) -> None:
    made, known, given = network(name), fields(3), condition(3)
    alone = [made(known[i : i + 1], Condition(given.noise_label[i : i + 1], given.step[i : i + 1])) for i in range(3)]
    torch.testing.assert_close(torch.cat(alone), made(known, given), rtol=1e-4, atol=1e-5)


@EVERY
def test_dropout_acts_in_training_only(name: str) -> None:
    made, known, given = network(name, dropout=0.5), fields(), condition(2)
    assert torch.equal(made(known, given), made(known, given))
    made.train()
    assert not torch.equal(made(known, given), made(known, given))


@EVERY
def test_members_share_their_dropout(name: str) -> None:
    """Of two members with the same input, so that only the masks could tell them apart."""
    made, known, given = network(name, dropout=0.5).train(), fields(), condition(2)
    twice = torch.cat([known, known]), Condition(given.noise_label.repeat(2), given.step.repeat(2))
    first, second = made(*twice).chunk(2)
    assert not torch.allclose(first, second, rtol=1e-2)
    share_dropout(made, 2)
    first, second = made(*twice).chunk(2)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(first[0], first[1], rtol=1e-2)


@EVERY
def test_buffers_are_not_weights(name: str) -> None:
    assert not {"input_sign", "embedding.frequencies"} & set(network(name).state_dict())


@EVERY
def test_sign_of_an_input_counts_only_at_the_poles(name: str) -> None:
    """What the first layer makes of inputs of other signs differs next to the poles alone."""
    seen = []
    for signs in (SIGNS, [1] * len(SIGNS)):
        made = network(name, signs=signs)
        made.stem.register_forward_hook(lambda *call: seen.append(call[2]))  # type: ignore[union-attr, operator]
        torch.manual_seed(1)
        made(fields(), condition(2))
    differs = (seen[0] != seen[1]).any(-1).any(0).any(0)
    assert differs.tolist() == [True, *[False] * (len(differs) - 2), True]


@EVERY
def test_bfloat16_is_near_float32(name: str) -> None:
    made, known, given = network(name), fields(), condition(2)
    out = made(known, given)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(known, given).float()
    assert (rounded - out).std() < 0.03 * out.std()


@EVERY
@pytest.mark.parametrize("options", [{}, {"other_step_hours": (6,), "noise": "global"}])
def test_every_network_makes_a_forecaster_that_a_checkpoint_keeps(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, tmp_path: Path, name: str,
    options: dict[str, Any],
) -> None:  # fmt: skip
    made = make_forecaster(sampler=SamplerConfig(name="euler", steps=1), **MODELS[name], **options)
    if options:
        made = replace(made, normalizer=replace(made.normalizer, others={6: made.normalizer.tendency_std / 2}))
    save_checkpoint(made, tmp_path / "made.safetensors", {})
    drawn = [
        next(rollout(one, initial, members=[0, 1], steps=1, seed=0)).states
        for one in (made, load_checkpoint(tmp_path / "made.safetensors"))
    ]
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0][0], drawn[0][1])
