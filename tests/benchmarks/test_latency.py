"""The latency model, the prefix cache and the ideal schedule: pure functions, no clock."""

from __future__ import annotations

import pytest

from benchmarks.latency import BLOCK, CHARACTERS, Latency, PrefixCache, Task, ideal, tokens_of
from benchmarks.measure import tasks_of
from benchmarks.replies import needs_of, reply_to
from benchmarks.report import TARGETS, beyond_http
from benchmarks.speed import tokens
from benchmarks.text import NEEDLE, paragraphs
from memreader.structured import contract, parse
from memreader_strategies.map_reduce.records import QaRecord
from tests.benchmarks.results import result


def test_a_call_of_four_thousand_tokens_takes_about_two_seconds() -> None:
    """Round trip, prefill of what is not cached, decode; all of it scaled."""
    assert pytest.approx(2.1, abs=0.05) == Latency().seconds(4050, 0, 25)
    assert pytest.approx(0.21, abs=0.005) == Latency(scale=0.1).seconds(4050, 0, 25)
    assert pytest.approx(0.05) == Latency().seconds(4000, 4000, 0)


def test_the_prefix_cache_counts_whole_blocks_of_the_longest_common_beginning() -> None:
    """Shared text elsewhere than at the beginning does not count."""
    cache, size = PrefixCache(), BLOCK * CHARACTERS
    shared = "a" * (2 * size + size // 2)
    assert 0 == cache.cached(shared)
    cache.keep(shared + "b" * size)
    assert 2 * BLOCK == cache.cached(shared + "c" * size)
    assert 0 == cache.cached("c" + shared)


def test_the_prefix_cache_forgets_what_was_used_longest_ago() -> None:
    """A common beginning that is used again and again outlives the rest of the prompts."""
    cache, size = PrefixCache(blocks=4), BLOCK * CHARACTERS
    cache.keep("a" * size + "b" * size)
    cache.keep("a" * size + "c" * size)
    cache.keep("a" * size + "d" * size)
    cache.keep("a" * size + "e" * size)
    assert BLOCK == cache.cached("a" * size + "b" * size)
    assert 2 * BLOCK == cache.cached("a" * size + "e" * size)


def test_independent_calls_are_packed_onto_the_slots() -> None:
    """Five calls of two seconds on two slots: three rounds."""
    assert pytest.approx(6.0) == ideal([Task(2.0)] * 5, slots=2)
    assert pytest.approx(3.0) == ideal([Task(3.0), Task(1.0), Task(1.0)], slots=2)
    assert 0.0 == ideal([], slots=2)


def test_a_call_waits_for_the_replies_it_shows() -> None:
    """A last call over three others adds its own time to theirs."""
    maps = [Task(2.0), Task(2.0), Task(2.0)]
    assert pytest.approx(2.5) == ideal([*maps, Task(0.5, (0, 1, 2))], slots=32)
    assert pytest.approx(2.0) == ideal([*maps, Task(0.5)], slots=32)


def test_a_last_call_that_shows_some_replies_waits_for_all() -> None:
    """What a reply told the client is not always shown: that it tells nothing, for instance."""
    calls = [
        {"number": 0, "seconds": 1.0, "needs": []},
        {"number": 1, "seconds": 3.0, "needs": []},
        {"number": 2, "seconds": 0.5, "needs": [0]},
    ]
    assert [Task(1.0), Task(3.0), Task(0.5, (0, 1))] == tasks_of(calls)
    assert [Task(1.0), Task(3.0)] == tasks_of(calls[:2])


def test_replies_keep_the_contract_and_name_their_call() -> None:
    """A passage with a needle gives a quote of it, any other the marker for nothing."""
    asked = contract(QaRecord, "labelled")
    with_needle = f"Read.\n\n{asked}\n\nSome words. {NEEDLE} Ines Harrow, as entry 5 has it. More."
    reply = reply_to(with_needle, 17)
    record = parse(reply, QaRecord)
    assert f"- {NEEDLE} Ines Harrow, as entry 5 has it." == record.information
    assert (17,) == needs_of(reply)
    assert "[NO INFORMATION]" == parse(reply_to(f"Read.\n\n{asked}\n\nWords.", 3), QaRecord).answer


def test_a_text_is_the_same_for_a_seed_and_of_the_size_asked_for() -> None:
    """Nine paragraphs in ten are unlike any other, so that no cache can help with them."""
    blocks = list(paragraphs(50_000))
    assert list(paragraphs(50_000)) == blocks
    assert pytest.approx(50_000, rel=0.02) == tokens_of("\n\n".join(blocks))
    assert len(set(blocks)) == len(blocks)


def test_cpu_beyond_http_leaves_start_up_out() -> None:
    """The slope between few calls and many, less that of the bare loop."""
    rows = [
        result("bare", calls=10, cpu=0.21),
        result("bare", calls=110, cpu=0.31),
        result("ours", calls=10, cpu=0.72),
        result("ours", calls=110, cpu=1.02),
    ]
    assert {"bare": 0.0, "ours": pytest.approx(2.0)} == beyond_http(rows)
    assert {} == beyond_http(rows[2:])


def test_sizes_are_written_as_people_write_them() -> None:
    """50k, 1m and plain figures; the targets stand at the default sizes."""
    assert [50_000, 1_000_000, 4000] == [tokens(size) for size in ("50k", "1M", "4000")]
    assert set(TARGETS) == {tokens(size) for size in ("50k", "200k", "1m")}
