"""Failures: which of them time mends, and how they are said."""

from __future__ import annotations

import errno

from data_pipeline.errors import SphercastError, TemporaryError
from forecast.service.ledger import LedgerBusyError
from forecast.service.lock import BusyError

_LASTING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
"""What the system says that time does not mend, unlike a full disk or a network that is down."""


def passes(error: Exception) -> bool:
    """Whether the same may succeed later.

    >>> passes(OSError(errno.ENOSPC, "no space left on device")), passes(PermissionError(errno.EACCES, "denied"))
    (True, False)
    """
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, (TemporaryError, BusyError, LedgerBusyError))


def is_foreseen(error: Exception) -> bool:
    """Whether it is one that a user can cause and mend."""
    return isinstance(error, (SphercastError, OSError))


def in_words(error: Exception) -> str:
    """One line for the ledger, the log and the hook."""
    if isinstance(error, SphercastError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'no file named'}; free space or mend the path"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}; see the log"
