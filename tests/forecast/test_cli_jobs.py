"""The service's commands, with the shipped model and sample."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from typer.testing import CliRunner, Result

from forecast import cli_jobs
from forecast.cli import app
from forecast.service.cycles import parse_cycle
from forecast.service.folders import Folders
from forecast.service.ledger import DamagedError
from forecast.service.lock import locked
from forecast.service.schedule import Scheduler
from forecast.stopping import IN_SILENCE
from tests.forecast.service.world import fake_forecast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CYCLE = "2001-01-06T00"


@pytest.fixture(autouse=True)
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands change the current folder and the root logger."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def write(folder: Path, **values: Any) -> Path:
    given = {
        "name": "mini", "checkpoint": "planet", "source": {"kind": "folder", "path": "sample"}, "folder": "out",
        "members": 2, "batch": 2, "days": 1, "cycles": [0, 12],
        "outputs": [{"variables": ["geopotential"], "levels": [500]}],
    }  # fmt: skip
    (folder / "job.yaml").write_text(yaml.safe_dump({**given, **values}))
    return folder / "job.yaml"


def sphercast(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A job of which one cycle is there already."""
    fake_forecast(parse_cycle(CYCLE), Folders(tmp_path / "out").cycle(parse_cycle(CYCLE)))
    return write(tmp_path)


def test_a_cycle_with_maps_and_scores(tmp_path: Path) -> None:
    plot = {"name": "z.png", "variable": "geopotential", "level": 500, "kind": "mean_spread"}
    job = write(tmp_path, plots=[plot], scores={"truth": "sample", "scores": ["crps"]}, products={"quantiles": [0.5]})
    made = sphercast("run", job, "--cycle", CYCLE, "--json")
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    assert {key: said[key] for key in ("job", "cycle", "state", "exit_code")} == {
        "job": "mini", "cycle": CYCLE, "state": "done", "exit_code": 0,
    }  # fmt: skip
    folder = tmp_path / "out" / "20010106T00"
    assert said["files"] == [
        str(folder / name) for name in ("forecast.manifest.json", "forecast.nc", "products.nc", "z.png")
    ]
    again = sphercast("run", job, "--cycle", CYCLE)
    assert again.stdout == f"cycle {CYCLE}: done: 2 members, 1 step; scored ({folder})\n"
    assert (folder / "scores.nc").exists()
    listed = sphercast("jobs", "list", job).stdout
    assert listed.splitlines()[1].split()[:2] == ["20010106T00", "done"]


def test_the_truth_is_waited_for(tmp_path: Path) -> None:
    job = write(tmp_path, scores={"truth": "nowhere.nc", "give_up": "10000 d"})
    assert sphercast("run", job, "--cycle", CYCLE).exit_code == 0
    assert json.loads(sphercast("jobs", "list", job, "--json").stdout)[0]["scores"] == "waiting"


def test_nothing_to_do(published: Path) -> None:
    done = sphercast("run", published, "--cycle", CYCLE)
    assert (done.exit_code, done.stdout.startswith(f"cycle {CYCLE}: done")) == (0, True)


@pytest.mark.parametrize(
    ("cycle", "code", "words"),
    [
        ("2090-01-01T00", 75, "it is due at 2090-01-01 00:00 UTC"),
        ("0008-01-01T00", 1, "got the cycle '0008-01-01T00', expected one in the years 1700 to 2150; mend the year"),
        ("9999-12-31T12", 1, "got the cycle '9999-12-31T12', expected one in the years 1700 to 2150; mend the year"),
        ("2001-01-06T06", 1, "2001-01-06T06 is no cycle of the job 'mini'; the one before is 2001-01-06T00"),
        ("tomorrow", 1, "got the cycle 'tomorrow', expected its initial time in UTC"),
    ],
)
def test_cycles_that_cannot_be_made(published: Path, cycle: str, code: int, words: str) -> None:
    for arguments in ([], ["--json"]):
        ended = sphercast("run", published, "--cycle", cycle, "--no-wait", *arguments)
        assert ended.exit_code == code
        assert words in ended.output
    assert json.loads(ended.stdout)["exit_code"] == code


