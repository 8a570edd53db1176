"""States in files of one's own: a folder, file, glob, store or URL that another process fills, or the sample."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from data_pipeline.addresses import is_url
from data_pipeline.errors import DataError, TemporaryError, listed, reading
from data_pipeline.quality.findings import DefectError
from data_pipeline.reading import SAMPLE, open_states
from data_pipeline.realtime.keeping import keep_each_time
from data_pipeline.realtime.request import Readiness, utc_now
from data_pipeline.realtime.states import states_of
from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from data_pipeline.realtime.request import Request

Stamps: TypeAlias = dict[str, tuple[int, int]]
"""``{file: (size, time of its last change in ns)}``."""

_SECOND = 10**9
_ADVICE = ("; wait, or choose other times", "; choose one of them")
"""Not to who looks: he waits."""
_TIME = "\0"
"""In a message's place of a time; no path has it."""


class FolderSource(BaseModel):
    """Anything that ``open_states`` reads.

    ``path`` may hold the codes of strftime for the time of a state (``/data/%Y%m%d/%H``). ``step_hours`` chooses one
    forecast step of GRIB that has several. Files count as whole when they have not changed for ``quiet_seconds``, are
    read without damage and hold every variable, level and time; a field of nothing but NaN is not there yet.
    ``control`` is the number of the member that is the control of an ensemble analysis: files do not say it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    step_hours: int | None = Field(default=None, ge=0)
    quiet_seconds: float = Field(default=60.0, ge=0)
    control: int | None = Field(default=None, ge=0)

    def look(self, request: Request, *, now: np.datetime64 | None = None) -> Readiness:
        """What is not there yet, or is still being written. The wanted fields are read, since they are at hand.

        Raises
        ------
        DataError
            If what is there cannot be meant: no states, no such member.
        """
        now = utc_now() if now is None else now
        return Readiness(_said_once({single.times[0]: self._lacking(single, now) for single in request.each_time()}))

    def fetch(self, request: Request, folder: Path) -> xr.Dataset:
        """Canonical states on the grid that they are on, lazily, from copies in ``folder``."""
        return keep_each_time(request, folder, (self.kind, self.path, f"{self.step_hours}"), self._read)

    def _lacking(self, single: Request, now: np.datetime64) -> str:
        """What keeps one time from being complete, in words; empty if nothing does."""
        moment = int(now.astype("M8[ns]").astype(np.int64))
        fresh = [
            file
            for file, (_, changed) in stamps(self._path_at(single.times[0])).items()
            if abs(moment - changed) < self.quiet_seconds * _SECOND  # after a clock was set back it lies ahead
        ]
        if fresh:
            return f"{listed(fresh)} changed less than {self.quiet_seconds:g} s ago and may be written still"
        try:
            self._read(single)
        except TemporaryError as error:
            return reduce(str.removesuffix, _ADVICE, str(error))
        return ""

    def _read(self, single: Request) -> xr.Dataset:
        """The states of one time, in memory; a TemporaryError where they may come yet."""
        path = self._path_at(single.times[0])
        before = stamps(path)
        states = self._states(path, single)
        if stamps(path) != before:
            raise TemporaryError(f"{path} was changed while it was read")
        empty = _empty(states, single)
        if empty:
            raise TemporaryError(f"{path} has nothing but NaN in {listed(empty)} at {shown(single.times[0])}")
        return states

    def _states(self, path: str, single: Request) -> xr.Dataset:
        try:
            opened = open_states(path, member=single.member, step_hours=self.step_hours)
            with reading(path):
                return states_of(opened, single, path).load()
        except DefectError as error:
            if error.code != "variable-missing":
                raise
            raise TemporaryError(str(error)) from error
        except (DataError, OSError) as error:  # a file that was there when it was looked for
            raise TemporaryError(str(error)) from error

    def _path_at(self, time: np.datetime64) -> str:
        return pd.Timestamp(time).strftime(self.path) if "%" in self.path else self.path


def _said_once(lacking: Mapping[np.datetime64, str]) -> tuple[str, ...]:
    """What differs in nothing but its time, with all its times; empty words are left out."""
    times: dict[str, list[str]] = {}
    for time, words in lacking.items():
        times.setdefault(words.replace(shown(time), _TIME), []).append(shown(time))
    return tuple(words.replace(_TIME, listed(at)) for words, at in times.items() if words)


def stamps(path: str) -> Stamps:
    """Size and last change of every file that a path, folder or glob means; none of a URL or the sample."""
    if is_url(path) or path == SAMPLE:
        return {}
    exact = Path(path)
    found = [exact] if exact.exists() else Path(exact.anchor or ".").glob(path.removeprefix(exact.anchor))
    held: Stamps = {}
    for file in (file for each in found for file in _files(each)):
        with suppress(FileNotFoundError):  # it has just got its final name
            status = file.stat()
            held[str(file)] = status.st_size, status.st_mtime_ns
    return held


def _files(top: Path) -> list[Path]:
    """A file, or all files of a folder, by os.walk, which does not mind what disappears meanwhile."""
    return [Path(folder, name) for folder, _, names in os.walk(top) for name in names] if top.is_dir() else [top]


def _empty(states: xr.Dataset, request: Request) -> list[str]:
    """Variables, or those of their levels that are asked for, without any value."""
    fields = {
        f"{name}_{level}" if level else name: states[name].sel(level=level) if level else states[name]
        for name, levels in request.channels.variables.items()
        for level in (levels or (None,))
    }
    return [name for name, field in fields.items() if bool(field.isnull().all())]
