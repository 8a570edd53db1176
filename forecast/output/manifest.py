"""The manifest of a published forecast, and how a forecast is published: whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from data_pipeline.errors import DataError
from data_pipeline.publish import sync, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST = "forecast.manifest.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedFile(_Frozen):
    """One file, or one Zarr store: its name in the folder, its size in bytes and its sha256 (see ``sha256_of``)."""

    name: str
    bytes: int
    sha256: str


class StoppedMember(_Frozen):
    """A member that is missing from ``step`` (counted from 1, valid at ``time``) on, and why, in words."""

    member: int
    step: int
    time: str
    reason: str


class Manifest(_Frozen):
    """What a published forecast is, and of what. Times are UTC, in ISO format.

    There are ``steps`` outputs, every ``step_hours``, whatever the steps of the model are.
    ``complete`` says whether every member came to the end; ``hours_complete`` is the last lead time that all have.
    ``run_sha256`` is that of all that the files depend on, so that the same forecast is known again.
    """

    format: Literal["sphercast manifest 1"] = "sphercast manifest 1"
    complete: bool
    initial_time: str
    members: tuple[int, ...]
    steps: int
    step_hours: float
    hours_complete: float
    stopped: tuple[StoppedMember, ...] = ()
    checkpoint: str
    checkpoint_sha256: str
    seed: int
    initial_data: str
    initial_sha256: str
    perturbation: str = "none"
    run_sha256: str = ""
    versions: dict[str, str]
    started: str
    finished: str
    files: tuple[PublishedFile, ...] = ()


def read_manifest(path: Path) -> Manifest:
    """The manifest at ``path``, or in the folder ``path``.

    Raises
    ------
    DataError
        If there is none, or it is damaged or of another format.
    """
    file = path / MANIFEST if path.is_dir() else path
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such manifest; the forecast is not published, run it again") from error
    except (OSError, ValidationError) as error:
        reason = _reason(error)
        raise DataError(f"{file} is no manifest of a forecast ({reason}); run the forecast again") from error


def lost_files(folder: Path, manifest: Manifest) -> list[str]:
    """The files of a manifest that are not in ``folder``, or not with their size."""
    return [file.name for file in manifest.files if not _is_there(folder / file.name, file.bytes)]


def publish(work: Path, folder: Path, names: Sequence[str], manifest: Manifest, name: str = MANIFEST) -> Manifest:
    """Give the finished files ``names`` of the folder ``work`` their place in ``folder``, then the manifest its name.

    The manifest that comes back lists them. What ``folder`` had under these names is replaced; its manifest goes
    first, so that a manifest never stands beside files that it does not describe.

    Raises
    ------
    OSError
        If the disk is full or fails, or a file is not there.
    """
    listed = manifest.model_copy(update={"files": tuple(_described(work / name) for name in names)})
    write_text(work / MANIFEST, listed.model_dump_json(indent=2) + "\n")
    return go_on_publishing(work, folder, name)


def is_publishing(work: Path) -> bool:
    """Whether a run was ended while it published: its files are finished and checked."""
    return (work / MANIFEST).is_file()


def go_on_publishing(work: Path, folder: Path, name: str = MANIFEST) -> Manifest:
    """Publish what ``publish`` began; may be ended and called again at any moment."""
    manifest = read_manifest(work)
    (folder / name).unlink(missing_ok=True)
    sync(folder)
    for file in manifest.files:
        _move(work, folder, file.name)
    sync(folder)
    (work / MANIFEST).rename(folder / name)
    sync(folder)
    return manifest


def _move(work: Path, folder: Path, name: str) -> None:
    source, target = work / name, folder / name
    if target.exists() and not source.exists():  # it was moved before the run was ended
        return
    if target.is_dir():  # a folder does not replace another
        replaced = work / f"{name}.replaced"
        shutil.rmtree(replaced, ignore_errors=True)
        target.rename(replaced)
    source.rename(target)


def sha256_of(path: Path) -> str:
    """Of a file; of a folder, that of the text ``sha256sum`` prints for its files, as this command makes it.

    ``cd FOLDER && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum``
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = [f"{sha256_of(path / name)}  ./{name}\n" for name in _files_in(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _described(path: Path) -> PublishedFile:
    return PublishedFile(name=path.name, bytes=_size(path), sha256=sha256_of(path))


def _is_there(path: Path, size: int) -> bool:
    try:
        return _size(path) == size
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    """In bytes, of a file or of all files of a folder."""
    names = _files_in(path) if path.is_dir() else [""]
    return sum((path / name).stat().st_size for name in names)


def _files_in(folder: Path) -> list[str]:
    found = (Path(top, name).relative_to(folder) for top, _, names in os.walk(folder) for name in names)
    return sorted(map(str, found), key=os.fsencode)


def _reason(error: Any) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        return f"{place}: {problem['msg']}" if place else problem["msg"]
    return error.strerror or str(error)
