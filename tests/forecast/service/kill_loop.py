"""One process that loads everything once, and then runs the same command again and again in forks that it signals.

Arguments: JOB.yaml, cycle, number of a signal, longest time until it is sent (s), times. Prints the exit codes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback

import torch

import forecast.cli
import forecast.cli_jobs_steps
import forecast.service.cycle_work
import forecast.service.ledger_file
import forecast.service.one_shot

torch.set_num_threads(1)


def run(job: str, cycle: str) -> None:
    """The command, as a process of its own."""
    sys.argv = ["sphercast", "run", job, "--cycle", cycle, "--no-wait", "--json"]
    forecast.cli.main()


def fork(job: str, cycle: str) -> int:
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


def main(job: str, cycle: str, number: str, longest: str, times: str) -> None:
    """Signal the command ``times`` times, each after a random while, and let it finish then."""
    codes, chance = [], random.Random(3)
    for _ in range(int(times)):
        process = fork(job, cycle)
        time.sleep(chance.uniform(0, float(longest)))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, int(number))
        codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(fork(job, cycle), 0)[1]))
    print(json.dumps(codes))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(*sys.argv[1:])
