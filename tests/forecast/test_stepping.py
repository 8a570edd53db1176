"""Walking through time: which states are needed when, and which steps a model does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.channels import Channels
from data_pipeline.errors import ConfigError
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.forecaster import Forecaster

    Make = Callable[..., Forecaster]

STEPPINGS = st.builds(Stepping, st.just(6), st.integers(1, 5), st.integers(1, 9))


@given(STEPPINGS, st.integers(1, 30))
def test_states_are_there_when_they_are_needed(stepping: Stepping, steps: int) -> None:
    held, kept = set(stepping.needed(0)), set[int]()
    initial = set(held)
    for number in range(1, steps + 1):
        base = max(first for first in range(0, number, stepping.outputs))
        assert {base, base - stepping.memory} <= held
        assert stepping.needed(number - 1)[:2] == (base - stepping.memory, base)
        held = (held | {number}) & set(stepping.needed(number))
        assert held == set(stepping.needed(number)), "what is let go is not needed again"
        assert len(held | {number}) <= stepping.held
        kept = (kept | {number}) - (stepping.kept(number - 1) - stepping.kept(number))
        assert kept == stepping.kept(number) >= {number, max(number - 1, 1)}
        assert held <= kept | initial


@pytest.mark.parametrize(("options", "expected"), [
    ({}, Stepping(24, 1, 1)),
    ({"output_hours": 6}, Stepping(6, 4, 4)),
    ({"step_hours": 12}, Stepping(12, 1, 2)),
    ({"step_hours": 12, "output_hours": 6}, Stepping(6, 2, 4)),
    ({"step_hours": 24, "output_hours": 12}, Stepping(12, 2, 2)),
])  # fmt: skip
def test_what_is_asked_for(make_forecaster: Make, options: dict[str, int], expected: Stepping) -> None:
    model = make_forecaster(step_hours=24, other_step_hours=(6, 12, 18))
    assert Stepping.of(model, **options) == expected


def test_one_past_state_needs_no_divisor_of_the_models_step(make_forecaster: Make) -> None:
    options: dict[str, Any] = {"step_hours": 6, "other_step_hours": (24,)}
    assert Stepping.of(make_forecaster(**options, past_states=1), 24) == Stepping(24)
    with pytest.raises(
        ConfigError, match="got output every 24 h, but the model sees the state 6 h before each step; exp"
    ):
        Stepping.of(make_forecaster(**options), 24)


@pytest.mark.parametrize(("options", "said"), [
    ({"step_hours": 8}, r"got steps of 8 h \(step_hours\), but the model knows steps of 6, 24 h; choose one of them"),
    ({"output_hours": 5}, r"got output every 5 h \(output_hours\), expected a divisor of the step of 24 h"),
    ({"output_hours": 0}, r"got output every 0 h \(output_hours\), expected a divisor of the step of 24 h"),
    ({"output_hours": 6}, "in steps of 24 h takes steps of 12, 18 h too .*, but the model knows steps of 6, 24 h"),
])  # fmt: skip
def test_what_a_model_does_not_know(make_forecaster: Make, options: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Stepping.of(make_forecaster(step_hours=24, other_step_hours=(6,)), **options)


def test_sums_are_over_the_models_own_step(make_forecaster: Make) -> None:
    from dataclasses import replace

    model = make_forecaster(step_hours=12, other_step_hours=(6,))
    wet = replace(model, channels=Channels.of({"geopotential": [500], "total_precipitation": None}))
    assert Stepping.of(wet, 12, 12) == Stepping.of(model)
    with pytest.raises(ConfigError, match="the model draws total_precipitation, sums over its step of 12 h; leave"):
        Stepping.of(wet, 12, 6)


def test_in_words() -> None:
    assert str(Stepping(12, memory=2)) == "steps of 12 h"
    assert str(Stepping(6, 4, 4)) == "steps of 24 h with output every 6 h from the same noise"
