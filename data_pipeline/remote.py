"""Zarr stores and files by path or URL, read with patience: the one place that knows fsspec.

``gs://`` and ``s3://`` are read without an account, ``http(s)://`` through the proxy of the environment, if any.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import fsspec
import fsspec.asyn
import xarray as xr
from zarr.abc.store import RangeByteRequest, Store
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import FsspecStore, WrapperStore

from data_pipeline.addresses import is_url
from data_pipeline.errors import DataError
from data_pipeline.retries import patiently, status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

_NOT_THERE = 404
_SILENCE = 60.0
"""Seconds without a byte after which a server counts as gone."""


def open_zarr_store(path: str | Path) -> xr.Dataset:
    """Open a zarr store (format 2 or 3) by path or URL, indexed lazily and without dask, labels as they are.

    Raises
    ------
    DataError
        If nothing is there, it is no zarr store, the server gives up, or a package for its protocol is missing.
    """
    store: Any = remote_store(str(path)) if is_url(path) else Path(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata", RuntimeWarning)
            dataset = xr.open_dataset(store, engine="zarr", chunks=None, cache=False, decode_timedelta=False)
    except FileNotFoundError as error:
        raise DataError(
            f"no zarr store at {path}; check the address, it ends where .zmetadata or zarr.json is"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"cannot read {path} as zarr or NetCDF ({reason}); is it complete?") from error
    if not dataset.variables and is_url(path):
        raise DataError(
            f"{path} lists no variables: it has no consolidated metadata, and its server lists no folders; make them "
            "with zarr.consolidate_metadata"
        )
    return dataset


def remote_store(url: str) -> RetryingStore:
    """The zarr store at an address, whose requests are made again where that can help.

    Raises
    ------
    DataError
        If the protocol is unknown or its package is missing.
    """
    with _naming_the_package(url):
        store = FsspecStore.from_url(url.rstrip("/"), storage_options=_options(url), read_only=True)
    return RetryingStore(store, url.rstrip("/"))


class RetryingStore(WrapperStore[Store]):
    """A store that asks again when a server is busy or a connection drops, and then raises a DataError.

    Only an answer that there is no such key (404) makes a missing chunk, which reads as the fill value.
    """

    def __init__(self, store: Store, url: str = "") -> None:
        super().__init__(store)
        self.url = url

    def _with_store(self, store: Store) -> RetryingStore:
        return type(self)(store, self.url)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """The bytes of ``key``, or None where there is no such key."""
        return await patiently(f"{self.url}/{key}", lambda: self._store.get(key, prototype, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """The bytes of parts of keys, in order."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, part in requests:
            yield key, await self.get(key, prototype, part)

    async def exists(self, key: str) -> bool:
        """Whether there is such a key; fsspec takes any refusal for a no."""
        return await self.get(key, default_buffer_prototype(), RangeByteRequest(0, 1)) is not None

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """The names directly below ``prefix``, where the server tells them."""

        async def names() -> list[str]:
            return [name async for name in self._store.list_dir(prefix)]

        for name in await patiently(f"{self.url}/{prefix}", names):
            yield name


def local_copy(url: str, folder: Path | None = None) -> Path:
    """A file at an address, copied whole into ``folder`` unless the same version of it is there already.

    By default the folder is ``sphercast`` in the user's cache (``XDG_CACHE_HOME``).

    Raises
    ------
    DataError
        If nothing is there, the server gives up, or a package for its protocol is missing.
    """
    folder = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sphercast"
    folder.mkdir(parents=True, exist_ok=True)
    with _naming_the_package(url):
        files, path = fsspec.url_to_fs(url, **_options(url))
    copy: Path = fsspec.asyn.sync(fsspec.asyn.get_loop(), _copied, files, path, folder)
    return copy


async def _copied(files: Any, path: str, folder: Path) -> Path:
    details = await patiently(path, lambda: _details(files, path))
    described = "\n".join([path, *(f"{name}: {details[name]}" for name in sorted(details))])
    copy = folder / f"{hashlib.sha256(described.encode()).hexdigest()[:16]}-{Path(urlsplit(path).path).name}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=folder, prefix=".copy-") as unfinished:
            part = Path(unfinished) / "part"
            await patiently(path, lambda: files._get_file(path, str(part)))  # noqa: SLF001
            part.replace(copy)
    return copy


async def _details(files: Any, path: str) -> dict[str, Any]:
    """Size, version and date of a file, as far as the server tells them."""
    try:
        details = await files._info(path)  # noqa: SLF001
    except FileNotFoundError as error:
        refusal = error.__cause__  # fsspec takes any refusal for a missing file
        if isinstance(refusal, Exception) and status(refusal) != _NOT_THERE:
            raise refusal from None
        raise
    return dict(details)


def _options(url: str) -> dict[str, Any]:
    protocol = urlsplit(url).scheme
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE, sock_read=_SILENCE)
    web = {"client_kwargs": {"trust_env": True, "timeout": timeout}}
    anonymous: dict[str, dict[str, Any]] = {
        "gs": {"token": "anon"},
        "gcs": {"token": "anon"},
        "s3": {"anon": True},
        "http": web,
        "https": web,
    }
    return anonymous.get(protocol, {})


@contextmanager
def _naming_the_package(url: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DataError(f"{url} cannot be opened ({error}); run: pip install 'sphercast[cloud]'") from error
    except ValueError as error:
        raise DataError(f"{url} cannot be opened ({error}); expected gs://, s3://, https:// or a path") from error
