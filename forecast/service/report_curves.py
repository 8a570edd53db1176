"""Small line charts as SVG in a page of HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 320, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 30, 26
_LINE, _FAINT, _INK = "#1f6feb", "#e1e6eb", "#46505c"
_MOST_TICKS = 5
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Growth:
    """The spread of a variable, ``title`` with its level, in ``units``, at leads in ``hours``."""

    title: str
    units: str
    hours: Sequence[float]
    spread: Sequence[float]


def growth_chart(growth: Growth) -> str:
    """A line from nought, with the last value in words; screen readers read first and last."""
    days = [hours / 24 for hours in growth.hours]
    across, up = ticks(max(days)), ticks(max(growth.spread))
    name = f"{growth.title} ({growth.units})"
    said = f"{name}: spread {growth.spread[0]:.3g} after {days[0]:g} days, {growth.spread[-1]:.3g} after {days[-1]:g}"
    marks = [*(_across(tick, across[-1]) for tick in across), *(_up(tick, up[-1]) for tick in up)]
    points = [
        (_x(day, across[-1]), _y(value, up[-1])) for day, value in zip(days, growth.spread, strict=True)
    ]  # fmt: skip
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}" font-size="11" fill="{_INK}">'
        f'<text x="6" y="16" font-size="13" font-weight="600">{escape(name)}</text>{"".join(marks)}'
        f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_LINE}"/>'
        f'<text x="{x - 6:.1f}" y="{y - 7:.1f}" text-anchor="end" font-weight="600">{growth.spread[-1]:.3g}</text>'
        "</svg>"
    )


def ticks(largest: float) -> list[float]:
    """Round numbers from nought to the first that is not less than ``largest``, at most six.

    >>> ticks(10.0), ticks(0.07)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [0.0, 0.02, 0.04, 0.06, 0.08])
    """
    if not largest > 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(largest / _MOST_TICKS))
    step = next(nice * power for nice in _NICE if nice * power * _MOST_TICKS >= largest * (1 - 1e-9))
    return [round(step * number, 12) for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _across(day: float, last: float) -> str:
    """The last one ends at the edge, with its unit."""
    place = f'x="{_x(day, last):.1f}" y="{_HEIGHT - 8}"'
    if day < last:
        return f'<text {place} text-anchor="middle">{day:g}</text>'
    return f'<text {place} dx="{_RIGHT}" text-anchor="end">{day:g} d</text>'


def _up(value: float, last: float) -> str:
    y = _y(value, last)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_FAINT}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _x(day: float, last: float) -> float:
    return _LEFT + day / last * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, last: float) -> float:
    return _HEIGHT - _BOTTOM - value / last * (_HEIGHT - _TOP - _BOTTOM)
