"""What is asked of a picture of one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from data_pipeline.errors import EmptyError
from evaluation.plots.places.choice import asked, customary
from evaluation.plots.places.members import along_leads, along_levels
from evaluation.plots.places.usual import Climate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evaluation.climate import Climatology
    from evaluation.plots.places.choice import Wanted
    from evaluation.plots.places.local import Local
    from evaluation.plots.places.members import Members
    from evaluation.plots.places.usual import Usual


@dataclass(frozen=True)
class PlaceRequest:
    """What to draw; what is left out takes the default.

    ``variables`` are names, or names with a level such as ``geopotential_500``; ``level`` (hPa) is that of those that
    have levels and name none. ``lead`` in hours is that of a profile. ``climatology`` is a path, or an open one.
    """

    variables: Sequence[str] = ()
    level: int | None = None
    lead: float | None = None
    climatology: str | Path | Climatology | None = None

    def chosen(self, local: Local, rows: tuple[tuple[Wanted, ...], ...]) -> list[tuple[str, int | None]]:
        """Variables with their levels: those asked for, or the customary ones that the forecast holds."""
        return asked(local.run, self.variables, self.level) if self.variables else customary(local.run, rows)

    def along_leads(self, local: Local, rows: tuple[tuple[Wanted, ...], ...]) -> tuple[list[Members], str]:
        """Those of ``chosen`` that have values, and words about the customary ones that have none.

        Raises
        ------
        EmptyError
            If one that was asked for has no value, or none has.
        """
        return self._with_values(self.chosen(local, rows), partial(along_leads, local))

    def along_levels(self, local: Local, rows: tuple[tuple[Wanted, ...], ...]) -> tuple[list[Members], str]:
        """Likewise at ``lead`` against pressure, of what has values on two levels at least.

        Raises
        ------
        EmptyError
            If one that was asked for has no value, or none has.
        """
        return self._with_values(self.chosen(local, rows), lambda name, _: along_levels(local, name, self.lead))

    def _with_values(
        self, chosen: Sequence[tuple[str, int | None]], read: Callable[[str, int | None], Members]
    ) -> tuple[list[Members], str]:
        found, empty = [], []
        for own in chosen:
            try:
                found.append(read(*own))
            except EmptyError as error:
                if self.variables:
                    raise
                empty.append(error)
        if not found:
            raise empty[0]
        return found, "; ".join(str(error).partition(";")[0] for error in empty)

    def usual(self, local: Local, every: Sequence[Members]) -> list[Usual | None]:
        """What is usual beside each; a DataError if the climatology has none of these variables."""
        if self.climatology is None:
            return [None] * len(every)
        return Climate(self.climatology, local.place).beside_all(every)
