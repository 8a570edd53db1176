"""The simulated planet as ``simulate`` sees it, and the one that jcm computes (extra ``simulate``).

A real atmosphere in miniature: SPEEDY's physics (Molteni 2003, Climate Dynamics 20, 175-191) on the dinosaur
spectral core, 8 sigma levels, Earth's orography and land, the observed mean seasonal cycle of sea-surface
temperature, ice, soil and snow. Its sunlight is the mean over the day: there is no diurnal cycle.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from data_pipeline.pressure_levels import Floats

STEP_HOURS = 12
TIME_STEP_SECONDS = 1800.0
REST_TEMPERATURE = 288.0
"""K, of jcm's isothermal atmosphere at rest."""
SEA_LEVEL_PRESSURE = 1.010e5
"""Pa at birth, chosen so that the mean reduced pressure is near the observed 1011 hPa."""


@dataclass(frozen=True)
class SigmaStates:
    """Instantaneous states on the model's own levels, ``[time, sigma, latitude, longitude]``, latitude north to south.

    Surface pressure (Pa) and near-surface air temperature are [time, latitude, longitude]; temperatures in K,
    winds in m s-1, humidity in kg kg-1.
    """

    time: NDArray[np.datetime64]
    temperature: Floats
    u_component_of_wind: Floats
    v_component_of_wind: Floats
    specific_humidity: Floats
    surface_pressure: Floats
    near_surface_temperature: Floats


@dataclass(frozen=True)
class Geography:
    """What does not change: degrees north [latitude] and east [longitude], sigma [sigma], and two fixed fields.

    ``surface_geopotential`` (m2 s-2) and ``land_fraction`` (0..1) are [latitude, longitude].
    """

    latitude: Floats
    longitude: Floats
    sigma: Floats
    surface_geopotential: Floats
    land_fraction: Floats


class Planet(Protocol):
    """A running model whose whole state, clock included, can be put in a file and taken up again exactly."""

    @property
    def source(self) -> str:
        """The model, its version and resolution, in words."""

    @property
    def geography(self) -> Geography:
        """Grid and fixed fields."""

    @property
    def time(self) -> np.datetime64:
        """The model's clock."""

    def advance(self, days: int) -> SigmaStates:
        """Integrate ``days`` and return every state at multiples of ``STEP_HOURS`` after the present one."""

    def save(self, path: Path) -> None:
        """Write state and clock, aside and then renamed."""

    def load(self, path: Path) -> None:
        """Take up what ``save`` wrote."""


