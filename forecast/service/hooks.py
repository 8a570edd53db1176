"""The user's own command when a cycle is done, or not: it mails, posts to a webhook, or starts what comes next."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from contextlib import suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

_LOG = logging.getLogger(__name__)


def call_hook(command: str, values: Mapping[str, str], timeout: timedelta) -> bool:
    """Run ``command`` in a shell with ``SPHERCAST_<NAME>`` in its environment for each of ``values``.

    Its failure, or that it takes longer than ``timeout`` and is ended, is logged and nothing else: False.
    """
    try:
        return _called(command, values, timeout)
    except OSError as error:  # no memory for another process, say
        _LOG.warning("the hook %r could not be started: %s", command, error)
        return False


def _called(command: str, values: Mapping[str, str], timeout: timedelta) -> bool:
    told = {f"SPHERCAST_{name.upper()}": value.replace("\0", " ") for name, value in values.items()}
    environment = {**os.environ, **told}  # which cannot hold a NUL, as of a damaged file that a message quotes
    with TemporaryFile() as said:  # no pipe: what a hook leaves running in the background would keep it open
        process = subprocess.Popen(
            command, shell=True, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(timeout.total_seconds())
        except subprocess.TimeoutExpired:
            _LOG.warning("the hook %r took longer than %g s and was ended", command, timeout.total_seconds())
            return False
        finally:
            _end(process)
        if code:
            said.seek(0)
            words = " ".join(said.read(10_000).decode(errors="replace").split())
            _LOG.warning("the hook %r ended with code %d: %s", command, code, words[:500] or "it said nothing")
        return code == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """What still runs goes with all that it started, whatever ended the wait."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