def test_latest(published: Path) -> None:
    ended = sphercast("run", published, "--no-wait", "--json")
    said = json.loads(ended.stdout)
    assert (ended.exit_code, said["state"]) == (75, "waiting")
    assert "the sample" in said["message"] or "sample has no" in said["message"]


def test_a_job_file_with_a_typo(tmp_path: Path) -> None:
    ended = sphercast("run", write(tmp_path, mebers=3))
    assert ended.exit_code == 1
    assert "unknown key 'mebers'; remove it or mend the spelling (did you mean 'members'?)" in ended.stderr


def test_a_full_disk_before_anything(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "ledger.sqlite")

    monkeypatch.setattr("forecast.service.ledger_file.open_ledger", full)
    ended = sphercast("run", published, "--json")
    assert ended.exit_code == 75
    assert json.loads(ended.stdout)["message"].startswith("No space left on device: ledger.sqlite; free space")


def test_show_retry_cancel(published: Path) -> None:
    assert "the ledger has no cycle 2001-01-07T00" in str(
        sphercast("jobs", "show", published, "2001-01-07T00").exception
    )
    shown = sphercast("jobs", "show", published, CYCLE).stdout
    assert "state      done" in shown
    assert "found in the folder" in shown
    assert json.loads(sphercast("jobs", "show", published, CYCLE, "--json").stdout)["history"][0]["state"] == "done"
    assert sphercast("jobs", "cancel", published, "2001-01-07T00").stdout == "cycle 20010107T00: cancelled\n"
    assert sphercast("run", published, "--cycle", "2001-01-07T00").exit_code == 0
    assert sphercast("jobs", "retry", published, "2001-01-07T00").stdout.startswith("cycle 20010107T00: due")
    assert "20010107T00" in sphercast("jobs", "list", published, "--state", "due").stdout
    assert sphercast("jobs", "list", published, "--state", "failed").stdout == "no cycles failed\n"
    wrong = str(sphercast("jobs", "list", published, "--state", "fialed").exception)
    assert wrong.startswith("got --state fialed, expected one of: due, waiting, ")


def test_prune(tmp_path: Path) -> None:
    for cycle in ("2001-01-05T00", "2001-01-06T00"):
        fake_forecast(parse_cycle(cycle), Folders(tmp_path / "out").cycle(parse_cycle(cycle)))
    job = write(tmp_path)
    assert "the job file has no 'retention': everything is kept" in sphercast("jobs", "prune", job).stderr
    job = write(tmp_path, retention={"cycles": 1}, catch_up={"window": "0 h"})
    old = tmp_path / "out" / "20010105T00"
    assert sphercast("jobs", "prune", job, "--dry-run").stdout == f"would remove {old}\n"
    assert old.exists()
    assert sphercast("jobs", "prune", job).stdout == f"removed {old}\n"
    assert not old.exists()


def test_check_and_example(published: Path, tmp_path: Path) -> None:
    assert f"{published}: fine; the next cycle is 2" in sphercast("jobs", "check", published).stdout
    (tmp_path / "example.yaml").write_text(sphercast("jobs", "example").stdout)
    assert "fine; the next cycle" in sphercast("jobs", "check", tmp_path / "example.yaml").stdout


def test_deploy(published: Path, tmp_path: Path) -> None:
    assert "# --- sphercast-mini.service\n" in sphercast("jobs", "deploy", "systemd", published).stdout
    written = sphercast("jobs", "deploy", "systemd-timer", published, "--out", tmp_path / "units").stdout.split()
    assert [line.rsplit("/", 1)[1] for line in written] == [
        "sphercast-mini-once.service",
        "sphercast-mini-once.timer",
    ]


class Shot:
    """What stands for a shot in a process of its own."""

    commands: ClassVar[list[list[str]]] = []
    interrupted = False
    terminated = 0

    def __init__(self, command: list[str], **options: Any) -> None:
        assert options["start_new_session"]
        assert IN_SILENCE in options["env"]
        self.commands.append(command)

    def wait(self) -> int:
        if self.interrupted and not self.terminated:
            raise KeyboardInterrupt
        return 0

    def terminate(self) -> None:
        type(self).terminated += 1


@pytest.fixture
def shots(monkeypatch: pytest.MonkeyPatch) -> type[Shot]:
    monkeypatch.setattr(subprocess, "Popen", Shot)
    monkeypatch.setattr(cli_jobs, "_check", lambda job: None)
    monkeypatch.setattr(cli_jobs, "_trouble", lambda job: "")
    monkeypatch.setattr(Shot, "commands", [])
    monkeypatch.setattr(Shot, "terminated", 0)
    return Shot


