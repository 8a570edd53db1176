"""Files that have a job run by systemd, cron, Kubernetes or Prefect, filled in for it; and an example of a job file."""

from __future__ import annotations

import getpass
import math
import re
import shlex
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from data_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.service.job_file import JobFile

    Quoting = Callable[[str], str]

RECIPES: dict[str, dict[str, str]] = {
    "systemd": {"sphercast-{name}.service": "systemd.service"},
    "systemd-timer": {
        "sphercast-{name}-once.service": "systemd-once.service",
        "sphercast-{name}-once.timer": "systemd-once.timer",
    },
    "cron": {"sphercast-{name}.cron": "cron"},
    "kubernetes": {"sphercast-{name}.yaml": "kubernetes.yaml"},
    "prefect": {"sphercast_{name}_flow.py": "prefect_flow.py"},
}
"""``{kind: {name of the file: its template}}``."""


def example() -> str:
    """A job file with every key explained, in YAML."""
    return _template("job.yaml")


def recipe(kind: str, job: JobFile, path: Path) -> dict[str, str]:
    """The files of a recipe, by name, for the job at the absolute ``path``.

    Raises
    ------
    ConfigError
        If the job cannot run in that way.
    """
    if kind == "kubernetes" and not job.folder.is_absolute():
        raise ConfigError(f"{path}: got the folder {job.folder}, expected an absolute path in the container; mend it")
    quote = _QUOTING.get(kind, str)
    command = Path(sys.executable).parent / "sphercast"
    values = {
        "name": job.name, "job": quote(str(path)), "folder": quote(str(job.folder)), "sphercast": quote(str(command)),
        "user": getpass.getuser(), "version": version("sphercast"), "schedule": _schedule(job),
        "resource": re.sub(r"[^a-z0-9-]+", "-", job.name.lower()).strip("-"),
        "log": quote(str(path.with_suffix(".log"))),
    }  # fmt: skip
    named = {name.format(name=_file_name(kind, job.name)): source for name, source in RECIPES[kind].items()}
    return {name: Template(_template(source)).substitute(values) for name, source in named.items()}


def _template(name: str) -> str:
    return (files(__name__) / f"{name}.template").read_text(encoding="utf-8")


def _file_name(kind: str, name: str) -> str:
    return re.sub(r"\W", "_", name) if kind == "prefect" else name


def _schedule(job: JobFile) -> str:
    """A cron expression in UTC for when cycles are due; every half hour where they are no hours of the day."""
    minutes = math.ceil(job.delay.total_seconds() / 60)  # a moment too early, the latest is the cycle before
    if isinstance(job.cycles, str):
        return "*/30 * * * *"
    hours = sorted({(hour + minutes // 60) % 24 for hour in job.cycles})
    return f"{minutes % 60} {','.join(map(str, hours))} * * *"


def _for_systemd(text: str) -> str:
    """systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers"."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _for_cron(text: str) -> str:
    """crontab(5): a percent sign ends the command unless it is escaped."""
    return shlex.quote(text).replace("%", "\\%")


_QUOTING: dict[str, Quoting] = {
    "systemd": _for_systemd,
    "systemd-timer": _for_systemd,
    "cron": _for_cron,
    "kubernetes": lambda text: f"'{text.replace(chr(39), chr(39) * 2)}'",
    "prefect": repr,
}
