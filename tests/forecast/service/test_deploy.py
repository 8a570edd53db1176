"""Recipes are valid for what they are for."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from data_pipeline.errors import ConfigError
from forecast.service.deploy import RECIPES, recipe
from tests.forecast.service.world import a_job

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.service.job_file import JobFile


@pytest.fixture
def job(tmp_path: Path) -> JobFile:
    return a_job(tmp_path / "fore casts", delay="3 h 30 min", name="My_job.1")


def made(kind: str, job: JobFile, tmp_path: Path) -> dict[str, str]:
    return recipe(kind, job, tmp_path / "a 100% $job" / "job.yaml")


@pytest.mark.parametrize("kind", RECIPES)
def test_everything_is_filled_in(kind: str, job: JobFile, tmp_path: Path) -> None:
    for name, text in made(kind, job, tmp_path).items():
        assert "My_job" in name
        assert "$name" not in text
        assert "sphercast" in text


@pytest.mark.parametrize("kind", ["systemd", "systemd-timer"])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units(kind: str, job: JobFile, tmp_path: Path) -> None:
    files = made(kind, job, tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_command_of_units(job: JobFile, tmp_path: Path) -> None:
    text = made("systemd", job, tmp_path)["sphercast-My_job.1.service"]
    (line,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    assert line.endswith('a 100%% $$job/job.yaml"')
    assert "KillMode=mixed" in text
    timer = made("systemd-timer", job, tmp_path)
    assert "OnCalendar=*-*-* *:00/15:00 UTC" in timer["sphercast-My_job.1-once.timer"]
    once = timer["sphercast-My_job.1-once.service"]
    assert "SuccessExitStatus=75 143" in once
    assert 'sphercast" schedule "' in once
    assert once.count(" --once\n") == 1


def test_the_line_of_cron(job: JobFile, tmp_path: Path) -> None:
    text = made("cron", job, tmp_path)["sphercast-My_job.1.cron"]
    line = text.splitlines()[-1]
    assert line.startswith("*/15 * * * * ")
    command = shlex.split(line.removeprefix("*/15 * * * * ").replace("\\%", "%"))
    assert command[1:4] == ["schedule", str(tmp_path / "a 100% $job" / "job.yaml"), "--once"]
    assert "%" not in line.replace("\\%", "")


def test_the_manifest_of_kubernetes(job: JobFile, tmp_path: Path) -> None:
    """Fields and types as in the API's reference of batch/v1 CronJob."""
    manifest = yaml.safe_load(made("kubernetes", job, tmp_path)["sphercast-My_job.1.yaml"])
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "CronJob")
    assert manifest["metadata"]["name"] == "sphercast-my-job-1"
    spec = manifest["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("*/15 * * * *", "Etc/UTC")
    assert spec["concurrencyPolicy"] == "Forbid"
    once = spec["jobTemplate"]["spec"]
    rules = [(rule["action"], rule.get("onExitCodes", {}).get("values")) for rule in once["podFailurePolicy"]["rules"]]
    assert rules == [("FailJob", [1, 2]), ("Ignore", [75]), ("Ignore", None)]
    pod = once["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy needs it"
    (container,) = pod["containers"]
    assert container["name"] == once["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"]
    assert container["command"][:3] == ["sphercast", "schedule", "/job/job.yaml"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert container["volumeMounts"][1]["mountPath"] == str(job.folder)


def test_a_container_has_no_current_folder(tmp_path: Path) -> None:
    job = a_job(tmp_path).model_copy(update={"folder": tmp_path.relative_to("/")})
    with pytest.raises(ConfigError, match="expected an absolute path in the container"):
        made("kubernetes", job, tmp_path)


def test_cron_expressions_are_looked_at_every_half_hour(tmp_path: Path) -> None:
    job = a_job(tmp_path, cycles="0 0 * * mon")
    (text,) = made("prefect", job, tmp_path).values()
    assert 'cron="*/30 * * * *"' in text


def test_no_recipe_starts_before_a_cycle_is_due(tmp_path: Path) -> None:
    """The latest would be the one before, which is done."""
    job = a_job(tmp_path, cycles=[0, 12], delay="3 h 10 s")
    (text,) = made("prefect", job, tmp_path).values()
    assert 'cron="1 3,15 * * *"' in text


class Prefect(types.ModuleType):
    """As much of Prefect 3 as the flow uses: decorators with and without options."""

    def __init__(self) -> None:
        super().__init__("prefect")
        self.options: dict[str, Any] = {}

    def task(self, **options: Any) -> Any:
        self.options |= options
        return lambda function: function

    def flow(self, **options: Any) -> Any:
        return lambda function: function


def test_the_flow_of_prefect(job: JobFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried with Prefect 3.9 by hand; here with a stand-in."""
    named: list[str] = []
    prefect, codes = Prefect(), {"2026-03-02T00": 0, "2026-03-02T06": 75, "2026-03-02T12": 1}
    monkeypatch.setitem(sys.modules, "prefect", prefect)
    (text,) = made("prefect", job, tmp_path).values()
    ast.parse(text)
    flow: dict[str, Any] = {"__name__": "flow"}
    exec(text, flow)

    def shoot(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["run", str(tmp_path / "a 100% $job" / "job.yaml")]
        cycle = command[command.index("--cycle") + 1]
        named.append(cycle)
        told = {"cycle": cycle if cycle != "latest" else "2026-03-02T06", "message": "so"}
        return subprocess.CompletedProcess(command, codes[cycle], json.dumps(told))

    monkeypatch.setattr(subprocess, "run", shoot)
    assert flow["make_cycle"]("2026-03-02T00")["cycle"] == "2026-03-02T00"
    with pytest.raises(flow["TryLaterError"], match="so"):
        flow["make_cycle"]("2026-03-02T06")
    with pytest.raises(RuntimeError, match="exit code 1: so"):
        flow["make_cycle"]("2026-03-02T12")
    codes["latest"] = 75
    with pytest.raises(flow["TryLaterError"], match="so"):
        flow["make_cycle"]()
    assert named == ["2026-03-02T00", "2026-03-02T06", "2026-03-02T12", "latest", "2026-03-02T06"]
    worth = prefect.options["retry_condition_fn"]
    assert [worth(None, None, Ended(error)) for error in (flow["TryLaterError"](), RuntimeError(), None)] == [
        True, False, False,
    ]  # fmt: skip


class Ended:
    """A state of a task run."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def result(self) -> None:
        if self.error:
            raise self.error
