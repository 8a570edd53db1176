"""What the sources were when a build began: a file that changes under it is not mixed into one store in silence.

A file is known by its size and the time of its last change, a zarr store by the number of its files, their size and
their latest change, an address by what its server tells of its metadata (ETag, date, size). These marks stay beside
the growing store and never get into it, so that its bytes depend on the values alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from zarr.core.sync import sync as wait_for

from data_pipeline.addresses import is_url
from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import NOTICED, read_report
from data_pipeline.errors import DataError
from data_pipeline.publish import write_text
from data_pipeline.remote import remote_store
from data_pipeline.sources import GribSource
from data_pipeline.sources.grib_index import grib_files
from data_pipeline.sources.opening import raw_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_pipeline.config import DataConfig
    from data_pipeline.sources.protocol import Source

ORIGIN = "origin.json"
"""The name of the marks in the folder that a store grows in."""

SOURCE_CHANGED = "source-changed"
"""Code of the finding, and what a config accepts that goes on nevertheless."""

Marks: TypeAlias = dict[str, dict[str, int | str]]
"""``{file: {what is known of it: value}}``."""

NETCDF = (".nc", ".nc4", ".netcdf", ".cdf")
_TOLD = ("ETag", "etag", "Last-Modified", "LastModified", "updated", "generation", "size")
"""What http, s3 and gs tell of an object that is another one after it was written again."""
_LISTED = 3


@dataclass(frozen=True)
class Origin:
    """Of a growing store: the digest of its config, and the marks of its sources."""

    config_sha256: str
    sources: Marks

    @classmethod
    def of(cls, config: DataConfig) -> Origin:
        """As it is now."""
        marks: Marks = {}
        for source in config.sources:
            marks |= _marks(source)
        return cls(digest_of(config), marks)

    @classmethod
    def read(cls, folder: Path) -> Origin | None:
        """What was written into the folder that a store grows in, if anything was."""
        path = folder / ORIGIN
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write(self, folder: Path) -> None:
        """The inverse of ``read``."""
        write_text(folder / ORIGIN, json.dumps(asdict(self)))


def require_unchanged(config: DataConfig, folder: Path, *, write: bool = True) -> None:
    """Raise a DataError if a source is not what it was when the build in ``folder`` began.

    Files that were added are no change: those with times that are there already are found as such. Where the config
    accepts it, the change is noticed for the report instead (unless nothing shall be written), and the build goes on.
    """
    before, now = Origin.read(folder), Origin.of(config)
    changes = _changes(before.sources, now.sources) if before else []
    if not changes:
        return
    more = f", and {len(changes) - _LISTED} more" if len(changes) > _LISTED else ""
    what = f"{', '.join(changes[:_LISTED])}{more} since the build began"
    if SOURCE_CHANGED not in config.accept:
        raise DataError(
            f"{what}: its shards would be of two versions; remove {folder} to begin again, or name "
            f"'{SOURCE_CHANGED}' under 'accept' to go on if what is finished still holds"
        )
    if not write:
        return
    report = read_report(folder / NOTICED)
    report.add(SOURCE_CHANGED, f"{what}; shards finished before are of the version before", count=len(changes))
    write_text(folder / NOTICED, report.to_json())
    now.write(folder)


def _changes(before: Marks, now: Marks) -> list[str]:
    """What is not as it was, a clause for each file. What a server does not tell is not compared."""
    clauses = [f"{file} went away" for file in before if file not in now and not is_url(file)]
    for file in sorted(before.keys() & now.keys()):
        old, new = before[file], now[file]
        differing = [key for key in old if key in new and new[key] != old[key]]
        if differing:
            told = ", ".join(f"{key} {_told(key, old[key])} -> {_told(key, new[key])}" for key in differing)
            clauses.append(f"{file} changed ({told})")
    return clauses


def _told(key: str, value: int | str) -> str:
    return str(np.datetime64(int(value), "ns"))[:23] if key == "modified" else str(value)


def _marks(source: Source) -> Marks:
    if isinstance(source, GribSource):
        return {str(file): _of_file(file) for file in grib_files(source.path)}
    marks: Marks = {}
    for name in ("path", "static_path"):
        path = getattr(source, name, None)
        if path is not None:
            marks |= _of_address(path) if is_url(path) else _of_path(path)
    return marks


def _of_path(path: str) -> Marks:
    files = (Path(part.encoding.get("source", path)) for part in raw_parts(path))
    return {str(file): _of_folder(file) if file.is_dir() else _of_file(file) for file in files}


def _of_file(file: Path) -> dict[str, int | str]:
    found = file.stat()
    return {"bytes": found.st_size, "modified": found.st_mtime_ns}


def _of_folder(folder: Path) -> dict[str, int | str]:
    found = [entry.stat() for entry in _entries(folder)]
    newest = max((one.st_mtime_ns for one in found), default=0)
    return {"files": len(found), "bytes": sum(one.st_size for one in found), "modified": newest}


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files below a folder; scandir, as a store may have a million of them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _entries(Path(entry.path))
            else:
                yield entry


def _of_address(url: str) -> Marks:
    """Of the file itself, or of the metadata of a zarr store; nothing where the server tells nothing."""
    store: Any = remote_store(url)._store  # noqa: SLF001, fsspec's file system, which zarr's interface hides
    names = [""] if url.endswith(NETCDF) else ["/.zmetadata", "/zarr.json"]
    told = {f"{url.rstrip('/')}{name}": _of_object(store.fs, f"{store.path}{name}") for name in names}
    return {address: mark for address, mark in told.items() if mark}


def _of_object(files: Any, name: str) -> dict[str, int | str]:
    try:
        details = wait_for(files._info(name))  # noqa: SLF001
    except Exception:  # each protocol has its own, and what cannot be told is not compared
        return {}
    return {key: str(details[key]) for key in _TOLD if details.get(key) is not None}
