"""The U-Net: symmetries, gradients, shapes."""

from __future__ import annotations

import pytest
import torch

from forecast.networks import NETWORKS, SphericalUNet
from forecast.networks.unet import Attention, NoiseEmbedding

from .conftest import randomise

SIGNS = [1, -1, -1, 1, 1]


def network(
    widths: tuple[int, ...] = (8, 16), *, blocks: int = 1, dropout: float = 0.0, random: bool = True
) -> SphericalUNet:
    torch.manual_seed(0)
    made = SphericalUNet(SIGNS, 3, widths=widths, blocks=blocks, dropout=dropout)
    if random:
        randomise(made)
    return made.eval()


def inputs(batch: int = 2, shape: tuple[int, int] = (8, 16)) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, len(SIGNS), *shape), torch.rand(batch)


@pytest.mark.parametrize("widths", [(8,), (8, 16), (8, 16, 16), (20, 36, 56)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_output_has_the_grid_of_the_input(widths: tuple[int, ...], blocks: int) -> None:
    assert network(widths, blocks=blocks)(*inputs()).shape == (2, 3, 8, 16)


def test_untrained_network_says_zero() -> None:
    assert not network(random=False)(*inputs()).any()


def test_every_parameter_has_a_gradient() -> None:
    made = network((8, 16, 16), blocks=2)
    made(*inputs()).square().mean().backward()
    dead = [name for name, value in made.named_parameters() if value.grad is None or not value.grad.any()]
    assert dead == []


@pytest.mark.parametrize("widths", [(8,), (8, 16), (8, 16, 16)])
def test_rolling_longitude_commutes(widths: tuple[int, ...]) -> None:
    made = network(widths).double()
    fields, label = (value.double() for value in inputs())
    cells = 2 ** (len(widths) - 1)
    for turns in (1, 3):
        rolled = made(fields.roll(turns * cells, -1), label)
        torch.testing.assert_close(rolled, made(fields, label).roll(turns * cells, -1), rtol=1e-9, atol=1e-9)


def test_noise_label_and_every_input_count() -> None:
    made = network()
    fields, label = inputs()
    out = made(fields, label)
    assert not torch.equal(made(fields, label + 0.1), out)
    for position in range(len(SIGNS)):
        other = fields.clone()
        other[:, position] += torch.randn(8, 16)
        assert not torch.equal(made(other, label), out)


def test_sign_of_an_input_counts_only_at_the_poles() -> None:
    """A network of other signs differs, but far from the poles only by what normalisation and attention carry."""
    fields, label = inputs()
    turned, plain = network((8,)), network((8,))
    plain.input_sign.fill_(1)
    assert not torch.equal(turned(fields, label)[:, :, 0], plain(fields, label)[:, :, 0])
    stem = [made.stem(torch.nn.functional.pad(fields, (1, 1, 1, 1))) for made in (turned, plain)]
    assert torch.equal(*stem)


def test_samples_do_not_see_each_other() -> None:
    made = network()
    fields, label = inputs(3)
    alone = torch.cat([made(fields[i : i + 1], label[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, made(fields, label), rtol=1e-4, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    made = network(dropout=0.5)
    fields, label = inputs()
    assert torch.equal(made(fields, label), made(fields, label))
    made.train()
    assert not torch.equal(made(fields, label), made(fields, label))


def test_buffers_are_not_weights() -> None:
    assert not {"input_sign", "embedding.frequencies"} & set(network().state_dict())


def test_attention_ignores_the_order_of_cells() -> None:
    attention = Attention(16)
    randomise(attention)
    features = torch.randn(2, 16, 2, 4)
    order = torch.randperm(8)
    shuffled = attention(features.flatten(2)[..., order].unflatten(-1, (2, 4)))
    torch.testing.assert_close(shuffled.flatten(2), attention(features).flatten(2)[..., order])


def test_noise_embedding_tells_labels_apart() -> None:
    embedded = NoiseEmbedding(16)(torch.linspace(0, 1, 50))
    assert torch.pdist(embedded).min() > 0


def test_networks_by_name() -> None:
    assert list(NETWORKS) == ["unet"]
    assert NETWORKS["unet"] is SphericalUNet
