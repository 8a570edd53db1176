"""Fields that break while they are read: what is said of them, and of the work that is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.errors import DataError, ScoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np

    from data_pipeline.channels import Channel
    from evaluation.kept import Kept
    from evaluation.pairs import Match
    from evaluation.sums import Sums


@dataclass(frozen=True)
class Lost:
    """A field that was not scored, as it, or what it is compared with, cannot be read; and why."""

    initial_time: np.datetime64
    lead_hours: float
    channel: Channel
    reason: str

    @classmethod
    def of(cls, match: Match, error: DataError) -> Lost:
        """The field of ``match``; what to do is left out of the reason."""
        return cls(match.initial_time, match.lead_hours, match.channel, str(error).partition("; ")[0])


class Tallied(NamedTuple):
    """The sums of a run, and what of it was lost."""

    sums: Sums
    lost: Sequence[Lost] = ()


def noting(parts: Iterable[Tallied], lost: list[Lost]) -> Iterator[Sums]:
    """The sums of all parts; what was lost is put into ``lost`` as they come.

    Raises
    ------
    ScoreError
        If all of it was lost.
    """
    scored = False
    for part in parts:
        lost += part.lost
        scored |= bool(part.sums)
        yield part.sums
    if lost and not scored:
        raise ScoreError(f"nothing to score: {'; '.join(sentences(lost))}; make the files again")


def sentences(lost: Sequence[Lost]) -> list[str]:
    """Of each damage one, with the number of fields that do not count because of it."""
    counts = Counter(own.reason for own in lost)
    return [
        f"{reason}, so {count} field{'s' if count > 1 else ''} {'do' if count > 1 else 'does'} not count"
        for reason, count in counts.items()
    ]


def without(matches: Iterable[Match], lost: Sequence[Lost]) -> list[Match]:
    """The matches that were scored."""
    gone = {(own.initial_time, own.lead_hours, own.channel) for own in lost}
    return [match for match in matches if (match.initial_time, match.lead_hours, match.channel) not in gone]


def stopped(error: DataError, kept: Kept | None, finished: int, runs: int) -> DataError:
    """What ends a score that goes past nothing: the damage, what is kept, and how to go on."""
    held = ""
    if kept is not None and finished:
        held = f"; {finished} of {runs} runs {'is' if finished == 1 else 'are'} kept in {kept.folder}"
    return DataError(f"{error}, or pass --allow-missing to score the rest{held}")
