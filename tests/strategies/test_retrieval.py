"""Retrieval: the contract in each mode, and fidelity to ALR² and to what it promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from memreader.answer import NOT_FOUND, Answer, Draft
from memreader.bm25 import bm25
from memreader.budget import Limits
from memreader.chunking import chunk_document
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, StrategyContract, paged, with_pages
from memreader.document import Corpus, Document, Heading, Span
from memreader.errors import ConfigurationError, ServerFault, StoreInUse
from memreader.memory.embedding import Fingerprint, Vector
from memreader.prompts import Fence, PromptFiles
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.strategy import make
from memreader.testing import Oracle, WordCounter, WordEmbedder, a_model
from memreader_strategies.retrieval import Retrieval
from memreader_strategies.retrieval.pieces import Shelf, pieces, section_of
from memreader_strategies.retrieval.searching import fused
from memreader_strategies.retrieval.verifying import checked_numbers, checked_quotes
from tests.strategies.serial import ByCall, fenced

SIGNS = {
    "again": "You were asked this before",
    "quotes": "Copy the sentences that help",
    "ids": "Say which passages help",
    "rerank": "Put those that help to answer the question in order",
    "answer": "Answer the question from the evidence below",
}
WORDS = Retrieval(mode="bm25", passage_tokens=60, top_k=4)


class TestDense(StrategyContract):
    """As shipped, with an embedding model."""

    strategy = Retrieval()
    reads_everything = False


class TestBm25(StrategyContract):
    """By words alone."""

    strategy = Retrieval(mode="bm25")
    reads_everything = False


@pytest.mark.slow
class TestFusion(StrategyContract):
    """Both, ranks fused."""

    strategy = Retrieval(mode="fusion")
    reads_everything = False


@pytest.mark.slow
class TestExpanded(StrategyContract):
    """Small-to-big."""

    strategy = Retrieval(passage_tokens=60, top_k=4, expand="neighbours", expand_tokens=200)
    reads_everything = False


@pytest.mark.slow
class TestSections(StrategyContract):
    """Small-to-big within sections, reranked by the model."""

    strategy = Retrieval(passage_tokens=60, top_k=4, expand="section", rerank="model")
    reads_everything = False


@pytest.mark.slow
class TestIds(StrategyContract):
    """Evidence by passage numbers."""

    strategy = Retrieval(evidence="ids")
    reads_everything = False


@pytest.mark.slow
class TestAtOnce(StrategyContract):
    """No evidence call: what a plain retriever does."""

    strategy = Retrieval(evidence="off")
    reads_everything = False


def read(
    llm: Any, document: Document, strategy: Retrieval = WORDS, question: str = QUESTION, **how: Any
) -> Answer:
    """One reading in a window of 3,072 tokens."""
    model = a_model(llm, window=3072, wire=how.pop("wire", "labelled"))
    return Reader(model, strategy, probe=False, **how).ask(document, question)


def quoting(*lines: str, **more: Any) -> ByCall:
    """A model that gives these lines as evidence, and the right answer."""
    told = "Rationale: one tells it.\nEvidence:\n" + "\n".join(f"- {line}" for line in lines)
    said = {"quotes": lambda _: told, "answer": lambda _: f"Rationale: stated.\nAnswer: {ANSWER}"}
    return ByCall(SIGNS, **{**said, **more})


def shelf(document: Document, *, tokens: int = 20, budget: int = 4000) -> Shelf:
    """The passages of a document."""
    passages = list(chunk_document(document, tokens, WordCounter()))
    return Shelf(passages, Corpus((document,)), Fence("bbbbbbbbbb"), WordCounter().count, budget)


# --- evidence verified by code -------------------------------------------------------------


def test_the_answer_call_sees_the_verified_evidence_alone() -> None:
    """ALR²: an invented sentence is dropped, and the passages themselves are not shown again."""
    llm = quoting(f"[1] {NEEDLE}", "[1] Nobody at all signed it in the harbour office.")
    answer = read(llm, paged(20, needle_on=7))
    (prompt,) = llm.prompts["answer"]
    assert NEEDLE in prompt
    assert "Nobody at all" not in prompt
    assert "the clerk of ward" not in prompt
    assert (ANSWER, [7]) == (answer.text, [c.page for c in answer.citations])
    assert "Evidence verified: 1 of 2 (50%)." in answer.notes
    assert "Evidence verified: 1 of 2 (50%)." in answer.rationale


def test_a_quote_is_looked_up_in_the_passage_that_it_names() -> None:
    """Exactly, normalised and fuzzily there; elsewhere only word for word; a wrong figure never."""
    shown = shelf(with_pages([
        "The bridge was opened on the third of June by the old mayor.\n\n",
        "The lighthouse keeper counted 412 ships in the year of the storm.\n\n",
    ])).pieces([0])  # fmt: skip
    both = [*shown, replace(shown[0], label="passage 2", text="Nothing stands here.")]
    for line, found in (
        ("[1] The bridge was opened on the third of June", "exact"),
        ("[passage 1] the bridge was OPENED, on the third of june by", "normalised"),
        ("[1] The bridge was opened on the third of June by the old mayr", "fuzzy"),
        ("[2] The bridge was opened on the third of June", "exact"),
        ("[9] The bridge was opened on the third of June", "exact"),
        ("The bridge was opened on the third of June", "exact"),
        ("[2] The bridge was opened on the third of June by the old mayr", None),
        ("[1] The bridge was opened on the fourth of August by the mayor", None),
    ):
        checked = checked_quotes(f"- {line}", both)
        assert [found] if found else [] == [c.evidence.verified for c in checked.found], line
        assert (0 if found else 1) == len(checked.dropped), line


def test_a_quote_too_short_to_prove_anything_becomes_its_sentence() -> None:
    """A bare figure stands in many places; the sentence around it says what it is."""
    shown = shelf(Document("The keeper counted 412 ships in the storm. Rain fell.")).pieces([0])
    (cited,) = checked_quotes("- [1] 412", shown).found
    assert "The keeper counted 412 ships in the storm." == cited.evidence.quote


def test_evidence_that_stands_nowhere_is_asked_for_once_more() -> None:
    """The second prompt shows what was refused; the second reply counts."""
    llm = quoting(
        "[1] Somebody signed the paper at noon.",
        again=lambda p: f"Rationale: r\nEvidence:\n- {NEEDLE}",
    )
    answer = read(llm, paged(20, needle_on=7))
    assert ["quotes", "again", "answer"] == llm.order
    (again,) = llm.prompts["again"]
    assert "Somebody signed" in fenced(again, "lines that stand in no passage")
    assert ANSWER == answer.text


def test_evidence_that_stands_nowhere_twice_gives_no_answer() -> None:
    """Two calls, then not found: no answer is made up of nothing."""
    false = "[1] Somebody signed the paper at noon."
    llm = quoting(false, again=lambda _: f"Rationale: r\nEvidence:\n- {false}")
    answer = read(llm, paged(20, needle_on=7))
    assert (["quotes", "again"], "not_found", "") == (llm.order, answer.status, answer.text)


def test_passages_that_tell_nothing_take_one_call() -> None:
    """The word none is no failure: not found, without an answer call and without a second try."""
    llm = ByCall(SIGNS, quotes=lambda _: "Rationale: nothing.\nEvidence: none")
    answer = read(llm, paged(20, needle_on=7))
    assert (["quotes"], "not_found") == (llm.order, answer.status)


def test_invented_passage_numbers_are_dropped() -> None:
    """Only passages that were shown count, each once, in the order that was given."""
    shown = shelf(paged(2)).pieces([0, 2, 4])
    checked = checked_numbers("3, 1, 97, 3, 0", shown)
    assert [shown[2], shown[0]] == [c.piece for c in checked.found]
    assert ("97", "0") == checked.dropped
    assert 0.5 == checked.ratio


def test_passages_cited_by_number_are_what_the_answer_call_sees() -> None:
    """One whole passage; the citation is the sentence of it that bears the answer out."""
    llm = ByCall(
        SIGNS,
        ids=lambda p: "Rationale: r\nPassage Numbers: 1, 12",
        answer=lambda _: f"Rationale: r\nAnswer: {ANSWER}",
    )
    document = paged(20, needle_on=7)
    answer = read(llm, document, replace(WORDS, evidence="ids"))
    assert fenced(llm.prompts["answer"][0], "passage 1") in document.text
    assert [(7, "located")] == [(c.page, c.verified) for c in answer.citations]
    assert NEEDLE in answer.citations[0].quote


def test_where_the_evidence_call_fails_code_chooses() -> None:
    """The answer stands on the sentences nearest to the question, and is partial."""

    def broken(_: str) -> str:
        raise ServerFault("HTTP 500 from a test")

    answer = read(quoting(quotes=broken), paged(20, needle_on=7))
    assert (ANSWER, "partial") == (answer.text, answer.status)
    assert [(7, "located")] == [(c.page, c.verified) for c in answer.citations]


def test_at_a_cap_it_answers_with_what_it_has() -> None:
    """One call: the verified evidence itself; where the cap keeps the evidence call from being
    made, the answer rests on sentences that code chose.
    """
    document, first = paged(20, needle_on=7), quoting(NEEDLE)
    answer = read(first, document, limits=Limits(calls=1))
    assert (["quotes"], NEEDLE, "partial", "budget") == (
        first.order, answer.text, answer.status, answer.stopped
    )  # fmt: skip
    reranked = replace(WORDS, rerank="model")
    second = quoting(NEEDLE, rerank=lambda _: "Rationale: r\nPassage Numbers: 1")
    document = paged(20, needle_on=7, extra="The lease of the mill was lost.")
    answer = read(second, document, reranked, limits=Limits(calls=2))
    assert (["rerank", "answer"], ANSWER, "partial", "budget") == (
        second.order, answer.text, answer.status, answer.stopped
    )  # fmt: skip
    assert ["located"] == [c.verified for c in answer.citations]


# --- searching -----------------------------------------------------------------------------


def test_reciprocal_rank_fusion() -> None:
    """The published formula by hand: 1 / (60 + rank), summed."""
    assert [7, 3, 9, 5] == fused([[3, 7, 5], [7, 9]])
    by_hand = {7: 1 / 62 + 1 / 61, 3: 1 / 61, 9: 1 / 62, 5: 1 / 63}
    assert sorted(by_hand, key=lambda p: -by_hand[p]) == fused([[3, 7, 5], [7, 9]])
    assert [4, 1] == fused([[1, 4], [4, 1, 1][:1]])


@given(some.lists(some.permutations(range(8)), min_size=1, max_size=3))
def test_fusion_loses_and_invents_nothing(rankings: list[list[int]]) -> None:
    """All passages that any ranking has, once; what all rank first is first."""
    assert sorted(fused(rankings)) == list(range(8))
    if all(ranking[0] == rankings[0][0] for ranking in rankings):
        assert rankings[0][0] == fused(rankings)[0]


CHINESE = "港口租约由林美玉于五月九日签署。"
FRENCH = "Le bail du port a été signé par Hélène Février le neuf mai."


@pytest.mark.parametrize(
    ("needle", "question", "answer"),
    [
        (CHINESE, "谁签署了港口租约？", "林美玉"),
        (FRENCH, "Qui a signé le bail du port ?", "Hélène Février"),
    ],
)
def test_words_are_found_in_any_script(needle: str, question: str, answer: str) -> None:
    """BM25 over our own words: one call each, and the page of the needle."""
    filler = "书记员在第三天清点了盐桶并记录了下雨。" if needle is CHINESE else "Le commis compta."
    document = with_pages([f"{filler * 5}\n\n"] * 8 + [f"{needle}\n\n"] + [f"{filler * 5}\n\n"] * 8)
    given = read(Oracle({question: (needle, answer)}), document, question=question)
    assert (answer, [9]) == (given.text, [c.page for c in given.citations])


def test_bm25_prefers_the_rarer_word() -> None:
    """What many passages hold weighs less; what none holds weighs nothing."""
    texts = ["the salt barrels", "the salt lease", "salt and rain", "nothing"]
    scores = bm25("Where is the salt lease?", texts)
    assert max(scores) == scores[1]
    assert 0.0 == scores[3]
    assert [0.0] * 4 == bm25("heron zanthor", texts)


def test_nothing_near_the_question_takes_no_call() -> None:
    """No passage holds a word of it: not found, without a made-up answer."""
    llm = ByCall(SIGNS)
    answer = read(llm, paged(5), question="Who painted the ceiling?")
    assert ("not_found", 0, 0) == (answer.status, answer.usage.calls, answer.coverage.read)


@dataclass
class Counted:
    """Counts what is embedded."""

    texts: list[str] = field(default_factory=list)
    name: str = "counted"

    @property
    def fingerprint(self) -> Fingerprint:
        """Those of words."""
        return Fingerprint(self.name, 256)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """As `WordEmbedder`."""
        self.texts += texts
        return await WordEmbedder().embed(texts)


def test_the_second_question_embeds_only_the_question() -> None:
    """The passages are in the store."""
    stores, document = Stores(), paged(20, needle_on=7, extra="Only this test has it.")
    first, second = Counted(), Counted()
    dense = replace(WORDS, mode="dense")
    read(Oracle(FACTS), document, dense, embedder=first, stores=stores)
    assert len(first.texts) > 20
    asked = "Who counted the barrels?"
    read(Oracle({}), document, dense, question=asked, embedder=second, stores=stores)
    assert [asked] == second.texts


@dataclass(frozen=True)
class Ahead:
    """Builds what retrieval will want."""

    inner: Retrieval
    prompts = PromptFiles.of(Retrieval()).templates

    async def read(self, question: str, run: Run) -> Draft:
        """Build alone."""
        await self.inner.index(run)
        return NOT_FOUND


def test_an_index_is_built_ahead_of_time() -> None:
    """Then a first question embeds only itself; building makes no model call."""
    stores, document = Stores(), paged(20, needle_on=7, extra="Only that test has it.")
    build, ask, llm = Counted(), Counted(), ByCall(SIGNS)
    dense = replace(WORDS, mode="dense")
    model = a_model(llm, window=3072)
    Reader(model, Ahead(dense), probe=False, embedder=build, stores=stores).ask(document, "x")
    answer = read(Oracle(FACTS), document, dense, embedder=ask, stores=stores)
    assert ([], [QUESTION], ANSWER) == (llm.order, ask.texts, answer.text)
    assert len(build.texts) > 20


def test_a_search_by_words_builds_no_index_ahead() -> None:
    """It would look as if something were kept."""
    reader = Reader(a_model(Oracle(FACTS), window=3072), Retrieval(), probe=False)
    with pytest.raises(ConfigurationError, match=r"by words keeps no index.*--embedder"):
        reader.build(paged(3))


class Renamed(WordEmbedder):
    """The same vectors under another model's name."""

    @property
    def fingerprint(self) -> Fingerprint:
        """As if it were another model."""
        return Fingerprint("renamed", self.dimension)


