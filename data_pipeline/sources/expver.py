"""The dimension ``expver`` of older files from the Climate Data Store: 1 is final (ERA5), 5 preliminary (ERA5T)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

    from data_pipeline.quality.findings import Report

FINAL, PRELIMINARY = 1, 5


def one_version(dataset: xr.Dataset, report: Report | None = None) -> xr.Dataset:
    """The final value where there is one, else the preliminary one; each is NaN where the other one is meant.

    Parameters
    ----------
    dataset
        Raw data, lazy; without a dimension ``expver`` they are returned as they are.
    report
        Where it is said that preliminary values were mixed in.

    Raises
    ------
    DataError
        If the dimension has other versions than 1 and 5.
    """
    if "expver" not in dataset.dims:
        return dataset
    versions = [int(str(version)) for version in dataset["expver"].values.tolist()]
    if set(versions) == {FINAL}:
        return dataset.isel(expver=0, drop=True)
    if sorted(versions) != [FINAL, PRELIMINARY]:
        raise DataError(f"expver is {versions}, expected {FINAL} (ERA5) and {PRELIMINARY} (ERA5T); download it again")
    final, preliminary = (dataset.isel(expver=versions.index(version), drop=True) for version in (FINAL, PRELIMINARY))
    if report is not None:
        report.add(
            "preliminary",
            "where final values (expver 1) were missing, preliminary ones (ERA5T, expver 5) were taken; download them "
            "again when they are final, after about 3 months",
        )
    both = [name for name, field in dataset.data_vars.items() if "expver" in field.dims]
    return final.assign({name: final[name].fillna(preliminary[name]) for name in both})
