"""The viewer's server, its export and its command: what they give, and what they refuse."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from data_pipeline.errors import DataError
from evaluation.viewer import export as exporting
from evaluation.viewer import server
from evaluation.viewer.catalogue import Selection
from evaluation.viewer.export import export, size_of
from evaluation.viewer.files import page_files
from evaluation.viewer.pieces import Pieces
from forecast.cli import app
from tests.evaluation.viewed import Opened, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

uvicorn = pytest.importorskip("uvicorn", reason="the viewer's server is an extra")

SMALL = Selection(variables=("2m_temperature",), members=(), leads=(24.0,))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("viewed") / "forecast.nc")


@contextmanager
def serving(pieces: Pieces) -> Iterator[int]:
    """The port of a server in another thread."""
    listener = server.listen(None)
    listener.listen()
    config = uvicorn.Config(server.app(pieces), log_level="critical", lifespan="off", ws="none")
    own = uvicorn.Server(config)
    thread = threading.Thread(target=own.run, kwargs={"sockets": [listener]})
    thread.start()
    while not own.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    own.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def port(path: Path) -> Iterator[int]:
    pieces = Pieces(path, SMALL)
    with serving(pieces) as own:
        yield own
    pieces.close()


def asked(port: int, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the target goes out as it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, target, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_the_page_and_its_pieces_are_served(port: int) -> None:
    status, headers, body = asked(port, "/")
    assert (status, body) == (200, page_files()["index.html"])
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert asked(port, "/pieces/meta.js")[0] == 200
    assert asked(port, "/vendor/d3-geo.min.js")[1]["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "target",
    [
        "/../forecast.nc", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/pieces/../meta.js", "/pieces/../../x.js",
        "//etc/passwd", "/pieces/meta", "/pieces/.js", "/pieces/field/a/0/0/9/mean.js", "/server.py", "/static/app.js",
        "/pieces/field/a/0/0/0/m0.js", "/vendor/", "/vendor/../server.py", "/index.html%00",
        "/pieces/%2fetc%2fpasswd.js",
    ],
)  # fmt: skip
def test_nothing_else_is_served(port: int, target: str) -> None:
    status, headers, body = asked(port, target)
    assert (status, body) == (404, b"no such piece of the viewer")
    assert "content-security-policy" in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"])
def test_another_name_of_the_host_is_refused(port: int, host: str) -> None:
    assert asked(port, "/pieces/meta.js", Host=host)[0] == 400
    assert asked(port, "/pieces/meta.js", Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_pages_of_other_sites_cannot_load_pieces(port: int, site: str, status: int) -> None:
    assert asked(port, "/pieces/meta.js", Sec_Fetch_Site=site)[0] == status


def test_links_to_the_page_can_be_followed_and_frames_cannot(port: int) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert asked(port, "/", **followed, Sec_Fetch_Dest="document")[0] == 200
    assert asked(port, "/", **followed, Sec_Fetch_Dest="iframe")[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_there_is_nothing_to_change(port: int, method: str) -> None:
    assert asked(port, "/", method)[0] == 405


def test_only_loopback_is_bound() -> None:
    with server.listen(None) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert server.address(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_port_that_is_taken_is_refused_and_the_usual_one_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=f"port {port} on 127.0.0.1 cannot be had"):
            server.listen(port)
        monkeypatch.setattr(server, "USUAL_PORT", port)
        with server.listen(None) as other:
            assert other.getsockname()[1] != port


def test_without_the_extra_the_export_is_named(monkeypatch: pytest.MonkeyPatch, path: Path, opened: Opened) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(DataError, match=r"needs uvicorn; install 'sphercast\[view\]', or write the page with --export"):
        server.app(opened(path, SMALL))


def test_serve_tells_its_address_and_ends_when_asked(
    path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: told.append(str(sockets[0].getsockname()[1])))
    with server.listen(None) as listener:
        server.serve(opened(path, SMALL), listener, told.append)
        assert told == [server.address(listener), str(listener.getsockname()[1])]


def files_below(folder: Path) -> dict[str, bytes]:
    return {own.relative_to(folder).as_posix(): own.read_bytes() for own in folder.rglob("*") if own.is_file()}


def test_an_export_is_what_the_server_gives(path: Path, port: int, tmp_path: Path, opened: Opened) -> None:
    pieces, folder = opened(path, SMALL), tmp_path / "page"
    assert export(pieces, folder, print)
    found = files_below(folder)
    del found["made-from.json"]
    assert {name.removesuffix(".js").removeprefix("pieces/") for name in found if name.startswith("pieces/")} == {
        *pieces.keys()
    }
    for name, content in found.items():
        alike = content.replace(b'"anywhere":false', b'"anywhere":true')  # a server makes the meteogram of any place
        assert asked(port, f"/{name}")[2] == alike
    assert abs(size_of(pieces) - sum(map(len, found.values()))) < 0.35 * size_of(pieces)
    assert not [own for own in tmp_path.iterdir() if own != folder]


def test_a_finished_export_is_left_and_another_refused(path: Path, tmp_path: Path, opened: Opened) -> None:
    folder = tmp_path / "page"
    assert export(opened(path, SMALL), folder, print)
    before = folder.stat().st_mtime_ns
    assert not export(opened(path, SMALL), folder, print)
    assert folder.stat().st_mtime_ns == before
    with pytest.raises(DataError, match="a viewer of other data or other choices"):
        export(opened(path, Selection(members=())), folder, print)
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="is there already and is no viewer"):
        export(opened(path, SMALL), tmp_path / "mine", print)


def test_an_export_that_was_stopped_goes_on(
    path: Path, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, made = opened(path, SMALL), []
    make = pieces.make

    def failing(key: str, **how: bool) -> bytes | None:
        made.append(key)
        if len(made) == 9:
            raise KeyboardInterrupt
        return make(key, **how)

    monkeypatch.setattr(pieces, "make", failing)
    with pytest.raises(KeyboardInterrupt):
        export(pieces, tmp_path / "page", print)
    assert not (tmp_path / "page").exists()
    stopped = list(made)
    made[:] = ["again"] * 20
    assert export(pieces, tmp_path / "page", print)
    assert not set(made) & {own for own in stopped[1:-1] if own != "meta"}
    (tmp_path / ".other.partial").mkdir()
    (tmp_path / ".other.partial" / "old.js").write_text("of another forecast")
    assert export(opened(path, SMALL), tmp_path / "other", print)
    assert files_below(tmp_path / "page") == files_below(tmp_path / "other")


def test_a_large_export_tells_its_size_first_and_needs_room(
    path: Path, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(exporting, "LARGE", 1000)
    assert export(opened(path, SMALL), tmp_path / "page", told.append)
    assert "takes about 1 MB; --members none, fewer --variables" in told[0]
    monkeypatch.setattr(exporting, "size_of", lambda pieces: 10**18)
    with pytest.raises(DataError, match=r"takes about \d+ MB, and the disk has \d+ MB left; --members none"):
        export(opened(path, SMALL), tmp_path / "more", told.append)


def test_the_command_writes_and_says_what_is_there(path: Path, tmp_path: Path) -> None:
    command = ["view", str(path), "--export", str(tmp_path / "page"), "--variables", "geopotential", "--levels", "500"]
    command += ["--members", "0,2", "--leads", "24,120"]
    first, second = (CliRunner().invoke(app, command, catch_exceptions=False) for _ in range(2))
    assert first.output == f"viewer: {tmp_path / 'page' / 'index.html'}\n"
    assert second.output.endswith("there already; nothing to do\n")
    offered = json.loads((tmp_path / "page" / "made-from.json").read_text())["offered"]
    assert '"m0"' in offered
    assert '"m1"' not in offered


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--levels", "high"], "got --levels high, expected numbers joined by commas"),
        (["--variables", " ,"], "got --variables ' ,', expected names joined by commas"),
        (["--members", "9"], "no member 9 in this forecast"),
        (["--export", "x", "--port", "8000"], "--export writes files and serves nothing"),
        (["--export", "x", "--climatology", "sample"], "an export has no climate in its meteograms; leave"),
        (["--climatology", "absent.nc"], "no such file or store: absent.nc"),
        (["--against", "absent.nc"], "neither a forecast nor an analysis"),
        (["--init", "1999-01-01"], "has no forecast from 1999-01-01"),
    ],
)
def test_the_command_refuses_in_one_sentence(path: Path, options: list[str], words: str) -> None:
    with pytest.raises(DataError) as error:
        CliRunner().invoke(app, ["view", str(path), *options], catch_exceptions=False)
    assert words in str(error.value)


def test_the_command_serves_until_it_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browsers: list[str] = []

    def stopped(self: object, sockets: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", stopped)
    monkeypatch.setattr("webbrowser.open", browsers.append)
    shown = CliRunner().invoke(app, ["view", str(path)], catch_exceptions=False)
    assert shown.output == f"viewer: {browsers[0]} (Ctrl-C ends it)\nviewer: ended\n"
    CliRunner().invoke(app, ["view", str(path), "--no-open"], catch_exceptions=False)
    assert len(browsers) == 1
