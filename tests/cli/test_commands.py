"""The other commands, and what starting costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memreader.contract import QUESTION
from memreader.stores import Stores
from memreader.testing import MisbehavingServer
from tests.cli.conftest import Run, environment, oracle

pytestmark = pytest.mark.slow

HEAVY = {"torch", "chromadb", "llama_index", "sentence_transformers", "xllamacpp", "anthropic"}
LATER = {"httpx2", "tiktoken", "pypdfium2", "pypdf", "selectolax", "rapidfuzz", "genai_prices"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import memreader", HEAVY | LATER | {"pydantic", "rich", "typer", "anyio"}),
        ("import memreader; memreader.ask, memreader.Reader", HEAVY | LATER),
        ("import memreader.cli, sys; memreader.cli.run(['--help'])", HEAVY | LATER | {"pydantic"}),
    ],
)
def test_starting_loads_nothing_heavy(code: str, absent: set[str]) -> None:
    """Import and --help load none of the heavy libraries, nor those of single tasks."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    run = subprocess.run
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}
    assert not loaded & absent


def test_the_plan_is_made_without_a_call(memreader: Run, ledger: Path) -> None:
    """Calls, tokens, money and critical path of every strategy; the server is asked nothing."""
    with MisbehavingServer(oracle) as server:
        model = ["-m", f"openai-compatible:{server.url}#test"]
        done = memreader("plan", ledger, QUESTION, "--json", *model)
        assert not server.requests
    rows = {row["strategy"]: row for row in json.loads(done.stdout)}
    assert set(rows) >= {"map_reduce", "full_context"}
    low, expected, high = rows["map_reduce"]["calls"]
    assert 0 < low <= expected <= high
    assert rows["map_reduce"]["cost_usd"] == [0.0, 0.0, 0.0]


def test_the_plan_says_what_it_assumes(memreader: Run, ledger: Path) -> None:
    """Before the probe: the form of replies, and the calls that the first question makes more."""
    with MisbehavingServer(oracle) as server:
        model = ["-m", f"openai-compatible:{server.url}#test"]
        before = memreader("plan", ledger, QUESTION, *model)
        memreader("doctor", *model)
        after = memreader("plan", ledger, QUESTION, *model)
    assert "labelled replies are assumed" in before.stdout
    assert "up to 7 calls more" in before.stdout
    assert "assumed" not in after.stdout


def test_a_plan_without_a_probe_goes_by_no_earlier_one(
    memreader: Run, ledger: Path, tmp_path: Path
) -> None:
    """As the reading does, which then assumes labelled replies."""
    unprobed = {**environment(tmp_path), "MEMREADER_PROBE": "false"}

    def wire(**how: Any) -> str:
        made = memreader("plan", ledger, QUESTION, "--json", *model, **how)
        return str(json.loads(made.stdout)[0]["wire"])

    with MisbehavingServer(lambda body: "Three is a number.") as server:
        model = ["-m", f"openai-compatible:{server.url}#test"]
        memreader("doctor", *model)
        assert ("plain", "labelled") == (wire(), wire(env=unprobed))


def test_an_option_without_its_strategy_is_refused(memreader: Run, ledger: Path) -> None:
    """It would be passed over in silence."""
    done = memreader("plan", ledger, QUESTION, "-o", "chunk_size=900")
    assert done.returncode == 2
    assert "name it with -s" in done.stderr


def test_models_says_whether_the_configured_one_can_be_used(memreader: Run) -> None:
    """Its server is asked, and the reason given where nothing is there."""
    with MisbehavingServer(oracle) as server:
        name = f"openai-compatible:{server.url}#test"
        up = memreader("models", env={**os.environ, "MEMREADER_MODEL": name})
    down = memreader("models", env={**os.environ, "MEMREADER_MODEL": name})
    assert "can be used: window" in up.stdout
    assert "CANNOT BE USED: Nothing answers" in down.stdout


def test_strategies_are_listed_with_their_options(memreader: Run) -> None:
    """Names, options, defaults and what they mean."""
    out = memreader("strategies").stdout
    assert "map_reduce: LLM×MapReduce" in out
    assert "chunk_size = 4096  Tokens of a map call in all" in out


def test_the_doctor_names_what_works(memreader: Run) -> None:
    """A healthy server: every line is ok, and the result is kept for readings."""
    with MisbehavingServer(oracle) as server:
        done = memreader("doctor", "-m", f"openai-compatible:{server.url}#test")
    assert "Usage is reported" in done.stdout
    assert "window 8,192 tokens" in done.stdout


