"""Kill it at any moment: the same call goes on, repeats little, and ends with the same bytes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from data_pipeline.errors import ConfigError
from forecast import ensemble as ensembles
from forecast import running
from forecast.batches import Plan, batches_of
from forecast.checkpoint import save_checkpoint, write_tensors
from forecast.ensemble import Ensemble, here
from forecast.job import Job, Origin
from forecast.job import run as run_job
from forecast.output import OutputConfig, read_manifest
from forecast.output import manifest as manifests
from forecast.restart import note_written, what_is_kept
from forecast.stepping import Stepping
from forecast.stopping import STOPPED

from .runs import BATCH, MEMBERS, OUTPUTS, STEPS, hashes, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.ensemble import Advance
    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState

    from .conftest import Run


PLAN = Plan((tuple(batches_of(MEMBERS, BATCH)),), STEPS)
PLAIN = Stepping(12)


class KilledError(BaseException):
    """Stands for a kill where no cleaning up would help."""


def killed_after(advances: int) -> Any:
    """A spread that dies when so many advances are handed over."""

    def spread(ensemble: Ensemble) -> Iterator[Advance]:
        for advance in here(ensemble):
            if advance.turn.number == advances:
                raise KilledError
            yield advance

    return spread


@pytest.fixture(scope="module")
def job(initial: InitialState) -> Job:
    return Job(initial, MEMBERS, STEPS, seed=3, batch=BATCH)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, forecaster: Forecaster, job: Job) -> dict[str, str]:
    """Hashes of the files of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    run_job(job, forecaster, folder, OUTPUTS, progress=False)
    return dict(hashes(folder))


