"""Ended in the middle of publishing, and files of others under the names of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.output import manifest
from forecast.service.folders import Folders
from forecast.service.states import State
from tests.forecast.service.test_cycle_work import CYCLE, job, shoot  # noqa: F401, a fixture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.service.job_file import JobFile


@pytest.mark.parametrize("last", ["forecast.nc", "products.nc"])
def test_killed_when_a_file_had_got_its_name(
    job: Callable[..., JobFile],  # noqa: F811
    last: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What has its name is not made again, and must not go."""
    tiny, move = job(products={}), manifest._move

    def interrupted(work: Path, folder: Path, name: str) -> None:
        move(work, folder, name)
        if name == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "_move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shoot(tiny)
    outcome = shoot(tiny)
    assert (outcome.state, outcome.message) == (State.DONE, "3 members, 2 steps")
    assert [path.name for path in outcome.files] == ["forecast.manifest.json", "forecast.nc", "products.nc"]


def test_a_file_of_another_program_stays(job: Callable[..., JobFile]) -> None:  # noqa: F811
    tiny = job(products={})
    folder = Folders(tiny.folder).cycle(CYCLE)
    folder.mkdir(parents=True)
    (folder / "products.nc").write_text("not ours")
    outcome = shoot(tiny)
    assert outcome.state is State.FAILED
    assert "products.nc is there, and no forecast.manifest.json beside it lists it" in outcome.message
    assert (folder / "products.nc").read_text() == "not ours"
