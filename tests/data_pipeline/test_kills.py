"""Killed at any moment and run again, a build or an append ends with the bytes of one that was left in peace."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipeline.integrity import sha256, verify

REPOSITORY = Path(__file__).parents[2]
MOMENTS = {"build": 12, "append": 6}
"""Others in every run."""
SEED = int(os.environ.get("SPHERCAST_KILL_SEED") or random.SystemRandom().randrange(2**32))
"""Of the moments; set the variable to the seed that a failure tells, and the same moments come again."""


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


@pytest.mark.parametrize("kind", MOMENTS)
def test_killed_anywhere_and_rerun_the_bytes_are_the_same(config, tmp_path, kind: str) -> None:
    made = config(
        times_per_shard=3, precision="float16",
        climatology={"window_days": 3, "quantiles": [0.5], "quantile_every_days": 122},
        training_period={"start": "2001-01-01", "stop": "2001-01-03"},
    )  # fmt: skip
    (tmp_path / "config.json").write_text(made.model_dump_json())
    folder = tmp_path / "builds"
    folder.mkdir()
    arguments = [tmp_path / "config.json", folder, str(MOMENTS[kind]), kind, str(SEED)]
    command = [sys.executable, "-m", "tests.data_pipeline.kill_builds", *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    told = f"SPHERCAST_KILL_SEED={SEED} repeats it: "
    assert ended.returncode == 0, told + ended.stderr
    runs = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(runs) == MOMENTS[kind], told
    expected = contents(folder / "0" / "store.zarr")
    assert len(expected) > 20
    report = sha256(folder / "0" / "store.zarr.report.json")
    for number, one in enumerate(runs, start=1):
        case = f"{told}{one} {ended.stderr}"
        assert one["killed"] in {-signal.SIGKILL, 0}, case
        assert one["resumed"] == 0, case
        assert set(one["found"]) <= {"store.zarr", "store.zarr.partial", "store.zarr.report.json"}, case
        assert contents(folder / str(number) / "store.zarr") == expected, case
        assert sorted(os.listdir(folder / str(number))) == ["store.zarr", "store.zarr.report.json"], case
        assert sha256(folder / str(number) / "store.zarr.report.json") == report, case
        assert verify(folder / str(number) / "store.zarr") == [], case
    assert sum(one["killed"] == -signal.SIGKILL for one in runs) >= MOMENTS[kind] * 5 // 6, told
    assert sum("store.zarr.partial" in one["found"] for one in runs) >= MOMENTS[kind] / 2, told
