"""Arrays to be filled with sums: in memory, or in a file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import netCDF4
import numpy as np
import xarray as xr

from evaluation.score_files import SUMS, add_sums, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    New: TypeAlias = Callable[[str, str, Sequence[str], Mapping[str, str]], "Blank"]
    """Makes an array of a variable's group: name, dims, attributes."""


class Blank(Protocol):
    """An array that takes values; in a file there is nothing in it before."""

    def __setitem__(self, key: Any, values: Any) -> None: ...


@contextmanager
def blank_sums(templates: Mapping[str, xr.Dataset], into: Path | None) -> Iterator[New]:
    """What makes arrays with the labels of templates, by variable; ``into`` a new file, or in memory.

    Raises
    ------
    OSError
        If the disk is full.
    """
    if into is None:
        yield lambda variable, _, dims, __: np.zeros([templates[variable].sizes[dim] for dim in dims])
        return
    into.unlink(missing_ok=True)  # one that is still read stays what it is for its readers
    with writing(into):
        xr.Dataset().to_netcdf(into, engine="netcdf4")
        add_sums(dict(templates), into)
        with netCDF4.Dataset(into, "a") as file:
            yield lambda variable, name, dims, about: _in_file(file[SUMS][variable], name, dims, about)


def _in_file(group: netCDF4.Group, name: str, dims: Sequence[str], about: Mapping[str, str]) -> Blank:
    """Contiguous, as chunks would each be cached, and without a value for what was not written, as zeros are sums."""
    variable = group.createVariable(name, np.float64, tuple(dims), contiguous=True, fill_value=False)
    variable.setncatts(about)
    return variable
