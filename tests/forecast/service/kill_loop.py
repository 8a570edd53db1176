"""Ends ``sphercast run`` again and again at random moments, and repeats the same command.

Everything is loaded once; each run is a fork. Without --job it proves that what is published is the same to the last
byte: a job of the demo's model is run without a pause, and then again under the signals, and anew whenever it is done
before all of them are spent. With --job it only sends them, lets the command finish and prints the exit codes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import torch
import yaml

import evaluation.plots  # noqa: F401, loaded once
import forecast.cli
import forecast.cli_jobs_steps
import forecast.service.cycle_work
import forecast.service.ledger_file
import forecast.service.one_shot

CYCLE = "2001-01-06T00"
JOB = {
    "name": "killed", "checkpoint": "planet", "source": {"kind": "folder", "path": "sample"}, "folder": "out",
    "members": 4, "batch": 2, "days": 3, "cycles": [0], "products": {"quantiles": [0.5]},
    "outputs": [{"name": "forecast.nc"}, {"name": "forecast.zarr"}],
    "plots": [{"name": "z500.png", "variable": "geopotential", "level": 500, "kind": "mean_spread"}],
}  # fmt: skip


def run(job: Path, cycle: str) -> None:
    """The command, as a process of its own."""
    sys.argv = ["sphercast", "run", str(job), "--cycle", cycle, "--no-wait", "--json"]
    forecast.cli.main()


def fork(job: Path, cycle: str) -> int:
    """The number of a process that runs the command."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            run(job, cycle)
    except SystemExit as end:
        code = int(end.code or 0) if not isinstance(end.code, str) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def end_of(process: int) -> int:
    """Its exit code, minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def ended(job: Path, cycle: str, number: int, after: float) -> int:
    """The exit code of the command, which is sent a signal after so many seconds."""
    process = fork(job, cycle)
    time.sleep(after)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
    return end_of(process)


def published(job: Path) -> dict[str, bytes]:
    """Every byte that readers see, but for the manifest, which says when it was made."""
    (top,) = (path for path in (job.parent / "out").iterdir() if path.name[0] != ".")
    files = {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}
    assert files.pop("forecast.manifest.json")
    return files


def stage(job: Path) -> str:
    """What the ledger says that was being done."""
    ledger = job.parent / "out" / ".sphercast" / "ledger.sqlite"
    address = f"{ledger.as_uri()}?mode=rw"  # it is not made here
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        for (state,) in connection.execute("SELECT state FROM cycles"):
            return str(state)
    return "starting"


def prove(top: Path, number: int, times: int, longest: float | None) -> dict[str, object]:
    """The figures of a proof in an empty folder."""
    jobs = [top / name / "job.yaml" for name in ("whole", "ended")]
    for job in jobs:
        job.parent.mkdir()
        job.write_text(yaml.safe_dump(JOB))
    began = time.monotonic()
    assert end_of(fork(jobs[0], CYCLE)) == 0
    seconds = time.monotonic() - began
    whole, chance, stages, finished = published(jobs[0]), random.Random(3), Counter[str](), 0
    identical = True
    while stages.total() < times:
        code = ended(jobs[1], CYCLE, number, chance.uniform(0, longest or 0.8 * seconds))
        if code:
            assert code in {-number, 128 + number}, f"the command failed with {code}"
            stages[stage(jobs[1])] += 1
            continue
        identical, finished = identical and published(jobs[1]) == whole, finished + 1
        shutil.rmtree(jobs[1].parent / "out")
    assert end_of(fork(jobs[1], CYCLE)) == 0
    return {
        "signals": stages.total(), "stages": dict(stages), "runs_finished": finished + 1,
        "identical": identical and published(jobs[1]) == whole, "seconds_uninterrupted": round(seconds, 1),
        "left_over": [str(path) for path in (jobs[1].parent / "out").rglob("*.partial")],
    }  # fmt: skip


def main() -> None:
    """Print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30, help="how many signals (default: 30)")
    parser.add_argument("--signal", type=int, default=signal.SIGKILL, help="its number (default: 9)")
    parser.add_argument("--longest", type=float, help="seconds until it is sent; default: 0.8 of a whole run")
    parser.add_argument("--job", type=Path, help="a job file of yours instead")
    parser.add_argument("--cycle", default=CYCLE, help="of that job")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.job is None:
        with tempfile.TemporaryDirectory(prefix="sphercast-kills-") as top:
            print(json.dumps(prove(Path(top), given.signal, given.times, given.longest)))
        return
    chance, longest = random.Random(3), given.longest or 1.5
    codes = [ended(given.job, given.cycle, given.signal, chance.uniform(0, longest)) for _ in range(given.times)]
    print(json.dumps([*codes, end_of(fork(given.job, given.cycle))]))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