def test_what_was_built_names_the_vectors_of_its_own_embedder() -> None:
    """Another model's in the same store are no part of it."""
    dense, stores, model = replace(WORDS, mode="dense"), Stores(), a_model(Oracle(FACTS))
    for embedder in (WordEmbedder(), Renamed()):
        reader = Reader(model, dense, probe=False, embedder=embedder, stores=stores)
        assert 1 == len(reader.build(paged(3)).vectors)


@pytest.mark.parametrize("kept", [True, False])
def test_vectors_in_a_folder_of_another_owner(kept: bool, tmp_path: Path) -> None:
    """A question goes on in memory and warns; an index that would be gone is not built."""
    from filelock import FileLock

    folder = tmp_path / "chroma"
    folder.mkdir()
    dense, model = replace(WORDS, mode="dense"), a_model(Oracle(FACTS), window=3072)
    reader = Reader(model, dense, probe=False, embedder=Counted(), stores=Stores(tmp_path))
    with FileLock(folder / "memreader.lock"):
        if kept:
            with pytest.raises(StoreInUse, match="in use by another process"):
                reader.build(paged(3))
        else:
            answer = reader.ask(paged(20, needle_on=7), QUESTION)
            assert ANSWER == answer.text
            assert any("kept in memory for this reading" in told for told in answer.problems)


