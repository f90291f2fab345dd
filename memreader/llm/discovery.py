"""What models this machine is set up for: keys in the environment, servers on loopback."""

from __future__ import annotations

from collections.abc import Mapping

from memreader.errors import MemreaderError
from memreader.llm._http import Endpoint, Http, is_private, without_secrets
from memreader.llm.endpoints import base_url
from memreader.llm.ollama import address
from memreader.llm.openai_compatible import models_of

PATIENCE = 0.5
"""Seconds for a server on this machine to answer."""
_USUAL = (
    ("http://127.0.0.1:8080/v1", "llama.cpp's usual port"),
    ("http://127.0.0.1:1234/v1", "LM Studio's usual port"),
    ("http://127.0.0.1:8000/v1", "vLLM's usual port"),
)

Found = tuple[str, str, bool, tuple[str, ...]]


def hosted(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Providers whose keys are set; the keys themselves are not looked at."""
    found = []
    if environment.get("OPENAI_API_KEY"):
        base = environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_BASE")
        at = f", at {without_secrets(base)}" if base else ""
        found.append(("openai:MODEL", f"OPENAI_API_KEY is set{at}"))
    if environment.get("ANTHROPIC_API_KEY"):
        found.append(("anthropic:MODEL", "ANTHROPIC_API_KEY is set"))
    return found


async def local_servers(environment: Mapping[str, str]) -> list[Found]:
    """Servers that answer on this machine, and those that are set and do not."""
    found: list[Found] = []
    host = environment.get("OLLAMA_HOST")
    names = await _ollama(address(host))
    if names is not None or host:
        why = "OLLAMA_HOST is set" if host else "Ollama's usual port answers"
        found.append(("ollama:MODEL", why, names is not None, names or ()))
    base = environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_BASE")
    places = list(_USUAL)
    if base and is_private(base):
        places.insert(0, (base_url(base), "OPENAI_BASE_URL is set"))
    for url, why in places:
        served = await _compatible(url)
        if served is not None:
            found.append((f"openai-compatible:{url}#MODEL", f"{why} answers", True, served))
        elif why.endswith("is set"):
            found.append((f"openai-compatible:{url}#MODEL", why, False, ()))
    return found


async def _ollama(url: str) -> tuple[str, ...] | None:
    http = Http(Endpoint(url, keep_alive=False))
    try:
        data = await http.get("/api/tags", timeout=PATIENCE)
    except MemreaderError:
        return None
    finally:
        await http.aclose()
    listed = data.get("models") if isinstance(data, dict) else None
    return tuple(str(m.get("name")) for m in listed or () if isinstance(m, dict))


async def _compatible(url: str) -> tuple[str, ...] | None:
    http = Http(Endpoint(url, keep_alive=False))
    try:
        models = await models_of(http, timeout=PATIENCE)
    except MemreaderError:
        return None
    finally:
        await http.aclose()
    return tuple(str(m["id"]) for m in models) or None
