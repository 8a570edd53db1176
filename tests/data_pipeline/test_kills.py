"""Killed at any moment and run again, a build or an append ends with the bytes of one that was left in peace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipeline.integrity import sha256, verify

REPOSITORY = Path(__file__).parents[2]
MOMENTS = {"build": 24, "append": 12}


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


@pytest.mark.parametrize("kind", MOMENTS)
def test_killed_anywhere_and_rerun_the_bytes_are_the_same(config, tmp_path, kind: str) -> None:
    made = config(
        times_per_shard=3, precision="float16", climatology={"window_days": 3, "quantiles": [0.5]},
        training_period={"start": "2001-01-01", "stop": "2001-01-03"},
    )  # fmt: skip
    (tmp_path / "config.json").write_text(made.model_dump_json())
    folder = tmp_path / "builds"
    folder.mkdir()
    arguments = [tmp_path / "config.json", folder, str(MOMENTS[kind]), kind]
    command = [sys.executable, "-m", "tests.data_pipeline.kill_builds", *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    runs = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(runs) == MOMENTS[kind]
    expected = contents(folder / "0" / "store.zarr")
    assert len(expected) > 20
    for number, one in enumerate(runs, start=1):
        assert (one["killed"], one["resumed"]) == (-signal.SIGKILL, 0), (one, ended.stderr)
        assert set(one["found"]) <= {"store.zarr", "store.zarr.partial", "store.zarr.report.json"}
        assert contents(folder / str(number) / "store.zarr") == expected, one
        assert sorted(os.listdir(folder / str(number))) == ["store.zarr", "store.zarr.report.json"]
        assert sha256(folder / str(number) / "store.zarr.report.json") == sha256(
            folder / "0" / "store.zarr.report.json"
        )
        assert verify(folder / str(number) / "store.zarr") == []
    unfinished = sum("store.zarr.partial" in one["found"] for one in runs)
    assert unfinished >= MOMENTS[kind] / 2
