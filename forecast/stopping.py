"""Signals that ask a command to stop: it cleans up, says so in one line, and can be run again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, also typer's for a KeyboardInterrupt."""

STOPPED = "sphercast: stopped; run the same command to go on"
"""Said where there is no log to say it in."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Of the keyboard, of batch systems, of a terminal that is closed."""

SECONDS_TO_STOP = 20.0
"""After which the process ends as it is, whatever it waits for: batch systems kill after 30 s. Nothing is lost by
that, files get their names when they are whole."""


class StoppedError(KeyboardInterrupt):
    """A signal came; ``code`` is the exit code that says which."""

    def __init__(self, code: int = INTERRUPTED) -> None:
        super().__init__()
        self.code = code


class SaidExit(SystemExit):
    """The end of a command that was stopped, and has said so in its log."""


@dataclass
class Stopping:
    """What was asked for; a second signal ends the process at once, with ``last_words`` on standard error."""

    last_words: ClassVar[Callable[[], str]] = lambda: STOPPED
    code: int = INTERRUPTED
    _asked: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Heed the signals, but for those that ``nohup`` or the shell told this process to ignore."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._heed)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
        if self._asked.is_set():
            self._end()
        self._asked.set()
        timer = threading.Timer(SECONDS_TO_STOP, self._end)
        timer.daemon = True
        timer.start()
        raise StoppedError(self.code)

    def _end(self) -> None:
        os.write(sys.stderr.fileno(), f"{type(self).last_words()}\n".encode())
        os._exit(self.code)
