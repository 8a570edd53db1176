"""Sums of finished runs, kept in a folder beside the result until it is written: a killed score goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.publish import only_one_in
from evaluation.score_files import read_sums, write_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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

    Raises
    ------
    SphercastError
        If another process makes the same file.
    """
    folder = out.with_name(f"{out.name}.partial")
    text = json.dumps({"question": question.to_json(), "inputs": inputs}, sort_keys=True)
    with only_one_in(folder):
        yield Kept(folder, hashlib.sha256(text.encode()).hexdigest()[:16])
        shutil.rmtree(folder, ignore_errors=True)