def test_without_an_embedding_model_dense_names_the_ways() -> None:
    """One line: what to install, what to set, what to do without."""
    with pytest.raises(ConfigurationError) as error:
        read(Oracle(FACTS), paged(3), replace(WORDS, mode="dense"))
    for way in ("[st,chroma]", "models pull minilm", "`embedder`", "-o mode=bm25"):
        assert way in str(error.value)


def test_the_default_works_without_an_embedding_model_and_says_so() -> None:
    """`auto` is dense where it can be."""
    document = paged(20, needle_on=7)
    by_words = read(Oracle(FACTS), document, Retrieval())
    dense = read(Oracle(FACTS), document, Retrieval(), embedder=WordEmbedder())
    assert ANSWER == by_words.text == dense.text
    told = "Passages are found by their words, BM25 (no embedding model is set)."
    assert told in by_words.notes
    assert "Passages are found by meaning." in dense.notes


# --- reranking -----------------------------------------------------------------------------


def test_the_model_puts_passages_in_order() -> None:
    """What it names comes first, an invented number is nothing, the rest follows."""
    llm = ByCall(
        SIGNS,
        rerank=lambda p: "Rationale: r\nPassage Numbers: 3, 44",
        quotes=lambda _: "Rationale: r\nEvidence: none",
    )
    strategy = replace(WORDS, rerank="model", top_k=1)
    read(llm, paged(20), strategy, question="What did the clerk of ward 3 count?")
    (rerank,), (quotes,) = llm.prompts["rerank"], llm.prompts["quotes"]
    assert fenced(rerank, "passage 3") == fenced(quotes, "passage 1")


