"""Small requests to public servers: an index, or a part of a file; every answer is checked before it is believed."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import aiohttp

from data_pipeline.errors import DataError, GoneError, TemporaryError
from data_pipeline.retries import Patience, patiently, said, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any

Answer = TypeVar("Answer")

PATIENCE = Patience(tries=3, first=1.0, longest=30.0)
"""With one mirror; then comes the next one, and then whoever asked asks again."""

TOKENS = {
    "ai4edataeuwest.blob.core.windows.net": (
        "https://planetarycomputer.microsoft.com/api/sas/v1/token/ai4edataeuwest/ecmwf"
    )
}
"""``{host: where it gives everybody a token}``, which is added to addresses. Azure wants one since 2025."""

_SILENCE, _LONGEST = 60.0, 1800.0
"""Seconds without a byte after which a server counts as gone, and those that one request may take: a server that sends
a byte now and then would stop the service for ever."""
_KNOWN: dict[str, tuple[str, str]] = {}
"""``{address: (ETag, text)}`` of the last indexes: that of 51 members has 2 MB, and each member asks for it."""
_MOST_KNOWN = 16
_UNCHANGED = 304
_NOT_THERE = frozenset({404, 410, 416})
_PARTIAL = 206


class AbsentError(TemporaryError):
    """A server says that it has no such file, or not so much of it."""


class LyingMirrorError(TemporaryError):
    """A mirror sends something else than what was asked for, or than its index says."""


class ChangedLayoutError(GoneError):
    """What lies where an index should lie is no index that this program can read."""


@dataclass
class Reader:
    """Reads from servers through one session, and remembers their tokens."""

    session: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    async def text(self, url: str) -> str:
        """A small file, whole.

        Raises
        ------
        TemporaryError
            If it cannot be had: an ``AbsentError`` if the server says that there is none.
        """

        etag, known = _KNOWN.get(url, ("", ""))

        async def ask() -> str:
            unless = {"If-None-Match": etag} if etag else {}
            async with self.session.get(await self._signed(url), headers=unless, raise_for_status=True) as answer:
                if answer.status == _UNCHANGED:
                    return known
                text = (await answer.read()).decode(errors="replace")
                if text.lstrip().startswith("<"):  # of a proxy, or of a server that has had enough of us
                    raise TemporaryError(f"{host_of(url)} sent a web page instead of {url}")
                _remember(url, answer.headers.get("ETag", ""), text)
                return text

        return await _asked(url, ask)

    async def part(self, url: str, start: int, length: int) -> bytes:
        """``length`` bytes of a file from ``start`` on.

        Raises
        ------
        TemporaryError
            If they cannot be had: an ``AbsentError`` if the file is not there or ends before, a ``LyingMirrorError``
            if the server sends others.
        """

        async def ask() -> bytes:
            asked = {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity"}
            async with self.session.get(await self._signed(url), headers=asked, raise_for_status=True) as answer:
                _require_part(answer, url, start, length)
                content = await answer.read()
            if len(content) != length:  # though the answer ended in good order
                raise aiohttp.ClientPayloadError(f"{len(content)} bytes of {length}")
            return content

        return await _asked(url, ask)

    async def _signed(self, url: str) -> str:
        host = host_of(url)
        if host not in TOKENS:
            return url
        if host not in self.tokens:
            async with self.session.get(TOKENS[host], raise_for_status=True) as answer:
                self.tokens[host] = json.loads(await answer.text())["token"]
        return f"{url}?{self.tokens[host]}"


def _remember(url: str, etag: str, text: str) -> None:
    _KNOWN[url] = (etag, text)
    while len(_KNOWN) > _MOST_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]


@asynccontextmanager
async def reading_servers() -> AsyncIterator[Reader]:
    """A reader while the block runs; it goes through the proxy of the environment, if any."""
    timeout = aiohttp.ClientTimeout(total=_LONGEST, sock_connect=_SILENCE, sock_read=_SILENCE)
    async with aiohttp.ClientSession(trust_env=True, timeout=timeout) as session:
        yield Reader(session)


def host_of(url: str) -> str:
    """What messages call a mirror.

    >>> host_of("https://data.ecmwf.int/forecasts/20260601")
    'data.ecmwf.int'
    """
    return urlsplit(url).netloc


def _require_part(answer: aiohttp.ClientResponse, url: str, start: int, length: int) -> None:
    """Raise a DataError, which is not tried again, unless the headers announce just the part that was asked for.

    Less of it without a reason is tried again.
    """
    if answer.status != _PARTIAL:
        raise TemporaryError(f"{host_of(url)} ignores ranges (it answered {answer.status} for the whole file)")
    told = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", told)
    stop = start + length
    if match is None or int(match[1]) != start or int(match[2]) >= stop:
        raise LyingMirrorError(f"{host_of(url)} sent the range '{told}', expected bytes {start}-{stop - 1}")
    if int(match[2]) + 1 < stop and match[3] == str(int(match[2]) + 1):
        raise AbsentError(f"{host_of(url)} has a file of {match[3]} bytes, expected {stop} or more")
    if int(match[2]) + 1 < stop:
        raise aiohttp.ClientPayloadError(told)


async def _asked(url: str, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """The answer, after as many tries as are of use; or an error that says in few words what the server did."""
    try:
        return await patiently(url, ask, PATIENCE)
    except (TemporaryError, GoneError):
        raise
    except DataError as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        trouble = AbsentError if status(cause) in _NOT_THERE else TemporaryError
        raise trouble(f"{host_of(url)} {_words(cause)}") from error


def _words(cause: Exception) -> str:
    """What a server did, shorter where it is not even reached."""
    if isinstance(cause, aiohttp.ClientConnectorError):
        return f"cannot be reached ({cause.os_error.strerror or cause.os_error})"
    return said(cause)
