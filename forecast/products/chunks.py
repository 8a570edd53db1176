"""From one field of all members to the chunks that a products file takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.output.chunks import encoded, in_threads
from forecast.products.statistics import statistics
from forecast.products.structure import MEMBERS_IN_WINDOW, MEMBERS_USED, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.resumable import Placed
    from forecast.products.layout import ProductsLayout
    from forecast.products.source import Floats


def chunks_of(
    layout: ProductsLayout, name: str, level: int | None, row: int, members: Floats, extreme: str = ""
) -> Iterator[Placed]:
    """The products of ``members`` (member, latitude, longitude) of a variable at position ``row`` along time.

    With an ``extreme`` they are the members' extremes within the window at that position.
    """
    config = layout.config
    made = statistics(members, config.quantiles, config.values(name, "above"), config.values(name, "below"))
    layer = () if level is None else (layout.pressure_levels.index(level),)
    placed = [
        (joined(name, extreme, product), (*stack, row, *layer, 0, 0), values[stack])
        for product, values in made.items()
        for stack in np.ndindex(values.shape[:-2])
    ]
    raw = in_threads(lambda each: encoded(each[2], config.compression), placed)
    return ((variable, place, data) for (variable, place, _), data in zip(placed, raw, strict=True))


def alive_members(layout: ProductsLayout, steps: Sequence[int], stopped: Mapping[int, Stop]) -> NDArray[np.bool_]:
    """Which members (lead time, member) had not stopped; ``steps`` (from 1) are those of the lead times."""
    last = [stopped[member].step - 1 if member in stopped else max(steps) for member in layout.members]
    return np.asarray(np.array(steps)[:, None] <= np.array(last))


def counts(layout: ProductsLayout, alive: NDArray[np.bool_]) -> dict[str, NDArray[np.int32]]:
    """Of how many members each lead time and window is made, from which are ``alive`` (lead time, member)."""
    windows = [alive[layout.leads_in(window)].all(axis=0).sum() for window in range(len(layout.config.windows))]
    found = {MEMBERS_USED: alive.sum(axis=1, dtype=np.int32)}
    return found | ({MEMBERS_IN_WINDOW: np.asarray(windows, np.int32)} if windows else {})