@pytest.mark.parametrize("advances", [0, 1, 4, 17])
def test_goes_on_to_the_same_bytes(
    tmp_path: Path, forecaster: Forecaster, job: Job, whole: dict[str, str], advances: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = tmp_path / "killed"
    with pytest.raises(KilledError):
        run_job(job, forecaster, folder, OUTPUTS, spread=killed_after(advances), progress=False)
    kept = what_is_kept(folder / ".forecast.partial", PLAN, PLAIN)
    assert kept.computed == advances, "no step that was computed is repeated"
    steps, rollout = [], ensembles.rollout

    def counted(*args: Any, **options: Any) -> Any:
        for state in rollout(*args, **options):
            steps.append(1)
            yield state

    monkeypatch.setattr(ensembles, "rollout", counted)
    run_job(job, forecaster, folder, OUTPUTS, progress=False)
    assert len(steps) == PLAN.advances - advances
    assert hashes(folder) == whole
    assert not (folder / ".forecast.partial").exists()


@pytest.mark.parametrize("batch", [BATCH, MEMBERS])
def test_files_get_what_they_lack_from_the_kept_states(
    tmp_path: Path, forecaster: Forecaster, job: Job, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    job = replace(job, batch=batch)
    run_job(job, forecaster, tmp_path / "whole", OUTPUTS, progress=False)

    def killed(work: Path, advances: int) -> None:
        if advances == 4:
            raise KilledError
        note_written(work, advances)

    with monkeypatch.context() as patch:
        patch.setattr(running, "note_written", killed)
        with pytest.raises(KilledError):
            run_job(job, forecaster, tmp_path / "killed", OUTPUTS, progress=False)
    plan = replace(PLAN, groups=(tuple(batches_of(5, batch)),))
    kept = what_is_kept(tmp_path / "killed" / ".forecast.partial", plan, PLAIN)
    assert kept.written == 3 < kept.computed
    run_job(job, forecaster, tmp_path / "killed", OUTPUTS, progress=False)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_kill_9_at_random_moments(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, whole: dict[str, str]
) -> None:
    save_checkpoint(forecaster, tmp_path / "small.safetensors", {})
    write_tensors({"previous": initial.previous, "current": initial.current}, {}, tmp_path / "initial.safetensors")
    folder, moments = tmp_path / "killed", random.Random(5)
    start(tmp_path / "warm").join()  # what is imported first is not what a run takes
    begun = time.monotonic()
    start(tmp_path / "timed").join()
    length, kills = time.monotonic() - begun, 0
    while (folder / ".forecast.partial").exists() or not (folder / "forecast.manifest.json").exists():
        process = start(folder)
        process.join(moments.uniform(0, 0.3 * length) if kills < 8 else None)
        kills += process.is_alive()
        process.kill()
        process.join()
    assert kills >= 3
    assert hashes(folder) == whole
    assert hashes(tmp_path / "timed") == whole
    assert read_manifest(folder).complete


def test_batches_are_kept_whatever_memory_is_found(
    tmp_path: Path, forecaster: Forecaster, job: Job, whole: dict[str, str]
) -> None:
    with pytest.raises(KilledError):
        run_job(job, forecaster, tmp_path / "killed", OUTPUTS, spread=killed_after(4), progress=False)
    run_job(replace(job, batch=None, memory=10**13), forecaster, tmp_path / "killed", OUTPUTS, progress=False)
    assert hashes(tmp_path / "killed") == whole


@pytest.mark.parametrize(("change", "said"), [
    ({"seed": 4}, "seed was 3, now 4"),
    ({"members": 6}, "members was 5, now 6"),
    ({"antithetic": True}, "antithetic noise was false, now true"),
    ({"batch": 3}, "members of a batch was 2, now 3"),
    ({"origin": Origin(checkpoint_sha256="new")}, r'checkpoint sha256 was "[0-9a-f]+\.\.\., now "new"'),
    ({"origin": Origin(perturbation="noise")}, 'perturbation was "none", now "noise"'),
    ({"memory": 1000}, "a batch of 2 members takes .*, got --memory 1 kB; give more memory"),
    ({"initial": None}, "initial data sha256 was"),
    ({"outputs": (OutputConfig(keep_bits=3),)}, "outputs, forecast.nc, keep_bits was null, now 3"),
    ({"versions": {"sphercast": "9", "torch": "2"}}, r'versions, sphercast was "0\.1\.0", now "9"'),
], ids=str)  # fmt: skip
def test_another_run_is_not_gone_on_with(
    tmp_path: Path, forecaster: Forecaster, job: Job, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(KilledError):
        run_job(job, forecaster, tmp_path, spread=killed_after(4), progress=False)
    if change == {"initial": None}:
        change = {"initial": job.initial._replace(current=job.initial.current + 1e-3)}  # type: ignore[attr-defined]
    if versions := change.pop("versions", None):
        monkeypatch.setattr("forecast.job.versions", lambda: versions)
    outputs = change.pop("outputs", (OutputConfig(),))
    with pytest.raises(ConfigError, match=said):
        run_job(replace(job, **change), forecaster, tmp_path, outputs, progress=False)
    assert (tmp_path / ".forecast.partial" / "run.json").exists(), "what is there is left alone"


def test_killed_while_it_publishes(
    tmp_path: Path, forecaster: Forecaster, job: Job, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    move, folder = manifests._move, tmp_path / "killed"

    def killed(work: Path, target: Path, name: str) -> None:
        if name != "forecast.nc":
            raise KilledError
        move(work, target, name)

    monkeypatch.setattr(manifests, "_move", killed)
    with pytest.raises(KilledError):
        run_job(job, forecaster, folder, OUTPUTS, progress=False)
    monkeypatch.setattr(manifests, "_move", move)
    assert not (folder / "forecast.manifest.json").exists()
    monkeypatch.setattr(ensembles, "rollout", None)
    run_job(job, forecaster, folder, OUTPUTS, progress=False)
    assert hashes(folder) == whole


def test_a_run_that_was_begun_outlives_another_that_is_there(
    tmp_path: Path, forecaster: Forecaster, job: Job, whole: dict[str, str]
) -> None:
    other = replace(job, seed=9)
    done = run_job(other, forecaster, tmp_path, OUTPUTS, progress=False)
    with pytest.raises(KilledError):
        run_job(job, forecaster, tmp_path, OUTPUTS, spread=killed_after(4), progress=False)
    assert run_job(other, forecaster, tmp_path, OUTPUTS, progress=False) == done
    assert what_is_kept(tmp_path / ".forecast.partial", PLAN, PLAIN).computed > 0
    run_job(job, forecaster, tmp_path, OUTPUTS, progress=False)
    assert hashes(tmp_path) == whole


@pytest.mark.parametrize("lost", ["forecast.nc", "batch-000.step-00002.safetensors", "forecast.zarr.chunks", "written"])
def test_what_the_disk_lost_is_computed_anew(
    tmp_path: Path, forecaster: Forecaster, job: Job, whole: dict[str, str], caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    folder = tmp_path / "killed"
    with pytest.raises(KilledError):
        run_job(job, forecaster, folder, OUTPUTS, spread=killed_after(7), progress=False)
    path = folder / ".forecast.partial" / lost
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    run_job(job, forecaster, folder, OUTPUTS, progress=False)
    assert caplog.messages[0].endswith("; beginning anew")
    assert hashes(folder) == whole


SLOW = """
import os, time
import forecast.ensemble as ensembles
from forecast.cli import main
rollout = ensembles.rollout
def slowly(*args, **options):
    for state in rollout(*args, **options):
        os.write(1, b"step\\n")
        time.sleep(0.1)
        yield state
ensembles.rollout = slowly
main()
"""


def test_sigterm_in_the_middle_of_a_rollout(
    run: Run, tmp_path: Path, checkpoint: Path, states: Path, environment: dict[str, str]
) -> None:
    def words(name: str) -> list[object]:
        options = ["--data", states, "--days", 4, "--members", 4, "--batch", 2, "--out", tmp_path / name, "--quiet"]
        return ["forecast", checkpoint, *options]

    slow = [sys.executable, "-c", SLOW, *map(str, words("a/f.nc"))]
    running = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert running.stdout is not None
    for _ in range(6):
        assert running.stdout.readline() == "step\n"
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=30)
    assert (running.returncode, errors) == (143, STOPPED + "\n")
    assert [path.name for path in (tmp_path / "a").iterdir()] == [".f.partial"]
    again = subprocess.run(slow, capture_output=True, text=True, check=True, env=environment)
    assert again.stdout.count("step") <= 16 - 6 + 1
    assert run(*words("b/f.nc")).code == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
