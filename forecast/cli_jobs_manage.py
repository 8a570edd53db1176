"""The commands for an operator: ``sphercast jobs``."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from forecast.cli_data import AsJson
from forecast.cli_jobs import JobPath, ending, serving

if TYPE_CHECKING:
    from datetime import datetime

jobs_app = typer.Typer(help="See what became of a job's cycles, and act on them.", no_args_is_help=True)


class Recipe(StrEnum):
    """Kinds of ``forecast.service.deploy``."""

    systemd = "systemd"
    systemd_timer = "systemd-timer"
    cron = "cron"
    kubernetes = "kubernetes"
    prefect = "prefect"


def _parsed(text: str) -> datetime:
    from forecast.service.cycles import parse_cycle

    return parse_cycle(text)


Cycle = Annotated[str, typer.Argument(help="Initial time, as 2001-01-05T06.", metavar="CYCLE")]


@jobs_app.command("list")
def jobs_list(
    job: JobPath,
    state: Annotated[Optional[str], typer.Option(help="Only cycles in this state, e.g. failed.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the cycles of a job: state, since when, and what was said."""
    from data_pipeline.errors import ConfigError
    from forecast.service.entries import as_values, shown_state, table
    from forecast.service.states import INTERRUPTED, State

    if state not in {None, INTERRUPTED, *State}:
        raise ConfigError(f"got --state {state}, expected one of: {', '.join([*State, INTERRUPTED])}")
    with serving(job) as service:
        entries = [entry for entry in service.ledger.entries() if state in {None, shown_state(service, entry)}]
        if as_json:
            print(json.dumps([as_values(service, entry) for entry in entries], indent=2))
        else:
            print(table(service, entries) if entries else "no cycles yet" if state is None else f"no cycles {state}")


@jobs_app.command("show")
def jobs_show(job: JobPath, cycle: Cycle, as_json: AsJson = False) -> None:
    """Show everything that is known of one cycle."""
    from data_pipeline.errors import SphercastError
    from forecast.service.entries import as_values, page

    moment = _parsed(cycle)
    with serving(job) as service:
        entry, events = service.ledger.entry(moment), service.ledger.events(moment)
        if entry is None:
            raise SphercastError(f"the ledger has no cycle {cycle}; 'sphercast jobs list' shows those that it has")
        if as_json:
            history = [{"time": f"{e.time.isoformat()}", "state": str(e.state), "message": e.message} for e in events]
            print(json.dumps({**as_values(service, entry), "history": history}, indent=2))
        else:
            print(page(service, entry, events))


@jobs_app.command("retry")
def jobs_retry(
    job: JobPath,
    cycle: Cycle,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what was fetched and begun; what is published stays.")
    ] = False,
) -> None:
    """Make a cycle due again that failed, was missed, cancelled, removed or lost, or the scores of one that is done."""
    from forecast.service.requests import retry

    with serving(job) as service:
        print(retry(service, _parsed(cycle), fresh=fresh))


@jobs_app.command("cancel")
def jobs_cancel(job: JobPath, cycle: Cycle) -> None:
    """Have a cycle not made; what works on it is asked to stop."""
    from forecast.service.requests import cancel

    with serving(job) as service:
        print(cancel(service, _parsed(cycle)))


@jobs_app.command("prune")
def jobs_prune(
    job: JobPath, dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False
) -> None:
    """Remove what the job's 'retention' does not keep. Every cycle that is done does so too."""
    from forecast.service.retention import prunable, prune

    with serving(job) as service:
        if service.job.retention is None:
            print("the job file has no 'retention': everything is kept", file=sys.stderr)
        for cycle in prunable(service) if dry_run else prune(service):
            print(f"{'would remove' if dry_run else 'removed'} {service.folders.cycle(cycle).absolute()}")


@jobs_app.command("check")
def jobs_check(job: JobPath) -> None:
    """Check a job file with its checkpoint, and say when its next cycle is due."""
    from forecast.cli_jobs_checks import check_afterwards, check_metrics
    from forecast.service.cycle_work import check_job

    with ending(), serving(job) as service:
        if service.job.prometheus is not None:
            check_metrics(service.job.prometheus)
        cycle = service.job.calendar.next(service.clock.now() - service.job.delay)
        check_job(service.job, cycle, check_afterwards)
        due = cycle + service.job.delay
        print(f"{job}: fine; the next cycle is {cycle:%Y-%m-%dT%H}, due at {due:%Y-%m-%d %H:%M} UTC")


@jobs_app.command("example")
def jobs_example() -> None:
    """Print a job file with every key explained."""
    from forecast.service.deploy import example

    print(example(), end="")


@jobs_app.command("deploy")
def jobs_deploy(
    kind: Annotated[Recipe, typer.Argument(help="What shall start the job.", metavar="KIND")],
    job: JobPath,
    out: Annotated[Optional[Path], typer.Option(help="Folder to write the files into; default: print them.")] = None,
) -> None:
    """Print the files that have a job run by systemd, cron, Kubernetes or Prefect."""
    from data_pipeline.publish import write_text
    from forecast.service.deploy import recipe
    from forecast.service.job_file import load_job

    for name, text in recipe(kind.value, load_job(job), job.absolute()).items():
        if out is None:
            print(f"# --- {name}\n{text}")
        else:
            write_text(out / name, text)
            print(f"{out / name}")
