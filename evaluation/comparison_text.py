"""A comparison as a table for people, as JSON and as rows for programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.tables import listed
from evaluation.shown import chosen_leads, field_name, lead_name, score_name

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


def regions(comparison: Comparison) -> list[str]:
    """In the order of the files."""
    return list(dict.fromkeys(name for own in comparison.cells.values() for name in own["region"].values.tolist()))


def rows(comparison: Comparison, most_regions: int | None = None) -> Iterator[Row]:
    """Every field that has any value, by region, metric, variable and level."""
    for region in regions(comparison)[:most_regions]:
        for (metric, variable), own in comparison.cells.items():
            here = own.sel(region=region) if region in own["region"].values else own.isel(region=[])
            for level in here["level"].values.tolist() if "level" in here.dims else [None]:
                cells = here if level is None else here.sel(level=level)
                if cells["improvement"].notnull().any():
                    yield Row(metric, variable, level, str(region), cells)


def comparison_table(comparison: Comparison) -> str:
    """A table of at most 100 columns, and what a reader must know below it.

    Each field has two lines: the improvement, ``*`` where it is significant, and its interval.
    """
    about = comparison.attributes
    ours, theirs = comparison.ours, comparison.theirs
    lines = [f"{ours} against {theirs}: improvement, %; + where {ours} is better, * where significant"]
    heading: tuple[str, str, str] | None = None
    for row in rows(comparison, MOST_REGIONS):
        shown = row.cells.isel(lead_time=chosen_leads(row.cells["lead_time"].values.tolist(), _MOST_COLUMNS))
        names = "".join(f"{lead_name(hours):>{_COLUMN}}" for hours in shown["lead_time"].values.tolist())
        group = (row.region, row.metric, names)
        if group != heading:
            lines += ["", f"{score_name(row.metric)}, {row.region}".ljust(_LABEL) + names]
            heading = group
        lines += _lines(row, shown)
    lines += ["", f"{about['test']}; intervals {float(about['confidence']):.0%}"]
    lines += [f"significant at a false discovery rate of {about['false_discovery_rate']}"]
    left = len(regions(comparison)) - MOST_REGIONS
    lines += [f"{left} more regions: see them with --out or --json"] * (left > 0)
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


def _lines(row: Row, shown: xr.Dataset) -> list[str]:
    gains = [f"{gain:+.1f}{'*' if mark else ' '}" for gain, mark in
             zip(shown["improvement"].values, shown["significant"].values, strict=True)]  # fmt: skip
    ends = [f"{low:+.1f}..{high:+.1f} " for low, high in
            zip(shown["lower"].values, shown["upper"].values, strict=True)]  # fmt: skip
    label = f"  {field_name(row.variable, row.level)} "
    found = [_line(label, gains)] if len(label) <= _LABEL else [label, _line("", gains)]
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
                "units": row.cells.attrs["units"], "direction": row.cells.attrs["direction"],
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
    columns = ("improvement_percent", "lower_percent", "upper_percent", *names[3:6], comparison.ours, comparison.theirs)
    writer.writerow(["metric", "variable", "level_hpa", "region", "lead_hours", *columns, "units"])
    for row in rows(comparison):
        for place, hours in enumerate(row.cells["lead_time"].values.tolist()):
            values = [_number(row.cells[name].values[place]) for name in names]
            level = "" if row.level is None else f"{row.level:g}"
            writer.writerow(
                [row.metric, row.variable, level, row.region, f"{hours:g}", *values, row.cells.attrs["units"]]
            )
    return text.getvalue()


def _plain(field: xr.DataArray) -> object:
    return listed(field.values) if np.issubdtype(field.dtype, np.floating) else field.values.tolist()


def _number(value: np.generic) -> str:
    """Seven figures, nothing for NaN, 0 or 1 for no and yes."""
    number = float(value.item())
    return "" if np.isnan(number) else f"{number:.7g}"
