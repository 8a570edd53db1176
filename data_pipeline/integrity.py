"""Is every byte of a store still what was written? SHA256SUMS lists them all, for us and for ``sha256sum -c``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.progress import track
from data_pipeline.publish import write_text
from data_pipeline.shards import shard_path
from data_pipeline.store import partial_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMS = "SHA256SUMS"
_BUFFER = 2**20


def write_sums(store: Path, shards: Mapping[int, str]) -> None:
    """List every file of ``store`` with its sha256; those of ``shards`` are known since they were written."""
    known = {shard_path(store / "fields", number): digest for number, digest in shards.items()}
    lines = [f"{known.get(path) or sha256(path)}  {path.relative_to(store).as_posix()}" for path in _files(store)]
    write_text(store / SUMS, "\n".join(lines) + "\n")


def read_sums(store: Path) -> dict[str, str]:
    """``{file: sha256}`` as listed.

    Raises
    ------
    DataError
        If the list is missing or torn.
    """
    path = store / SUMS
    if not store.exists():
        hint = "its build was interrupted: run it again" if partial_path(store).exists() else "check the path"
        raise DataError(f"no training store at {store}; {hint}")
    if not path.is_file():
        raise DataError(f"{store} has no {SUMS}, expected a training store; give one made by 'sphercast data build'")
    lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    pairs = [line.partition("  ") for line in lines[:-1]]
    if lines[-1] or not all(len(digest) == 64 and gap and name for digest, gap, name in pairs):
        raise DataError(f"{path} is damaged: not every line is a sha256 and a file; copy the store again")
    return {name: digest for digest, _, name in pairs}


def verify(store: Path, *, progress: bool = False) -> list[str]:
    """What is wrong with the files of a store, a line each; nothing if every bit is as it was written.

    Raises
    ------
    DataError
        If the list of checksums itself is missing or torn.
    """
    listed = read_sums(store)
    found = {path.relative_to(store).as_posix(): path for path in _files(store)}
    problems = [f"{name}: missing" for name in listed if name not in found]
    problems += [f"{name}: not of this store" for name in found if name not in listed]
    for name in track(sorted(listed.keys() & found.keys()), "verifying", "file", enabled=progress):
        if sha256(found[name]) != listed[name]:
            problems.append(f"{name}: damaged, its sha256 differs")
    return problems


def sha256(path: Path) -> str:
    """Of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BUFFER):
            digest.update(block)
    return digest.hexdigest()


def _files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file() and path != store / SUMS)
