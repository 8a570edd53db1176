"""Skill: the share of a reference's score that a forecast takes away."""

from __future__ import annotations

import xarray as xr

from data_pipeline.errors import ScoreError


def skill(scores: xr.Dataset, reference: str) -> xr.Dataset:
    """``1 - score / score of the reference``, of every score that is better when lower (Wilks 2019, chapter 9).

    A ratio of mean scores, as a file of scores holds them, and never the mean of ratios, which one easy day can rule.
    Scores must be of the same fields and places, as those of the models in one file are.

    Parameters
    ----------
    scores
        As ``sphercast score`` writes them: variables with the dimension ``model`` and the attribute ``direction``.
    reference
        A model, e.g. ``climatology`` or ``persistence``.

    Returns
    -------
    xr.Dataset
        ``<metric>_skill_<variable>``, 1 perfect, 0 as the reference, negative worse; NaN where the reference has no
        such score or one that is not above zero.

    Raises
    ------
    ScoreError
        If the reference is no model of the file, or no score is better when lower.

    >>> crps = xr.DataArray([1.0, 4.0], {"model": ["forecast", "climatology"]}, attrs={
    ...     "direction": "lower", "metric": "crps", "variable": "2m_temperature"})
    >>> skill(xr.Dataset({"crps_2m_temperature": crps}), "climatology")["crps_skill_2m_temperature"].values.tolist()
    [0.75, 0.0]
    """
    models = [str(model) for model in scores["model"].values] if "model" in scores.coords else []
    if reference not in models:
        raise ScoreError(f"got the reference {reference!r}, expected one of the models {', '.join(models) or '(none)'}")
    lower = [score for score in scores.data_vars.values() if score.attrs.get("direction") == "lower"]
    if not lower:
        raise ScoreError(
            f"none of {', '.join(map(str, scores.data_vars))} is better when lower; score crps, mae or rmse for a skill"
        )
    found = [_skill(score, reference) for score in lower]
    return xr.Dataset({field.name: field for field in found}, attrs=scores.attrs | {"reference": reference})


def _skill(score: xr.DataArray, reference: str) -> xr.DataArray:
    theirs = score.sel(model=reference, drop=True)
    metric, variable = str(score.attrs["metric"]), str(score.attrs["variable"])
    return (1 - score / theirs.where(theirs > 0)).rename(f"{metric}_skill_{variable}").assign_attrs(
        long_name=f"skill against {reference} by {score.attrs.get('long_name', metric)}",
        units="1",
        metric=f"{metric}_skill",
        variable=variable,
        direction="higher",
        formula=f"1 - {metric} / {metric} of {reference}, a ratio of means",
        reference=reference,
    )  # fmt: skip
