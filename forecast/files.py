"""All files of a forecast, its fields and its products: their names, where they are written to, and their checks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from data_pipeline.errors import ConfigError
from forecast.output import OutputConfig, open_sinks, planned, verify
from forecast.output.layout import select
from forecast.products import ProductsConfig
from forecast.products.layout import plan
from forecast.products.sink import ProductsSink
from forecast.products.source import Source
from forecast.products.verify import verify_products

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.guards import Stop
    from forecast.output import EnsembleLayout, Sink
    from forecast.output.layout import Selection

FileConfig = OutputConfig | ProductsConfig
"""One file, or one a member."""


def file_names(configs: Sequence[FileConfig], layout: EnsembleLayout, attributes: Mapping[str, str]) -> list[str]:
    """The names of all files; ``attributes`` as for ``open_files``.

    Raises
    ------
    ConfigError, DataError
        If two have the same name, or the forecast does not have what is asked for.
    """
    names = [name for name, _, _ in planned(_fields(configs), layout)]
    for config, selection in _products(configs, layout):
        plan(Source.running(selection, attributes), config)
        if config.name in names:
            raise ConfigError(f"two outputs are called {config.name}; give each a name of its own")
        names.append(config.name)
    return names


def open_files(
    configs: Sequence[FileConfig], layout: EnsembleLayout, attributes: Mapping[str, str], work: Path, committed: int
) -> list[Sink]:
    """The sinks of all files, as ``open_sinks``, which says what is raised."""
    with ExitStack() as undo:
        sinks = open_sinks(_fields(configs), layout, attributes, work, committed)
        for sink in sinks:
            undo.callback(sink.close)
        for config, selection in _products(configs, layout):
            sinks.append(ProductsSink(work / config.name, selection, config, attributes, committed))
            undo.callback(sinks[-1].close)
        undo.pop_all()
    return sinks


def verify_files(
    configs: Sequence[FileConfig], layout: EnsembleLayout, attributes: Mapping[str, str], folder: Path,
    stopped: Mapping[int, Stop],
) -> None:  # fmt: skip
    """Read all finished files back; a DataError if one is not as planned."""
    verify(_fields(configs), layout, folder, stopped)
    for config, selection in _products(configs, layout):
        verify_products(folder / config.name, selection, config, attributes, stopped)


def _fields(configs: Sequence[FileConfig]) -> list[OutputConfig]:
    return [config for config in configs if isinstance(config, OutputConfig)]


def _products(configs: Sequence[FileConfig], layout: EnsembleLayout) -> list[tuple[ProductsConfig, Selection]]:
    """Products are of what the first output with fields of all members holds, or else of the whole forecast."""
    main = next((config for config in _fields(configs) if config.is_whole), OutputConfig())
    selection = select(layout, main)
    return [(config, selection) for config in configs if isinstance(config, ProductsConfig)]
