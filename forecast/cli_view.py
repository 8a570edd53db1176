"""``sphercast view``: a forecast in the browser, served on loopback or written as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.viewer.catalogue import Selection
    from evaluation.viewer.pieces import Pieces

Number = TypeVar("Number", int, float)


def view(
    path: Annotated[
        str, typer.Argument(help="A forecast: a file, Zarr store, folder or URL, ours or others'.", metavar="FORECAST")
    ],
    against: Annotated[
        Optional[str], typer.Option(help="Another forecast, or the analysis, to show beside it.", metavar="OTHER")
    ] = None,
    init: Annotated[Optional[str], typer.Option(help="Initial time (UTC) of several; default: the newest.")] = None,
    port: Annotated[
        Optional[int], typer.Option(min=1, max=65535, help="On this machine; default: 8420, or any if it is taken.")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the address.")] = False,
    export: Annotated[
        Optional[Path], typer.Option(help="Write the page as files into this new folder instead of serving it.")
    ] = None,
    variables: Annotated[Optional[str], typer.Option(help="Only these, joined by commas; default: all.")] = None,
    levels: Annotated[Optional[str], typer.Option(help="Only these (hPa), joined by commas; default: all.")] = None,
    members: Annotated[
        str, typer.Option(help="Which members can be looked at one by one: their names joined by commas, all or none.")
    ] = "all",
    leads: Annotated[Optional[str], typer.Option(help="Only these (hours), joined by commas; default: all.")] = None,
    climatology: Annotated[
        Optional[str], typer.Option(help="Any climatology, such as a training store or sample: a band in meteograms.")
    ] = None,
) -> None:
    """Look at a forecast in the browser: maps at all lead times, members, meteograms, comparisons."""
    from evaluation.viewer.pieces import Pieces

    if export is not None and (port is not None or no_open):
        raise DataError("--export writes files and serves nothing; leave --port and --no-open out")
    if export is not None and climatology is not None:
        raise DataError("an export has no climate in its meteograms; leave --climatology out, or --export")
    selection = _selection(variables, levels, members, leads)
    pieces = Pieces(path, selection, against=against, init=init, climatology=climatology)
    try:
        if export is not None:
            _export(pieces, export)
        else:
            _serve(pieces, port, browser=not no_open)
    finally:
        pieces.close()


def _export(pieces: Pieces, folder: Path) -> None:
    from evaluation.viewer.export import export

    made = export(pieces, folder, lambda words: print(words, file=sys.stderr))
    print(f"viewer: {folder / 'index.html'}" + ("" if made else ", there already; nothing to do"))


def _serve(pieces: Pieces, port: int | None, *, browser: bool) -> None:
    from evaluation.viewer.server import listen, serve

    def opened(address: str) -> None:
        print(f"viewer: {address} (Ctrl-C ends it)", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(address)

    try:
        with listen(port) as listener:
            serve(pieces, listener, opened)
    except KeyboardInterrupt:
        print("viewer: ended")


def _selection(variables: str | None, levels: str | None, members: str, leads: str | None) -> Selection:
    from evaluation.viewer.catalogue import Selection

    chosen = {"all": None, "none": ()}[members] if members in {"all", "none"} else _names(members, "--members")
    return Selection(
        variables=None if variables is None else _names(variables, "--variables"),
        levels=None if levels is None else _numbers(levels, "--levels", int),
        members=chosen,
        leads=None if leads is None else _numbers(leads, "--leads", float),
    )


def _names(text: str, option: str) -> tuple[str, ...]:
    """Names joined by commas.

    >>> _names("0, 3", "--members")
    ('0', '3')
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise DataError(f"got {option} {text!r}, expected names joined by commas")
    return names


def _numbers(text: str, option: str, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    try:
        return tuple(kind(part) for part in _names(text, option))
    except ValueError:
        raise DataError(f"got {option} {text}, expected numbers joined by commas, e.g. 500,850") from None
