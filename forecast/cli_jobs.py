"""The service's commands: ``sphercast run``, ``sphercast schedule`` and ``sphercast jobs``."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from data_pipeline.errors import SphercastError
from forecast import stopping
from forecast.cli_data import AsJson
from forecast.stopping import IN_SILENCE, SaidExit, StoppedError, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from forecast.service.clock import Clock
    from forecast.service.job_file import JobFile
    from forecast.service.one_shot import Outcome
    from forecast.service.service import Service
    from forecast.service.work import Work


class Log(StrEnum):
    """Forms of log lines."""

    plain = "plain"
    json = "json"


JobPath = Annotated[Path, typer.Argument(help="A job file (YAML).", metavar="JOB.yaml")]
LogForm = Annotated[Optional[Log], typer.Option(help="Form of log lines; default: the job file's.")]


def run(
    job: JobPath,
    cycle: Annotated[str, typer.Option(help="Initial time, 2001-01-05T06, or 'latest': the last that is due.")] = (
        "latest"
    ),
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for initial conditions, until the deadline.")
    ] = True,
    log: LogForm = None,
    as_json: AsJson = False,
) -> None:
    """Make one cycle of a job, unless it is made. Exit code 0: done; 75: try again later; others: it needs you."""
    from forecast.service.one_shot import run_cycle

    with ending(as_json) as told, serving(job, log) as service:
        told["job"] = service.job.name
        moment = _chosen(service, cycle)
        told["cycle"] = _shown(moment)
        outcome = run_cycle(service, moment, patient=wait)
    told |= _summary(outcome)
    print(json.dumps(told) if as_json else _line(outcome))
    raise typer.Exit(outcome.exit_code)


def schedule(
    job: JobPath,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    log: LogForm = None,
) -> None:
    """Keep making the cycles of a job as they come due. Stop it with SIGTERM or Ctrl-C; the next start goes on."""
    job = job.absolute()
    with ending():
        while True:
            _schedule(job, once, log)


def _schedule(job: Path, once: bool, log: Log | None) -> None:
    """Returns only if the ledger is damaged, or the job file was changed: whoever opens them again has new ones."""
    from forecast.service.changes import ChangedError, JobWatch
    from forecast.service.ledger import DamagedError
    from forecast.service.schedule import Scheduler

    _heard(job, log)  # a signal may come while the job is checked
    _check(job)
    with serving(job, log) as service:
        form = log or Log(service.job.log)
        scheduler = Scheduler(service, lambda cycle: _shoot(job, cycle, form), JobWatch(job, service.job, _trouble))
        try:
            if once:
                raise typer.Exit(scheduler.work_off())
            scheduler.serve()
        except DamagedError:
            return
        except ChangedError as changed:
            logging.getLogger(__name__).info("%s", changed)


@contextmanager
def ending(as_json: bool = False) -> Iterator[dict[str, Any]]:
    """What fails beside the work on a cycle, as a sentence and the right exit code: 75 where it may pass.

    A signal is said in the log. Both are told as JSON, with the job and the cycle that are noted in what is yielded.
    """
    from forecast.service.logs import STOPPED
    from forecast.service.states import FATAL, INTERRUPTED, TRY_LATER
    from forecast.service.troubles import in_words, passes

    told: dict[str, Any] = {"job": None, "cycle": None, "state": "failed", "exit_code": FATAL, "message": ""}
    told["files"] = []
    try:
        yield told
    except KeyboardInterrupt as stop:
        code = stop.code if isinstance(stop, StoppedError) else stopping.INTERRUPTED
        if as_json:
            print(json.dumps({**told, "state": INTERRUPTED, "exit_code": code, "message": STOPPED}))
        if not Stopping.in_silence:
            logging.getLogger(__name__).warning("%s", STOPPED)
        raise SaidExit(code) from None
    except (SphercastError, OSError) as error:
        told |= {"message": in_words(error)}
        if passes(error):
            told |= {"state": "waiting", "exit_code": TRY_LATER}
        if as_json:
            print(json.dumps(told))
        print(f"sphercast: {in_words(error)}", file=sys.stderr)
        raise typer.Exit(told["exit_code"]) from error


def _check(job: Path) -> None:
    """End as 'jobs check' ends if it fails."""
    checked = _checked(job)
    if checked.returncode:
        print(checked.stderr, end="", file=sys.stderr)
        raise typer.Exit(checked.returncode)


def _trouble(job: Path) -> str:
    """What 'jobs check' says if it fails."""
    checked = _checked(job)
    return checked.stderr.strip().removeprefix("sphercast: ") if checked.returncode else ""


def _checked(job: Path) -> subprocess.CompletedProcess[str]:
    """It loads the model, in a process of its own."""
    command = [sys.executable, "-P", "-m", "forecast", "jobs", "check", str(job)]
    return subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True, check=False
    )


def _shoot(job: Path, cycle: datetime, form: Log) -> int:
    """One shot in a process of its own: what a forecast does to its memory, or to itself, ends with it.

    It has its own process group, so that a signal reaches it once: through us.
    """
    from forecast.service.cycles import name_of
    from forecast.service.states import TRY_LATER

    command = [sys.executable, "-P", "-m", "forecast", "run", str(job), "--cycle", f"{cycle:%Y-%m-%dT%H}", "--no-wait"]
    command, about = [*command, "--log", form.value], {**os.environ, IN_SILENCE: "1"}
    try:
        shot = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, env=about)
    except OSError as error:  # no memory for another process, say
        logging.getLogger(__name__).warning("cycle %s could not be started: %s", name_of(cycle), error)
        return TRY_LATER
    try:
        code = shot.wait()
    except BaseException:
        shot.terminate()
        shot.wait()
        raise
    number = -code if code < 0 else code - 128
    if number > 0:  # sent to it alone, as by 'jobs cancel', or by a system that has no memory left
        logging.getLogger(__name__).warning("cycle %s: its process was ended by signal %d", name_of(cycle), number)
    return code


@contextmanager
def serving(path: Path, log: Log | None = None) -> Iterator[Service]:
    """The job at ``path`` with its ledger open; relative paths in it are relative to its folder, and so are we."""
    from forecast.service.clock import SystemClock
    from forecast.service.folders import Folders
    from forecast.service.ledger_file import open_ledger
    from forecast.service.service import Service, published

    job, clock = _heard(path, log), SystemClock()
    os.chdir(path.absolute().parent)
    work = _work(job, clock)
    ledger_path = Folders(job.folder).ledger
    with open_ledger(ledger_path, job.name, lambda: published(job, work.steps), clock.now()) as ledger:
        yield Service(job, work, ledger, clock)


def _heard(path: Path, log: Log | None) -> JobFile:
    """The job at ``path``; from now on its log has the form that it says, or ``log``."""
    from forecast.service.job_file import load_job
    from forecast.service.logs import configure

    job = load_job(path)
    configure(log.value if log else job.log, job.name)
    return job


def _work(job: JobFile, clock: Clock) -> Work:
    """What the job does; torch is loaded when a cycle needs it, so that a scheduler that waits is small."""
    from forecast.cli_jobs_report import report_steps
    from forecast.cli_jobs_steps import plot_steps, scorer
    from forecast.service.product_steps import product_steps
    from forecast.service.work import Work

    progress = sys.stderr.isatty()
    steps = (*product_steps(job, progress=progress), *plot_steps(job), *report_steps(job))

    @cache
    def made() -> Work:
        from forecast.cli_jobs_checks import check_afterwards
        from forecast.service.cycle_work import cycle_work

        return cycle_work(job, clock, steps, scorer(job), progress=progress, check=check_afterwards)

    return Work(
        lambda cycle: made().look(cycle),
        lambda cycle, folder: made().fetch(cycle, folder),
        lambda cycle, initial, folder: made().forecast(cycle, initial, folder),
        steps,
        scorer(job),
    )


def _chosen(service: Service, cycle: str) -> datetime:
    from forecast.service.cycles import parse_cycle

    if cycle == "latest":
        return service.job.calendar.last(service.clock.now() - service.job.delay)
    moment = parse_cycle(cycle)
    service.job.require_cycle(moment)
    return moment


def _summary(outcome: Outcome) -> dict[str, Any]:
    return {
        "cycle": _shown(outcome.cycle), "state": str(outcome.state), "exit_code": outcome.exit_code,
        "message": outcome.message, "files": [str(path) for path in outcome.files],
    }  # fmt: skip


def _shown(cycle: datetime) -> str:
    return f"{cycle:%Y-%m-%dT%H}"


def _line(outcome: Outcome) -> str:
    folder = f" ({outcome.files[0].parent})" if outcome.files else ""
    return f"cycle {_shown(outcome.cycle)}: {outcome.state}: {outcome.message}{folder}"
