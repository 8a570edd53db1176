"""A progress bar on a terminal, a plain line now and then where the output is piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm
from tqdm.dask import TqdmCallback

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 15.0


def track(
    items: Iterable[T], description: str, unit: str, *, start: int = 0, total: int | None = None, enabled: bool = True
) -> Iterable[T]:
    """Iterate over ``items`` and show how far it is, on standard error."""
    kind, style = _style()
    return kind(items, description, initial=start, total=total, unit=unit, disable=not enabled, **style)


def track_dask(description: str, *, enabled: bool = True) -> TqdmCallback:
    """A context in which everything that dask computes shows how far it is, in its own steps, on standard error."""
    kind, style = _style()
    return TqdmCallback(desc=description, unit="step", tqdm_class=kind, disable=not enabled, **style)


def _style() -> tuple[type[tqdm[Any]], dict[str, Any]]:
    if sys.stderr.isatty():
        return tqdm, {}
    return _Lines, {"mininterval": _SECONDS_BETWEEN_LINES, "maxinterval": _SECONDS_BETWEEN_LINES, "miniters": 1}


class _Lines(tqdm):  # type: ignore[type-arg]  # tqdm takes no type argument at run time
    """One whole line at the start, every few seconds, and at the end; for logs, which keep what a bar writes over."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write how far it is."""
        shown = self.format_dict
        line = plain_line(int(self.n), self.total, shown["initial"], shown["elapsed"], self.unit)
        self.fp.write(f"{self.desc.removesuffix(': ')}: {line}\n")
        self.fp.flush()

    def close(self) -> None:
        """Write the last line, once."""
        if not self.disable:
            self.disable = True
            self._decr_instances(self)  # type: ignore[attr-defined]
            self.display()


def plain_line(done: int, total: float | None, start: int, seconds: float, unit: str) -> str:
    """How far it is after some ``seconds``, in which it came from ``start`` to ``done``: count, rate, times.

    >>> plain_line(20, 60, 10, 40.0, "state")
    '20 of 60 states, 4 s a state, 00:40 elapsed, 02:40 left'
    >>> plain_line(60, 60, 0, 20.0, "state"), plain_line(10, 60, 10, 0.0, "state")
    ('60 of 60 states, 3 states/s, 00:20 elapsed', '10 of 60 states, 00:00 elapsed')
    """
    parts = [f"{done} of {total} {unit}s" if total is not None else f"{done} {unit}s"]
    rate = (done - start) / seconds if seconds > 0 else 0.0
    if rate > 0:
        parts.append(f"{rate:.3g} {unit}s/s" if rate >= 1 else f"{1 / rate:.3g} s a {unit}")
    parts.append(f"{tqdm.format_interval(seconds)} elapsed")
    if rate > 0 and total is not None and done < total:
        parts.append(f"{tqdm.format_interval((total - done) / rate)} left")
    return ", ".join(parts)
