"""Where data live: what is free, by the machine's account and by the container's."""

from __future__ import annotations

import os

import pytest

from data_pipeline.residence import choose_residence, free_memory


@pytest.mark.parametrize(
    ("size", "asked", "chosen"),
    [
        (50, None, "memory"),
        (51, None, "disk"),
        (10, "disk", "disk"),
        (99, "memory", "memory"),
        (20, "device", "device"),
        (21, "device", "memory"),
        (51, "device", "disk"),
    ],
)
def test_half_of_what_is_free(size: int, asked, chosen: str) -> None:
    assert choose_residence(size, asked, free=100, free_on_device=40) == chosen


@pytest.fixture
def meminfo(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:       2000 kB\nMemFree:  10 kB\nMemAvailable:    1000 kB\nHugePages_Total:       0\n")
    return path


def test_the_machine(meminfo, tmp_path) -> None:
    assert free_memory(meminfo, tmp_path / "none") == 1000 * 1024


def test_a_machine_that_does_not_say(tmp_path) -> None:
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    assert free_memory(tmp_path / "none", tmp_path / "none") == half


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [("max", 0, 1_024_000), ("500000", 300000, 230_000), ("9000000", 0, 1_024_000), ("500000", 900000, 0)],
)
def test_a_container_may_allow_less(meminfo, tmp_path, limit: str, used: int, expected: int) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 30000\nactive_file 7\n")
    assert free_memory(meminfo, tmp_path) == expected


def test_this_machine_has_some() -> None:
    assert free_memory() > 0
