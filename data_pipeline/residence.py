"""Where the states of a data set live while a model trains: in memory, on the trainer's device, or on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

Residence = Literal["memory", "device", "disk"]

SHARE = 0.5
"""Of what is free; the rest is for the model and for the other processes."""

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def choose_residence(size: int, asked: Residence | None, free: int, free_on_device: int) -> Residence:
    """Where ``size`` bytes go.

    What was ``asked``, except that a device without room is as if nothing was; then memory, if they fit in half of
    what is free there, else disk.

    >>> choose_residence(40, None, 100, 0), choose_residence(60, None, 100, 0), choose_residence(60, "memory", 100, 0)
    ('memory', 'disk', 'memory')
    >>> choose_residence(40, "device", 100, 90), choose_residence(40, "device", 100, 70)
    ('device', 'memory')
    """
    if asked and (asked != "device" or size <= SHARE * free_on_device):
        return asked
    return "memory" if size <= SHARE * free else "disk"


def free_memory(memory: Path = _MEMORY, control_group: Path = _CONTROL_GROUP) -> int:
    """Bytes that this process may still take: what the machine has, and what its control group (a container) allows."""
    return max(0, int(min(_available(memory), _allowed(control_group))))


def _available(memory: Path) -> int:
    """As Linux estimates it, page cache included; elsewhere half of what is built in."""
    if not memory.is_file():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    lines = dict(line.split(":") for line in memory.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _allowed(control_group: Path) -> float:
    """What is left of the limit of a control group, version 2; file pages that it may drop count as free."""
    limit, used = control_group / "memory.max", control_group / "memory.current"
    if not limit.is_file() or (most := limit.read_text(encoding="ascii").strip()) == "max":
        return float("inf")
    lines = (control_group / "memory.stat").read_text(encoding="ascii").splitlines()
    droppable = int(dict(line.split() for line in lines)["inactive_file"])
    return int(most) - int(used.read_text(encoding="ascii")) + droppable
