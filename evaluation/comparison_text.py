"""A comparison as a table for people, as JSON and as rows for programs."""

from __future__ import annotations

import csv
import io
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.tables import listed
from evaluation.by_group import group_name
from evaluation.shown import chosen_leads, field_name, gain_unit, lead_name, score_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from evaluation.compare import Comparison

_LABEL, _COLUMN, _MOST_COLUMNS = 31, 13, 5
"""Characters, and leads: 100 characters at most."""


MOST_REGIONS = 24
"""That people look at; a map has a region for each point."""


class Row(NamedTuple):
    """One field of a comparison: its cells have the one dimension ``lead_time``."""

    metric: str
    variable: str
    level: float | None
    region: str
    cells: xr.Dataset
    group: str | None = None
    by: str | None = None
    choice: tuple[tuple[str, float | str], ...] = ()

    @property
    def name(self) -> str:
        """The field, and of what choice along axes of the metric's own, e.g. ``2 m temperature, threshold 300``."""
        labels = [f"{axis.replace('_', ' ')} {_shown(label)}" for axis, label in self.choice]
        return ", ".join([field_name(self.variable, self.level), *labels])

    @property
    def unit(self) -> str:
        """Of its improvements, ``%`` or ``hundredths``."""
        return gain_unit(self.cells.attrs["direction"], str(self.cells.attrs["units"]))

    @property
    def place(self) -> str:
        """The region and, where seasons, months or hours are compared apart, which."""
        if self.group is None or self.by is None:
            return self.region
        return f"{self.region}, {group_name(self.by, self.group)}"


def regions(comparison: Comparison) -> list[str]:
    """In the order of the files."""
    return list(dict.fromkeys(name for own in comparison.cells.values() for name in own["region"].values.tolist()))


def groups(comparison: Comparison) -> list[str | None]:
    """Seasons, months or hours in their order; None where they are not compared apart."""
    every = [own["group"].values.tolist() if "group" in own.dims else [None] for own in comparison.cells.values()]
    return list(dict.fromkeys(group for own in every for group in own))


def rows(comparison: Comparison, most_regions: int | None = None) -> Iterator[Row]:
    """Every field that has any value, by region, group, metric, variable and level."""
    for region, group in product(regions(comparison)[:most_regions], groups(comparison)):
        for (metric, variable), own in comparison.cells.items():
            here = _at(_at(own, "region", region), "group", group)
            for level in here["level"].values.tolist() if "level" in here.dims else [None]:
                for choice, cells in _choices(_at(here, "level", level)):
                    if cells["improvement"].notnull().any():
                        by = comparison.attributes.get("by")
                        yield Row(metric, variable, level, str(region), cells, group, by, choice)


def _choices(cells: xr.Dataset) -> Iterator[tuple[tuple[tuple[str, float | str], ...], xr.Dataset]]:
    """Labels along the metric's own axes, if it has any, and the cells there."""
    axes = [str(dim) for dim in cells.dims if dim != "lead_time"]
    for labels in product(*(cells[axis].values.tolist() for axis in axes)):
        yield tuple(zip(axes, labels, strict=True)), cells.sel(dict(zip(axes, labels, strict=True)))


def _shown(label: float | str) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _at(cells: xr.Dataset, dim: str, label: object) -> xr.Dataset:
    """Nothing of cells that lack the label."""
    if dim not in cells.dims:
        return cells
    return cells.sel({dim: label}) if label in cells[dim].values else cells.isel({dim: []})


