"""Batches: every member once, every advance once, in one order."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from forecast.batches import Plan, batches_of, even_batches

MEMBERS = st.integers(1, 60)
SIZES = st.integers(1, 20)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    batches = even_batches(draw(MEMBERS), draw(SIZES), draw(st.integers(1, 5)))
    together = draw(st.integers(1, 5))
    groups = tuple(tuple(batches[first : first + together]) for first in range(0, len(batches), together))
    return Plan(groups, draw(st.integers(1, 6)))


def brute_force(plan: Plan) -> list[tuple[int, int]]:
    """(batch, step) in order, as the words have it."""
    order, first = [], 0
    for group in plan.groups:
        order += [(first + position, step + 1) for step in range(plan.steps) for position in range(len(group))]
        first += len(group)
    return order


@given(plans(), st.data())
def test_order_of_the_advances(plan: Plan, data: st.DataObject) -> None:
    order = brute_force(plan)
    first = data.draw(st.integers(0, plan.advances))
    assert [(turn.batch, turn.step) for turn in plan.turns(first)] == order[first:]
    assert [turn.number for turn in plan.turns(first)] == list(range(first, plan.advances))
    done = [sum(batch == one for one, _ in order[:first]) for batch in range(len(plan.batches))]
    assert plan.steps_done(first) == done
    for batch in range(len(plan.batches)):
        assert batch in plan.together(batch)
        assert len(plan.together(batch)) in {len(group) for group in plan.groups}


@given(plans())
def test_plans_survive_json(plan: Plan) -> None:
    assert Plan.of_json(json.loads(json.dumps(plan.to_json())), plan.steps) == plan


@given(MEMBERS, SIZES, st.integers(1, 8))
def test_even_batches(members: int, most: int, workers: int) -> None:
    batches = even_batches(members, most, workers)
    sizes = [len(batch) for batch in batches]
    assert [member for batch in batches for member in batch] == list(range(members))
    assert 1 <= min(sizes) <= max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) >= min(max(workers, 2), members)
    assert len(batches) % workers == 0 or len(batches) == members


@given(MEMBERS, SIZES)
def test_batches_of_a_size(members: int, size: int) -> None:
    batches = batches_of(members, size)
    assert [member for batch in batches for member in batch] == list(range(members))
    assert {len(batch) for batch in batches[:-1]} <= {size}
