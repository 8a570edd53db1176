"""Hooks: the user's command hears of it, and cannot fail the cycle."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from data_pipeline.errors import DataError
from forecast.service.hooks import call_hook
from forecast.service.states import State
from tests.forecast.service.world import FakeClock, World, a_job, at, shoot

MINUTE = timedelta(minutes=1)


def test_values_are_in_the_environment(tmp_path: Path) -> None:
    command = f'printf "%s|%s" "$SPHERCAST_CYCLE" "$SPHERCAST_MESSAGE" > {tmp_path / "told"}'
    assert call_hook(command, {"cycle": "20260302T00", "message": 'a "b"; $(rm -rf /) `x`'}, MINUTE)
    assert (tmp_path / "told").read_text() == '20260302T00|a "b"; $(rm -rf /) `x`', "and are never run"


def test_bytes_of_damaged_files_in_a_message(tmp_path: Path) -> None:
    assert call_hook(f'printf "%s" "$SPHERCAST_MESSAGE" > {tmp_path / "told"}', {"message": "got 'GR\0B'"}, MINUTE)
    assert (tmp_path / "told").read_text() == "got 'GR B'"


def test_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert not call_hook("echo no mail today; exit 3", {}, MINUTE)
    assert "ended with code 3: no mail today" in caplog.text


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = f"sleep 60 & echo $! > {tmp_path / 'child'}; wait"
    started = time.monotonic()
    assert not call_hook(command, {}, timedelta(seconds=0.5))
    assert time.monotonic() - started < 20
    assert "took longer than 0.5 s and was ended" in caplog.text
    status = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/status")
    for _ in range(100):
        if not status.exists() or "\nState:\tZ" in status.read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("what the hook started lives on")


def test_a_hook_may_leave_something_running(tmp_path: Path) -> None:
    started = time.monotonic()
    assert call_hook(f"sleep 60 & echo $! > {tmp_path / 'child'}", {}, MINUTE)
    assert time.monotonic() - started < 30
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_no_shell(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.Popen", refuse)
    assert not call_hook("true", {}, MINUTE)
    assert "could not be started: [Errno 12] Cannot allocate memory" in caplog.text


@pytest.mark.parametrize(
    ("trouble", "expected"), [([], "done 0 3 members, 4 steps"), ([DataError("NaN")], "failed 1 NaN")]
)
def test_hooks_of_a_job(tmp_path: Path, trouble: list[BaseException], expected: str) -> None:
    told, world = tmp_path / "told", World(FakeClock(at(5)))
    world.trouble["fetch", at(0)] = trouble
    command = f'(echo "$SPHERCAST_STATE $SPHERCAST_EXIT_CODE $SPHERCAST_MESSAGE"; echo "$SPHERCAST_FILES") > {told}'
    outcome = shoot(a_job(tmp_path / "job", hooks={"success": command, "failure": command}), world, at(0))
    first, *files = told.read_text().splitlines()
    assert first == expected
    assert [line for line in files if line] == [str(path) for path in outcome.files]


def test_a_failing_hook_does_not_fail_the_cycle(tmp_path: Path) -> None:
    outcome = shoot(a_job(tmp_path, hooks={"success": "exit 1"}), World(FakeClock(at(5))), at(0))
    assert outcome.state is State.DONE
