"""From a forecast file to a products file, one variable and level after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ConfigError
from data_pipeline.progress import track
from data_pipeline.publish import publishing
from forecast.output.chunk_file import ChunkFile
from forecast.output.chunks import naming
from forecast.output.structure import STOPPED
from forecast.products.chunks import chunks_of, counts
from forecast.products.fields import open_forecast, reader, source_of
from forecast.products.layout import plan
from forecast.products.source import field_of
from forecast.products.statistics import EXTREMES, whole_members
from forecast.products.structure import write_structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.output.resumable import Placed
    from forecast.products.config import ProductsConfig
    from forecast.products.layout import ProductsLayout
    from forecast.products.source import Floats


def make_products(forecast: Path, config: ProductsConfig, out: Path, *, progress: bool = True) -> None:
    """Write the products of ``forecast`` (NetCDF or zarr of ours) to ``out``, whole or not at all.

    The most that is held is one field of all members, and two more for each window.

    Raises
    ------
    ConfigError
        If the products would replace the forecast.
    DataError
        If the forecast cannot be read, or lacks what is asked for.
    OSError
        If the disk is full or fails.
    """
    if out.resolve() == forecast.resolve():
        raise ConfigError(f"the products would replace the forecast {forecast}; give them another name")
    with open_forecast(forecast) as dataset:
        layout = plan(source_of(dataset, forecast), config)
        readers = [reader(dataset, forecast, lead, layout.rows) for lead in range(layout.source.times.size)]
        alive = np.zeros((len(readers), len(layout.rows)), bool)
        with publishing(out) as aside, naming(out):
            write_structure(aside, layout)
            file = ChunkFile(aside)
            try:
                for name, level in track(layout.channels, "products", "field", enabled=progress):
                    fields = (field_of(read, name, level) for read in readers)
                    for chunk in _chunks(layout, name, level, fields, alive):
                        file.put(*chunk)
                stopped = layout.source.attributes.get(STOPPED)
                file.finish(counts(layout, alive), {} if stopped is None else {STOPPED: stopped})
            finally:
                file.abandon()


def _chunks(
    layout: ProductsLayout, name: str, level: int | None, fields: Iterable[Floats], alive: NDArray[np.bool_]
) -> Iterator[Placed]:
    """The products of one variable and level; ``fields`` (member, latitude, longitude) follow each other in time.

    The members that have values become ``alive`` (lead time, member).
    """
    extremes: dict[tuple[int, str], Floats] = {}
    windows = range(len(layout.config.windows))
    for lead, members in enumerate(fields):
        alive[lead] |= whole_members(members)
        yield from chunks_of(layout, name, level, lead, members)
        for window in (window for window in windows if lead in layout.leads_in(window)):
            for extreme, beyond in EXTREMES.items():
                extremes[window, extreme] = beyond(extremes.get((window, extreme), members), members)
        for window in layout.windows_that_end(lead):
            for extreme in EXTREMES:
                yield from chunks_of(layout, name, level, window, extremes.pop((window, extreme)), extreme)
