"""A job file that is edited while the scheduler runs."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from forecast.service.changes import ChangedError, JobWatch
from forecast.service.job_file import load_job
from forecast.service.schedule import Scheduler
from tests.forecast.service.world import FakeClock, World, at, serving

if TYPE_CHECKING:
    from pathlib import Path

GIVEN: dict[str, Any] = {
    "name": "test", "checkpoint": "planet", "source": {"kind": "gefs"}, "folder": "out", "cycles": [0],
    "poll": {"first": "1 min"},
}  # fmt: skip


@pytest.fixture
def watch(tmp_path: Path) -> JobWatch:
    write(tmp_path)
    return JobWatch(tmp_path / "job.yaml", load_job(tmp_path / "job.yaml"), lambda path: "")


def write(where: Path, **changes: Any) -> None:
    (where / "job.yaml").write_text(yaml.safe_dump({**GIVEN, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"hooks": {"success": "true"}},
        {"retention": {"cycles": 3}},
        {"cycles": [0, 12]},
        {"source": {"kind": "gefs", "mirrors": ["https://nearer.example.org"]}},
    ],
)
def test_how_it_is_done_may_change_at_any_time(watch: JobWatch, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert not watch.holds()
    write(tmp_path, **changes)
    with pytest.raises(ChangedError, match=r"job\.yaml was changed; it is read again"):
        watch.holds()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"members": 20, "seed": 4},
            "job.yaml was changed in members, seed, which is another forecast; put it back or",
        ),
        ({"source": {"kind": "gfs"}}, "job.yaml was changed in source, which is"),
        ({"folder": "elsewhere"}, "job.yaml was changed in folder, which is"),
        ({"mebers": 3}, "the job file was changed: .*unknown key 'mebers'"),
    ],
)
def test_what_is_forecast_may_not(
    watch: JobWatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], words: str
) -> None:
    """It is said once, and all goes on when the file is put back."""
    caplog.set_level(logging.INFO)
    write(tmp_path, **changes)
    assert [watch.holds() for _ in range(3)] == [True] * 3
    (said,) = caplog.messages
    assert re.search(words, said)
    assert said.endswith("; no cycle is begun until then")
    write(tmp_path)
    assert [watch.holds() for _ in range(3)] == [False] * 3
    assert caplog.messages[1:] == [f"{tmp_path / 'job.yaml'} is as it was; going on"]


def test_a_job_that_cannot_be_is_not_read_again(watch: JobWatch, caplog: pytest.LogCaptureFixture) -> None:
    """The scheduler would end with it."""
    watch.check = lambda path: "the map z.png cannot be drawn: no level 555"
    write(watch.path.parent, plots=[{"name": "z.png", "variable": "geopotential", "level": 555}])
    assert [watch.holds() for _ in range(2)] == [True] * 2
    (said,) = caplog.messages
    assert said.endswith(
        "was changed: the map z.png cannot be drawn: no level 555; mend it; no cycle is begun until then"
    )


def test_a_file_that_is_away_for_a_moment(watch: JobWatch, caplog: pytest.LogCaptureFixture) -> None:
    """As editors do it that write another file and rename it."""
    watch.path.rename(watch.path.with_suffix(".aside"))
    assert watch.holds()
    watch.path.with_suffix(".aside").rename(watch.path)
    assert not watch.holds()
    assert "no job file" in caplog.text


def test_a_comment_is_no_change(watch: JobWatch) -> None:
    watch.path.write_text(f"# by night\n{watch.path.read_text()}")
    assert not watch.holds()


def test_the_scheduler_begins_nothing_meanwhile(watch: JobWatch, tmp_path: Path) -> None:
    world, shots = World(FakeClock(at(5))), []
    with serving(watch.job.model_copy(update={"folder": tmp_path / "out"}), world) as service:
        scheduler = Scheduler(service, lambda cycle: shots.append(cycle) or 0, watch)
        write(tmp_path, members=20)
        assert (scheduler.work_off(), shots) == (0, [])
        write(tmp_path)
        scheduler.work_off()
        assert shots
        write(tmp_path, hooks={"success": "true"})
        with pytest.raises(ChangedError):
            scheduler.work_off()
