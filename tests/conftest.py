"""Before any test: pyproj is loaded ahead of eccodes, as in the product; the other way round the process crashes."""

from __future__ import annotations

import pyproj  # noqa: F401
