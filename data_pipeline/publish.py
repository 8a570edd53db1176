"""Nothing half-written under a final name: write aside, fsync, rename."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed to ``path`` when the block succeeds and removed when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield aside
        aside.chmod(0o644)  # some writers make files that only their owner may read
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace the contents of a small file atomically."""
    with publishing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def publish_directory(aside: Path, path: Path) -> None:
    """Make a finished directory durable and give it its final name."""
    sync_tree(aside)
    aside.rename(path)
    sync(path.parent)


def sync_tree(top: Path) -> None:
    """Flush a directory, its folders and all their files to the disk."""
    for folder, _, names in os.walk(top):
        for name in names:
            sync(Path(folder, name))
        sync(Path(folder))


def sync(path: Path) -> None:
    """Flush a file or directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
