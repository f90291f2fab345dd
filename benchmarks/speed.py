"""Measure side by side: `python -m benchmarks.speed --peers VENV` (README.md beside this)."""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from benchmarks import text
from benchmarks.measure import Failed, Repeats, Result, killed, run, server
from benchmarks.parties import PARTIES, TEXT, Job, Party
from benchmarks.report import Report

T = TypeVar("T")
SIZES = "50k,200k,1m"
MEMORY = (1_000_000, 10_000_000)


def tokens(size: str) -> int:
    """Tokens as people write them: 50k, 1m, 4000."""
    bare = size.strip().casefold()
    factor = {"k": 1_000, "m": 1_000_000}.get(bare[-1:], 1)
    return int(float(bare.rstrip("km")) * factor)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of one benchmark run."""

    folder: Path
    slots: int
    scale: float
    peers: Path | None
    repeat: int

    def file(self, size: int) -> Path:
        """The text of this many tokens, made on first use."""
        path = self.folder / f"{size}.txt"
        if not path.exists():
            text.write(path, size)
        return path

    def reading(self, party: Party, size: int) -> Result:
        """The median of the repetitions by wall, each on a new server with a new home."""
        found = [self._with(party, size, lambda job: run(party, job, size))
                 for _ in range(self.repeat)]  # fmt: skip
        middle = statistics.median_low([r.wall for r in found])
        walls = tuple(r.wall for r in found)
        return replace(next(r for r in found if r.wall == middle), walls=walls)

    def warm(self, party: Party, size: int) -> Result:
        """A quick reading that is not counted: sources are compiled, files are in memory."""
        return replace(self, scale=0.001, repeat=1).reading(party, size)

    def kill(self, party: Party, size: int) -> Repeats:
        """A reading that is killed half way, and again."""
        half = max(1, size // TEXT // 2)
        return self._with(party, size, lambda job: killed(party, job, size, after=half))

    def _with(self, party: Party, size: int, do: Callable[[Job], T]) -> T:
        with ExitStack() as stack:
            home = stack.enter_context(tempfile.TemporaryDirectory())
            served = server(slots=self.slots, scale=self.scale, props=party.props)
            url = stack.enter_context(served)
            bytecode = self.folder / "bytecode"
            return do(Job(url, self.file(size), self.slots, Path(home), bytecode, self.peers))


def measure(given: argparse.Namespace, bench: Bench, report: Report) -> None:
    """All that was asked for, one process at a time; a party that fails is reported."""
    parties = _chosen(given.parties, given.peers)
    for party in parties:
        _tried(report, [], bench.warm, party, 2 * TEXT)
    for size in map(tokens, given.sizes.split(",") if given.sizes else ()):
        for party in parties:
            _tried(report, report.results, bench.reading, party, size)
    if given.kill:
        for party in parties:
            _tried(report, report.repeats, bench.kill, party, tokens(given.kill))
    if given.memory:
        quick = replace(bench, scale=0.001, repeat=1)
        for party in (p for p in parties if p.name.startswith("memreader")):
            for size in MEMORY:
                _tried(report, report.memory, quick.reading, party, size)


def _tried(
    report: Report, found: list[T], do: Callable[[Party, int], T], party: Party, size: int
) -> None:
    print(f"{party.name}, {size:,} tokens …", file=sys.stderr, flush=True)
    try:
        found.append(do(party, size))
    except Failed as error:
        report.failures.append(f"{party.name}, {size:,} tokens: {error}")
        print(error, file=sys.stderr)


def _chosen(names: str, peers: Path | None) -> list[Party]:
    wanted = names.split(",") if names else list(PARTIES)
    unknown = sorted(set(wanted) - set(PARTIES))
    if unknown:
        raise SystemExit(f"No party named {unknown[0]!r}. Parties: {', '.join(PARTIES)}.")
    return [PARTIES[name] for name in wanted if peers or not PARTIES[name].peer]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    add = parser.add_argument
    add("--sizes", default=SIZES, help=f"tokens of text, by commas ({SIZES}); empty for none")
    add("--parties", default="", help=f"by commas: {', '.join(PARTIES)}")
    add("--peers", type=Path, help="virtual environment with peers/requirements.txt installed")
    add("--scale", type=float, default=1.0, help="factor on all latencies")
    add("--slots", type=int, default=32, help="calls that the server answers at once")
    add("--repeat", type=int, default=1, help="readings of each; the median by wall is shown")
    add("--kill", metavar="SIZE", help="also kill -9 half way through a text of this size")
    add("--memory", action="store_true", help="also memreader's peak memory at 1 M and 10 M")
    add("--json", type=Path, help="write all figures here")
    return parser


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measure, print Markdown, write JSON."""
    given = _parser().parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    report = Report(f"python -m benchmarks.speed {shlex.join(words)}".strip(), given.scale)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.slots, given.scale, given.peers, given.repeat)
        measure(given, bench, report)
    print(report.markdown())
    if given.json:
        given.json.write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")
    return report


if __name__ == "__main__":
    main()
