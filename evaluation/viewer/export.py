"""The page and all its pieces as files in a folder, which any web server, or a browser without one, can show."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError, UnreadableError
from data_pipeline.publish import only_one_in, publish_directory
from evaluation.viewer.encoding import script
from evaluation.viewer.files import page_files
from evaluation.viewer.pieces import META

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from evaluation.viewer.pieces import Pieces

LARGE = 500 * 10**6
"""Bytes beyond which the size is told before anything is written."""
MEGABYTE = 10**6
_STAMP = "made-from.json"
_PIECE_OVERHEAD = 250
"""Bytes of a piece beside its codes, roughly."""


def export(pieces: Pieces, folder: Path, tell: Callable[[str], object]) -> bool:
    """Write the page; under its name only when it is whole. False if it was there already.

    A run that was stopped goes on where it was.

    Raises
    ------
    DataError
        If the folder holds anything else, the disk has less room than it needs, or a field is damaged.
    """
    stamp = _stamp(pieces)
    if folder.exists() or folder.is_symlink():
        _check_same(folder, stamp)
        return False
    with _nothing_exported():
        _check_size(pieces, folder, tell)
    aside = folder.with_name(f".{folder.name}.partial")
    with only_one_in(aside):
        _begin(aside, stamp)
        for name, content in page_files().items():
            _write(aside / name, content)
        for key in pieces.keys():  # noqa: SIM118, no mapping
            path = aside / "pieces" / f"{key}.js"
            if not path.exists():
                _write(path, _made(pieces, key))
        publish_directory(aside, folder)
    return True


def _made(pieces: Pieces, key: str) -> bytes:
    """A piece; an export that is to be looked at elsewhere has no holes that nobody was told of."""
    pieces.require_unchanged()
    if key == META:
        return _meta(pieces)
    with _nothing_exported():
        return pieces.make(key, past_damage=False) or b""


@contextmanager
def _nothing_exported() -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise DataError(
            f"nothing was exported: {error}; or leave the damage out with --variables, --levels or --leads"
        ) from error


def _meta(pieces: Pieces) -> bytes:
    """The first piece; meteograms in a folder are those of the grid's points."""
    return script(META, {**pieces.content_of_meta, "anywhere": False})


def size_of(pieces: Pieces) -> int:
    """About how many bytes an export takes."""
    codes = sum(_bytes(pieces, key) * 4 // 3 + _PIECE_OVERHEAD for key in pieces.keys())  # noqa: SIM118
    return codes + MEGABYTE  # of coastlines and the page itself


def _bytes(pieces: Pieces, key: str) -> int:
    """Of the codes in a piece."""
    kind, _, rest = key.partition("/")
    if kind not in {"field", "series"}:
        return 0
    grid = pieces.sides[rest[0]].grid
    return 2 * (grid.shape[0] * grid.shape[1] if kind == "field" else pieces.series_length(rest[0]) * grid.shape[1])


def _check_size(pieces: Pieces, folder: Path, tell: Callable[[str], object]) -> None:
    size = size_of(pieces)
    free = shutil.disk_usage(next(own for own in folder.absolute().parents if own.exists())).free
    smaller = "--members none, fewer --variables, --levels or --leads make it smaller"
    if size > free:
        raise DataError(
            f"{folder} takes about {size / MEGABYTE:.0f} MB, and the disk has {free / MEGABYTE:.0f} MB left; {smaller}"
        )
    if size > LARGE:
        tell(f"{folder} takes about {size / MEGABYTE:.0f} MB; {smaller}")


def _stamp(pieces: Pieces) -> bytes:
    """What an export is made of: the page's files, what is offered, and the state of the files that it is read from."""
    files = [_state(Path(own)) for own in pieces.files]
    offered = _meta(pieces).decode("ascii")
    page = {name: sha256(content).hexdigest() for name, content in page_files().items()}
    return json.dumps({"files": files, "page": page, "offered": offered}, indent=1).encode("ascii")


def _state(path: Path) -> Mapping[str, Any]:
    """Name, size and time of change; the name alone of what is no file here, such as a URL."""
    found = {"name": path.name}
    return {**found, "bytes": path.stat().st_size, "changed": path.stat().st_mtime_ns} if path.exists() else found


def _check_same(folder: Path, stamp: bytes) -> None:
    kept = folder / _STAMP
    if not kept.is_file():
        raise DataError(f"{folder} is there already and is no viewer; give a new folder to --export")
    if kept.read_bytes() != stamp:
        raise DataError(f"{folder} holds a viewer of other data or other choices; remove it, or give a new folder")


def _begin(aside: Path, stamp: bytes) -> None:
    """An empty folder with the stamp, or one that was begun with the same stamp."""
    kept = aside / _STAMP
    if kept.is_file() and kept.read_bytes() == stamp:
        return
    for old in list(aside.iterdir()):
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    _write(kept, stamp)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; made durable with all others at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.new")
    aside.write_bytes(content)
    aside.replace(path)
