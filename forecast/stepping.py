"""How a forecast walks through time: in steps of one length, with output on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.forecaster import Forecaster


@dataclass(frozen=True)
class Stepping:
    """Steps of ``outputs`` times ``output_hours``, numbered by output: 0 is the initial state, others came before.

    All outputs of a step are drawn from the state where it begins, the ``base``, with the noise of the step: an output
    on the way by one shorter step of the model. So a member is a continuous trajectory, which has the same states at
    the ends of steps as without output on the way (continuous ensemble forecasting, Andrae et al. 2024, arXiv
    2410.05431). The state ``memory`` outputs before the base is the second one that the model sees.
    """

    output_hours: int
    outputs: int = 1
    memory: int = 1

    @classmethod
    def of(cls, forecaster: Forecaster, step_hours: int | None = None, output_hours: int | None = None) -> Stepping:
        """Steps of ``step_hours``, the model's own by default, with output every ``output_hours``, or at their ends.

        Raises
        ------
        ConfigError
            If the model does not know a step that this takes.
        """
        model = forecaster.model
        step = model.step_hours if step_hours is None else step_hours
        output = step if output_hours is None else output_hours
        known = sorted({model.step_hours, *model.other_step_hours})
        _require_known(step, output, known)
        memory = model.step_hours if model.past_states > 1 else step
        if memory % output:
            raise ConfigError(
                f"got output every {output} h, but the model sees the state {memory} h before each step; expected a "
                f"divisor of {memory} h (output_hours)"
            )
        if (step, output) != (model.step_hours, model.step_hours):
            _refuse_sums(forecaster)
        return cls(output, step // output, memory // output)

    @property
    def step_hours(self) -> int:
        """The length of a step."""
        return self.outputs * self.output_hours

    @property
    def output_length(self) -> np.timedelta64:
        """The time from one output to the next."""
        return np.timedelta64(self.output_hours, "h")

    def base(self, number: int) -> int:
        """The number of the state from which output ``number`` is drawn.

        >>> [Stepping(6, outputs=4).base(number) for number in (1, 4, 5)]
        [0, 0, 4]
        """
        return (number - 1) // self.outputs * self.outputs

    def needed(self, done: int) -> tuple[int, ...]:
        """The states from which the outputs after ``done`` are drawn, as far as they are there.

        The first two are those of the next output, the earlier one first; others are the earlier ones of later steps.

        >>> Stepping(24).needed(0), Stepping(6, outputs=4, memory=4).needed(6)
        ((-1, 0), (0, 4))
        >>> Stepping(12, memory=2).needed(0)
        (-2, 0, -1)
        """
        base = self.base(done + 1)
        later = range(base + self.outputs - self.memory, done + 1, self.outputs)
        return (base - self.memory, base, *(number for number in later if number != base))

    def kept(self, done: int) -> set[int]:
        """The outputs from which a forecast can go on after ``done``, and the last two, which files may lack."""
        return {number for number in (*self.needed(done), done - 1, done) if number > 0}

    @property
    def held(self) -> int:
        """How many states of a member are held from one output to the next, at most."""
        return max(len({*self.needed(done), done}) for done in range(self.outputs))

    @property
    def initial_lengths(self) -> tuple[np.timedelta64, ...]:
        """From the initial time to each state that a forecast begins with, in the order of ``needed``."""
        return tuple(number * self.output_length for number in self.needed(0))

    def __str__(self) -> str:
        way = f" with output every {self.output_hours} h from the same noise" if self.outputs > 1 else ""
        return f"steps of {self.step_hours} h{way}"


def _require_known(step: int, output: int, known: Sequence[int]) -> None:
    knows = f"the model knows steps of {_listed(known)} h"
    if step not in known:
        raise ConfigError(f"got steps of {step} h (step_hours), but {knows}; choose one of them")
    if output < 1 or step % output:
        raise ConfigError(f"got output every {output} h (output_hours), expected a divisor of the step of {step} h")
    if missing := sorted(set(range(output, step, output)) - set(known)):
        raise ConfigError(
            f"output every {output} h in steps of {step} h takes steps of {_listed(missing)} h too (output_hours), but "
            f"{knows}; choose another, or train one with model.other_step_hours"
        )


def _refuse_sums(forecaster: Forecaster) -> None:
    """A checkpoint does not say over which time its sums are; with the model's own step it is taken for that."""
    sums = [channel.name for channel in forecaster.channels if channel.variable.accumulated]
    if sums:
        raise ConfigError(
            f"the model draws {', '.join(sums)}, sums over its step of {forecaster.model.step_hours} h; leave "
            "step_hours and output_hours out"
        )


def _listed(hours: Sequence[int]) -> str:
    return ", ".join(map(str, hours))
