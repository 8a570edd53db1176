"""Build a training store from a config: check, regrid, write shard by shard, summarise, publish. Rerun = resume.

A store grows in a folder of its own, ``NAME.partial``, beside the ledger of what is finished. Only the whole store
gets its final name, so whenever the process dies, the same command goes on from the last finished shard.
"""

from __future__ import annotations

import shutil
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zarr

from data_pipeline.building.creation import create, remove_torn_writes
from data_pipeline.building.gather import open_sources
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.origin import ORIGIN, Origin, require_unchanged
from data_pipeline.building.precheck import check_before, sample_scaling
from data_pipeline.building.provenance import digest_of, provenance
from data_pipeline.building.report import NOTICED, final_report, report_path
from data_pipeline.building.room import require_room, still_to_finish, still_to_write
from data_pipeline.building.slabs import GROWING, LEDGER, slab_times, write_slab
from data_pipeline.building.summarise import summarise
from data_pipeline.building.way import grows_for, is_growing, require_own_build, require_own_store
from data_pipeline.building.workers import result_of, workers
from data_pipeline.integrity import SUMS, write_sums
from data_pipeline.progress import track
from data_pipeline.publish import exchange, only_one_in, sync, sync_tree, write_text
from data_pipeline.quality import Report
from data_pipeline.store import partial_path, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data_pipeline.building.gather import Gathering
    from data_pipeline.building.workers import Workers
    from data_pipeline.config import DataConfig
    from data_pipeline.scaling import Scaling

REPLACED = "replaced"
"""What an append puts the store before under, between two renames."""


@dataclass(frozen=True)
class Crew:
    """Who works on the slabs: so many threads here (by default one a core), or a dask.distributed cluster.

    The cluster at the address ``scheduler`` must see the same folders under the same names.
    """

    threads: int | None = None
    scheduler: str | None = None


THIS_MACHINE = Crew()


def build(config: DataConfig, *, progress: bool = True, crew: Crew = THIS_MACHINE) -> Path:
    """Make the training store that ``config`` describes, or finish one whose build was interrupted.

    A store that was already built from an equal config is returned as it is, without a look at the sources.

    Raises
    ------
    DataError
        Before anything is written: if a source lacks a variable, level or time, sampled states are bad, another
        config's store is in the way, the disk has too little room, or, on a rerun, a source is another than it was.
        While writing: if values are bad, or a source changes (what was written stays for a resume).
    SphercastError
        If no scheduler answers, or another process builds the same store.
    """
    folder = partial_path(config.store)
    with only_one_in(folder):
        finish_publishing(folder, config.store)
        if config.store.exists():
            require_own_store(config)
            clear(folder, config)
        else:
            with workers(crew.threads, crew.scheduler) as hands:
                gathering = open_sources(config, found := Report())
                prepare(gathering, found, folder)
                grow(gathering, folder, hands, progress=progress)
            publish(folder, config.store)
    return config.store


def prepare(
    gathering: Gathering, found: Report, folder: Path, *, scaling: Scaling | None = None, earlier: Report | None = None
) -> None:
    """Create the store in ``folder``, or make sure that what grows there is this config's.

    Sampled states are checked before anything is written. The scale of float16 numbers is sampled unless given.
    ``found`` is reported with the store, and what was ``earlier`` reported of the part that is taken over.
    """
    config = gathering.config
    if is_growing(folder):
        require_own_build(config, folder)
        remove_torn_writes(folder)
        (folder / GROWING / SUMS).unlink(missing_ok=True)  # they are taken again when all is written
        require_unchanged(config, folder)
        require_room(config.store, still_to_finish(config, folder))
        return
    origin = Origin.of(config)
    check_before(gathering, found)
    if config.precision == "float16" and scaling is None:
        scaling = sample_scaling(gathering)
    require_room(config.store, still_to_write(gathering, scaling))
    clear_all(folder)  # of what is left of a build whose end was cut short
    create(folder / GROWING, config, gathering.static, scaling, provenance(config))
    origin.write(folder)
    found.merge(earlier or Report())
    write_text(folder / NOTICED, found.to_json())


def clear(folder: Path, config: DataConfig) -> None:
    """Remove what is left in ``folder`` of the build of a finished store, and nothing of another config's."""
    if not is_growing(folder) or grows_for(folder) == digest_of(config):
        clear_all(folder)


def grow(gathering: Gathering, folder: Path, hands: Workers, *, progress: bool) -> None:
    """Write everything that the prepared store in ``folder`` lacks: shards, summaries, checksums."""
    _write_slabs(gathering, folder, hands, progress=progress)
    remove_torn_writes(folder)  # of workers that died elsewhere
    summarise(gathering.config, folder, progress=progress)
    ledger = Ledger(folder / LEDGER)
    write_sums(folder / GROWING, {number: ledger.entry(number).sha256 for number in sorted(ledger.finished())})
    sync_tree(folder / GROWING)


def _write_slabs(gathering: Gathering, folder: Path, hands: Workers, *, progress: bool) -> None:
    """Every shard that the ledger lacks, in any order; the first failure stops the rest."""
    config = gathering.config
    finished = Ledger(folder / LEDGER).finished()
    done = sum(len(slab_times(config, number)) for number in finished)
    todo = [number for number in range(config.slabs) if number not in finished]
    states = _finished_states(gathering, folder, todo, hands)
    for _ in track(states, "building", "state", start=done, total=len(config.times), enabled=progress):
        pass
    if todo:
        require_unchanged(config, folder)


def _finished_states(gathering: Gathering, folder: Path, todo: list[int], hands: Workers) -> Iterator[int]:
    """Counts every state once its shard is finished."""
    growing, config = folder / GROWING, gathering.config
    scaling = store_of(growing, zarr.open_group(growing, mode="r", use_consolidated=False)).scaling
    tasks = ((gathering.around(slab_times(config, number)), number) for number in todo)
    futures = [hands.pool.submit(write_slab, part, scaling, folder, number, hands.stop) for part, number in tasks]
    try:
        for future in as_completed(futures):
            yield from range(result_of(future))
    finally:
        for future in futures:
            future.cancel()


def publish(folder: Path, path: Path) -> None:
    """Give the finished store in ``folder`` its final name, beside it the report; a store that is there is replaced.

    Both change names at once where the system can do that, else by two renames, between which no store is there.
    """
    write_text(report_path(path), final_report(folder).to_json() + "\n")
    if not path.exists():
        (folder / GROWING).rename(path)
    elif not exchange(folder / GROWING, path):
        path.rename(folder / REPLACED)
        (folder / GROWING).rename(path)
    sync(path.parent)
    clear_all(folder)


def finish_publishing(folder: Path, path: Path) -> None:
    """Finish the replacement of a store that died between its two renames, or after the exchange of names."""
    if not path.exists() and (folder / REPLACED).exists() and (folder / GROWING).exists():
        (folder / GROWING).rename(path)
        sync(path.parent)
        clear_all(folder)
    origin = Origin.read(folder)
    if origin and is_growing(folder) and grows_for(folder) != origin.config_sha256:  # it is the store before
        clear_all(folder)


def clear_all(folder: Path) -> None:
    """Remove from the folder that a store grew in what a build put there; the lock on it removes it if it is empty."""
    for part in (folder / name for name in (GROWING, LEDGER, REPLACED)):
        if part.is_symlink():  # as which the store before may have stood here; what it points to is somebody's
            part.unlink()
        shutil.rmtree(part, ignore_errors=True)
    for name in (NOTICED, ORIGIN):
        (folder / name).unlink(missing_ok=True)
