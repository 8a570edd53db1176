"""The page's own files, as they ship with the package: name, type and bytes."""

from __future__ import annotations

from functools import cache
from importlib import resources

_VENDOR = ("d3-array.min.js", "d3-geo.min.js", "d3-geo-projection.min.js")
_LICENCES = ("LICENSE-d3-array", "LICENSE-d3-geo", "LICENSE-d3-geo-projection")
_OWN = (
    "index.html", "page.css", "icon.svg", "words.js", "state.js", "pieces.js", "field.js", "paint.js", "views.js",
    "pointer.js", "map.js", "legend.js", "chart.js", "series.js", "controls.js", "time.js", "keys.js", "app.js",
)  # fmt: skip
_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip


@cache
def page_files() -> dict[str, bytes]:
    """Contents by path below the page."""
    folder = resources.files("evaluation.viewer") / "static"
    names = [*_OWN, *(f"vendor/{name}" for name in (*_VENDOR, *_LICENCES))]
    return {name: folder.joinpath(*name.split("/")).read_bytes() for name in names}


def type_of(name: str) -> str:
    """The media type of a file of the page.

    >>> type_of("app.js"), type_of("vendor/LICENSE-d3-geo")
    ('text/javascript; charset=utf-8', 'text/plain; charset=utf-8')
    """
    return next((kind for end, kind in _TYPES.items() if name.endswith(end)), "text/plain; charset=utf-8")
