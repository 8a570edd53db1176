"""How the job is, in Prometheus' text format, for the textfile collector of its node exporter.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from data_pipeline.publish import write_text
from forecast.service.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from forecast.service.ledger import Entry

_HELP = {
    "sphercast_report_timestamp_seconds": "When this file was written.",
    "sphercast_cycles": "Cycles in the ledger by state.",
    "sphercast_last_done_cycle_timestamp_seconds": "Initial time of the newest cycle that is done.",
    "sphercast_last_done_timestamp_seconds": "When it was done.",
    "sphercast_last_duration_seconds": "From the start of its work to its end.",
    "sphercast_last_lateness_seconds": "From its initial time to its end.",
    "sphercast_last_attempts": "How often work on it began.",
}


def write_metrics(path: Path, job: str, entries: Sequence[Entry], now: datetime) -> None:
    """Replace the file at ``path``, at once."""
    write_text(path, metrics(job, entries, now))


def metrics(job: str, entries: Sequence[Entry], now: datetime) -> str:
    """All gauges of a job, as text."""
    label = f'job="{_escaped(job)}"'
    counts = Counter(entry.state for entry in entries)
    samples = {
        "sphercast_report_timestamp_seconds": {label: now.timestamp()},
        "sphercast_cycles": {f'{label},state="{state}"': float(counts[state]) for state in State},
    }
    done = [entry for entry in entries if entry.state in {State.DONE, State.REMOVED} and entry.ended]
    if done:
        samples |= {f"sphercast_last_{name}": {label: value} for name, value in _of_last(done[-1]).items()}
    return "".join(_block(name, values) for name, values in samples.items())


def _of_last(entry: Entry) -> dict[str, float]:
    assert entry.ended is not None
    return {
        "done_cycle_timestamp_seconds": entry.cycle.timestamp(),
        "done_timestamp_seconds": entry.ended.timestamp(),
        "duration_seconds": (entry.ended - (entry.started or entry.began)).total_seconds(),
        "lateness_seconds": (entry.ended - entry.cycle).total_seconds(),
        "attempts": float(entry.attempts),
    }


def _block(name: str, values: dict[str, float]) -> str:
    lines = [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
    return "\n".join([*lines, *(f"{name}{{{labels}}} {value:.16g}" for labels, value in values.items())]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