def test_schedule_starts_shots(published: Path, shots: type[Shot]) -> None:
    ended = sphercast("schedule", published, "--once", "--log", "json")
    assert ended.exit_code == 0, ended.output
    assert len(shots.commands) in {2, 3}, "12 hourly cycles within a day"
    for command in shots.commands:
        assert command[:4] == [sys.executable, "-P", "-m", "forecast"]
        assert command[4:6] == ["run", str(published)]
        assert command[-3:] == ["--no-wait", "--log", "json"]


def test_a_scheduler_whose_ledger_is_damaged_opens_another(published: Path, shots: type[Shot], monkeypatch) -> None:
    ends = iter([DamagedError("damaged"), None])

    def work_off(self: Scheduler) -> int:
        if end := next(ends):
            raise end
        return 0

    monkeypatch.setattr(Scheduler, "work_off", work_off)
    assert sphercast("schedule", published, "--once").exit_code == 0
    assert next(ends, "no more") == "no more"


def test_a_signal_to_the_scheduler_reaches_the_shot(published: Path, shots: type[Shot], monkeypatch) -> None:
    monkeypatch.setattr(shots, "interrupted", True)
    with pytest.raises(KeyboardInterrupt):
        cli_jobs._shoot(published, parse_cycle(CYCLE), cli_jobs.Log.plain)
    assert shots.terminated == 1


@pytest.mark.parametrize(("code", "number"), [(143, 15), (-9, 9), (0, None), (75, None)])
def test_a_signal_to_the_shot_alone(published: Path, shots: type[Shot], monkeypatch, caplog, code, number) -> None:
    monkeypatch.setattr(shots, "wait", lambda self: code)
    assert cli_jobs._shoot(published, parse_cycle(CYCLE), cli_jobs.Log.plain) == code
    words = f"cycle 20010106T00: its process was ended by signal {number}"
    assert [record.message for record in caplog.records] == [words] * (number is not None)


def test_a_shot_that_cannot_be_started(published: Path, monkeypatch, caplog) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert cli_jobs._shoot(published, parse_cycle(CYCLE), cli_jobs.Log.plain) == 75
    assert "cycle 20010106T00 could not be started: [Errno 12] Cannot allocate memory" in caplog.text


def test_a_scheduler_whose_job_cannot_work(tmp_path: Path) -> None:
    """The process that checks it says so."""
    job = write(tmp_path, days=0.3)
    ended = sphercast("schedule", job, "--once")
    assert ended.exit_code == 1
    assert "sphercast: got 0.3 days, expected a multiple of the model's step" in ended.stderr
    assert cli_jobs._trouble(job).startswith("got 0.3 days, expected a multiple of the model's step")


def test_a_scheduler_reads_a_changed_job_file_again(published: Path, shots: type[Shot], monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO)

    def wait(self: Shot) -> int:
        write(published.parent, hooks={"success": "true"})
        return 0

    monkeypatch.setattr(shots, "wait", wait)
    assert sphercast("schedule", published, "--once").exit_code == 0
    tried = [command[7] for command in shots.commands]
    assert tried[:2] == [tried[0]] * 2, "the new scheduler begins anew, and each shot knows what is done"
    assert len(tried[1:]) == len(set(tried[1:])), "and has nothing more to read again"


def test_a_scheduler_needs_no_torch(published: Path) -> None:
    """It is loaded by the shots, each in a process of its own: one that waits is small."""
    program = (
        "import sys; from pathlib import Path; from forecast import cli_jobs\n"
        "from forecast.service.schedule import Scheduler\n"
        "with cli_jobs.serving(Path(sys.argv[1])) as service: Scheduler(service, lambda cycle: 0).work_off()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(published)], check=True)


def test_someone_else_works_on_it(published: Path, tmp_path: Path) -> None:
    with locked(Folders(tmp_path / "out").lock(parse_cycle(CYCLE)), "it"):
        ended = sphercast("run", published, "--cycle", CYCLE)
    assert (ended.exit_code, "is being worked on by process" in ended.stdout) == (75, True)
