"""What is done for a cycle, as functions that the one shot calls: the command line gives the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from data_pipeline.realtime.request import Readiness
    from forecast.output.manifest import Manifest

SCORES = "scores.nc"
"""The name of the scores in a cycle's folder."""


@dataclass(frozen=True)
class Step:
    """A step after the forecast: ``make`` writes ``files`` into a cycle's folder, each whole or not at all."""

    name: str
    files: tuple[str, ...]
    make: Callable[[Path], None]

    def is_done_in(self, folder: Path) -> bool:
        """Whether all its files are there."""
        return all((folder / file).exists() for file in self.files)


@dataclass(frozen=True)
class Work:
    """The parts of a cycle.

    ``look`` says what of the initial conditions is missing. ``fetch`` gets them into a folder, where it goes on after
    a kill, and leaves the initial states there as ``INITIAL`` when they are whole. ``forecast`` runs from them into
    the cycle's folder, resumes there, and publishes. ``score`` scores a published cycle and says whether the
    truth was there.
    """

    look: Callable[[datetime], Readiness]
    fetch: Callable[[datetime, Path], None]
    forecast: Callable[[datetime, Path, Path], Manifest]
    steps: tuple[Step, ...] = ()
    score: Callable[[Path], bool] | None = None
