"""Before any test: pyproj is loaded ahead of eccodes, as in the product; the other way round the process crashes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyproj  # noqa: F401
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _logs_as_libraries_leave_them() -> Iterator[None]:
    """Commands that run inside a test set levels for their process, which here is that of the next tests too."""
    yield
    logging.captureWarnings(capture=False)
    for name in ("data_pipeline", "evaluation", "forecast"):
        logging.getLogger(name).setLevel(logging.NOTSET)
