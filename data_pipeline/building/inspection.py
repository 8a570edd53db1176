"""Look at every field as its source gives it, before regridding could average a defect away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channels
from data_pipeline.quality import Report
from data_pipeline.quality.values import ValueChecker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.config import DataConfig
    from data_pipeline.grid import Grid


@dataclass
class Inspection:
    """What is wrong with consecutive fields of all variables is added to ``report``.

    Fields before ``start`` are only what those after them are compared with.
    """

    report: Report
    start: np.datetime64
    _checkers: dict[tuple[str, tuple[int, ...]], ValueChecker] = field(default_factory=dict)

    def look(
        self, name: str, levels: Sequence[int] | None, grid: Grid, times: NDArray[np.datetime64],
        values: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Check ``values`` (time, [level], latitude, longitude) of a variable on its source's grid."""
        key = (name, tuple(levels or ()))
        if key not in self._checkers:
            self._checkers[key] = ValueChecker(Channels.of({name: levels}), grid)
        fields = values.reshape(len(times), -1, *grid.shape)
        early = int(np.searchsorted(times, self.start))
        self._checkers[key].update(times[:early], fields[:early], Report())
        self._checkers[key].update(times[early:], fields[early:], self.report)


def unaccepted(report: Report, config: DataConfig) -> Report:
    """The errors that the config does not accept."""
    return Report([finding for finding in report.errors if finding.code not in config.accept])
