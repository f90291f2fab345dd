"""One tiny run of the whole benchmark, against a server of its own."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from benchmarks.speed import main

pytestmark = [pytest.mark.slow, pytest.mark.sources]
SIZE = "74k"
"""19 chunks of the bare loop, and one call that joins them."""


def test_every_call_of_the_bare_loop_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty calls, never more in flight than slots, and a table that says so."""
    path = tmp_path / "speed.json"
    report = main(
        ["--sizes", SIZE, "--parties", "bare", "--scale", "0.001", "--slots", "4",
         "--json", str(path)]
    )  # fmt: skip
    assert [] == report.failures
    (found,) = report.results
    assert 20 == found.calls
    assert found.in_flight <= 4
    assert 0 < found.first < found.wall
    assert 74_000 < found.prompt_tokens < 77_000
    assert "| 74,000 | bare |" in capsys.readouterr().out
    assert 20 == json.loads(path.read_text("utf-8"))["results"][0]["calls"]


@pytest.mark.skipif(
    not entry_points(group="memreader.strategies"), reason="needs the installed entry points"
)
def test_memreader_reads_every_chunk_once_and_repeats_nothing_after_a_kill() -> None:
    """As many answered calls as before are found in the journal by the second process."""
    report = main(
        ["--sizes", SIZE, "--parties", "memreader-estimate", "--scale", "0.001", "--slots", "4",
         "--kill", SIZE]
    )  # fmt: skip
    assert [] == report.failures
    (found,), (kill,) = report.results, report.repeats
    assert 19 <= found.calls <= 30
    assert found.in_flight <= 4
    # What the server had answered and the client not yet written down may be asked again.
    assert kill.repeated <= 4
