"""Two fields side by side, of forecasts and of the truth, at every initial and lead time that has both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.times import HOUR
from evaluation.derived import DERIVED
from evaluation.lost import Lost, sentences
from evaluation.pairs import Snapshots, match, minutes

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from typing import TypeAlias

    import xarray as xr

    from evaluation.pairs import Field, Match

    Pair: TypeAlias = tuple[Match, Match]
    Fields: TypeAlias = tuple[Field, Field]


def pairs_of(runs: Sequence[xr.Dataset], truth: xr.Dataset, fields: tuple[str, str]) -> tuple[list[Pair], list[str]]:
    """The matches of both fields at every initial and lead time that has both, and those that do not."""
    known = {str(name) for run in runs for name in run.data_vars} | set(DERIVED)
    variables = [name if name in known or not name.rpartition("_")[2].isdigit() else name.rpartition("_")[0]
                 for name in fields]  # fmt: skip
    matches, lacking = match(runs, truth, variables)
    found: dict[tuple[object, object], dict[str, Match]] = {}
    for own in matches:
        found.setdefault((own.initial_time, own.lead_time), {})[own.channel.name] = own
    both = {time: (own[fields[0]], own[fields[1]]) for time, own in found.items() if own.keys() >= set(fields)}
    if not both:
        names = sorted({own.channel.name for own in matches})
        raise ScoreError(
            f"no field has both {' and '.join(fields)}, expected two of {', '.join(names)}; "
            f"name each with its level{': ' * bool(lacking)}{'; '.join(lacking)}"
        )
    return list(both.values()), [text for run in runs if (text := _lacking(run, both.keys(), fields))]


def _lacking(run: xr.Dataset, there: Container[tuple[object, object]], fields: tuple[str, str]) -> str:
    """What is said of the lead times of a run at which one of the fields is not in it or not in the truth."""
    start = np.datetime64(run["initial_time"].item(), "ns")
    leads = [f"+{lead / HOUR:g}" for lead in run["lead_time"].values if (start, lead) not in there]
    names = " and ".join(fields)
    return f"not both {names} of {minutes(start)} at {', '.join(leads)} h are in forecast and truth" if leads else ""


class Both:
    """Reads both fields of pairs; ``lost`` are those that broke, unless one may not go past damage."""

    def __init__(self, truth: xr.Dataset, *, past_damage: bool) -> None:
        self._snapshots = (Snapshots(truth), Snapshots(truth))
        self._past_damage = past_damage
        self.lost: list[Lost] = []

    def observed(self, pair: Pair) -> Fields:
        """Of the truth, each (latitude, longitude)."""
        first, second = (
            snapshot.field(own.channel, own.valid_time) for snapshot, own in zip(self._snapshots, pair, strict=True)
        )
        return first, second

    def members(self, pair: Pair) -> Fields:
        """Of the forecast, each (member, latitude, longitude)."""
        return pair[0].members(), pair[1].members()

    def of_all(self, pairs: Sequence[Pair], *read: Callable[[Pair], Fields]) -> Iterator[tuple[Pair, list[Fields]]]:
        """What ``read`` gives of each pair.

        Raises
        ------
        DataError
            If a field breaks, and one may not go past it.
        ScoreError
            If all break.
        """
        self.lost = []
        for pair in pairs:
            try:
                found = [each(pair) for each in read]
            except DataError as error:
                if not self._past_damage:
                    raise DataError(f"{error}, or pass --allow-missing to go on without it") from error
                self.lost.append(Lost.of(pair[0], error))
                continue
            yield pair, found
        if len(self.lost) == len(pairs):
            raise ScoreError(f"nothing to count: {'; '.join(sentences(self.lost))}; make the files again")
