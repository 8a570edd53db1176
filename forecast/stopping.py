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

IN_SILENCE = "SPHERCAST_STOPS_IN_SILENCE"
"""In the environment of a scheduler's child: the scheduler says that it stops, in the form of its log."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Of the keyboard, of batch systems, of a terminal that is closed."""

SECONDS_TO_STOP = 20.0
"""After which the process ends as it is, whatever it waits for: batch systems kill after 30 s. Nothing is lost by
that, files get their names when they are whole."""


_NAP = 0.1
"""Seconds that a signal waits again and again while nothing may be raised."""


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
    in_silence: ClassVar[bool] = False
    code: int = INTERRUPTED
    _asked: threading.Event = field(default_factory=threading.Event)
    _raised: bool = False

    def listen(self) -> None:
        """Heed the signals, but for those that ``nohup`` or the shell told this process to ignore."""
        type(self).in_silence = os.environ.pop(IN_SILENCE, None) is not None  # not for what hooks start
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._heed)

    def say(self) -> None:
        """Where there is no log to say it in."""
        if not self.in_silence:
            print(STOPPED, file=sys.stderr)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
        if not self._asked.is_set():
            self._asked.set()
            _after(SECONDS_TO_STOP, self._end)
        if _is_delicate(frame):
            _after(_NAP, lambda: os.kill(os.getpid(), number))
            return
        if self._raised:
            self._end()
        self._raised = True
        raise StoppedError(self.code)

    def _end(self) -> None:
        if not self.in_silence:
            os.write(sys.stderr.fileno(), f"{type(self).last_words()}\n".encode())
        os._exit(self.code)


def _is_delicate(frame: FrameType | None) -> bool:
    """Whether nothing may be raised there.

    While a module is loaded, in the midst of a library's C++, an exception aborts the process. Where an object is
    given back to memory it is printed, and gone.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib") or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _after(seconds: float, what: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    timer.start()
