"""What conditions a network, and dropout that members share."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.dropout import SharedDropout, share_dropout
from forecast.networks.embedding import Condition, Embedding


def test_embedding_tells_noise_levels_apart() -> None:
    embedded = Embedding(16)(Condition(torch.linspace(0, 1, 50), torch.ones(50)))
    assert embedded.shape == (50, 16)
    assert torch.pdist(embedded).min() > 0


def test_embedding_tells_steps_apart_where_they_vary() -> None:
    quarters = Condition(torch.full((4,), 0.5), torch.tensor([0.25, 0.5, 1.0, 2.0]))
    assert torch.pdist(Embedding(16, steps_vary=True)(quarters)).min() > 0
    assert torch.pdist(Embedding(16)(quarters)).max() == 0


def test_embedding_tells_latent_vectors_apart() -> None:
    given = Condition(torch.full((4,), 0.5), torch.ones(4), torch.randn(4, 3))
    assert torch.pdist(Embedding(16, latent=3)(given)).min() > 0


@pytest.mark.parametrize("shape", [(6, 5), (6, 7, 5), (6, 3, 4, 8), (6, 2, 3, 4, 5)])
def test_members_have_one_mask_and_samples_their_own(shape: tuple[int, ...]) -> None:
    dropout = SharedDropout(0.5)
    share_dropout(dropout, 3)
    blocks = dropout(torch.ones(shape)).unflatten(0, (3, 2))
    assert torch.equal(blocks[0], blocks[1])
    assert torch.equal(blocks[0], blocks[2])
    assert not torch.equal(blocks[0, 0], blocks[0, 1])


def test_dropout_keeps_the_mean_and_says_how_much_it_drops() -> None:
    torch.manual_seed(0)
    dropped = SharedDropout(0.2)(torch.ones(100, 100))
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert dropped.eq(0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_dropout_does_nothing_outside_training_or_with_probability_zero() -> None:
    features = torch.randn(4, 8)
    assert torch.equal(SharedDropout(0.5).eval()(features), features)
    assert torch.equal(SharedDropout(0.0)(features), features)
