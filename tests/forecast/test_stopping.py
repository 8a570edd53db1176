"""Signals: one line, the usual exit code, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from data_pipeline.config import DataConfig
from data_pipeline.grid import Grid
from data_pipeline.store import open_store
from forecast import stopping
from forecast.stopping import STOPPED, Stopping
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

ROOT = Path(__file__).parents[2]
SLOW_BUILD = """
import os, time
import data_pipeline.building.slabs as slabs
from forecast.cli import main
write = slabs.write_shard
def slowly(path, states, slots):
    os.write(1, b"writing\\n")
    return write(path, (time.sleep(0.1) or state for state in states), slots)
slabs.write_shard = slowly
main()
"""


@pytest.fixture
def listening():
    """Handlers that the test may set; those before are set again."""
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def write_data_config(tmp_path: Path) -> Path:
    fine = Grid.equiangular(17, 32, poles=True)
    climate_data_store_layout(mock_states(fine, mock_times("2001-01-01", 20))).to_netcdf(tmp_path / "states.nc")
    period = {"start": "2001-01-01", "stop": "2001-01-05"}
    made = DataConfig.model_validate(
        {
            "sources": [{"kind": "files", "path": str(tmp_path / "states.nc")}],
            "store": tmp_path / "store.zarr",
            "variables": {"temperature": [850, 500], "2m_temperature": None},
            "grid": {"kind": "equiangular", "latitudes": 8, "longitudes": 16},
            "period": period,
            "training_period": period,
            "interval_hours": 6,
            "times_per_shard": 4,
            "climatology": None,
        }
    )
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"data": made.model_dump(mode="json")}))
    return path


def test_a_build_stops_and_goes_on(write_data_config: Path) -> None:
    """Time and again, whatever signal it gets."""
    command = [sys.executable, "-c", SLOW_BUILD, "data", "build", write_data_config, "--threads", "1", "--quiet"]
    folder, finished = write_data_config.parent, 0
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert running.stdout is not None
        for _ in range(2):  # so that one more shard is finished
            assert running.stdout.readline() == "writing\n"
        running.send_signal(signal.Signals[name])
        _, errors = running.communicate(timeout=15)
        assert (running.returncode, errors) == (code, STOPPED + "\n")
        before, finished = finished, len(list((folder / "store.zarr.partial" / "ledger").iterdir()))
        assert finished > before
        assert not list(folder.rglob("*.partial/**/.*.partial"))
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert again.stdout.count("writing") == 5 - finished
    assert len(open_store(folder / "store.zarr").times) == 20


def test_what_is_ignored_stays_ignored(listening) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    Stopping().listen()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_DFL, listening[signal.SIGTERM]}


def test_the_second_signal_ends_at_once(listening, monkeypatch, capfd) -> None:
    ended: list[int] = []
    monkeypatch.setattr(stopping, "SECONDS_TO_STOP", 1e5)
    monkeypatch.setattr(os, "_exit", ended.append)
    asked = Stopping()
    asked.listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert (asked.code, ended) == (143, [])
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert ended == [143]


def test_what_does_not_stop_is_ended(listening) -> None:
    program = (
        "import time, forecast.stopping as stopping\n"
        "stopping.SECONDS_TO_STOP = 0.3\n"
        "stopping.Stopping().listen()\n"
        "while True:\n"
        "    try:\n"
        "        print('deaf', flush=True)\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "deaf\n"
    running.terminate()
    assert running.communicate(timeout=15)[1] == STOPPED + "\n"
    assert running.returncode == 143


def test_a_module_is_loaded_to_its_end_first(listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "import signal, time\nsignal.raise_signal(signal.SIGTERM)\nfor _ in range(30):\n    time.sleep(0.01)\n"
    (tmp_path / "slow_to_load.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(stopping, "SECONDS_TO_STOP", 1e5)
    Stopping().listen()
    import_module("slow_to_load")
    with pytest.raises(KeyboardInterrupt):
        time.sleep(5)


class Given:
    """Something that takes a while to be given back to memory."""

    whole = False

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        for _ in range(30):
            time.sleep(0.01)
        Given.whole = True


def test_what_is_given_back_is_given_back_first(listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised there is printed by Python, and gone."""
    monkeypatch.setattr(stopping, "SECONDS_TO_STOP", 1e5)
    Stopping().listen()
    given = Given()
    del given
    assert Given.whole
    with pytest.raises(KeyboardInterrupt):
        time.sleep(5)


def test_what_is_never_given_back_is_ended(tmp_path: Path) -> None:
    lines = (
        "import time\nimport forecast.stopping as stopping\nstopping.SECONDS_TO_STOP = 0.5\n"
        "class Stuck:\n    def __del__(self):\n        print('stuck', flush=True)\n        time.sleep(60)\n"
        "stopping.Stopping().listen()\nstuck = Stuck()\ndel stuck\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", lines],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "stuck\n"
    running.terminate()
    assert running.communicate(timeout=15)[1] == STOPPED + "\n"
    assert running.returncode == 143