@dataclass(frozen=True)
class Longest:
    """A reranker that likes one word."""

    word: str

    async def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """One where it stands."""
        return [float(self.word in text) for text in texts]


def test_a_reranker_that_is_set_puts_passages_in_order() -> None:
    """Through the protocol; without one the message names the setting."""
    strategy = replace(WORDS, rerank="cross-encoder", top_k=1)
    llm = ByCall(SIGNS, quotes=lambda _: "Rationale: r\nEvidence: none")
    asked = "What did the clerk count?"
    read(llm, paged(20), strategy, question=asked, reranker=Longest("day 104 "))
    assert "day 104 " in fenced(llm.prompts["quotes"][0], "passage 1")
    with pytest.raises(ConfigurationError, match="needs the setting `reranker`"):
        read(llm, paged(20), strategy, question=asked)


# --- small-to-big and the budget -----------------------------------------------------------


def test_neighbours_are_shown_as_one_piece_in_document_order() -> None:
    """Overlapping expansions merge; a passage is shown once; no piece spans two documents."""
    found = shelf(paged(6))
    wide = found.widened([9, 3, 4], 3 * 20, section=False)
    texts = [p.text for p in found.pieces(wide)]
    assert ["passage 1", "passage 2"] == [p.label for p in found.pieces(wide)]
    assert sorted({2, 3, 4, 5, 8, 9, 10}) == sorted(wide)
    document = paged(6)
    assert all(text in document.text for text in texts)
    two = (Document("One alone.", "a"), Document("Two alone.", "b"))
    passages = [c for d in two for c in chunk_document(d, 20, WordCounter())]
    joined = pieces([0, 1], passages, Corpus(two))
    assert ["passage 1 of document 1", "passage 2 of document 2"] == [p.label for p in joined]


