"""What a user can mend is one sentence on standard error, in benchmarks as in the command line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Ends the process with the error's message and exit code 1."""
    try:
        yield
    except SphercastError as error:
        sys.exit(f"sphercast: {error}")
