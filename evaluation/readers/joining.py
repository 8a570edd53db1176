"""Files that together are one run: one for each member, each lead time or each variable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.readers.assembly import Part, assembled
from evaluation.readers.members import check_known, members_of, parts_without, run_without

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import xarray as xr

    from evaluation.readers.members import Members
    from evaluation.readers.pieces import Piece

_DIGITS = re.compile(r"\d+")


def runs_of(pieces: Sequence[Piece], without: Collection[int] = ()) -> tuple[list[xr.Dataset], list[str]]:
    """The runs that pieces make, by initial time, and what was left out of them, as sentences.

    Members that a run is to be ``without`` are put aside before anything is asked of it.

    Raises
    ------
    ScoreError
        If pieces of one start do not fit together, or a member that is left out is in none or the only one of a run.
    """
    by_start: dict[np.datetime64, list[Piece]] = {}
    for piece in pieces:
        by_start.setdefault(piece.initial_time, []).append(piece)
    runs, lacking, known = [], [], set()
    for start in sorted(by_start):
        run, left_out, members = _run(by_start[start], without)
        runs.append(run)
        known |= members
        shown = np.datetime_as_string(start, unit="m")
        lacking += [f"in the run of {shown}, {sentence}, and was left out" for sentence in left_out]
    check_known(without, known)
    return runs, lacking


def _run(pieces: Sequence[Piece], without: Collection[int]) -> tuple[xr.Dataset, list[str], Members]:
    """A run, what was left out because it is not whole, and the members that it has in its files."""
    whole = pieces[0].as_run() if len(pieces) == 1 else None
    if whole is not None:
        return run_without(whole, without), [], set(whole.attrs["members"])
    parts = _numbered(pieces)
    run, left_out = assembled(pieces, parts_without(parts, without))
    return run, left_out, members_of(parts)


def _numbered(pieces: Sequence[Piece]) -> list[Part]:
    """With the members by number: where files do not say which they hold, by what their names differ in."""
    parts = [Part(piece.path, piece.sources()) for piece in pieces]
    silent = [part for part in parts if all(slot.member is None for slot in part.sources)]
    if not _overlap(silent):
        return parts
    if len(silent) < len(parts):
        raise ScoreError(
            f"{silent[0].path} does not say which member it is, other files of the run do; add the coordinate "
            "realization to it"
        )
    numbers = _numbers([part.path for part in parts])
    return [
        Part(part.path, {slot._replace(member=number): source for slot, source in part.sources.items()})
        for part, number in zip(parts, numbers, strict=True)
    ]


def _overlap(parts: Sequence[Part]) -> bool:
    slots = [slot for part in parts for slot in part.sources]
    return len(set(slots)) < len(slots)


def _numbers(paths: Sequence[str]) -> list[int]:
    """The one number in which names that are otherwise equal differ.

    >>> _numbers(["run1/m01.nc", "run1/m02.nc"])
    [1, 2]
    """
    found = [_DIGITS.findall(path) for path in paths]
    alike = len({_DIGITS.sub("#", path) for path in paths}) == 1
    differing = [column for column in zip(*found, strict=False) if len(set(column)) > 1]
    if not alike or len(differing) != 1 or len(set(differing[0])) < len(paths):
        raise ScoreError(
            f"several runs start at the same time and hold the same fields ({paths[0]}, {paths[1]}), and neither a "
            "coordinate realization nor one number in their names says which member each is; give each initial time "
            "once, or number the members"
        )
    return [int(digits) for digits in differing[0]]
