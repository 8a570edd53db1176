"""The page and its pieces on loopback: for this machine alone, nothing but what is known by name, nothing to change.

A page of another site can load scripts from any address, also from this machine. So that none can read the forecast,
the name of the host is checked (against DNS rebinding) and so is what the browser says about who asks.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.viewer.files import page_files, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from evaluation.viewer.pieces import Pieces

LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost")
USUAL_PORT = 8420
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_SCRIPT = "text/javascript; charset=utf-8"
_OWN_PAGES = ("same-origin", "none")


def listen(port: int | None) -> socket.socket:
    """A socket on loopback at ``port``; by default the usual one, so that links stay good, or any if it is taken.

    Raises
    ------
    DataError
        If a port that is asked for cannot be had.
    """
    for wanted in [USUAL_PORT, 0] if port is None else [port]:
        # Named as TCP, or asyncio leaves it to wait 40 ms before the second packet of each answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, wanted))
        except OSError as error:
            listener.close()
            reason = error.strerror
        else:
            return listener
    raise DataError(f"port {port} on {LOOPBACK} cannot be had ({reason}); give another --port, or none")


def serve(pieces: Pieces, listener: socket.socket, opened: Callable[[str], object]) -> None:
    """Answer until the process is asked to stop; ``opened`` gets the address as soon as there is somebody to answer.

    Raises
    ------
    DataError
        If starlette or uvicorn is not installed.
    """
    application = app(pieces)
    import uvicorn  # noqa: PLC0415, an extra

    listener.listen()  # from here on the system keeps who comes before the first answer
    opened(address(listener))
    config = uvicorn.Config(
        application, log_level="critical", lifespan="off", server_header=False, timeout_graceful_shutdown=1, ws="none"
    )
    uvicorn.Server(config).run(sockets=[listener])


def address(listener: socket.socket) -> str:
    """Of the page."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}/"


def app(pieces: Pieces) -> Starlette:
    """The application, for any server; a DataError if starlette is not installed."""
    try:
        import uvicorn  # noqa: F401, PLC0415, with which it is served
        from starlette.applications import Starlette  # noqa: PLC0415, an extra
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415
        from starlette.middleware import Middleware  # noqa: PLC0415
        from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: PLC0415
        from starlette.responses import PlainTextResponse, Response  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"the viewer's server needs {error.name}; install 'sphercast[view]', or write the page with --export DIR"
        ) from error

    async def answer(request: Request) -> Response:
        if not _is_ours(request.headers):
            return PlainTextResponse("asked for by another site; open this address itself", 403, HEADERS)
        name = request.path_params["name"] or "index.html"
        found = page_file(name) or await run_in_threadpool(piece, pieces, name)  # reading a forecast takes its time
        if found is None:
            return PlainTextResponse("no such piece of the viewer", 404, HEADERS)
        return Response(found[0], 200, HEADERS, found[1])

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    return Starlette(routes=[Route("/{name:path}", answer, methods=["GET"])], middleware=[hosts])


def _is_ours(headers: Mapping[str, str]) -> bool:
    """Whether a page of ours asks, or somebody follows a link; browsers say so, others do not."""
    followed = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return followed or headers.get("sec-fetch-site", "none") in _OWN_PAGES


def page_file(name: str) -> tuple[bytes, str] | None:
    """Bytes and type of a file of the page, None if it has none of that name; a name never becomes a path."""
    files = page_files()
    return (files[name], type_of(name)) if name in files else None


def piece(pieces: Pieces, name: str) -> tuple[bytes, str] | None:
    """Bytes and type of the piece of a name such as ``pieces/meta.js``, None if there is none."""
    if not (name.startswith("pieces/") and name.endswith(".js")):
        return None
    made = pieces.make(name.removeprefix("pieces/").removesuffix(".js"))
    return None if made is None else (made, _SCRIPT)
