"""Kinds of initial-condition perturbation, as a job file or a command asks for them; what they do needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoisePerturbation(_Frozen):
    """Isotropic noise on the sphere, ``amplitude`` times each channel's standard deviation of the step's tendency.

    With ``control``, member 0 is left as it is.
    """

    kind: Literal["noise"] = "noise"
    amplitude: float = Field(default=0.1, gt=0, lt=np.inf)
    control: bool = True

    def __str__(self) -> str:
        told = f"spherical noise of {self.amplitude:g} standard deviations of the tendency"
        return told + _about_control(control=self.control)

    def times(self, unperturbed: Sequence[np.datetime64], members: int) -> tuple[np.datetime64, ...]:
        """The times at which a forecast needs states that begins with those at ``unperturbed``."""
        del members
        return tuple(sorted(unperturbed))


class LaggedPerturbation(_Frozen):
    """Differences to earlier states: x(t) +- ``amplitude`` (x(t) - x(t - k lag)), in pairs, k = 1, 2, ...

    Such differences have the balance and the patterns of the flow (Magnusson, Nycander and Källén 2009, "Flow-dependent
    versus flow-independent initial perturbations for ensemble prediction"). A lag of whole days keeps the time of day
    out of them. With ``control``, member 0 is left as it is.
    """

    kind: Literal["lagged"] = "lagged"
    amplitude: float = Field(default=0.1, gt=0, lt=np.inf)
    lag_hours: int = Field(default=24, ge=1)
    control: bool = True

    def __str__(self) -> str:
        told = f"+-{self.amplitude:g} times the differences to the states k x {self.lag_hours} h before, in pairs"
        return told + _about_control(control=self.control)

    def times(self, unperturbed: Sequence[np.datetime64], members: int) -> tuple[np.datetime64, ...]:
        """The times at which a forecast needs states that begins with those at ``unperturbed``."""
        longest = max(self.lag_and_sign(member)[0] for member in range(members))
        lags = np.arange(longest + 1) * np.timedelta64(self.lag_hours, "h")
        return tuple(np.unique([time - lags for time in unperturbed]))

    def lag_and_sign(self, member: int) -> tuple[int, int]:
        """k and the sign of a member; (0, 0) for the control.

        >>> [LaggedPerturbation().lag_and_sign(member) for member in range(4)]
        [(0, 0), (1, 1), (1, -1), (2, 1)]
        """
        position = member - 1 if self.control else member
        return (position // 2 + 1, 1 - 2 * (position % 2)) if position >= 0 else (0, 0)


class AnalysisMembers(_Frozen):
    """Each member starts from its own member of an ensemble analysis (see ``forecast.initial.given_members``)."""

    kind: Literal["analysis"] = "analysis"

    def __str__(self) -> str:
        return "each member starts from its own member of the ensemble analysis"


Perturbation = Annotated[NoisePerturbation | LaggedPerturbation | AnalysisMembers, Field(discriminator="kind")]


def described(perturbation: Perturbation | None, control_of_analysis: int | None = None) -> tuple[str, int | None]:
    """What files say of a perturbation, and the number of the unperturbed member, if one is known.

    Of an ensemble analysis it is the control of that analysis, which its provider knows: files with members do not say
    whether they have one.
    """
    if perturbation is None:
        return "none", None
    if not isinstance(perturbation, AnalysisMembers):
        return str(perturbation), 0 if perturbation.control else None
    if control_of_analysis is None:
        return str(perturbation), None
    return f"{perturbation}; member {control_of_analysis} is from its control", control_of_analysis


def _about_control(*, control: bool) -> str:
    return "; member 0 is unperturbed" if control else ""
