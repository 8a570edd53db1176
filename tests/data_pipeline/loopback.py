"""An HTTP server on 127.0.0.1 that serves a folder and misbehaves as told: busy, cut off, short, forbidden, slow."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

os.environ.setdefault("NO_PROXY", "127.0.0.1")  # a proxy of the environment cannot reach this server

_RESET = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Socket option with which closing resets the connection."""


@dataclass
class Fault:
    """What is done ``times`` times instead of answering a request whose path ends with ``path``.

    ``status`` answers that; ``silent`` ends the connection without an answer, ``drop`` resets it after half of the
    body; ``seconds`` answers late; ``whole`` ignores the range; ``short`` announces half of the bytes of its range, and
    sends them; ``content_range`` is said instead of the right one. Without them the body ends in good order after half
    of what was announced.
    """

    path: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    silent: bool = False
    seconds: float = 0.0
    whole: bool = False
    short: bool = False
    content_range: str = ""


@dataclass
class Loopback:
    """A running server: its address, the faults that are left, the paths asked for with their ranges, and refusals."""

    folder: Path
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault_for(self, path: str) -> Fault | None:
        """The fault that strikes this request, if any; it is counted."""
        with self.lock:
            self.asked.append(path)
            for fault in self.faults:
                if path.endswith(fault.path) and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serving(folder: Path) -> Iterator[Loopback]:
    """Serve ``folder`` while the block runs."""
    loopback = Loopback(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, loopback))
    server.daemon_threads = False
    loopback.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Files with ranges; every connection serves one request, so that none is left open."""

    def __init__(self, loopback: Loopback, *args: object) -> None:
        self.loopback = loopback
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        path = unquote(self.path).lstrip("/")
        self.loopback.ranges.append((path, self.headers.get("Range", "")))
        fault = self.loopback.fault_for(path)
        if fault and fault.seconds:
            time.sleep(fault.seconds)
            fault = None
        if fault and fault.silent:
            return
        if fault and fault.status:
            self._refuse(fault.status, fault.headers)
            return
        file = self.loopback.folder / path.partition("?")[0]
        if not file.is_file():
            self._refuse(404, {})
            return
        self._send(file, fault, head=head)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.loopback.refused.append(status)
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, file: Path, fault: Fault | None, *, head: bool) -> None:
        body = file.read_bytes()
        part = None if fault and fault.whole else _range(self.headers.get("Range", ""), len(body))
        if part is not None and part.start >= len(body):
            self._refuse(416, {"Content-Range": f"bytes */{len(body)}"})
            return
        etag = f'"{file.stat().st_mtime_ns}"'
        if self.headers.get("If-None-Match") == etag:
            self._refuse(304, {"ETag": etag})
            return
        self.send_response(200 if part is None else 206)
        if part is not None:
            told = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
            self.send_header("Content-Range", (fault.content_range if fault else "") or told)
            body = body[part]
        if fault and fault.short:
            body = body[: len(body) // 2]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.end_headers()
        if head:
            return
        in_full = fault is None or fault.whole or fault.short or fault.content_range
        self.wfile.write(body if in_full else body[: len(body) // 2])
        if fault and fault.drop:
            self.connection.setsockopt(*_RESET)


def _range(asked: str, size: int) -> slice | None:
    """The bytes that a Range header asks for."""
    if not asked.startswith("bytes="):
        return None
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start = int(first) if first else size - int(last)
    return slice(start, min(int(last) + 1, size) if first and last else size)
