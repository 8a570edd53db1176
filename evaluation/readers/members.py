"""Members that are left out of forecasts because they are asked to be, such as a control among perturbed analyses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import TypeAlias

    import xarray as xr

    from evaluation.readers.assembly import Part

    Members: TypeAlias = set[int | None]


def members_of(parts: Sequence[Part]) -> Members:
    """Their numbers; None where there are none."""
    return {slot.member for part in parts for slot in part.sources}


def parts_without(parts: Sequence[Part], without: Collection[int]) -> list[Part]:
    """Parts of a run without the fields of some members.

    Raises
    ------
    ScoreError
        If nothing is left.
    """
    kept = [
        replace(part, sources={slot: source for slot, source in part.sources.items() if slot.member not in without})
        for part in parts
    ]
    if not any(part.sources for part in kept):
        raise _nothing_left(parts[0].path, members_of(parts))
    return kept


def run_without(run: xr.Dataset, without: Collection[int]) -> xr.Dataset:
    """A run that lies in one file without some of its ``members``, an attribute that says their numbers.

    Raises
    ------
    ScoreError
        If nothing is left.
    """
    members = run.attrs["members"]
    kept = [place for place, number in enumerate(members) if number not in without]
    if not kept:
        raise _nothing_left(run.attrs["path"], members)
    if len(kept) == len(members):
        return run
    in_a_row = kept[-1] - kept[0] + 1 == len(kept)
    places = slice(kept[0], kept[-1] + 1) if in_a_row else kept  # one read of a field instead of several
    return run.isel(realization=places).assign_attrs(members=tuple(members[place] for place in kept))


def check_known(without: Collection[int], known: Members) -> None:
    """Raise a ScoreError if a member that is left out is in no forecast at all."""
    numbers = sorted(number for number in known if number is not None)
    absent = sorted(set(without) - set(numbers))
    if absent:
        held = f"the members {_listed(numbers)}" if numbers else "no numbered members"
        raise ScoreError(
            f"there is no member {_listed(absent)} to leave out, the forecasts have {held}; choose among these"
        )


def _nothing_left(path: str, members: Collection[int | None]) -> ScoreError:
    return ScoreError(
        f"{path} has no members but {_listed(sorted(number for number in members if number is not None))}, which are "
        "to be left out, expected at least one more; leave the whole forecast out"
    )


def _listed(numbers: Sequence[int]) -> str:
    """Runs of numbers by their ends.

    >>> _listed([0, 1, 2, 3, 7, 9])
    '0-3, 7, 9'
    """
    words: list[list[int]] = []
    for number in numbers:
        if words and number == words[-1][-1] + 1:
            words[-1].append(number)
        else:
            words.append([number])
    return ", ".join(f"{own[0]}-{own[-1]}" if len(own) > 1 else f"{own[0]}" for own in words)