class SpeedyPlanet:
    """SPEEDY with 8 levels at triangular ``truncation``, born at rest with small noise in pressure from ``seed``."""

    def __init__(self, birth: pd.Timestamp, *, seed: int, truncation: int) -> None:
        from jcm.dycore.dinosaur.dycore import DinosaurDycore
        from jcm.model import Model
        from jcm.physics.speedy.speedy_coords import get_speedy_coords

        coords = get_speedy_coords(layers=8, spectral_truncation=truncation)
        terrain, self._forcing = _boundary(coords, truncation)
        core = DinosaurDycore(coords=coords, terrain=terrain, dt_seconds=TIME_STEP_SECONDS, diffusion=_diffusion())
        self._model = Model(core, start_time=birth.strftime("%Y-%m-%dT%H:%M:%S"))
        self._model.bootstrap_state(_at_rest(self._model, seed))
        self._geography = _geography(coords, terrain)
        self._source = f"jcm {version('jcm')}: SPEEDY physics on the dinosaur core, T{truncation}, 8 sigma levels"

    @property
    def source(self) -> str:
        """The model, its version and resolution, in words."""
        return self._source

    @property
    def geography(self) -> Geography:
        """Grid and fixed fields."""
        return self._geography

    @property
    def time(self) -> np.datetime64:
        """The model's exact clock, to the second."""
        return np.datetime64(self._model.run_state.time.to_datetime64(), "s")

    def advance(self, days: int) -> SigmaStates:
        """Integrate ``days``; jcm knows near-surface temperature at the last physics, half an hour before the state."""
        from jcm.constants import p0

        begin = self.time
        predictions = self._model.resume(self._forcing, save_interval=STEP_HOURS / 24, total_time=days)
        state = predictions.dynamics
        return SigmaStates(
            time=begin + np.arange(1, days * 24 // STEP_HOURS + 1) * np.timedelta64(STEP_HOURS, "h"),
            temperature=_north_first(state.temperature),
            u_component_of_wind=_north_first(state.u_wind),
            v_component_of_wind=_north_first(state.v_wind),
            specific_humidity=_north_first(state.specific_humidity),
            surface_pressure=p0 * _north_first(state.normalized_surface_pressure),
            near_surface_temperature=_north_first(predictions.physics["_surface_flux"].t0),
        )

    def save(self, path: Path) -> None:
        """Write state and clock (jcm writes aside and renames)."""
        from jcm.checkpoint import save_checkpoint

        save_checkpoint(self._model, path)

    def load(self, path: Path) -> None:
        """Take up what ``save`` wrote."""
        from jcm.checkpoint import load_checkpoint

        load_checkpoint(self._model, path)


def _boundary(coords: Any, truncation: int) -> tuple[Any, Any]:
    """Terrain and surface forcing from SPEEDY's own T30 climatology, which jcm ships."""
    import jcm
    from jcm.forcing import ForcingData
    from jcm.terrain import TerrainData

    folder = Path(jcm.__file__).parent / "data" / "bc" / "t30" / "clim"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jcm's own calls of xarray and pandas
        terrain = TerrainData.from_file(folder / "terrain.nc", coords=coords)
        forcing = ForcingData.from_file(folder / "forcing.nc", coords=coords, align_mode="wrap_year")
    return _smooth(terrain, coords, truncation), forcing


def _smooth(terrain: Any, coords: Any, truncation: int) -> Any:
    """The orography without the ripples that cutting its spectrum leaves over the oceans.

    Spectral filter exp(-1.5 (n (n + 1) / (N (N + 1)))^2), in the manner of Hoskins (1980, Atmosphere-Ocean 18);
    jcm drops the last wavenumber, so it is dropped here too: the dynamics must feel the very height that is stored.
    """
    from jcm.constants import grav

    grid = coords.horizontal
    wavenumber = np.arange(grid.total_wavenumbers)
    ratio = wavenumber * (wavenumber + 1) / (truncation * (truncation + 1))
    keep = np.exp(-1.5 * ratio**2) * (wavenumber < truncation)
    height = grid.to_nodal(grid.to_modal(terrain.orog) * keep)
    return terrain.copy(orog=height, phis0=grav * height)


def _diffusion() -> Any:
    """SPEEDY's own horizontal diffusion: del^8 on every field, e-folding in 2.4 h at the truncation.

    jcm's default (del^4 on rotation, del^2 on divergence) takes a fifth off the height anomalies at T21.
    """
    from jcm.diffusion import DiffusionFilter

    hours, order = 2.4 * 3600.0, 4
    return DiffusionFilter(
        div_timescale=hours, div_order=order, vor_q_timescale=hours, vor_q_order=order,
        temp_timescale=hours, temp_order=order,
    )  # fmt: skip


def _at_rest(model: Any, seed: int) -> Any:
    """jcm's isothermal state, its surface pressure hydrostatic with the ground: the model keeps its air for ever."""
    from jcm.constants import p0, rd

    state = model.initial_state(random_seed=seed)
    fall = np.log(SEA_LEVEL_PRESSURE / p0) - np.asarray(model.terrain.phis0) / (rd * REST_TEMPERATURE)
    correction = model.coords.horizontal.to_modal(fall)[None]
    return state.replace(log_surface_pressure=state.log_surface_pressure + correction)


def _geography(coords: Any, terrain: Any) -> Geography:
    return Geography(
        latitude=np.degrees(np.asarray(coords.horizontal.latitudes, np.float64))[::-1],
        longitude=np.degrees(np.asarray(coords.horizontal.longitudes, np.float64)),
        sigma=np.asarray(coords.vertical.centers, np.float64),
        surface_geopotential=_north_first(terrain.phis0),
        land_fraction=np.clip(_north_first(terrain.fmask), 0.0, 1.0),
    )


def _north_first(field: Any) -> Floats:
    """jcm's [..., longitude, latitude], south first, as [..., latitude, longitude], north first, float64."""
    return np.flip(np.swapaxes(np.asarray(field, np.float64), -1, -2), axis=-2)