def test_the_cache_can_be_shown_and_deleted(memreader: Run, ledger: Path) -> None:
    """Runs and calls are listed; delete removes them."""
    with MisbehavingServer(oracle) as server:
        memreader(
            "ask", ledger, QUESTION, "--no-probe", "-m", f"openai-compatible:{server.url}#test"
        )
    assert QUESTION in memreader("cache", "show").stdout
    memreader("cache", "delete", "--yes")
    assert " 0 calls" in memreader("cache", "show").stdout


def test_money_is_asked_for_before_it_is_spent(
    memreader: Run, ledger: Path, tmp_path: Path
) -> None:
    """Off a terminal a dear plan stops with exit 2; --yes and a cap let it go on."""
    prices = tmp_path / "prices.toml"
    with MisbehavingServer(oracle) as server:
        name = f"openai-compatible:{server.url}#test"
        table = "input = 900.0\ncached_input = 900.0\noutput = 900.0\n"
        prices.write_text(f'["{name}"]\n{table}', "utf-8")
        (tmp_path / "memreader.toml").write_text(f'prices = "{prices}"\nprobe = false\n', "utf-8")
        refused = memreader("ask", ledger, QUESTION, "-m", name)
        assert (2, []) == (refused.returncode, server.requests)
        assert "--yes" in refused.stderr
        allowed = memreader("ask", ledger, QUESTION, "-m", name, "--yes", "--json")
        assert json.loads(allowed.stdout)["cost_usd"] > 1
        capped = memreader(
            "ask", ledger, QUESTION, "-m", name, "--max-cost", "9", "--fresh", "--json"
        )
    assert 0 < json.loads(capped.stdout)["cost_usd"] <= 9


def test_settings_go_flag_environment_project_user(
    memreader: Run, ledger: Path, tmp_path: Path
) -> None:
    """A wrong value is reported with the place it came from."""
    (tmp_path / "memreader.toml").write_text("max_calls = -1\n", "utf-8")
    done = memreader("ask", ledger, QUESTION, "-m", "local")
    assert done.returncode == 2
    assert "memreader.toml" in done.stderr


@pytest.mark.parametrize("command", [["doctor"], ["cache", "show"], ["memory", "runs"]])
def test_a_home_that_cannot_be_used_is_said(
    memreader: Run, tmp_path: Path, command: list[str]
) -> None:
    """A file stands where MEMREADER_HOME points: one line, and no traceback."""
    (tmp_path / "home").write_text("a file")
    with MisbehavingServer(oracle) as server:
        model = f"openai-compatible:{server.url}#test"
        done = memreader(*command, *(["-m", model] if command == ["doctor"] else []))
    assert done.returncode in (1, 2)
    assert "Set MEMREADER_HOME" in (done.stdout + done.stderr).splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("project", ["tool = 3\n", "[tool]\nmemreader = 3\n"])
def test_settings_from_an_editor_of_windows(memreader: Run, tmp_path: Path, project: str) -> None:
    """A byte order mark is no part of the file; another's odd pyproject.toml is passed over."""
    (tmp_path / "memreader.toml").write_text('\ufeffmodel = "nobody:x"\n', "utf-8")
    (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    done = memreader("models")
    assert (0, "") == (done.returncode, done.stderr)
    assert "Set as the model: nobody:x" in done.stdout


def test_the_doctor_tries_the_embedding_model_and_the_store_that_are_set(memreader: Run) -> None:
    """What works is said with its fingerprint; what does not is a finding, and the exit code 1."""
    with MisbehavingServer(lambda body: "x") as server:
        spec = f"openai-compatible:{server.url}#test"
        given = ("-m", spec, "--embedder", spec, "--store", "http://127.0.0.1:9")
        done = memreader("doctor", *given)
    assert f"Embedding model: {spec} ({spec}, 64 dimensions, normalised, works)." in done.stdout
    assert "Vector store http://127.0.0.1:9 CANNOT BE USED" in done.stdout
    assert done.returncode == 1


def test_the_cache_shows_and_deletes_embeddings(memreader: Run, tmp_path: Path) -> None:
    """They are counted by model, and can be deleted without the calls."""
    cache = Stores(tmp_path / "home").embeddings()
    cache.put("some model", {b"a": [1.0], b"b": [2.0]})
    shown = memreader("cache", "show").stdout
    assert "2 embeddings" in shown
    assert "2 by some model" in shown
    assert "Deleted 2 embeddings." in memreader("cache", "delete", "--embeddings", "--yes").stdout
    assert 0 == cache.count()


def test_models_names_the_embedding_model_in_force(memreader: Run, tmp_path: Path) -> None:
    """Or says that there is none, or that it cannot be used."""
    for setting, told in (("none", "model: none"), ("opnai:x", "model opnai:x CANNOT BE USED")):
        env = {**environment(tmp_path), "MEMREADER_EMBEDDER": setting}
        assert f"Embedding {told}" in memreader("models", env=env).stdout
