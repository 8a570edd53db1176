"""Sums of finished runs, kept in a folder beside the result until it is written: a killed score goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.publish import only_one_in
from evaluation.regions import files_of_regions
from evaluation.score_files import read_sums, write_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evaluation.question import Question
    from evaluation.sums import Sums


@dataclass(frozen=True)
class Kept:
    """A folder with one file for each finished run; ``digest`` tells what was asked, of which files."""

    folder: Path
    digest: str

    def find(self, initial_time: np.datetime64) -> Sums | None:
        """The sums of a run, if it was finished when the same was asked."""
        path = self._path(initial_time)
        if not path.exists():
            return None
        try:
            return read_sums(path)
        except ScoreError:  # half of a disk's write: score the run again
            return None

    def keep(self, initial_time: np.datetime64, sums: Sums) -> None:
        """Keep the sums of a run."""
        write_sums(sums, self._path(initial_time))

    def _path(self, initial_time: np.datetime64) -> Path:
        return self.folder / f"{np.datetime_as_string(initial_time, unit='m').replace(':', '')}-{self.digest}.nc"


@contextmanager
def keeping(out: Path, question: Question, inputs: Mapping[str, object]) -> Iterator[Kept]:
    """What is kept for the file of scores ``out`` while it is made; removed when the block succeeds.

    It is found again only if the question and ``inputs`` are the same, and no file has changed that one of the two
    names: forecasts (keys of a mapping in ``inputs``), a truth or climatology (a string in it), the polygons or
    stations of a region.

    Raises
    ------
    SphercastError
        If another process makes the same file.
    """
    folder = out.with_name(f"{out.name}.partial")
    named = [*_paths(inputs), *files_of_regions(question.regions)]
    stamps = {path: _stamp(Path(path)) for path in named}
    text = json.dumps({"question": question.to_json(), "inputs": inputs, "files": stamps}, sort_keys=True)
    with only_one_in(folder):
        yield Kept(folder, hashlib.sha256(text.encode()).hexdigest()[:16])
        shutil.rmtree(folder, ignore_errors=True)


def _paths(inputs: Mapping[str, object]) -> list[str]:
    texts = [value for value in inputs.values() if isinstance(value, str)]
    return texts + [path for value in inputs.values() if isinstance(value, dict) for path in value]


def _stamp(path: Path) -> str:
    """Tells a file, or all files of a folder, from others that replaced them; of a URL nothing is known."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
