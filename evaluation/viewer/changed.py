"""Whether files are still those that were opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

State = tuple[int, int, int] | None


def states(files: Iterable[str]) -> dict[str, State]:
    """Inode, size and time of change by path; None of what is no file here, such as a URL."""
    return {file: _state(Path(file)) for file in files}


def changed(before: Mapping[str, State]) -> list[str]:
    """Those of which the state is another now, or which are gone."""
    return [file for file, state in before.items() if state is not None and _state(Path(file)) != state]


def _state(path: Path) -> State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
