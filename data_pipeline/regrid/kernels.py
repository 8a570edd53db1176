"""The compiled loops that apply weights to fields: every source value is read once, all sums are in float64.

Both kernels first sum as if nothing were missing. Only where that gives no finite number do they sum again, over the
valid values alone: clean data never pay for missing ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.compiled import compiled

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from data_pipeline.regrid.bands import Band

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]


class Separable(NamedTuple):
    """Weights that are products of a latitude and a longitude factor; ``poles`` (target rows, 2) weigh rows on the
    north and on the south pole, which the source lacks.
    """

    rows: Band
    poles: Floats
    columns: Band


class Sparse(NamedTuple):
    """Any weights, row by row: target ``t`` has the entries ``offsets[t]`` to ``offsets[t + 1]``.

    Indices count the source's points row by row, then those of the rows on the north and on the south pole.
    """

    offsets: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: Floats


@compiled
def apply_separable(
    fields: NDArray[Any], polar: Floats, weights: Separable, least: float, out: Singles, fraction: Singles
) -> None:
    """Fill ``out`` (field, latitude, longitude) from ``fields`` on the source and their ``polar`` rows.

    The rows under one target latitude are summed into one line, which stays in the processor's cache; the line is
    summed into the target's longitudes from there. A target with a valid share of ``least`` or less is NaN.
    ``fraction`` is that share, left alone where it has no elements.
    """
    n_columns = fields.shape[2]
    longest = max(n_columns, weights.columns.first.max() + weights.columns.weights.shape[1])
    line, valid = np.empty(longest), np.empty(longest)
    for field in range(fields.shape[0]):
        for row in range(out.shape[1]):
            _sum_rows(line, fields[field], polar[field], weights, row)
            line[n_columns:] = line[: longest - n_columns]
            covered = weights.rows.counts[row] > 0 or weights.poles[row].max() > 0
            clean = _sum_columns(line, weights.columns, out[field, row]) and covered
            if not clean:
                _sum_valid_rows(line, valid, fields[field], polar[field], weights, row)
                line[n_columns:] = line[: longest - n_columns]
                valid[n_columns:] = valid[: longest - n_columns]
            if fraction.size > 0:
                fraction[field, row] = 1
                if not clean:
                    _sum_columns(valid, weights.columns, fraction[field, row])
            if not clean:
                _mean_columns(line, valid, weights.columns, least, out[field, row])


@compiled
def _sum_rows(line: Floats, field: NDArray[Any], polar: Floats, weights: Separable, row: int) -> None:
    line[: field.shape[1]] = 0
    for place in range(weights.rows.counts[row]):  # one row after the other: the order in which memory is fastest
        _add_row(line, field[weights.rows.first[row] + place], weights.rows.weights[row, place])
    for pole in range(2):
        if weights.poles[row, pole] > 0:
            _add_row(line, polar[pole], weights.poles[row, pole])


@compiled
def _add_row(line: Floats, values: NDArray[Any], share: float) -> None:
    for k in range(values.size):
        line[k] += share * values[k]


@compiled
def _sum_columns(line: Floats, columns: Band, out: Singles) -> bool:
    """Fill ``out``; whether every target has neighbours and all of them are finite."""
    width, check, least = columns.weights.shape[1], 0.0, 1
    for k in range(out.size):
        total, first = 0.0, columns.first[k]
        for place in range(width):
            total += columns.weights[k, place] * line[first + place]
        out[k] = total
        check += total - total  # NaN from the first value on that is not finite
        least = min(least, columns.counts[k])
    return check == 0 and least > 0


@compiled
def _sum_valid_rows(
    line: Floats, valid: Floats, field: NDArray[Any], polar: Floats, weights: Separable, row: int
) -> None:
    line[: field.shape[1]] = 0
    valid[: field.shape[1]] = 0
    for place in range(weights.rows.counts[row]):
        _add_valid(line, valid, field[weights.rows.first[row] + place], weights.rows.weights[row, place])
    for pole in range(2):
        if weights.poles[row, pole] > 0:
            _add_valid(line, valid, polar[pole], weights.poles[row, pole])


@compiled
def _add_valid(line: Floats, valid: Floats, values: NDArray[Any], share: float) -> None:
    for k in range(values.size):
        finite = np.isfinite(values[k])
        line[k] += share * values[k] if finite else 0.0
        valid[k] += share if finite else 0.0


@compiled
def _mean_columns(line: Floats, valid: Floats, columns: Band, least: float, out: Singles) -> None:
    for k in range(out.size):
        total, share, first = 0.0, 0.0, columns.first[k]
        for place in range(columns.counts[k]):
            total += columns.weights[k, place] * line[first + place]
            share += columns.weights[k, place] * valid[first + place]
        out[k] = total / share if share > least else np.nan


@compiled
def apply_sparse(
    fields: NDArray[Any], polar: Floats, weights: Sparse, least: float, out: Singles, fraction: Singles
) -> None:
    """Fill ``out`` (field, target) from ``fields`` (field, points) and ``polar`` (field, points on the two poles).

    ``least`` and ``fraction`` as in ``apply_separable``.
    """
    for field in range(fields.shape[0]):
        for target in range(out.shape[1]):
            total, share = _sum_of(fields[field], polar[field], weights, target), 1.0
            if not np.isfinite(total) or weights.offsets[target] == weights.offsets[target + 1]:
                total, share = _valid_sum(fields[field], polar[field], weights, target)
            out[field, target] = total / share if share > least else np.nan
            if fraction.size > 0:
                fraction[field, target] = share


@compiled
def _sum_of(field: NDArray[Any], polar: Floats, weights: Sparse, target: int) -> float:
    total = 0.0
    for entry in range(weights.offsets[target], weights.offsets[target + 1]):
        index = weights.indices[entry]
        total += weights.weights[entry] * (field[index] if index < field.size else polar[index - field.size])
    return total


@compiled
def _valid_sum(field: NDArray[Any], polar: Floats, weights: Sparse, target: int) -> tuple[float, float]:
    total, share = 0.0, 0.0
    for entry in range(weights.offsets[target], weights.offsets[target + 1]):
        index, weight = weights.indices[entry], weights.weights[entry]
        value = field[index] if index < field.size else polar[index - field.size]
        finite = np.isfinite(value)
        total += weight * value if finite else 0.0
        share += weight if finite else 0.0
    return total, share
