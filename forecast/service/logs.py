"""Log lines on standard error: for people, or JSON lines for machines; times in UTC."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from forecast.stopping import Stopping

LogFormat = Literal["plain", "json"]

STOPPED = "stopped by a signal; the next start goes on"

_OURS = ("data_pipeline", "evaluation", "forecast")
_STOPPED = {"name": __name__, "levelname": "WARNING", "levelno": logging.WARNING, "msg": STOPPED}


class _Plain(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _time(record)


class _Json(logging.Formatter):
    def __init__(self, job: str) -> None:
        super().__init__()
        self._job = job

    def format(self, record: logging.LogRecord) -> str:
        values = {"time": _time(record), "level": record.levelname.lower(), "job": self._job}
        if hasattr(record, "cycle"):
            values["cycle"] = record.cycle
        values |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            values["trace"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


def _formatter(form: LogFormat, job: str) -> logging.Formatter:
    return _Json(job) if form == "json" else _Plain("%(asctime)s %(levelname)-7s %(message)s")


def configure(form: LogFormat, job: str) -> None:
    """Send what our packages say from now on, and warnings of others, to standard error in this form."""
    handler, formatter = logging.StreamHandler(), _formatter(form, job)
    handler.setFormatter(formatter)
    Stopping.last_words = lambda: formatter.format(logging.makeLogRecord(_STOPPED))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
