"""The score that trains generators of few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def almost_fair_crps(errors: Tensor, alpha: float) -> Tensor:
    """The CRPS of each point from the members' errors (member, ...): shape (...).

    With e = (1 - alpha) / M it is mean |x_j - y| - (1 - e) / (2 M (M - 1)) sum over j, k of |x_j - x_k| (Lang et al.
    2024, AIFS-CRPS, eq. 4): fair for alpha 1.
    """
    members = len(errors)
    skill = errors.abs().mean(0)
    pairs = [(errors[j] - errors[k]).abs() for j in range(members) for k in range(j)]
    spread: Tensor = sum(pairs[1:], pairs[0])
    fairness = 1 - (1 - alpha) / members
    return skill - fairness * spread / (members * (members - 1))
