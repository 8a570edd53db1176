"""Where a job keeps things: a folder of each cycle for readers, and one of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import ConfigError, DataError, TemporaryError
from forecast.output.manifest import MANIFEST, lost_files, read_manifest
from forecast.service.cycles import name_of, parse_cycle

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

BEGUN = ".forecast.partial"
"""What a forecast grows in, in its cycle's folder, until it is published."""

INITIAL = "states"
"""The initial states, whole and on the model's grid, in the folder where they were fetched: a NetCDF file a member."""


@dataclass(frozen=True)
class Folders:
    """The places in a job's folder ``top``."""

    top: Path

    @property
    def own(self) -> Path:
        """What is no reader's business."""
        return self.top / ".sphercast"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.own / "ledger.sqlite"

    def cycle(self, cycle: datetime) -> Path:
        """What is published of a cycle."""
        return self.top / name_of(cycle)

    def initial(self, cycle: datetime) -> Path:
        """The initial conditions of a cycle, until its forecast is published."""
        return self.own / "initial" / name_of(cycle)

    def remove_begun(self, cycle: datetime) -> None:
        """Remove what a forecast grows in, if it is there."""
        shutil.rmtree(self.cycle(cycle) / BEGUN, ignore_errors=True)

    def lock(self, cycle: datetime) -> Path:
        """Held by whoever works on a cycle."""
        return self.own / "locks" / f"{name_of(cycle)}.lock"

    def slot(self, number: int) -> Path:
        """Held by one of the runs that may go on at once."""
        return self.own / "locks" / f"slot-{number}.lock"

    def has_manifest(self, cycle: datetime) -> bool:
        """Whether the forecast was published: its manifest is written last."""
        return (self.cycle(cycle) / MANIFEST).is_file()

    def lost(self, cycle: datetime, but: Collection[str] = ()) -> list[str]:
        """What is not as it was published: files, ``but`` some, that are gone or have another size, or the manifest.

        A TemporaryError if the disk does not answer.
        """
        folder = self.cycle(cycle)
        try:
            names = lost_files(folder, read_manifest(folder))
        except DataError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
                raise TemporaryError(f"{error.__cause__}; it may be there still") from error
            return [MANIFEST]
        return [name for name in names if name not in but]

    @property
    def removing(self) -> Path:
        """What is being removed."""
        return self.own / "removing"

    def cycles(self) -> list[datetime]:
        """The cycles that have a folder, published or not, oldest first."""
        return _named_in(self.top)

    def fetched(self) -> list[datetime]:
        """The cycles that have initial conditions."""
        return _named_in(self.own / "initial")

    def files(self, cycle: datetime) -> list[Path]:
        """What readers find of a cycle."""
        folder = self.cycle(cycle)
        return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _named_in(top: Path) -> list[datetime]:
    found = []
    for path in top.iterdir() if top.is_dir() else ():
        try:
            cycle = parse_cycle(path.name)
        except ConfigError:
            continue
        if path.is_dir() and not path.is_symlink() and path.name == name_of(cycle):
            found.append(cycle)
    return sorted(found)
