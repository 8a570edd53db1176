"""Messages of GRIB that no channel can be: named beside what is known, and an error where nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.check import check_path
from data_pipeline.description import describe_path
from data_pipeline.errors import DataError
from data_pipeline.overlooked import unknown_variables
from tests.data_pipeline.grib_messages import GRID, MESSAGES, Write, message, writer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path)


def strange() -> bytes:
    """Temperature on a model level, which no channel is."""
    return message(np.ones(GRID.shape), edition=2, typeOfLevel="hybrid", level=5)


def test_messages_that_are_not_known_are_named(write: Write) -> None:
    path = write([strange(), *MESSAGES]).path
    assert unknown_variables(path) == ["t (hybrid)"]
    (finding,) = [finding for finding in check_path(path, progress=False) if finding.code == "variables-unknown"]
    assert finding.message.startswith("not looked at: t (hybrid) ")
    assert describe_path(path).splitlines()[-1] == "not known to sphercast: t (hybrid)"


def test_where_no_message_is_known(write: Write) -> None:
    path = write([strange()]).path
    (finding,) = check_path(path, progress=False).errors
    assert finding.code == "variable-missing"
    with pytest.raises(DataError, match=r"a\.grib holds no field that is known; it has t \(hybrid\)"):
        unknown_variables(path)
