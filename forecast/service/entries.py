"""The ledger's cycles as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.output import MANIFEST, read_manifest
from forecast.service.cycles import name_of
from forecast.service.lock import holder
from forecast.service.states import AT_WORK, INTERRUPTED, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from forecast.output import Manifest
    from forecast.service.ledger import Entry, Event
    from forecast.service.service import Service

_HEAD = ("CYCLE", "STATE", "SINCE (UTC)", "SCORES", "MESSAGE")


def shown_state(service: Service, entry: Entry) -> str:
    """The state, or "interrupted" where work was begun and nobody is at it."""
    if entry.state in AT_WORK and holder(service.folders.lock(entry.cycle)) is None:
        return INTERRUPTED
    return str(entry.state)


def as_values(service: Service, entry: Entry) -> dict[str, Any]:
    """All of an entry for JSON; times in ISO format."""
    by = holder(service.folders.lock(entry.cycle))
    times = {name: _iso(getattr(entry, name)) for name in ("began", "updated", "next_look", "started", "ended")}
    return {
        "job": service.job.name, "cycle": f"{entry.cycle:%Y-%m-%dT%H}", "state": shown_state(service, entry),
        "message": entry.message, **times, "looks": entry.looks, "attempts": entry.attempts, "scores": entry.scores,
        "by": str(by) if by else None, "files": [str(path.absolute()) for path in service.folders.files(entry.cycle)],
    }  # fmt: skip


def table(service: Service, entries: Sequence[Entry]) -> str:
    """One line for each entry."""
    rows = [_HEAD, *(_row(service, entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    padded = ("  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def in_short(manifest: Manifest) -> str:
    """What was made."""
    stopped = ", ".join(str(each.member) for each in manifest.stopped)
    said = f"{_counted(len(manifest.members), 'member')}, {_counted(manifest.steps, 'step')}"
    return f"{said}; {len(manifest.stopped)} stopped before the end: {stopped}" if stopped else said


def page(service: Service, entry: Entry, events: Sequence[Event]) -> str:
    """Everything that is known of one cycle."""
    values = as_values(service, entry)
    lines = [f"{name:<10} {value}" for name, value in values.items() if name != "files" and value not in {None, ""}]
    lost = service.lost(entry.cycle)
    if entry.state is State.DONE and lost:
        lines += [f"{'lost':<10} {', '.join(lost)}; 'sphercast run' or 'sphercast jobs retry' has it made again"]
    if MANIFEST not in lost:
        manifest = read_manifest(service.folders.cycle(entry.cycle))
        lines += [f"{'stopped':<10} {stop.reason}" for stop in manifest.stopped]
        lines += [f"{'checkpoint':<10} {manifest.checkpoint} (sha256 {manifest.checkpoint_sha256})"]
    lines += ["", "files", *(f"  {path}" for path in values["files"] or ["none"])]
    said = (f"  {event.time:%Y-%m-%d %H:%M:%S}  {event.state:<11}  {event.message}".rstrip() for event in events)
    return "\n".join([*lines, "", "history (UTC)", *said])


def _row(service: Service, entry: Entry) -> tuple[str, ...]:
    message = entry.message
    if entry.state in {State.WAITING, State.MISSED} and entry.next_look:
        day = "" if entry.next_look.date() == entry.updated.date() else f"{entry.next_look:%Y-%m-%d} "
        message += f" [next look {day}{entry.next_look:%H:%M}]"
    since = f"{entry.updated:%Y-%m-%d %H:%M}"
    return name_of(entry.cycle), shown_state(service, entry), since, entry.scores or "-", message


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
