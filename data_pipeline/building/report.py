"""What a build repaired, noticed and accepted: a report in JSON beside the store, ``NAME.report.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from data_pipeline.building.ledger import Ledger
from data_pipeline.building.slabs import LEDGER
from data_pipeline.quality import Finding, Report
from data_pipeline.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

NOTICED = "findings.json"
"""Of the labels and signatures, before the first shard, in the folder that a store grows in: it stands for a store
that was begun and is not published."""


def report_path(store: Path) -> Path:
    """Where the report of a store lies."""
    return store.with_name(store.name + ".report.json")


def read_report(path: Path) -> Report:
    """The inverse of ``Report.to_json``; an empty report where there is no file."""
    rows = json.loads(path.read_text(encoding="utf-8"))["findings"] if path.exists() else []
    return Report([Finding(**{key: row[key] for key in row if key != "severity"}) for row in rows])


def finding_rows(report: Report) -> list[dict[str, Any]]:
    """The findings as a JSON array, graver ones first."""
    rows: list[dict[str, Any]] = json.loads(report.to_json())["findings"]
    return rows


def outcome_json(path: Path, seconds: float) -> str:
    """Of the finished store at ``path``, which took so many seconds, for programs."""
    store = open_store(path)
    outcome = {
        "store": str(path),
        "states": len(store.times),
        "shards": -(-len(store.times) // store.shards.slots),
        "seconds": round(seconds, 3),
        "findings": finding_rows(read_report(report_path(path))),
    }
    return json.dumps(outcome, indent=2, ensure_ascii=False)


def final_report(folder: Path) -> Report:
    """Of the store that grew in ``folder``."""
    report = read_report(folder / NOTICED)
    ledger = Ledger(folder / LEDGER)
    for number in sorted(ledger.finished()):
        report.merge(Report(list(ledger.entry(number).findings)))
    return report
