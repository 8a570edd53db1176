"""Skill over many initial times: forecast, score, print the table and, last, one line of JSON.

By default the shipped checkpoint on the shipped held-out weeks, as the README states it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from data_pipeline.reading import SAMPLE, find_climatology, open_states
from evaluation.score import score
from evaluation.score_files import write_scores
from evaluation.table import crps_table
from forecast.checkpoint import find_checkpoint, load_checkpoint, provenance
from forecast.initial import initial_state
from forecast.job import Job, Origin, run, steps_for
from forecast.output import OutputConfig


def main() -> None:
    """Run the study that the arguments ask for."""
    options = _options()
    path = find_checkpoint(options.checkpoint)
    forecaster, origin = load_checkpoint(path), Origin(options.checkpoint, provenance(path)["sha256"])
    states = open_states(options.data)
    steps = steps_for(forecaster, options.days)
    inits = _initial_times(states["time"].values, options, steps * forecaster.step_length, forecaster.step_length)
    files = []
    for number, init in enumerate(inits):
        files.append(options.out / f"forecast-{np.datetime_as_string(init, unit='h')}.nc")
        print(f"{number + 1} of {len(inits)}: {files[-1].name}", flush=True)
        initial = initial_state(forecaster, states, init)
        job = Job(initial, options.members, steps, batch=options.members, origin=origin)
        name = files[-1].name
        run(job, forecaster, options.out, [OutputConfig(name=name)], name=files[-1].stem, progress=False)
    answer = score(files, states, climatology=find_climatology(options.climatology or options.data))
    write_scores(answer, options.out / "scores.nc")
    scores = answer.scores
    print(crps_table(scores))
    print(
        json.dumps(
            {name: _listed(scores[name]) for name in scores.data_vars if str(name).startswith(("crps", "spread_skill"))}
        )
    )


def _listed(field: object) -> object:
    return np.round(np.asarray(field), 6).tolist()


def _initial_times(
    times: np.ndarray, options: argparse.Namespace, length: np.timedelta64, step: np.timedelta64
) -> np.ndarray:
    first = np.datetime64(options.start, "ns") if options.start else times[0]
    last = np.datetime64(options.stop, "ns") if options.stop else times[-1]
    inside = times[(times >= first) & (times <= last)]
    possible = inside[np.isin(inside - step, times) & np.isin(inside + length, times)]
    if options.every:
        return np.asarray([time for time in possible if (time - possible[0]) % np.timedelta64(options.every, "h") == 0])
    return np.asarray(possible[np.unique(np.linspace(0, len(possible) - 1, options.initial_times).astype(int))])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="planet")
    parser.add_argument("--data", default=SAMPLE)
    parser.add_argument("--climatology", help="store whose climatology is scored beside; default: the data's")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--days", type=float, default=10)
    parser.add_argument("--initial-times", type=int, default=12, help="how many, evenly spread")
    parser.add_argument("--every", type=int, help="instead: one every so many hours")
    parser.add_argument("--start", help="first initial time")
    parser.add_argument("--stop", help="last initial time")
    parser.add_argument("--out", type=Path, default=Path("runs/skill"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
