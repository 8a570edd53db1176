"""One field of a request: from which cycle it comes, its file in the work folder, and whether a message is it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.publish import publishing
from data_pipeline.realtime.transport import LyingMirrorError
from data_pipeline.sources.grib_message import kind_of
from data_pipeline.sources.grib_sections import read_header
from data_pipeline.sources.grib_selection import held_variables, pressure
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.channels import Channel
    from data_pipeline.realtime.request import Request
    from data_pipeline.sources.grib_message import Kind


@dataclass(frozen=True)
class Field:
    """A field that is wanted; ``cycle`` is the reference time of the analysis or forecast that it is taken from.

    ``member`` is the request's: None is the unperturbed analysis, 0 the control of an ensemble.
    """

    channel: Channel
    cycle: np.datetime64
    step_hours: int
    member: int | None

    @property
    def number(self) -> int:
        """Of the member, as indexes and messages have it."""
        return self.member or 0

    @property
    def file_name(self) -> str:
        """Its own file in the work folder."""
        stamp = str(np.datetime_as_string(self.cycle, unit="h")).replace("-", "").replace("T", "")
        return f"{stamp}-{self.step_hours}h-{self.channel.name}.grib2"

    def __str__(self) -> str:
        step = f" + {self.step_hours} h" if self.step_hours else ""
        return f"{self.channel.name} of {shown(self.cycle)}{step}, member {self.number}"


def fields_of(request: Request) -> list[Field]:
    """Every field of a request: of each time the analysis (step 0) of its own cycle.

    An analysis has no sums: those are of the forecast that starts at the beginning of the sum. Static fields are those
    of the first time.
    """
    fields = []
    for time in request.times:
        for channel in request.channels:
            if channel.variable.role == "static" and time != request.times[0]:
                continue
            step = request.hours_accumulated if channel.variable.accumulated else 0
            fields.append(Field(channel, (time - step * HOUR).astype("M8[s]"), step, request.member))
    return fields


def keep(content: bytes, field: Field, folder: Path, sender: str) -> None:
    """Write a message into the work folder, whole or not at all, if it is the field; ``sender`` is who sent it.

    Raises
    ------
    LyingMirrorError
        If it is something else, or damaged.
    DataError
        If eccodes is missing.
    """
    with publishing(folder / field.file_name) as aside:
        aside.write_bytes(content)
        wrong = defect(aside, field)
        if wrong:
            raise LyingMirrorError(f"{sender} sent {wrong}, its index promised {field}")


def is_kept(field: Field, folder: Path) -> bool:
    """Whether the work folder has the field, whole."""
    path = folder / field.file_name
    return path.is_file() and not defect(path, field)


def defect(path: Path, field: Field) -> str:
    """What is wrong with a file that should be the one message of a field, in words; empty if nothing is."""
    content = path.read_bytes()
    if content[:4] != b"GRIB" or content[-4:] != b"7777":
        return "no whole GRIB message"
    try:
        with path.open("rb", buffering=0) as opened:
            header = read_header(opened.fileno(), 0, len(content))
        kind = kind_of(content, header.grid)
    except (ValueError, OSError) as error:
        return f"a damaged message ({error})"
    if header.length != len(content) or header.fields > 1:
        return f"a message of {header.length} bytes with {header.fields} fields in {len(content)} bytes"
    got = _described(kind, header.reference)
    return "" if got == _expected(field) else f"{got[0]} of {shown(got[2])} + {got[3]:g} h, member {got[1]}"


def _described(kind: Kind, reference: np.datetime64) -> tuple[str, int, np.datetime64, float, float]:
    """Channel, member, cycle, step and hours of accumulation of a message."""
    names = list(held_variables([kind]))
    level = pressure(kind)
    channel = f"{names[0] if names else kind.short_name}{f'_{level:g}' if level else ''}"
    return channel, kind.member, reference, kind.step_hours, kind.accumulation_hours


def _expected(field: Field) -> tuple[str, int, np.datetime64, float, float]:
    hours = field.step_hours if field.channel.variable.accumulated else 0
    return field.channel.name, field.number, field.cycle, field.step_hours, hours
