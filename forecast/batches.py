"""How an ensemble is computed: which members together, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Turn(NamedTuple):
    """One advance: ``step`` (from 1) of the batch at position ``batch``; ``number`` counts advances from 0."""

    number: int
    batch: int
    step: int


@dataclass(frozen=True)
class Plan:
    """The batches of an ensemble, in groups of batches that are under way together; every step is one of ``steps``.

    Within a group the first step of every batch comes first, then the second of every batch, and so on; the groups
    follow each other. This order is that of the files, whoever computes what.
    """

    groups: tuple[tuple[range, ...], ...]
    steps: int

    @property
    def batches(self) -> tuple[range, ...]:
        """The members of every batch, by number."""
        return tuple(batch for group in self.groups for batch in group)

    @property
    def advances(self) -> int:
        """How many there are."""
        return self.steps * len(self.batches)

    def together(self, batch: int) -> range:
        """The positions of the batches of the same group."""
        first = 0
        for group in self.groups:
            if batch < first + len(group):
                break
            first += len(group)
        return range(first, first + len(group))

    def turns(self, first: int = 0) -> Iterator[Turn]:
        """All advances in order, from number ``first`` on.

        >>> plan = Plan(((range(2), range(2, 4)), (range(4, 5),)), steps=2)
        >>> [(turn.batch, turn.step) for turn in plan.turns()]
        [(0, 1), (1, 1), (0, 2), (1, 2), (2, 1), (2, 2)]
        """
        number = batches = 0
        for group in self.groups:
            size = len(group)
            for turn in range(max(first - number, 0), size * self.steps):
                yield Turn(number + turn, batches + turn % size, turn // size + 1)
            number, batches = number + size * self.steps, batches + size

    def steps_done(self, committed: int) -> list[int]:
        """How many steps of each batch are among the first ``committed`` advances.

        >>> Plan(((range(2), range(2, 4)), (range(4, 5),)), steps=2).steps_done(3)
        [2, 1, 0]
        """
        done, left = [], committed
        for group in self.groups:
            size = len(group)
            inside = min(left, size * self.steps)
            done += [(inside + size - 1 - position) // size for position in range(size)]
            left -= inside
        return done

    def to_json(self) -> list[list[list[int]]]:
        """The first member of every batch and the number after its last, by group."""
        return [[[batch.start, batch.stop] for batch in group] for group in self.groups]

    @classmethod
    def of_json(cls, groups: Sequence[Sequence[Sequence[int]]], steps: int) -> Plan:
        """The inverse of ``to_json``."""
        return cls(tuple(tuple(range(first, stop) for first, stop in group) for group in groups), steps)


def even_batches(members: int, most: int, workers: int) -> list[range]:
    """Batches of nearly equal size, at most ``most`` members each, as many for each of ``workers`` if there are enough.

    Two at least: a kill costs the step of one batch, which half of the members is.

    >>> even_batches(7, 7, workers=1), even_batches(4, 4, workers=3)
    ([range(0, 3), range(3, 7)], [range(0, 1), range(1, 2), range(2, 4)])
    """
    count = max(-(-members // most), min(members, 2))
    count = min(-(-count // workers) * workers, members)
    edges = [members * number // count for number in range(count + 1)]
    return [range(*pair) for pair in pairwise(edges)]


def batches_of(members: int, size: int) -> list[range]:
    """Batches of ``size`` members, the last of what is left."""
    return [range(first, min(first + size, members)) for first in range(0, members, size)]
