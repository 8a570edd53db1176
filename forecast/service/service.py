"""A job at work: its file, its ledger, what it does, and the clock it goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecast.service.folders import Folders
from forecast.service.states import State
from forecast.service.work import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from forecast.service.clock import Clock
    from forecast.service.job_file import JobFile
    from forecast.service.ledger import Ledger
    from forecast.service.work import Step, Work


@dataclass(frozen=True)
class Service:
    """What the one shot and the scheduler need."""

    job: JobFile
    work: Work
    ledger: Ledger
    clock: Clock

    @property
    def folders(self) -> Folders:
        """Where the job keeps things."""
        return Folders(self.job.folder)

    def lost(self, cycle: datetime) -> list[str]:
        """What of a cycle's forecast is not as it was published; what a later step makes again does not count."""
        return _lost(self.folders, cycle, self.work.steps)


def published(job: JobFile, steps: Sequence[Step]) -> dict[datetime, dict[str, Any]]:
    """``{cycle: its state and its scores}`` of the cycles whose forecast is there: what a lost ledger is made of.

    One is done when all steps after the forecast are. Scores that are not there are looked for from its end on.
    """
    folders = Folders(job.folder)
    return {
        cycle: _found(job, folders.cycle(cycle), steps, cycle + job.length)
        for cycle in folders.cycles()
        if not _lost(folders, cycle, steps)
    }


def _lost(folders: Folders, cycle: datetime, steps: Sequence[Step]) -> list[str]:
    return folders.lost(cycle, but=[file for step in steps for file in step.files])


def _found(job: JobFile, folder: Path, steps: Sequence[Step], end: datetime) -> dict[str, Any]:
    if not all(step.is_done_in(folder) for step in steps):
        return {"state": State.PROCESSING}
    if job.scores is None:
        return {"state": State.DONE}
    if (folder / SCORES).exists():
        return {"state": State.DONE, "scores": "done"}
    return {"state": State.DONE, "scores": "waiting", "next_look": end}
