"""Run builds in children that are killed at random moments; started by ``test_kills`` as a process of its own.

A moment is the n-th time that the child touches a file below its folder (Python's audit hook sees every open, rename,
mkdir and remove), so that kills fall between any two statements that could leave something behind; every third moment
is one of the clock instead, so that they fall into computation and writing too. One random moment is drawn from each of
as many equal parts of a build's life as there are moments: random, and spread over all of it.

    python -m tests.data_pipeline.kill_builds CONFIG FOLDER MOMENTS build|append SEED

builds ``FOLDER/0`` undisturbed and, for every moment, ``FOLDER/n`` with a kill and a rerun. With ``append``, each
folder first gets a store of the first part of the period, and the kill falls into the append.
Prints one JSON object a line: what was found right after the kill, and how both ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dask
import numpy as np

from data_pipeline.building.append import append
from data_pipeline.building.build import Crew, build
from data_pipeline.building.gather import open_sources
from data_pipeline.config import DataConfig
from data_pipeline.statistics import summarise_seam, summarise_slab

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[..., Path]

TOUCHING = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.link", "shutil.rmtree"}
WORK: dict[str, Work] = {"build": build, "append": append}


def child(
    work: Work, config: DataConfig, folder: Path, *, kill_at: int | None = None, kill_after: float | None = None
) -> int:
    """Work in a forked process, killed at its ``kill_at``-th touch or after so many seconds; its exit status.

    No thread runs before.
    """
    pid = os.fork()
    if pid == 0:
        _work_and_die(work, config, folder, kill_at)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)  # where it has ended already, nothing happens: nobody has waited for it yet
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _work_and_die(work: Work, config: DataConfig, folder: Path, kill_at: int | None) -> None:
    touched = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal touched
        if event in TOUCHING and str(arguments[0]).startswith(str(folder)):
            touched += 1
            if touched == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        work(config.model_copy(update={"store": folder / "store.zarr"}), progress=False, crew=Crew(threads=2))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    folder.with_suffix(".touched").write_text(str(touched))
    os._exit(0)


def _warm_up(config: DataConfig) -> None:
    """Import what opening, regridding and computing import lazily, once for all children, without starting a thread."""
    dask.config.set(scheduler="synchronous")
    gathering = open_sources(config)
    for share in gathering.shares:
        share.regridders["everywhere"].regrid_array(np.zeros(share.grid.shape, dtype=np.float32))
    states = np.zeros((2, len(config.channels), *config.grid.build().shape), dtype=np.float32)
    weights = config.grid.build().area_weights()
    summarise_slab(states, weights, config.interval_hours)
    summarise_seam(states, states, weights, config.interval_hours)


def _shorter(config: DataConfig) -> DataConfig:
    """Only a little longer than the training period, which must not change."""
    return config.model_copy(update={"period": config.training_period})


def main(config_path: str, parent: str, moments: int, kind: str, seed: int) -> None:
    config = DataConfig.model_validate_json(Path(config_path).read_text(encoding="utf-8"))
    _warm_up(config)
    folders = [Path(parent, str(number)) for number in range(moments + 1)]
    for folder in folders:
        folder.mkdir()
        if kind == "append":
            assert child(build, _shorter(config), folder) == 0
    start = time.perf_counter()
    assert child(WORK[kind], config, folders[0]) == 0
    seconds = time.perf_counter() - start
    touches = int(folders[0].with_suffix(".touched").read_text())
    rng = random.Random(seed)
    for number, folder in enumerate(folders[1:]):
        part = (number + rng.random()) / moments
        by_clock = number % 3 == 2
        when = {"kill_after": part * seconds} if by_clock else {"kill_at": 1 + int(part * touches)}
        killed = child(WORK[kind], config, folder, **when)
        found = sorted(path.name for path in folder.iterdir())
        resumed = child(WORK[kind], config, folder)
        print(json.dumps({**when, "killed": killed, "found": found, "resumed": resumed}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
