"""Members over processes and clusters: the same bytes as in one process, with the same batches."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from distributed import CancelledError, KilledWorker, LocalCluster

from data_pipeline.errors import DataError, SphercastError
from forecast import spread_cluster, spread_processes
from forecast.batches import Plan
from forecast.checkpoint import save_checkpoint
from forecast.ensemble import Advance, Ensemble, Start, here
from forecast.guards import Stop
from forecast.job import Job
from forecast.restart import write_state
from forecast.spread_cluster import connected, over_cluster, workers
from forecast.spread_processes import help_out, joined
from forecast.stepping import Stepping

from .conftest import TIME
from .runs import hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState

    from .conftest import Run

PLAN = Plan(((range(2), range(2, 4)), (range(4, 5),)), steps=3)


def words(checkpoint: Path, states: Path, out: Path, members: int = 5) -> list[Any]:
    return [
        "forecast", checkpoint, "--data", states, "--days", 1.5, "--members", members, "--batch", 2, "--out", out,
        "--quiet", "--antithetic", "--perturb", "noise",
    ]  # fmt: skip


def under_torchrun(environment: dict[str, str], command: list[Any]) -> tuple[int, str, str]:
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "forecast",
    ]
    done = subprocess.run(
        [*launcher, *map(str, command)], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


def interrupted(ensemble: Ensemble) -> Iterator[Advance]:
    """Stops after three advances."""
    yield from islice(here(ensemble), 3)
    raise KeyboardInterrupt


def test_two_processes_of_torchrun_go_on_to_the_same_bytes(
    run: Run, checkpoint: Path, make_forecaster: Callable[..., Forecaster], states: Path, tmp_path: Path,
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In the middle of a step, with output on the way."""
    save_checkpoint(make_forecaster(other_step_hours=(6,)), checkpoint, {})

    def often(folder: str) -> list[Any]:
        return [*words(checkpoint, states, tmp_path / folder / "f.nc"), "--output-hours", 6]

    assert run(*often("one")).code == 0
    with monkeypatch.context() as patch:
        patch.setattr("forecast.cli_forecast_parts.here", interrupted)
        assert run(*often("two")).code == 130
    code, out, err = under_torchrun(environment, often("two"))
    assert code == 0, err
    assert out == f"forecast: {tmp_path / 'two' / 'f.nc'}\n", "process 0 alone speaks"
    assert hashes(tmp_path / "two") == hashes(tmp_path / "one")
    _, again, _ = under_torchrun(environment, often("two"))
    assert again == f"forecast: {tmp_path / 'two' / 'f.nc'} is complete already\n"


def test_stops_travel_beside_the_states() -> None:
    stop = Stop(3, 2, TIME, "geopotential", 500, -10.123456789, 359.99, float("nan"))
    assert str(spread_processes._unpacked(spread_processes._packed({3: stop}, [2, 3]))[3]) == str(stop)
    assert spread_processes._unpacked(spread_processes._packed({}, [2, 3])) == {}


def test_a_process_that_sees_other_data(
    forecaster: Forecaster, initial: InitialState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"initial_sha256": "other", "batches": PLAN.to_json(), "steps": 3, "computed": 0}
    monkeypatch.setattr(spread_processes, "_broadcast", lambda _: asked)
    with pytest.raises(DataError, match="got other initial data than process 0 of torchrun; give all of them the same"):
        help_out(Job(initial, 5, 3), forecaster, tmp_path)


def test_a_process_that_loses_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)

    def closed(*_: object, **__: object) -> None:
        raise RuntimeError("Connection closed")

    with pytest.raises(RuntimeError, match="of its own"), joined():
        raise RuntimeError("of its own")
    monkeypatch.setattr("torch.distributed.broadcast_object_list", closed)
    with (
        pytest.raises(SphercastError, match=r"process 0 of torchrun lost another \(Connection closed\); look at what"),
        joined(),
    ):
        pass


