"""Real processes: whatever ends them, the same command goes on, and what is published is the same to the last byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from forecast.checkpoint import save_checkpoint
from forecast.service.cycles import parse_cycle
from forecast.service.folders import Folders

if TYPE_CHECKING:
    from forecast.forecaster import Forecaster

CYCLE = "2000-02-01T00"
ROOT = Path(__file__).parents[3]


def loop(folder: Path, forecaster: Forecaster, world_file: Path, number: int, longest: float, times: int) -> list[int]:
    folder.mkdir()
    save_checkpoint(forecaster, folder / "model.safetensors", {})
    job = {
        "name": "tiny", "checkpoint": "model.safetensors", "folder": "job", "members": 4, "batch": 2, "days": 6,
        "source": {"kind": "folder", "path": str(world_file), "quiet_seconds": 0}, "cycles": [0],
        "outputs": [{"name": "forecast.nc"}, {"name": "forecast.zarr"}],
    }  # fmt: skip
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    given = {"job": folder / "job.yaml", "cycle": CYCLE, "signal": number, "longest": longest, "times": times}
    arguments = [
        f"--{name}={value:d}" if isinstance(value, int) else f"--{name}={value}" for name, value in given.items()
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.forecast.service.kill_loop", *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    codes: list[int] = json.loads(ended.stdout)
    assert codes[-1] == 0, ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr[-5000:]
    return codes


def published(folder: Path) -> dict[str, bytes]:
    """Every byte that readers see, but for the manifest, which says when it was made."""
    top = Folders(folder / "job").cycle(parse_cycle(CYCLE))
    files = {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}
    assert files.pop("forecast.manifest.json")
    return files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, forecaster: Forecaster, world_file: Path) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "whole"
    loop(folder, forecaster, world_file, 0, 0, 0)
    return published(folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_ended_again_and_again(
    tmp_path: Path, whole: dict[str, bytes], forecaster: Forecaster, world_file: Path, number: int, code: int
) -> None:
    codes = loop(tmp_path / "ended", forecaster, world_file, number, 1.5, 5)
    assert set(codes) <= {code, -number, 0}, "-number: it came before the command listened"
    assert codes[0]
    assert published(tmp_path / "ended") == whole
    assert not list((tmp_path / "ended" / "job").rglob("*.partial"))
