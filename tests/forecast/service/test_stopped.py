"""A signal, said once and in the form of the log; to programs as JSON."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from forecast import cli, cli_jobs
from forecast.cli import app
from forecast.service.logs import STOPPED, configure
from forecast.stopping import IN_SILENCE, SaidExit, StoppedError, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CYCLE = "2001-01-06T00"


@pytest.fixture(autouse=True)
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(Stopping, "last_words", Stopping.last_words)
    monkeypatch.chdir(tmp_path)
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    given = {"name": "mini", "checkpoint": "planet", "source": {"kind": "folder", "path": "sample"}, "folder": "out"}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**given, "log": "json", "days": 1, "cycles": [0]}))
    return tmp_path / "job.yaml"


def sphercast(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def stopped(*arguments: Any, **options: Any) -> Any:
    raise StoppedError(143)


def test_a_run_that_is_stopped(job: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("forecast.service.one_shot.run_cycle", stopped)
    ended = sphercast("run", job, "--cycle", CYCLE, "--json")
    assert ended.exit_code == 143
    assert json.loads(ended.stdout) == {
        "job": "mini", "cycle": CYCLE, "state": "interrupted", "exit_code": 143, "message": STOPPED, "files": [],
    }  # fmt: skip
    assert sphercast("run", job, "--cycle", CYCLE).stdout == ""


def test_before_there_is_a_job(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.service.job_file.load_job", stopped)
    assert json.loads(sphercast("run", job, "--json").stdout)["exit_code"] == 143


def test_an_idle_scheduler(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole log is JSON."""
    monkeypatch.setattr(cli_jobs, "_check", lambda job: None)
    monkeypatch.setattr("forecast.service.schedule.Scheduler.serve", stopped)
    ended = sphercast("schedule", job)
    (line,) = ended.stderr.splitlines()
    assert (ended.exit_code, json.loads(line)["message"], json.loads(line)["level"]) == (143, STOPPED, "warning")


@pytest.mark.parametrize(("end", "code"), [(SaidExit(130), 130), (SaidExit(143), 143)])
def test_nothing_is_said_twice(
    end: SaidExit, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(**options: object) -> None:
        raise end

    monkeypatch.setattr(Stopping, "listen", lambda self: None)
    monkeypatch.setattr(cli, "app", ended)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert (caught.value.code, capsys.readouterr().err) == (code, "")


def test_a_child_of_a_scheduler_is_silent(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has read the job, while it works, and where its end is forced: the scheduler says it."""
    for stopped_in in ("", "forecast.service.job_file.load_job", "forecast.service.one_shot.run_cycle"):
        program = f"""
import os, signal, sys
from unittest.mock import patch
import forecast.cli
def stop(*arguments, **options):
    assert "{IN_SILENCE}" not in os.environ
    os.kill(os.getpid(), signal.SIGTERM)
with patch("{stopped_in or "forecast.cli.app"}", stop):
    forecast.cli.main()
"""
        ended = subprocess.run(
            [sys.executable, "-c", program, "run", str(job), "--cycle", CYCLE],
            capture_output=True, text=True, check=False, env={**os.environ, IN_SILENCE: "1"},
        )  # fmt: skip
        assert (ended.returncode, ended.stdout, ended.stderr) == (143, "", "")
    monkeypatch.setattr(Stopping, "in_silence", True)
    monkeypatch.setattr(os, "_exit", lambda code: None)
    monkeypatch.setattr(os, "write", stopped)
    Stopping(143)._end()


def test_an_end_that_is_forced(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    configure("json", "mini")
    with pytest.raises(SystemExit) as caught:
        Stopping(143)._end()
    said = json.loads(capfd.readouterr().err)
    assert (caught.value.code, said["message"], said["job"]) == (143, STOPPED, "mini")