def test_a_section_ends_at_the_next_heading_of_its_level() -> None:
    """Subsections belong to it; before the first heading there is a section too."""
    text = "Before.\n# A\naa\n## A1\nbb\n# B\ncc\n"
    at = {title: text.index(title) for title in ("# A", "## A1", "# B", "aa", "bb", "cc")}
    headings = tuple(
        Heading(at[t], level, t) for t, level in (("# A", 1), ("## A1", 2), ("# B", 1))
    )
    document = Document(text, headings=headings)

    def section(where: int) -> tuple[int, int]:
        return section_of(Span(document.id, where, where + 1), document)

    assert (0, at["# A"]) == section(0)
    assert (at["# A"], at["# B"]) == section(at["aa"])
    assert (at["## A1"], at["# B"]) == section(at["bb"])
    assert (at["# B"], len(text)) == section(at["cc"])


def test_a_section_is_not_left() -> None:
    """With `section` a passage grows under its heading alone."""
    texts = [f"Line {i} of the chapter tells of salt and rain and ships.\n\n" for i in range(12)]
    document = Document("".join(texts), headings=(Heading(len("".join(texts[:6])), 1, "Two"),))
    found = shelf(document, tokens=20)
    grown = found.widened([6], 500, section=True)
    assert list(range(6, 12)) == sorted(grown)
    assert list(range(12)) == sorted(found.widened([6], 500, section=False))


