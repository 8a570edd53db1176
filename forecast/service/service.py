"""A job at work: its file, its ledger, what it does, and the clock it goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecast.service.folders import Folders
from forecast.service.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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


def published(folders: Folders, steps: Sequence[Step]) -> dict[datetime, State]:
    """The cycles whose forecast is there, and whether all steps after it are done: what a lost ledger is made of."""
    return {
        cycle: State.DONE if all(step.is_done_in(folders.cycle(cycle)) for step in steps) else State.PROCESSING
        for cycle in folders.cycles()
        if folders.is_published(cycle)
    }
