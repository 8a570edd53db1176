"""What the service says: log lines, metrics, tables."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from forecast.service.entries import as_values, page, table
from forecast.service.folders import Folders
from forecast.service.lock import locked
from forecast.service.logs import configure
from forecast.service.prometheus import metrics
from forecast.service.states import State
from tests.forecast.service.world import FakeClock, World, a_job, at, serving, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(5)), stopped=(2,))


@pytest.mark.usefixtures("_root_logger")
def test_json_lines(tmp_path: Path, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    configure("json", "test")
    world.trouble["draw", at(0)] = [RuntimeError("a bug")]
    shoot(a_job(tmp_path), world, at(0))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {line["job"] for line in lines} == {"test"}
    assert {line.get("cycle") for line in lines} == {"20260302T00"}
    assert [line["message"].split(": ")[1] for line in lines if line["level"] == "info"] == [
        "fetching", "forecasting", "processing",
    ]  # fmt: skip
    assert any("RuntimeError: a bug" in line.get("trace", "") for line in lines)
    assert all(line["time"].endswith("Z") for line in lines)


@pytest.mark.usefixtures("_root_logger")
def test_plain_lines(tmp_path: Path, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    configure("plain", "test")
    shoot(a_job(tmp_path), world, at(0))
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.endswith("Z INFO    cycle 20260302T00: done: 3 members, 4 steps; 1 stopped before the end: 2")


def test_metrics(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, prometheus=tmp_path / "metrics" / "test.prom")
    shoot(job, world, at(0))
    lines = (tmp_path / "metrics" / "test.prom").read_text().splitlines()
    assert 'sphercast_cycles{job="test",state="done"} 1' in lines
    assert 'sphercast_cycles{job="test",state="failed"} 0' in lines
    assert f'sphercast_last_done_cycle_timestamp_seconds{{job="test"}} {at(0).timestamp():.16g}' in lines
    assert 'sphercast_last_duration_seconds{job="test"} 1800' in lines
    assert 'sphercast_last_lateness_seconds{job="test"} 19800' in lines
    names = {line.split("{")[0] for line in lines if line[0] != "#"}
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == names
    assert {line.split()[2] for line in lines if line.startswith("# HELP")} == names


def test_metrics_before_the_first_cycle() -> None:
    text = metrics('a "b"', [], at(0))
    assert 'job="a \\"b\\""' in text
    assert "last_done" not in text


def test_metrics_that_cannot_be_written_fail_nothing(
    tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    job = a_job(tmp_path / "job", prometheus=tmp_path / "file" / "x.prom")
    assert shoot(job, world, at(0)).state is State.DONE
    assert "cycle 20260302T00: after it:" in caplog.text


def test_the_table(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, scores={"truth": "x"})
    world.arrives[at(6)] = None
    shoot(job, world, at(0))
    world.clock.time = at(14)
    shoot(job, world, at(6))
    with serving(job, world) as service:
        service.ledger.record(at(12), State.FORECASTING, at(14), "forecasting and writing")
        lines = table(service, service.ledger.entries()).splitlines()
        with locked(Folders(tmp_path).lock(at(12)), "12"):
            busy = table(service, service.ledger.entries()).splitlines()
    assert lines[0].split() == ["CYCLE", "STATE", "SINCE", "(UTC)", "SCORES", "MESSAGE"]
    assert lines[1].split()[:5] == ["20260302T00", "done", "2026-03-02", "05:30", "waiting"]
    assert lines[2].endswith("temperature on 3 of 13 levels; try again later [next look 14:10]")
    assert lines[3].split()[1] == "interrupted"
    assert busy[3].split()[1] == "forecasting"
    assert lines[0].index("MESSAGE") == lines[1].index("3 members")


def test_the_page(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    shoot(job, world, at(0))
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
        assert entry is not None
        text = page(service, entry, service.ledger.events(at(0)))
        values = as_values(service, entry)
    assert "stopped    NaN" in text
    assert "checkpoint planet (sha256 0)" in text
    assert f"  {tmp_path / '20260302T00' / 'forecast.nc'}" in text
    assert "  2026-03-02 05:00:00  fetching     fetching the initial conditions" in text
    assert json.loads(json.dumps(values))["ended"] == "2026-03-02T05:30:00Z"