@given(
    some.permutations(range(20)), some.integers(40, 400), some.integers(20, 200), some.booleans()
)
def test_the_token_budget_is_kept(ranked: list[int], budget: int, most: int, section: bool) -> None:
    """Whatever is found and widened, the pieces with their marker lines are within it, and what
    the budget shows are the best.
    """
    found = shelf(paged(8), budget=budget)
    chosen = found.within([i for i in ranked if i < len(found.passages)])
    assert chosen == ranked[: len(chosen)]
    wide = found.widened(chosen, most, section=section)
    assert chosen == wide[: len(chosen)]
    assert sum(found.size(p) for p in found.pieces(wide)) <= budget
    assert len(wide) == len(set(wide))


def test_the_budget_is_said_where_it_leaves_passages_out() -> None:
    """No silent cut."""
    llm = ByCall(SIGNS, quotes=lambda _: "Rationale: r\nEvidence: none")
    strategy = replace(WORDS, budget_tokens=200, top_k=8)
    answer = read(llm, paged(20), strategy, question="What did the clerk count?")
    assert "The budget of 200 tokens shows 3 of the 8 passages found." in answer.notes
    assert 3 == answer.coverage.read


# --- cost ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "calls"),
    [({}, 2), ({"rerank": "model"}, 3), ({"evidence": "ids"}, 2), ({"evidence": "off"}, 1)],
)
def test_the_cost_formula(options: dict[str, Any], calls: int) -> None:
    """Calls = evidence + answer, and one to rerank; the plan expects the same."""
    strategy, document = replace(WORDS, **options), paged(20, needle_on=7)
    made = read(Oracle(FACTS), document, strategy, question=QUESTION).usage.calls
    if options.get("rerank"):  # a single candidate needs no order
        made = read(
            Oracle(FACTS), paged(20, needle_on=7, extra="The lease of the mill."), strategy
        ).usage.calls
    plan = strategy.plan(Corpus((document,)), QUESTION, a_model(Oracle({}), window=3072))
    assert calls == made == plan.calls.expected == plan.critical_path.expected
    assert 0 == plan.calls.minimum


# --- models below the labelled contract -----------------------------------------------------


def test_a_plain_model_reads_passages_one_at_a_time_and_code_decides() -> None:
    """One call a passage; the supported answer is taken, its sentence cited; else not found."""

    def say(prompt: str) -> str:
        return ANSWER if NEEDLE in prompt else "The heron of Zanthor"

    class Plain(ByCall):
        def __init__(self) -> None:
            super().__init__({"any": ""}, any=say)

    document = paged(20, needle_on=7, extra="The mill lease was lost.")
    answer = read(Plain(), document, wire="plain")
    assert (ANSWER, [7]) == (answer.text, [c.page for c in answer.citations])
    assert answer.usage.calls == answer.coverage.read == 2
    assert "not_found" == read(Plain(), paged(20, extra="The mill lease."), wire="plain").status


# --- several documents ---------------------------------------------------------------------


def test_citations_say_which_document() -> None:
    """Two documents; the passage labels number them, the citation names the file."""
    ledger, letter = paged(6), Document(f"Dear Sir,\n\n{NEEDLE}\n\nYours", "letter.txt")
    llm = quoting(NEEDLE)
    answer = Reader(a_model(llm, window=3072), WORDS, probe=False).ask([ledger, letter], QUESTION)
    assert ["letter.txt"] == [c.document for c in answer.citations]
    assert " of document 2>>>" in llm.prompts["quotes"][0]


def test_options_that_make_no_sense_are_refused() -> None:
    """One line each."""
    with pytest.raises(ConfigurationError, match="candidates at least top_k"):
        make("retrieval", {"top_k": "60"})
    with pytest.raises(ConfigurationError, match="budget_tokens must be at least 128"):
        make("retrieval", {"budget_tokens": "12"})
