"""Try a source by hand: one request into one file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from data_pipeline.errors import ConfigError
from data_pipeline.publish import only_one_in
from data_pipeline.realtime import REALTIME_SOURCES
from data_pipeline.realtime.keeping import write_states

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from data_pipeline.realtime import RealtimeSource, Request


def named_source(kind: str, options: Sequence[str]) -> RealtimeSource:
    """A source by its kind, with options written as ``KEY=VALUE`` (several values with commas between).

    Raises
    ------
    ConfigError
        If there is no such kind or option.
    """
    if kind not in REALTIME_SOURCES:
        raise ConfigError(f"no source of kind {kind!r}, expected one of: {', '.join(REALTIME_SOURCES)}")
    values: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise ConfigError(f"got the option {option!r}, expected KEY=VALUE as in model=aifs-single")
        values[key] = tuple(value.split(",")) if key == "mirrors" else value
    try:
        source: RealtimeSource = TypeAdapter(REALTIME_SOURCES[kind]).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"source {kind}: {where}: {first['msg']}; mend the option") from error
    return source


def fetch_file(source: RealtimeSource, request: Request, path: Path) -> None:
    """Write the states of a request, on the source's own grid, into a NetCDF file; run it again to go on.

    Raises
    ------
    TemporaryError
        If something is not there yet; the message names it.
    GoneError
        If it will never come.
    DataError
        If the source never has it.
    """
    folder = path.with_name(f".{path.name}.fetched")
    with only_one_in(folder):
        source.look(request).require_complete()
        write_states(source.fetch(request, folder), path)
        shutil.rmtree(folder)
