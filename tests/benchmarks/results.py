"""Results to test the report with."""

from __future__ import annotations

from benchmarks.measure import Result


def result(party: str, *, calls: int, cpu: float) -> Result:
    """A result of which only calls and CPU time matter."""
    return Result(
        party=party,
        tokens=1000 * calls,
        wall=2.0,
        ideal=1.0,
        first=0.1,
        calls=calls,
        prompt_tokens=4000 * calls,
        cached_tokens=400 * calls,
        output_tokens=20 * calls,
        cpu=cpu,
        rss_mb=40.0,
        in_flight=8,
        slots=8,
        others=0,
    )
