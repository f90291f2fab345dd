"""Question files: one JSON object a line, with their documents and gold places."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.places import Place, page_place
from evals.scorers import METRICS
from memreader.document import Document

ROOT = Path(__file__).resolve().parent.parent


class TaskError(Exception):
    """A question file, or a document it names, is not what it should be."""


class Named(BaseModel):
    """A document of a question: its text, or a file."""

    model_config = ConfigDict(frozen=True)
    name: str
    ref: str | None = None
    text: str | None = Field(None, repr=False)


class Gold(BaseModel):
    """A gold place: a page from 1, or character offsets; neither where it was not located."""

    model_config = ConfigDict(frozen=True)
    doc: str
    quote: str = ""
    page: int | None = None
    start: int | None = None
    end: int | None = None


class Question(BaseModel):
    """One line of a question file."""

    model_config = ConfigDict(frozen=True)
    id: str
    task: str = ""
    language: str = "en"
    documents: tuple[Named, ...]
    question: str
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    evidence: tuple[Gold, ...] = ()
    metric: str
    meta: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def asked(self) -> str:
        """The question as a reader gets it: with its options, where it has some."""
        letters = (f"{chr(65 + i)}. {choice}" for i, choice in enumerate(self.choices))
        return "\n".join([self.question, *letters])

    @property
    def absent(self) -> bool:
        """Whether the documents do not tell."""
        return self.metric == "abstain"

    @property
    def wrong_answers(self) -> tuple[str, ...]:
        """Superseded or neighbouring values that an answer must not hold."""
        return tuple(map(str, self.meta.get("wrong_answers", ())))

    def gold(self, documents: Iterable[Document]) -> list[Place]:
        """The gold places in these documents: pages as the range of their text."""
        named = {d.source: d for d in documents}
        places = []
        for entry in self.evidence:
            if entry.start is not None and entry.end is not None:
                places.append(Place(entry.doc, entry.start, entry.end))
            elif entry.page is not None:
                places.append(page_place(named[entry.doc], entry.page))
        return places


def find(name: str, data: Path | None = None) -> Path:
    """The file of a task: `examples`, a name in the data folder, or a path."""
    if name == "examples":
        return ROOT / "examples" / "questions.jsonl"
    folder = data or Path()
    for candidate in (folder / name, folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"):
        if candidate.is_file():
            return candidate
    raise TaskError(f"There is no question file {name} in {folder.resolve()}. Give --data FOLDER.")


def load(path: Path) -> list[Question]:
    """All questions of a file. Raises TaskError that names the line."""
    questions = []
    for number, line in enumerate(_text(path).rstrip("\n").split("\n"), start=1):
        try:
            questions.append(Question.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError) as error:
            raise TaskError(f"{path}, line {number}, is no question: {error}") from error
    return questions


def chosen(
    questions: Sequence[Question], ids: Sequence[str] = (), limit: int | None = None
) -> list[Question]:
    """The questions to run: those with an id that is asked for, at most `limit`.

    Raises TaskError for an id that is not there.
    """
    known = {q.id for q in questions}
    if missing := [i for i in ids if i not in known]:
        raise TaskError(f"No question with id {', '.join(missing)}.")
    wanted = [q for q in questions if not ids or q.id in ids]
    return wanted[:limit]


def scorable(questions: Sequence[Question]) -> list[Question]:
    """The questions whose metric is known here; others need a judge or a stemmer."""
    return [q for q in questions if q.metric in METRICS]


@dataclass(slots=True)
class Library:
    """Opens the documents of questions, each file once."""

    folders: tuple[Path, ...]
    """Where refs are looked up: the question file's folder, then the data folder."""
    _open: dict[Path, Document] = field(default_factory=dict)

    def documents(self, question: Question) -> list[Document]:
        """The documents of a question, under the names it gives them."""
        return [self._document(named) for named in question.documents]

    def _document(self, named: Named) -> Document:
        if named.text is not None:
            return Document(named.text, named.name)
        path = self._path(named)
        if path not in self._open:
            self._open[path] = _read(path)
        return replace(self._open[path], source=named.name)

    def _path(self, named: Named) -> Path:
        for folder in self.folders:
            if named.ref is not None and (folder / named.ref).is_file():
                return (folder / named.ref).resolve()
        raise TaskError(f"The document {named.name} is not there: {named.ref}.")


def _read(path: Path) -> Document:
    """A document; text is taken as it stands, because gold offsets count the file's characters."""
    if path.suffix == ".txt" or path.suffixes[-2:] == [".txt", ".gz"]:
        return Document(_text(path), path.name)
    from memreader.loaders import open_document

    return open_document(path).finish()


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
