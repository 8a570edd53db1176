"""Kill ``sphercast forecast`` at random moments, again and again; not a test of the suite but one to run by hand.

    python tests/forecast/kill_runs.py --kills 30

The demo's model and states, one run that nobody kills, and one that is killed (SIGKILL) so many times: by turns after
a random time, and when it has come to a step or to publishing. The same command goes on
each time; when a run ends before its kill, another is begun anew. Every run that ends must leave the same bytes.
Prints one line per kill, and last, one line of JSON; exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Kill, go on, compare."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = (Path(options.folder or scratch) / name for name in ("whole", "killed"))
        begun = time.monotonic()
        subprocess.run(_command(whole, options), check=True)
        length = time.monotonic() - begun
        places, runs = _kill(killed, options, length, _hashes(whole))
    print(json.dumps({"kills": options.kills, "during": places, "seconds_of_a_run": round(length, 1),
                      "runs_that_ended_with_the_same_bytes": runs}))  # fmt: skip


def _kill(
    folder: Path, options: argparse.Namespace, length: float, expected: dict[str, str]
) -> tuple[dict[str, int], int]:
    """Where it was killed how often, and how many runs came to their end in between."""
    dice, places, runs, kills = random.Random(options.seed), dict[str, int](), 0, 0
    while kills < options.kills:
        process = subprocess.Popen(_command(folder, options), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        target = (
            dice.choice([*range(1, options.days + 1), options.days, "publishing", "publishing"]) if kills % 2 else None
        )
        _wait(process, folder, target, dice.uniform(0, 0.03 if target else length))
        if process.poll() is None:
            process.kill()
            process.wait()
            kills += 1
            place = _place(folder, options)
            places[place] = places.get(place, 0) + 1
            print(f"kill {kills} of {options.kills}: {place}", flush=True)
        else:
            runs += _ended_well(process, folder, expected)
    subprocess.run(_command(folder, options), check=True, stdout=subprocess.DEVNULL)
    return places, runs + (_hashes(folder) == expected or sys.exit("the last run left other bytes"))


def _wait(process: subprocess.Popen[bytes], folder: Path, target: object, more: float) -> None:
    """Until the run is at ``target``, a step of which something is kept, or publishing; then some seconds ``more``."""
    while target is not None and process.poll() is None and not _is_at(folder, target):
        time.sleep(0.001)
    with suppress(subprocess.TimeoutExpired):
        process.wait(more)


def _is_at(folder: Path, target: object) -> bool:
    work = folder / ".forecast.partial"
    if target == "publishing":
        return (work / "forecast.manifest.json").exists()
    return any(work.glob(f"batch-*.step-{target:05d}.safetensors"))


def _ended_well(process: subprocess.Popen[bytes], folder: Path, expected: dict[str, str]) -> int:
    if process.returncode != 0:
        sys.exit(f"the command failed with exit code {process.returncode}")
    if not _is_done(folder) or _hashes(folder) != expected:
        sys.exit("the command ended, but its files are not those of a run that nobody killed")
    shutil.rmtree(folder)
    return 1


def _command(folder: Path, options: argparse.Namespace) -> list[str]:
    words = [
        "forecast", "planet", "--data", "sample", "--members", options.members, "--days", options.days, "--batch",
        options.batch, "--out", folder / "forecast.nc", "--out", folder / "forecast.zarr", "--quiet",
    ]  # fmt: skip
    return [sys.executable, "-m", "forecast", *map(str, words)]


def _place(folder: Path, options: argparse.Namespace) -> str:
    """How far the run had come."""
    work = folder / ".forecast.partial"
    if _is_done(folder):
        return "after publishing"
    if (work / "forecast.manifest.json").exists():
        return "publishing"
    steps = sorted(int(path.name.split("-")[2][:5]) for path in work.glob("batch-*"))
    if not steps:
        return "before the first step was kept"
    last = steps.count(options.days) == -(-options.members // options.batch)
    return "after the last step, before publishing" if last else "between steps"


def _is_done(folder: Path) -> bool:
    return (folder / "forecast.manifest.json").exists()


def _hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".json"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where to write, kept afterwards; default: a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
