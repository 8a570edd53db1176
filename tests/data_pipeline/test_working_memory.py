"""Arrays in memory or in a file that has no name."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from data_pipeline.working_memory import working_array


@pytest.mark.parametrize("memory", [0, 2**20])
def test_zeros_that_can_be_written_wherever_they_are(tmp_path, memory: int) -> None:
    array = working_array((3, 5), np.float64, memory, tmp_path)
    assert isinstance(array, np.memmap) == (memory == 0)
    assert not array.any()
    array[1] = 7
    assert array.sum() == 35
    assert list(tmp_path.iterdir()) == []  # nothing to be left by a killed process


def test_no_elements_need_no_file(tmp_path) -> None:
    assert working_array((0, 5), np.float32, -1, tmp_path).shape == (0, 5)


def test_a_full_disk_is_told_before_any_work(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as caught:
        working_array((3, 5), np.float64, 0, tmp_path)
    assert caught.value.filename == str(tmp_path)
