"""A job file that changes under a running scheduler: what is taken up, and what waits for a new start."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError
from forecast.service.job_file import load_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.service.job_file import JobFile

_FORECAST = (
    "name", "folder", "checkpoint", "source_in_words", "members", "days", "step_hours", "output_hours", "seed",
    "antithetic", "perturbation", "device", "outputs", "products",
)  # fmt: skip
"""Which forecast is made, on which device, and where it is put: one series of forecasts does not change half-way."""

_LOG = logging.getLogger(__name__)


class ChangedError(SphercastError):
    """The job file says something else by now, which may be taken up: it must be read again."""


@dataclass
class JobWatch:
    """The file at ``path``, of which ``job`` is at work; every shot reads it anew, so that it must fit.

    ``check`` says what is wrong with a job that can be read, empty words if nothing is.
    """

    path: Path
    job: JobFile
    check: Callable[[Path], str]
    _seen: bytes | None = None
    _holds: bool = False

    def holds(self) -> bool:
        """Whether no cycle may be begun, because of a change that needs a person; it is logged once.

        Raises
        ------
        ChangedError
            If the file was changed otherwise.
        """
        text = self._text()
        if text == self._seen:
            return self._holds
        self._seen, held = text, self._holds
        trouble = self._trouble()
        self._holds = bool(trouble)
        if trouble:
            _LOG.error("%s; no cycle is begun until then", trouble)
        elif held:
            _LOG.info("%s is as it was; going on", self.path)
        return self._holds

    def _trouble(self) -> str:
        try:
            job = load_job(self.path)
        except SphercastError as error:
            return f"the job file was changed: {error}; mend it"
        changed = [key for key in _FORECAST if getattr(job, key) != getattr(self.job, key)]
        if changed:
            keys = ", ".join("source" if key == "source_in_words" else key for key in changed)
            return f"{self.path} was changed in {keys}, which is another forecast; put it back or restart the scheduler"
        if job != self.job and (trouble := self.check(self.path)):
            return f"{self.path} was changed: {trouble}; mend it"
        if job != self.job:
            raise ChangedError(f"{self.path} was changed; it is read again")
        return ""

    def _text(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            return f"{error}".encode()
