"""The indexes that providers publish beside GRIB files: which field lies at which bytes.

ECMWF writes a JSON object a line (https://confluence.ecmwf.int/x/CyE7E), NCEP the inventory of wgrib2, a line of text
a message (https://www.cpc.ncep.noaa.gov/products/wesley/fast_downloading_grib.html).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.realtime.transport import ChangedLayoutError
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_KEYS = ("param", "levtype", "step", "date", "time", "_offset", "_length")
_SHOWN = 80
"""Characters of a line that a message quotes."""

_LINE = re.compile(r"[\d.]+:(\d+):d=(\d{10}):([^:]+):([^:]+):([^:]+):(.*)")
_HOURS = {"hour": 1, "day": 24}


class Entry(NamedTuple):
    """One field: what it is, and where it lies; ``length`` is None for the last message of a file.

    ``step_hours`` is from the ``cycle`` (reference time) to the valid time; accumulations start at the cycle.
    """

    channel: Channel
    member: int
    cycle: np.datetime64
    step_hours: int
    offset: int
    length: int | None


def read_json_lines(text: str, url: str, names: Mapping[tuple[str, str], str]) -> list[Entry]:
    """The entries whose ``(levtype, param)`` is in ``names``, which gives the variable; in the order of ``names``,
    so that of two forms of one field (height and geopotential) it is always the same that comes first.

    A last line that is cut is left out: the index is still being written.

    Raises
    ------
    ChangedLayoutError
        If it is no such index.
    """
    said = [(line, (str(each["levtype"]), str(each["param"])), each) for line, each in _json_lines(text, url)]
    known = sorted((each for each in said if each[1] in names), key=lambda each: list(names).index(each[1]))
    entries = [_json_entry(each, names[key], url, line) for line, key, each in known]
    return [entry for entry in entries if entry]


def _json_lines(text: str, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line, and what it says."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
        except ValueError:
            if number == len(lines) and line.startswith("{") and not text.endswith("\n"):
                return
            raise _changed(url, line, "JSON lines") from None
        lacking = [key for key in _KEYS if not isinstance(said, dict) or key not in said]
        if lacking:
            raise _changed(url, line, f"JSON lines with {', '.join(lacking)}")
        yield line, said


def _json_entry(said: Mapping[str, Any], name: str, url: str, line: str) -> Entry | None:
    step = str(said["step"]).removesuffix("h")
    if not step.isdigit():  # a step such as 0-6 is an extreme or a mean
        return None
    try:
        level = int(said["levelist"]) if variable(name).on_levels else None
        cycle = _hour(f"{said['date']}{int(said['time']):04d}", "%Y%m%d%H%M")
        place = int(said["_offset"]), int(said["_length"])
        return Entry(Channel(name, level), int(said.get("number", 0)), cycle, int(step), *place)
    except (ValueError, KeyError, TypeError) as error:
        raise _changed(url, line, f"numbers ({error!r} is wrong)") from error


def read_inventory(text: str, url: str, names: Mapping[tuple[str, str], str]) -> list[Entry]:
    """The entries whose ``(parameter, level)`` is in ``names``, which gives the variable; ``mb`` stands for any level.

    A last line without its end is left out: the inventory is still being written.

    Raises
    ------
    ChangedLayoutError
        If it is no such inventory.
    """
    lines = text.split("\n")[:-1]
    matches = [_LINE.fullmatch(line) for line in lines]
    for line, match in zip(lines, matches, strict=True):
        if match is None:
            raise _changed(url, line, "an inventory of wgrib2: 'number:offset:d=YYYYMMDDHH:parameter:level:time:...'")
    found = [match for match in matches if match]
    offsets = sorted({int(match[1]) for match in found})
    lengths = {start: stop - start for start, stop in pairwise(offsets)}
    entries = [_inventory_entry(match, lengths.get(int(match[1])), names) for match in found]
    return [entry for entry in entries if entry]


def _inventory_entry(match: re.Match[str], length: int | None, names: Mapping[tuple[str, str], str]) -> Entry | None:
    pressure = re.fullmatch(r"(\d+) mb", match[4])
    name = names.get((match[3], "mb" if pressure else match[4]))
    step, member = None if name is None else _step(match[5], accumulated=variable(name).accumulated), _member(match[6])
    if name is None or step is None or member is None:
        return None
    channel = Channel(name, int(pressure[1]) if pressure else None)
    return Entry(channel, member, _hour(match[2], "%Y%m%d%H"), step, int(match[1]), length)


def _step(text: str, *, accumulated: bool) -> int | None:
    """Hours to the valid time; None for extremes, means, and sums that start later than the forecast.

    >>> _step("anl", accumulated=False), _step("6 hour fcst", accumulated=False)
    (0, 6)
    >>> _step("0-6 hour acc fcst", accumulated=True), _step("0-1 day acc fcst", accumulated=True)
    (6, 24)
    """
    if accumulated:
        match = re.fullmatch(r"0-(\d+) (hour|day) acc fcst", text)
    elif text == "anl":
        return 0
    else:
        match = re.fullmatch(r"(\d+) (hour|day) fcst", text)
    return int(match[1]) * _HOURS[match[2]] if match else None


def _member(text: str) -> int | None:
    """0 for the control and where there is no ensemble, None for means and spreads.

    >>> _member(""), _member("ENS=low-res ctl"), _member("ENS=+12"), _member("ens mean")
    (0, 0, 12, None)
    """
    if not text or text.endswith("ctl"):
        return 0
    match = re.fullmatch(r"ENS=\+(\d+)", text)
    return int(match[1]) if match else None


def _hour(text: str, form: str) -> np.datetime64:
    return np.datetime64(datetime.strptime(text, form), "s")


def _changed(url: str, line: str, expected: str) -> ChangedLayoutError:
    return ChangedLayoutError(
        f"looked for an index at {url}, got '{line[:_SHOWN]}', expected {expected}; the provider may have changed its "
        "layout: update sphercast, or take other mirrors"
    )
