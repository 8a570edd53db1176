"""One scale of colours for several maps: the frames of an animation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEVELS = np.linspace(0.0, 1.0, 501)
"""Quantiles that are kept of each map: enough to know the extreme five hundredths of a map by."""


@dataclass
class Scale:
    """What chooses the classes of each field: while ``complete`` is false its own values, which are noted.

    After that those of all maps together, so that one colour means one value on all of them.
    """

    complete: bool = False
    seen: dict[str, list[Floats]] = field(default_factory=dict)

    def over(self, what: str, values: Floats) -> Floats:
        """The values to choose by, of a field called ``what``, whose own are ``values``.

        >>> scale = Scale()
        >>> _ = scale.over("rain", np.array([0.0, 1.0])), scale.over("rain", np.array([0.0, 9.0]))
        >>> scale.complete = True
        >>> float(scale.over("rain", np.array([0.0, 1.0])).max())
        9.0
        """
        if self.complete:
            return np.concatenate(self.seen[what]) if what in self.seen else values
        if values.size:
            self.seen.setdefault(what, []).append(np.quantile(values, _LEVELS))
        return values
