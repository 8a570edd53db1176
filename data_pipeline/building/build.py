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
from data_pipeline.building.precheck import check_before, sample_scaling
from data_pipeline.building.provenance import digest_of, provenance
from data_pipeline.building.report import NOTICED, final_report, report_path
from data_pipeline.building.slabs import GROWING, LEDGER, slab_times, write_slab
from data_pipeline.building.summarise import summarise
from data_pipeline.building.workers import result_of, workers
from data_pipeline.errors import DataError
from data_pipeline.integrity import SUMS, write_sums
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in, sync, sync_tree, write_text
from data_pipeline.quality import Report
from data_pipeline.store import is_store, open_store, partial_path, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data_pipeline.building.gather import Gathering
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
        Before anything is written: if a source lacks a variable, level or time, sampled states are bad, or another
        config's store is in the way. While writing: if values are bad (what was written stays for a resume).
    """
    folder = partial_path(config.store)
    with only_one_in(folder):
        finish_publishing(folder, config.store)
        if config.store.exists():
            _refuse_other_config(config)
            clear(folder, config)
        else:
            gathering = open_sources(config, found := Report())
            prepare(gathering, found, folder)
            grow(gathering, folder, progress=progress, crew=crew)
            publish(folder, config.store)
    return config.store


def _refuse_other_config(config: DataConfig) -> None:
    if not is_store(config.store):
        raise DataError(f"{config.store} exists and is not a training store; remove it, or set another 'store'")
    if open_store(config.store).group.attrs.get("config_sha256") != digest_of(config):
        raise DataError(
            f"{config.store} exists and was not built from this config; remove it, set another 'store', or, if only "
            "the end of the period moved, run 'sphercast data append'"
        )


def prepare(
    gathering: Gathering, found: Report, folder: Path, *, scaling: Scaling | None = None, earlier: Report | None = None
) -> None:
    """Create the store in ``folder``, or make sure that what grows there is this config's.

    Sampled states are checked before anything is written. The scale of float16 numbers is sampled unless given.
    ``found`` is reported with the store, and what was ``earlier`` reported of the part that is taken over.
    """
    config = gathering.config
    if _is_growing(folder):
        if _grows_for(folder) != digest_of(config):
            raise DataError(f"{folder} is an unfinished build of another config; remove it, or set another 'store'")
        remove_torn_writes(folder)
        (folder / GROWING / SUMS).unlink(missing_ok=True)  # they are taken again when all is written
        return
    check_before(gathering, found)
    if config.precision == "float16" and scaling is None:
        scaling = sample_scaling(gathering)
    clear_all(folder)  # of what is left of a build whose end was cut short
    create(folder / GROWING, config, gathering.static, scaling, provenance(config))
    found.merge(earlier or Report())
    write_text(folder / NOTICED, found.to_json())


def _is_growing(folder: Path) -> bool:
    return (folder / NOTICED).exists() and (folder / GROWING).exists()


def _grows_for(folder: Path) -> object:
    """The digest of the config whose store grows in ``folder``."""
    return zarr.open_group(folder / GROWING, mode="r", use_consolidated=False).attrs["config_sha256"]


def clear(folder: Path, config: DataConfig) -> None:
    """Remove what is left in ``folder`` of the build of a finished store, and nothing of another config's."""
    if not _is_growing(folder) or _grows_for(folder) == digest_of(config):
        clear_all(folder)


def grow(gathering: Gathering, folder: Path, *, progress: bool, crew: Crew) -> None:
    """Write everything that the prepared store in ``folder`` lacks: shards, summaries, checksums."""
    _write_slabs(gathering, folder, progress=progress, crew=crew)
    remove_torn_writes(folder)  # of workers that died elsewhere
    summarise(gathering.config, folder, progress=progress)
    ledger = Ledger(folder / LEDGER)
    write_sums(folder / GROWING, {number: ledger.entry(number).sha256 for number in sorted(ledger.finished())})
    sync_tree(folder / GROWING)


def _write_slabs(gathering: Gathering, folder: Path, *, progress: bool, crew: Crew) -> None:
    """Every shard that the ledger lacks, in any order; the first failure stops the rest."""
    config = gathering.config
    finished = Ledger(folder / LEDGER).finished()
    done = sum(len(slab_times(config, number)) for number in finished)
    todo = [number for number in range(config.slabs) if number not in finished]
    states = _finished_states(gathering, folder, todo, crew)
    for _ in track(states, "building", "state", start=done, total=len(config.times), enabled=progress):
        pass


def _finished_states(gathering: Gathering, folder: Path, todo: list[int], crew: Crew) -> Iterator[int]:
    """Counts every state once its shard is finished."""
    growing, config = folder / GROWING, gathering.config
    scaling = store_of(growing, zarr.open_group(growing, mode="r", use_consolidated=False)).scaling
    with workers(crew.threads, crew.scheduler) as pool:
        tasks = ((gathering.around(slab_times(config, number)), number) for number in todo)
        futures = [pool.submit(write_slab, part, scaling, folder, number) for part, number in tasks]
        try:
            for future in as_completed(futures):
                yield from range(result_of(future))
        finally:
            for future in futures:
                future.cancel()


def publish(folder: Path, path: Path) -> None:
    """Give the finished store in ``folder`` its final name, beside it the report; a store that is there is replaced."""
    write_text(report_path(path), final_report(folder).to_json() + "\n")
    if path.exists():
        path.rename(folder / REPLACED)
    (folder / GROWING).rename(path)
    sync(path.parent)
    clear_all(folder)


def finish_publishing(folder: Path, path: Path) -> None:
    """Finish the replacement of a store that died between its two renames."""
    if not path.exists() and (folder / REPLACED).exists() and (folder / GROWING).exists():
        (folder / GROWING).rename(path)
        sync(path.parent)
        clear_all(folder)


def clear_all(folder: Path) -> None:
    """Remove from the folder that a store grew in what a build put there; the lock on it removes it if it is empty."""
    for name in (GROWING, LEDGER, REPLACED):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / NOTICED).unlink(missing_ok=True)
