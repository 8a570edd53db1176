"""Any flipped bit, any missing or added file is found."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.building.build import build
from data_pipeline.errors import DataError
from data_pipeline.integrity import SUMS, verify, write_sums
from data_pipeline.store import partial_path

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(config) -> Path:
    return build(config(times_per_shard=8), progress=False)


def test_a_whole_store(store: Path, capsys) -> None:
    assert verify(store, progress=True) == []
    assert "verifying:" in capsys.readouterr().err


def test_others_can_verify_too(store: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=store, check=True)


def test_any_flipped_bit_is_found(store: Path) -> None:
    files = sorted(path for path in store.rglob("*") if path.is_file() and path.name != SUMS)
    rng = np.random.default_rng(0)
    for path in files:
        content = path.read_bytes()
        for position in {0, len(content) - 1, int(rng.integers(len(content)))}:
            flipped = bytearray(content)
            flipped[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            assert verify(store) == [f"{path.relative_to(store)}: damaged, its sha256 differs"]
        path.write_bytes(content)
    assert verify(store) == []


def test_any_flipped_bit_in_the_list_itself_is_found(store: Path) -> None:
    path = store / SUMS
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        assert _finds_something(store), position


def _finds_something(store: Path) -> bool:
    try:
        return bool(verify(store))
    except DataError as error:
        return "is damaged: not every line is a sha256 and a file" in str(error)


def test_a_missing_shard(store: Path) -> None:
    (store / "fields/c/1/0/0/0").unlink()
    assert verify(store) == ["fields/c/1/0/0/0: missing"]


def test_an_added_file(store: Path) -> None:
    (store / "fields/c/9").mkdir()
    (store / "fields/c/9/0").write_bytes(b"")
    assert verify(store) == ["fields/c/9/0: not of this store"]


def test_a_truncated_list(store: Path) -> None:
    (store / SUMS).write_bytes((store / SUMS).read_bytes()[:-5])
    with pytest.raises(
        DataError, match=r"SHA256SUMS is damaged: not every line is a sha256 and a file; copy the store"
    ):
        verify(store)


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no SHA256SUMS, expected a training store; give one made by 'sphercast"):
        verify(tmp_path)


def test_what_was_written_counts_not_what_is_there(store: Path) -> None:
    """A shard damaged between its writing and the publishing is found, as its sum was taken when it was written."""
    write_sums(store, {0: "0" * 64})
    assert verify(store) == ["fields/c/0/0/0/0: damaged, its sha256 differs"]


def test_where_nothing_is_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no training store at .*store\.zarr; check the path"):
        verify(tmp_path / "store.zarr")
    partial_path(tmp_path / "store.zarr").mkdir()
    with pytest.raises(DataError, match=r"no training store at .*store\.zarr; its build was interrupted: run it again"):
        verify(tmp_path / "store.zarr")
