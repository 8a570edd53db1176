"""Sums of finished runs, kept in a folder beside the result until it is written: a killed score goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.publish import only_one_in
from evaluation.regions import files_of_regions
from evaluation.score_files import read_sums, write_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from data_pipeline.grid import Grid
    from evaluation.pairs import Match
    from evaluation.question import Question
    from evaluation.sums import Sums


@dataclass(frozen=True)
class Kept:
    """A folder with one file for each finished run; ``digest`` tells what was asked, against what.

    ``files`` are those that were found or written so far.
    """

    folder: Path
    digest: str
    files: list[Path] = field(default_factory=list)
    _stamps: dict[str, str] = field(default_factory=dict)

    def among(self, grid: Grid, matches: Sequence[Match]) -> Kept:
        """That which is kept of runs on this grid beside these others, on which baselines may depend."""
        times = sorted({str(match.initial_time) for match in matches})
        leads = sorted({match.lead_hours for match in matches})
        names = sorted({match.channel.name for match in matches})
        return replace(self, digest=_digest(self.digest, str(grid), times, leads, names), files=[])

    def find(self, run: Sequence[Match]) -> Sums | None:
        """The sums of a run, if it was finished when the same was asked and its files were the same."""
        path = self._path(run)
        if not path.exists():
            return None
        try:
            found = read_sums(path)
        except ScoreError:  # half of a disk's write: score the run again
            return None
        self.files.append(path)
        return found

    def keep(self, run: Sequence[Match], sums: Sums, *, to_be_found: bool = True) -> None:
        """Keep the sums of a run, if there are any; those that are not to be found only until all are put together."""
        if sums:
            path = self._path(run)
            self.files.append(path if to_be_found else path.with_suffix(".damaged.nc"))
            write_sums(sums, self.files[-1])

    def _path(self, run: Sequence[Match]) -> Path:
        files = run[0].run.attrs.get("files", ())
        for file in files:
            if file not in self._stamps:
                self._stamps[file] = _stamp(Path(file))
        stamps = {file: self._stamps[file] for file in files}
        digest = _digest(self.digest, stamps, [(match.lead_hours, match.channel.name) for match in run])
        time = np.datetime_as_string(run[0].initial_time, unit="m").replace(":", "")
        return self.folder / f"{time}-{digest}.nc"


@contextmanager
def keeping(out: Path, question: Question, inputs: Mapping[str, object]) -> Iterator[Kept]:
    """What is kept for the file of scores ``out`` while it is made; removed when the block succeeds.

    It is found again only if the question and ``inputs`` are the same, whether or not missing data are allowed, and no
    file has changed that one of the two names: a truth or climatology (a string in ``inputs``), the polygons or
    stations of a region. A run that was kept is found again if its own files are the same.

    Raises
    ------
    SphercastError
        If another process makes the same file.
    """
    folder = out.with_name(f"{out.name}.partial")
    named = [*(value for value in inputs.values() if isinstance(value, str)), *files_of_regions(question.regions)]
    stamps = {path: _stamp(Path(path)) for path in named}
    with only_one_in(folder):
        yield Kept(folder, _digest(replace(question, allow_missing=False).to_json(), inputs, stamps))
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` for what memory does not hold while that is made; removed at the end.

    Raises
    ------
    SphercastError
        If another process makes the same file.
    """
    folder = out.with_name(f"{out.name}.merging")
    with only_one_in(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _stamp(path: Path) -> str:
    """Tells a file, or all files of a folder, from others that replaced them; of a URL nothing is known."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
