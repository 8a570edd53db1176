"""Run builds in children that are killed at chosen moments; started by ``test_build`` as a process of its own.

A moment is the n-th time that the child touches a file below its folder (Python's audit hook sees every open, rename,
mkdir and remove), so the kills fall between any two statements that could leave something behind.

    python -m tests.data_pipeline.kill_builds CONFIG FOLDER MOMENTS

builds ``FOLDER/0`` undisturbed and, for every one of the evenly spread moments, ``FOLDER/n`` with a kill and a rerun.
Prints one JSON object a line: ``{"events": n, "stores": [...], "partial": [...]}`` as seen right after the kill.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import dask
import xarray as xr

from data_pipeline import store
from data_pipeline.build import build
from data_pipeline.config import DataConfig

store.TIMES_PER_SHARD = 8
TOUCHING = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "shutil.rmtree"}


def child(config: DataConfig, folder: Path, kill_at: int | None) -> int:
    """Build in a forked process, killed at its ``kill_at``-th touch; its exit status. No thread runs before."""
    pid = os.fork()
    if pid == 0:
        _build_and_die(config, folder, kill_at)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _build_and_die(config: DataConfig, folder: Path, kill_at: int | None) -> None:
    touched = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal touched
        if event in TOUCHING and str(arguments[0]).startswith(str(folder)):
            touched += 1
            if touched == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        build(config.model_copy(update={"store": folder / "store.zarr"}), progress=False)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    folder.with_suffix(".touched").write_text(str(touched))
    os._exit(0)


def _warm_up(config: DataConfig) -> None:
    """Import what opening, regridding and computing import lazily, once for all children, without starting a thread."""
    dask.config.set(scheduler="synchronous")
    for part in (source.open({*config.variables, *config.static}) for source in config.sources):
        xr.Dataset.load(part.isel(latitude=slice(2)))


def main(config_path: str, parent: str, moments: int) -> None:
    config = DataConfig.model_validate_json(Path(config_path).read_text(encoding="utf-8"))
    _warm_up(config)
    folders = [Path(parent, str(number)) for number in range(moments + 1)]
    for folder in folders:
        folder.mkdir()
    assert child(config, folders[0], None) == 0
    events = int(folders[0].with_suffix(".touched").read_text())
    for number, folder in enumerate(folders[1:]):
        kill_at = 1 + number * (events - 1) // max(moments - 1, 1)
        killed = child(config, folder, kill_at)
        found = sorted(path.name for path in folder.iterdir())
        resumed = child(config, folder, None)
        print(json.dumps({"kill_at": kill_at, "killed": killed, "found": found, "resumed": resumed}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
