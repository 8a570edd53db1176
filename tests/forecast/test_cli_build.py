"""``sphercast data build`` and ``append``: plans and outcomes for people and for programs, and every refusal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import yaml

from data_pipeline.grid import Grid
from forecast import cli
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, str, str]]
SHORT = {"start": "2001-01-01", "stop": "2001-01-03"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``sphercast data`` with these words; exit code and what it printed."""

    def command(*words: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["sphercast", "data", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capfd.readouterr()
        code = caught.value.code
        return (1, out, f"{err}{code}\n") if isinstance(code, str) else (code or 0, out, err)

    return command


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a config over five days of the mock world."""
    fine = Grid.equiangular(17, 32, poles=True)
    climate_data_store_layout(mock_states(fine, mock_times("2001-01-01", 20))).to_netcdf(tmp_path / "states.nc")

    def write(**changes: object) -> Path:
        values = {
            "sources": [{"kind": "files", "path": str(tmp_path / "states.nc")}],
            "store": str(tmp_path / "store.zarr"),
            "variables": {"temperature": [850, 500], "2m_temperature": None},
            "grid": {"kind": "equiangular", "latitudes": 8, "longitudes": 16},
            "period": {"start": "2001-01-01", "stop": "2001-01-05"},
            "training_period": SHORT,
            "interval_hours": 6,
            "times_per_shard": 4,
            "climatology": None,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"data": {**values, **changes}}))
        return path

    return write


def test_a_build_and_an_append_for_programs(run: Run, written: Callable[..., Path], tmp_path: Path) -> None:
    code, out, _ = run("build", written(period=SHORT), "--json", "--quiet")
    built = json.loads(out)
    assert code == 0
    assert {key: built[key] for key in ("store", "states", "shards")} == {
        "store": str(tmp_path / "store.zarr"), "states": 12, "shards": 3,
    }  # fmt: skip
    assert built["seconds"] > 0
    assert {"variables-renamed"} <= {row["code"] for row in built["findings"]}
    code, out, _ = run("append", written(), "--dry-run", "--json")
    assert (code, json.loads(out)["times_to_write"]) == (0, 8)
    code, out, _ = run("append", written(), "--json", "--quiet")
    assert (code, json.loads(out)["states"]) == (0, 20)
    code, out, _ = run("append", written(), "--dry-run")
    assert "to do      nothing, the store is finished" in out


def test_a_plan_that_does_not_fit(run: Run, written: Callable[..., Path], monkeypatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=100))
    code, out, err = run("build", written(), "--dry-run", "--json")
    planned = json.loads(out)
    assert code == 1
    assert planned["bytes_to_write"] > planned["bytes_free"] == 100
    assert err.startswith(f"sphercast: {tmp_path}/store.zarr needs about ")
    assert not (tmp_path / "store.zarr.partial").exists()


def test_a_scheduler_of_no_kind(run: Run, written: Callable[..., Path], tmp_path: Path) -> None:
    written()
    before = sorted(tmp_path.iterdir())
    code, out, err = run("build", tmp_path / "config.yaml", "--scheduler", "nonsense")
    (line,) = err.splitlines()
    assert (code, out) == (1, "")
    assert line.startswith("sphercast: no dask scheduler answers at nonsense (missing port number")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("obstacle", "message"),
    [
        ("store.zarr", "store.zarr exists and is not a training store; remove it"),
        ("store.zarr.partial", "File exists: {}/store.zarr.partial; free space or mend the path"),
        ("folder", "Not a directory: {}/folder/store.zarr.partial; free space or mend the path"),
    ],
)
def test_files_in_the_way(run: Run, written: Callable[..., Path], tmp_path: Path, obstacle: str, message: str) -> None:
    (tmp_path / obstacle).write_text("thesis")
    config = written(store=str(tmp_path / "folder" / "store.zarr")) if obstacle == "folder" else written()
    code, _, err = run("build", config, "--quiet")
    assert code == 1
    assert message.format(tmp_path) in err
    assert (tmp_path / obstacle).read_text() == "thesis"
