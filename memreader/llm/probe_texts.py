"""What a probe shows a model: a long text with a code word, and a choice among four notes."""

from __future__ import annotations

import re

from memreader.llm.base import Reply, Schema

PASSAGE = (
    "The light at Ferrow Point was rebuilt in 1931, after the great storm. Its keeper in those "
    "years was Odalys Wren, who came from Tarn Hollow. The lamp was lit again on the ninth of "
    "October, before the first snow."
)
QUESTION = "Who was the keeper of the light at Ferrow Point?"
LABELS = (
    ("Evidence", "the sentence of the passage that answers the question, word for word"),
    ("Answer", "the answer to the question, in a few words"),
    ("Confidence", "a number from 0 (not in the passage) to 5 (plainly stated)"),
)
SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string"},
        "answer": {"type": "string"},
        "confidence": {"type": "integer"},
    },
    "required": ["evidence", "answer", "confidence"],
    "additionalProperties": False,
}
CODE = "MARIGOLD-7731"
NOTES = (
    "The ferry to Tarn Hollow sails on weekdays, from the stone pier.",
    "The storm of 1930 broke the sea wall and two of the piers.",
    "Lamp oil is kept in the cellar, below the stairs.",
)
RIGHT_NOTE = "The keeper of the light at Ferrow Point was Odalys Wren."


def choice(place: int) -> str:
    """The question over four numbered notes, the right one at this place, counted from 0."""
    notes = [*NOTES[:place], RIGHT_NOTE, *NOTES[place:]]
    listed = "\n".join(f"{number}. {note}" for number, note in enumerate(notes, start=1))
    asked = "Which of these four notes answers the question? Reply with its number alone."
    return f"{asked}\n\nQuestion: {QUESTION}\n\n{listed}"


def named(reply: Reply | None, place: int) -> bool | None:
    """Whether the reply names the note at this place; None where reasoning took all its room."""
    if reply is None or not reply.text.strip():
        return None
    found = re.search(r"\d+", reply.text)
    return found is not None and int(found.group()) == place + 1


def long_text(characters: int) -> str:
    """Invented prose with names and figures, after a line with the code word."""
    lines = [f"The code word is {CODE}."]
    ships, goods = ("Kestrel", "Anemone", "Old Margery"), ("slate", "salted herring", "lamp oil")
    number, size = 0, 0
    while size < characters:
        number += 1
        ship, cargo = ships[number % 3], goods[number % 2]
        lines.append(
            f"Entry {number}: on day {number * 7 % 365} the {ship} brought {number * 37 % 900} "
            f"crates of {cargo} to the harbour at Tarn Hollow, and left again with the tide."
        )
        size += len(lines[-1])
    return "\n".join(lines)
