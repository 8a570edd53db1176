"""The one exception tree. A message says what was got, what was expected and what to do."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class SphercastError(Exception):
    """Anything that a user can cause and mend; the command line prints it as one sentence."""


class ConfigError(SphercastError):
    """A configuration that cannot mean anything: an unknown key, a wrong type, a bad period."""


class DataError(SphercastError):
    """Data that are missing, mislabelled, out of range or unreadable."""


class UnreadableError(DataError):
    """Values that a damaged file does not give; other values of it may be whole."""


class EmptyError(DataError):
    """A field that is there and has no value."""


class TemporaryError(DataError):
    """Data that are not there yet, or cannot be had just now: the same request may succeed later."""


class GoneError(DataError):
    """Data that will never come: older than a source keeps, or no longer where it used to put them."""


class CheckpointError(SphercastError):
    """A checkpoint that is truncated, foreign, or does not fit the data given to it."""


class FormatError(CheckpointError):
    """A checkpoint of another version of sphercast, or somebody else's file."""


class ScoreError(SphercastError):
    """A forecast and a truth that cannot be compared."""


DAMAGES = (ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
"""What libraries raise for the contents of damaged files."""


@contextmanager
def reading(data: object) -> Iterator[None]:
    """What libraries raise for the values of damaged files, as an UnreadableError; ``data`` names them."""
    try:
        yield
    except DAMAGES as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableError(f"{data} cannot be read ({reason}); a file is damaged: copy or build it again") from error


def listed(items: Iterable[object], most: int = 3) -> str:
    """The first items for a message, and how many more there are.

    >>> listed("abcde")
    'a, b, c and 2 more'
    """
    texts = [str(item) for item in items]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