def test_torchrun_and_a_cluster_at_once(
    fails: Callable[..., str], checkpoint: Path, states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    line = fails("forecast", checkpoint, "--data", states, "--scheduler", "tcp://here:1", "--out", "f.nc", "--quiet")
    assert "got --scheduler tcp://here:1 under torchrun; use one of them" in line


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made:
        yield made


def test_a_cluster_writes_the_same_bytes(
    run: Run, checkpoint: Path, states: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    assert run(*words(checkpoint, states, tmp_path / "one" / "f.nc")).code == 0
    outcome = run(*words(checkpoint, states, tmp_path / "two" / "f.nc"), "--scheduler", cluster.scheduler_address)
    assert outcome.code == 0, outcome.err
    assert hashes(tmp_path / "two") == hashes(tmp_path / "one")


def ensemble(forecaster: Forecaster, initial: InitialState, work: Path, computed: int = 0) -> Ensemble:
    stepping = Stepping.of(forecaster)
    return Ensemble(forecaster, initial, stepping, PLAN, 3, antithetic=False, work=work, computed=computed)


def test_no_step_beyond_the_last_is_begun(initial: InitialState) -> None:
    ended = SimpleNamespace(plan=PLAN, stepping=Stepping(12), start=lambda _: Start(initial, PLAN.steps + 1, {}))
    client = SimpleNamespace(scatter=lambda states, hash: states, submit=None)
    assert not hasattr(spread_cluster._Chain(ended, 0, client, None), "under_way")


def test_a_cluster_yields_what_one_process_does_in_the_same_order(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, tmp_path: Path, cluster: LocalCluster
) -> None:
    forecaster = make_forecaster(damped=False)  # it does not come back from where it is set out
    wild = initial._replace(current=initial.current.clone())
    wild.current[forecaster.channels.index("2m_temperature")] += 69.9  # some members leave what is possible
    alone = list(here(ensemble(forecaster, wild, tmp_path)))
    with connected(cluster.scheduler_address) as client:
        assert workers(client) == 2
        spread = list(over_cluster(ensemble(forecaster, wild, tmp_path), client))
    assert alone[-1].stopped or alone[4].stopped
    for one, other in zip(alone, spread, strict=True):
        assert one.turn == other.turn
        assert one.members == other.members
        np.testing.assert_array_equal(one.states, other.states)
        assert list(map(str, one.stopped.values())) == list(map(str, other.stopped.values()))


def test_a_cluster_goes_on_in_the_middle_of_a_step(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, tmp_path: Path, cluster: LocalCluster
) -> None:
    model = make_forecaster(other_step_hours=(6,))
    stepping = Stepping.of(model, 6, 6)
    begun = initial._replace(others=(initial.current,))

    def after(computed: int) -> Ensemble:
        return Ensemble(model, begun, stepping, PLAN, 3, antithetic=False, work=tmp_path, computed=computed)

    alone = list(here(after(0)))
    for advance in alone[:3]:
        write_state(tmp_path, advance.turn, advance.states, {}, stepping)
    with connected(cluster.scheduler_address) as client:
        spread = list(over_cluster(after(3), client))
    assert len(spread) == len(alone) - 3
    for one, other in zip(alone[3:], spread, strict=True):
        np.testing.assert_array_equal(one.states, other.states)


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_cluster, "_SECONDS", 1)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(SphercastError, match=r"has no workers; start some with 'dask worker"),
        connected(empty.scheduler_address),
    ):
        raise AssertionError("there is nobody to work")


@pytest.mark.parametrize("error", [KilledWorker("a step", None, 4), CancelledError("a step")])
def test_a_cluster_that_is_lost(cluster: LocalCluster, error: Exception) -> None:
    with (
        pytest.raises(SphercastError, match=r"lost its scheduler, or the workers of a step again and again; look at"),
        connected(cluster.scheduler_address),
    ):
        raise error
