"""Which embedding model and vector store are in force, and whether they work: two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memreader.cli.printable import on_one_line

if TYPE_CHECKING:
    from memreader.settings import Settings

Finding = tuple[bool, str]


async def embedder_standing(settings: Settings, *, probe: bool) -> Finding:
    """Whether the embedding model can be opened; with `probe` one that is set embeds a short text.

    Of the bundled one that nobody named the files are verified: loading it takes seconds.
    """
    from memreader.api import model_settings
    from memreader.errors import MemreaderError
    from memreader.memory.embedders import NONE, default_embedder, open_embedder
    from memreader.settings import home

    name = settings.embedder or default_embedder(home().models)
    if name is None or name == NONE:
        return True, "Embedding model: none; what searches by meaning needs one (--embedder)."
    try:
        async with open_embedder(name, model_settings(settings)) as embedder:
            tried = probe and settings.embedder is not None
            if tried:
                await embedder.embed(["a test"])
            told = str(embedder.fingerprint) if tried or name == "local" else ""
    except MemreaderError as error:
        return False, f"Embedding model {name} CANNOT BE USED: {on_one_line(str(error))}"
    state = "works" if tried else "verified" if name == "local" else "not asked"
    return True, f"Embedding model: {name} ({', '.join(filter(None, (told, state)))})."


async def store_standing(settings: Settings) -> Finding:
    """Whether the vector store can be opened, and what it holds."""
    from importlib.util import find_spec

    from memreader.errors import MemreaderError, StoreInUse
    from memreader.settings import home
    from memreader.stores import Stores

    stores = Stores(home().data, settings.store)
    if settings.store is None and find_spec("chromadb") is None:
        return True, "Vector store: none; it needs: pip install 'memreader-agents[chroma]'"
    if settings.store is None and not (home().data / "chroma" / "chroma.sqlite3").exists():
        return True, f"Vector store: {stores.vectors_spec}, made on first use."
    notes: list[str] = []
    try:
        async with stores.vectors(notes.append) as store:
            held = await store.held()
    except StoreInUse as error:
        return True, f"Vector store: {stores.vectors_spec}. {on_one_line(str(error))}"
    except MemreaderError as error:
        told = on_one_line(str(error))
        return False, f"Vector store {stores.vectors_spec} CANNOT BE USED: {told}"
    if notes:
        return True, f"Vector store: {stores.vectors_spec}. {on_one_line(notes[0])}"
    documents = len({h.document for h in held})
    entries = sum(h.entries for h in held)
    return True, (
        f"Vector store: {stores.vectors_spec}: {entries:,} passages of {documents:,} documents."
    )
