"""Every code that a finding may have: how grave it is, and what it means."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


class Code(NamedTuple):
    """How grave findings with this code are, and what they mean, in one sentence.

    An ``error`` stops a build; a ``warning`` is for a person to judge; ``info`` says what was repaired exactly, or left
    aside.
    """

    severity: Severity
    explanation: str


_REPAIRS = {
    "variables-renamed": "A variable had another known name.",
    "dims-expanded": "A scalar time or level became a dimension of one.",
    "dims-singleton": "A dimension of one that is not canonical was dropped.",
    "dims-transposed": "Dimensions were put in the order time, level, latitude, longitude.",
    "latitude-flipped": "Latitude was turned to run from north to south.",
    "longitude-rolled": "Columns were put in the order 0..360 degrees east.",
    "column-duplicate": "A column that repeats the first one 360 degrees on was left out.",
    "levels-in-pascal": "Levels in Pa were converted to hPa.",
    "levels-sorted": "Levels were put in ascending order.",
    "time-sorted": "Times that were out of order were sorted.",
    "calendar-converted": "Times of a standard calendar in another type became 64-bit times.",
    "units-converted": "Values were converted to the canonical units.",
    "variables-unknown": "Variables that sphercast does not know were not looked at.",
    "preliminary": "Some times are preliminary (ERA5T, expver 0005) and may change once when they become final.",
}

_LAYOUT = {
    "variable-missing": "A variable that is asked for, or any known one, is not there.",
    "variable-doubled": "Two variables of the data are the same one under two names.",
    "axis-missing": "There is no latitude or longitude axis with degrees on it.",
    "dims-unexpected": "There is a dimension, longer than one, that a state does not have (members, steps).",
    "dims-order": "Dimensions are not in canonical order.",
    "units-unknown": "The units do not convert to the variable's.",
    "level-axis-wrong": "A variable on levels has no level axis, or one without levels has one.",
    "levels-invalid": "Levels are not whole hPa, or not pressures.",
    "levels-mixed-units": "One level axis holds both Pa and hPa.",
    "levels-duplicate": "A level occurs twice.",
    "levels-missing": "Levels that are wanted are not there.",
    "levels-unsorted": "Levels do not ascend.",
    "calendar-unsupported": "The calendar has other days than the real one (360_day, noleap, ...).",
    "time-invalid": "The time axis holds no dates, or some are missing.",
    "time-missing": "Times are missing from a regular axis.",
    "time-duplicate": "A time occurs twice.",
    "time-irregular": "Times do not lie on the interval.",
    "time-unsorted": "Times do not ascend.",
    "time-not-whole-hours": "Times are not whole hours.",
    "grid-invalid": "Latitude or longitude are no grid's: NaN, repeated, beyond the pole.",
    "grid-radians": "Coordinates are in radians.",
    "latitude-cropped": "The grid does not reach a pole.",
    "latitude-gap": "Rows are missing in the midst of the grid.",
    "longitude-gap": "The columns do not go all the way round.",
}

_VALUES = {
    "source-changed": "A source is not what it was when the build began, or when the store was built.",
    "value-fill": "An impossible value repeats: a missing value that is not declared as one.",
    "value-range": "Values lie outside the range that physics allows.",
    "value-infinite": "Values are infinite.",
    "units-contradicted": "The values look like other units than those they are labelled with.",
    "units-mixed": "The units of the values change along time.",
    "nan-values": "Some values are NaN where every point should have one.",
    "nan-field": "A whole field is NaN.",
    "nan-mask-changed": "The points without values are not the same at every time.",
    "field-constant": "A whole field has one and the same value.",
    "field-repeated": "A field is identical to the one before.",
    "field-jump": "A step changes the whole field far more than its other steps do.",
    "accumulation-negative": "An amount that can only grow is negative beyond rounding.",
    "unreadable": "Nothing is there, or values cannot be read: a file or chunk is damaged.",
}

_SIGNATURES = {
    "latitude-against-labels": "The data look as if north and south were exchanged.",
    "rolled-against-labels": "The data look rolled by 180 degrees against their longitudes.",
    "mirrored-against-labels": "The data look as if east and west were exchanged (or time reversed).",
    "mask-inverted": "Land and sea look exchanged.",
    "levels-against-labels": "The levels look exchanged or reversed against their labels.",
}

_WARNINGS = {
    "level-empty": "A variable has no value on a level that others have; it is taken as not there.",
    "grid-irregular": "The spacing of rows or columns is neither regular nor Gaussian.",
    "value-spike": "At some point a step changes far more than any other step does.",
    "nan-mask-not-land": "Points without values of a variable of the sea lie in the open ocean.",
    "accumulation-assumed": "What time an amount is summed over is not said: it is taken for the interval of the data.",
    "static-constant": "A static field has one and the same value everywhere.",
}

CODES: dict[str, Code] = {
    **{code: Code("error", text) for code, text in (_LAYOUT | _VALUES | _SIGNATURES).items()},
    **{code: Code("warning", text) for code, text in _WARNINGS.items()},
    **{code: Code("info", text) for code, text in _REPAIRS.items()},
}
"""Every code, graver ones first."""
