"""A small forecast on the disk for the viewer, and what its pieces hold."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.viewer.pieces import Pieces
from tests.evaluation.mock_maps import mock_forecast

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure


class Opened:
    """Makes pieces, and closes all of them."""

    def __init__(self) -> None:
        self.made: list[Pieces] = []

    def __call__(self, *arguments: Any, **options: Any) -> Pieces:
        self.made.append(Pieces(*arguments, **options))
        return self.made[-1]

    def close(self) -> None:
        for pieces in self.made:
            pieces.close()


HOSTILE = "</script><script>document.title='taken'</script>\u2028"


def written(path: Path, data: xr.Dataset | None = None, **attributes: str) -> Path:
    """The mock forecast as a WeatherBench2-like file, two variables only."""
    data = mock_forecast() if data is None else data
    names = ["geopotential", "2m_temperature", "10m_u_component_of_wind", "10m_v_component_of_wind"]
    kept = data[names].rename(initial_time="forecast_reference_time")
    kept["geopotential"].attrs["units"] = "m2 s-2"
    kept["2m_temperature"].attrs["units"] = "K"
    kept["10m_u_component_of_wind"].attrs["units"] = kept["10m_v_component_of_wind"].attrs["units"] = "m s-1"
    leads = kept["lead_time"].values
    kept = kept.rename(lead_time="time").assign_coords(
        time=kept["forecast_reference_time"].values + leads,
        forecast_period=("time", leads / np.timedelta64(1, "h"), {"units": "hours"}),
    )
    kept.assign_attrs(attributes).to_netcdf(path, engine="netcdf4")
    return path


def content(piece: bytes | None) -> dict[str, Any]:
    """What a script gives to the page."""
    assert piece is not None
    text = piece.decode("ascii")
    assert text.startswith("sphercast.receive(")
    assert text.endswith(");\n")
    found: dict[str, Any] = json.loads(text.removeprefix("sphercast.receive(").removesuffix(");\n"))
    return found


def values(piece: bytes | None) -> np.ndarray:
    """Values of a piece of a field or of a series, as the page decodes them."""
    found = content(piece)
    codes = np.frombuffer(base64.b64decode(found["data"]), "<u2").reshape(found["shape"]).astype(float)
    codes[codes == 65535] = np.nan
    scale, offset = (np.asarray(found[name], dtype=float) for name in ("scale", "offset"))
    if scale.ndim:
        scale, offset = scale[:, None, None], offset[:, None, None]
    return codes * scale + offset


def texts(figure: Figure) -> str:
    """What stands on a picture outside of its panels."""
    return " | ".join(text.get_text() for text in figure.texts)