def comparison_table(comparison: Comparison) -> str:
    """A table of at most 100 columns, and what a reader must know below it.

    Each field has two lines: the improvement, ``*`` where it is significant, and its interval.
    """
    about = comparison.attributes
    ours, theirs = comparison.ours, comparison.theirs
    lines = [f"{ours} against {theirs}: improvement; + where {ours} is better, * where significant"]
    heading: tuple[str, ...] | None = None
    for row in rows(comparison, MOST_REGIONS):
        shown = row.cells.isel(lead_time=chosen_leads(row.cells["lead_time"].values.tolist(), _MOST_COLUMNS))
        names = "".join(f"{lead_name(hours):>{_COLUMN}}" for hours in shown["lead_time"].values.tolist())
        block = (row.place, row.metric, row.unit, names)
        if block != heading:
            label = f"{score_name(row.metric)}, {row.place} ({row.unit})"
            fits = len(label) < _LABEL
            lines += ["", *([] if fits else [label]), (label if fits else "").ljust(_LABEL) + names]
            heading = block
        lines += _lines(row, shown)
    lines += ["", f"{about['test']}; intervals {float(about['confidence']):.0%}"]
    lines += [f"significant at a false discovery rate of {about['false_discovery_rate']}"]
    if any(row.unit != "%" for row in rows(comparison, MOST_REGIONS)):
        lines += ["hundredths: 1.0 is a score better by 0.01"]
    left = len(regions(comparison)) - MOST_REGIONS
    lines += [f"{left} more regions: see them with --out or --json"] * (left > 0)
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


def _lines(row: Row, shown: xr.Dataset) -> list[str]:
    gains = [f"{gain:+.1f}{'*' if mark else ' '}" for gain, mark in
             zip(shown["improvement"].values, shown["significant"].values, strict=True)]  # fmt: skip
    ends = [f"{low:+.1f}..{high:+.1f} " for low, high in
            zip(shown["lower"].values, shown["upper"].values, strict=True)]  # fmt: skip
    label = f"  {row.name} "
    found = [_line(label, gains)] if len(label) <= _LABEL else [label.rstrip(), _line("", gains)]
    return [*found, *([_line("", ends)] if shown["lower"].notnull().any() else [])]


def _line(label: str, cells: list[str]) -> str:
    return (label.ljust(_LABEL) + "".join(f"{_blank(cell):>{_COLUMN}}" for cell in cells)).rstrip()


def _blank(text: str) -> str:
    return "- " if "nan" in text else text


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """All of it as plain values, null where there is none."""
    return {
        "attributes": comparison.attributes,
        "notes": comparison.notes,
        "fields": [
            {
                "metric": row.metric, "variable": row.variable, "level": row.level, "region": row.region,
                **({} if row.group is None else {"group": row.group}), **dict(row.choice),
                "units": row.cells.attrs["units"], "direction": row.cells.attrs["direction"],
                "improvement_units": row.unit,
                "lead_hours": row.cells["lead_time"].values.tolist(),
                **{str(name): _plain(field) for name, field in row.cells.data_vars.items()},
            }
            for row in rows(comparison)
        ],
    }  # fmt: skip


def comparison_csv(comparison: Comparison) -> str:
    """One line for each cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("improvement", "lower", "upper", "p_value", "significant", "sample_size", "ours", "theirs")
    columns = (*names[:3], "improvement_units", *names[3:6], comparison.ours, comparison.theirs)
    apart = ["group"] if groups(comparison) != [None] else []
    axes = list(dict.fromkeys(axis for row in rows(comparison) for axis, _ in row.choice))
    writer.writerow(["metric", "variable", "level_hpa", "region", *apart, *axes, "lead_hours", *columns, "units"])
    for row in rows(comparison):
        for place, hours in enumerate(row.cells["lead_time"].values.tolist()):
            values = [_number(row.cells[name].values[place]) for name in names]
            level = "" if row.level is None else f"{row.level:g}"
            own = [_shown(dict(row.choice).get(axis, "")) for axis in axes]
            labels = [row.metric, row.variable, level, row.region, *([row.group] if apart else []), *own]
            writer.writerow([*labels, f"{hours:g}", *values[:3], row.unit, *values[3:], row.cells.attrs["units"]])
    return text.getvalue()


def _plain(field: xr.DataArray) -> object:
    return listed(field.values) if np.issubdtype(field.dtype, np.floating) else field.values.tolist()


def _number(value: np.generic) -> str:
    """Seven figures, nothing for NaN, 0 or 1 for no and yes."""
    number = float(value.item())
    return "" if np.isnan(number) else f"{number:.7g}"
