"""How often and after which pause a failed request is made again, and what is said when no try is left."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Answer = TypeVar("Answer")

PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP answers that may be others a moment later."""

_SECONDS_BETWEEN_LINES = 1.0

_LASTING = (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class Patience:
    """Tries of one request, and pauses between them in seconds: ``first`` doubles each time, up to ``longest``."""

    tries: int = 5
    first: float = 1.0
    longest: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, up to half of it more or less: clients shall not march in step.

        >>> all(1.0 <= Patience(first=1.0).pause(2) <= 3.0 for _ in range(100))
        True
        """
        return min(self.longest, self.first * 2.0 ** (failures - 1) * random.uniform(0.5, 1.5))


PATIENCE = Patience()


class _NotTooOften(logging.Filter):
    """Many requests fail together when a server is down: one line a second says it."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self._next:
            return False
        self._next = record.created + _SECONDS_BETWEEN_LINES
        return True


_LOG = logging.getLogger(__name__)
"""Nobody need configure it: Python prints warnings on standard error."""
_LOG.addFilter(_NotTooOften())


@dataclass
class Attempts:
    """The failures so far of one request for ``what``."""

    what: str
    patience: Patience = field(default_factory=lambda: PATIENCE)
    failures: int = 0
    started: float = field(default_factory=time.monotonic)

    def pause_after(self, error: Exception) -> float:
        """Seconds to wait before the next try, as many as the server asks for (``Retry-After``) or more.

        Raises
        ------
        DataError
            If another try is of no use, or this was the last one.
        """
        if isinstance(error, DataError):
            raise error
        self.failures += 1
        if not is_passing(error):
            raise DataError(f"{self.what} cannot be read (it {said(error)}); check the address and the access to it")
        if self.failures >= self.patience.tries:
            seconds = time.monotonic() - self.started
            raise DataError(
                f"{self.what} {said(error)}, {self.failures} times in {seconds:.0f} s; what needs it was not written: "
                "run the same command again to go on"
            )
        pause = max(min(retry_after(error), self.patience.longest), self.patience.pause(self.failures))
        self._say(error, pause)
        return pause

    def _say(self, error: Exception, pause: float) -> None:
        tries = f"{self.failures + 1} of {self.patience.tries}"
        host = urlsplit(self.what).netloc or self.what
        _LOG.warning("%s %s; trying again in %.0f s (%s)", host, said(error), pause, tries)


async def patiently(
    what: str, request: Callable[[], Coroutine[Any, Any, Answer]], patience: Patience | None = None
) -> Answer:
    """The answer to ``request``, made again while that can help; a DataError when it cannot."""
    attempts = Attempts(what, patience or PATIENCE)
    while True:
        try:
            return await request()
        except Exception as error:
            try:
                pause = attempts.pause_after(error)
            except DataError as final:
                raise final from error
        await asyncio.sleep(pause)


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    code = status(error)
    if code is not None:
        return code in PASSING_STATUS
    return isinstance(error, (OSError, aiohttp.ClientError)) and not isinstance(error, _LASTING)


def status(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp (``status``) or gcsfs (``code``) stands for, if any."""
    for name in ("status", "code"):
        code = getattr(error, name, None)
        if isinstance(code, int):
            return code
    return None


def said(error: Exception) -> str:
    """What a server did, as a verb and its object.

    >>> said(ConnectionResetError("connection reset by peer"))
    'failed (ConnectionResetError: connection reset by peer)'
    """
    code = status(error)
    if code is not None:
        return f"answered {code}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "sent less than it announced"
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    reason = " ".join(str(error).split())[:150]
    return f"failed ({type(error).__name__}{': ' if reason else ''}{reason})"


def retry_after(error: Exception) -> float:
    """Seconds that the server asks to wait, in either form of the header (RFC 9110, 10.2.3); 0 if it does not."""
    headers = getattr(error, "headers", None) or {}
    text = str(headers.get("Retry-After", "")).strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0
