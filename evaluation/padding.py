"""Padding: what a file has on a shared axis of levels without a forecast being there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_pipeline.channels import Channel


def without_padding(held: Sequence[Channel], attributes: Mapping[str, object]) -> list[Channel]:
    """The channels of which a dataset holds more than padding.

    Variables on different levels share one axis in a file, padded with NaN; the attribute ``channels``, names as in
    ``Channel.name``, tells padding from a forecast that is missing. It tells nothing of variables that it never names,
    which may have been added since.

    >>> from data_pipeline.channels import Channel
    >>> held = [Channel("geopotential", 500), Channel("geopotential", 850), Channel("forest_fuel")]
    >>> [channel.name for channel in without_padding(held, {"channels": "geopotential_500 2m_temperature"})]
    ['geopotential_500', 'forest_fuel']
    """
    stated = set(str(attributes.get("channels", "")).split())
    variables = stated | {name.rpartition("_")[0] for name in stated if name.rpartition("_")[2].isdigit()}
    kept = [channel for channel in held if channel.name in stated or channel.variable_name not in variables]
    return kept or list(held)
