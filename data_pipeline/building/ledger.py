"""What is finished of a store that grows: one small file for each shard, written after the shard is on the disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from data_pipeline.publish import sync_tree, write_text
from data_pipeline.quality import Finding
from data_pipeline.statistics import SlabSummary

if TYPE_CHECKING:
    from pathlib import Path

_SECOND = 10**9
"""In ns; times of change are not finer than some hundredths of it."""


@dataclass(frozen=True)
class Entry:
    """A finished shard: the sha256 of its file, the summary of its times in the training period, what was noticed."""

    sha256: str
    summary: SlabSummary | None
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> str:
        """As text; ``from_json`` gives back the same numbers to the last bit."""
        summary = self.summary.to_json() if self.summary else None
        findings = [asdict(finding) for finding in self.findings]
        return json.dumps({"sha256": self.sha256, "summary": summary, "findings": findings})

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """The inverse of ``to_json``."""
        raw = json.loads(text)
        summary = SlabSummary.from_json(raw["summary"]) if raw["summary"] else None
        return cls(raw["sha256"], summary, tuple(Finding(**finding) for finding in raw["findings"]))


@dataclass(frozen=True)
class Ledger:
    """The entries of a growing store, in a folder of their own. Tasks write them in any order and never share one."""

    folder: Path

    def enter(self, number: int, entry: Entry) -> None:
        """Say that shard ``number`` is finished."""
        write_text(self.folder / f"{number}.json", entry.to_json())

    def finished(self) -> set[int]:
        """Numbers of the finished shards."""
        return {int(path.stem) for path in self.folder.glob("*.json")} if self.folder.exists() else set()

    def entry(self, number: int) -> Entry:
        """What was entered of shard ``number``."""
        return Entry.from_json((self.folder / f"{number}.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Pieces:
    """Names of finished pieces of other work than shards, kept beside their entries; they write into ``written``."""

    folder: Path
    written: Path

    def __contains__(self, name: str) -> bool:
        """Whether the piece is finished."""
        return self._note(name).exists()

    def add(self, name: str) -> None:
        """Say that the piece is finished, once what it wrote is on the disk."""
        notes = [note.stat().st_mtime_ns for note in self.folder.glob("*.finished")]
        sync_tree(self.written, since=max(notes, default=_SECOND) - _SECOND)  # what is older was flushed before a note
        write_text(self._note(name), "")

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.finished"
