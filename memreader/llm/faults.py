"""What a server's refusal means: status, headers and body as an error of our tree.

Shared by all clients, so that a 429 means the same whoever speaks. No library is needed here.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from memreader.errors import (
    MemreaderError,
    PromptTooLong,
    RateLimited,
    Refused,
    ServerFault,
)


class TimedOut(ServerFault):
    """No answer within the read time-out; each further attempt costs as long again."""


_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length|prompt is too long"
    r"|exceeds? the (?:available |model'?s? )?(?:maximum )?context|context (?:window|size|length)"
    r"|input length and `max_tokens` exceed|max_model_len|too many (?:input )?tokens"
    r"|maximum allowed input length|input is too long|reduce the length of the (?:messages|prompt)",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|credit balance", re.IGNORECASE)
_FIGURE = re.compile(r"\d[\d,]{2,}")


def seconds_to_wait(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (seconds or a date); None without them.

    None too for what has passed: a zero, or a date by a clock that goes wrong, asks for no pause
    at all, and all attempts would be used up in an instant.

    Header names are expected in lower case, or in a mapping that ignores case.
    """
    if (millis := headers.get("retry-after-ms")) is not None:
        try:
            return _ahead(float(millis) / 1000)
        except ValueError:
            pass
    if (value := headers.get("retry-after")) is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value).timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
        seconds = at - (time.time() if now is None else now)
    return _ahead(seconds)


def _ahead(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def said_by(body: bytes | str) -> tuple[str, Mapping[str, Any]]:
    """The server's own message, on one line, and its error object (empty where there is none)."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return _one_line(re.sub(r"<[^>]*>", " ", text)), {}
    error = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or error.get("error") or error
        fields = error
    else:
        message, fields = error, {}
    shown = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return _one_line(shown), fields


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 400 else flat[:400] + "..."


def fault(
    status: int, headers: Mapping[str, str], body: bytes | str, *, where: str
) -> MemreaderError:
    """The error that an unsuccessful answer of `where` stands for."""
    message, fields = said_by(body)
    shown = f"{where} answered {status}: {message or 'no message'}"
    retry_after = seconds_to_wait(headers)
    kind = f"{fields.get('type', '')} {fields.get('code', '')} {message}"
    if status in (400, 413, 422, 500) and _TOO_LONG.search(kind):
        return PromptTooLong(f"{shown} ({_numbers(fields, message)}).")
    if status == 429 and not _QUOTA.search(kind):
        return RateLimited(shown, retry_after)
    if status in (408, 409, 425) or status >= 500:
        error = ServerFault(shown, may_be_billed=status in (408, 504))
        error.retry_after = retry_after
        return error
    if 300 <= status < 400:
        return Refused(
            f"{shown}. It redirects to {headers.get('location', 'nowhere')!r}; use that address."
        )
    return Refused(f"{shown}. {_advice(status)}")


def fault_within(data: Any, *, where: str) -> MemreaderError | None:
    """The error that stands in an answer of 200, or in an event of a stream; None without one.

    Gateways pass on so what the provider behind them refused, with its status as the code.
    """
    error = data.get("error") if isinstance(data, dict) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    found = fault(status, {}, json.dumps(data), where=where)
    if isinstance(found, ServerFault):
        found.may_be_billed = True
    return found


def _numbers(fields: Mapping[str, Any], message: str) -> str:
    prompt, window = fields.get("n_prompt_tokens"), fields.get("n_ctx")
    if isinstance(prompt, int) and isinstance(window, int):
        return f"the prompt has {prompt:,} tokens, the window {window:,}"
    figures = ", ".join(_FIGURE.findall(message)[:4])
    return f"it names {figures}" if figures else "it names no figures"


def _advice(status: int) -> str:
    match status:
        case 401:
            return "Check the key: it is missing, wrong or expired."
        case 402:
            return "The account has no credit left."
        case 403:
            return "The key may not use this model or endpoint."
        case 404:
            return "Check the model's name and the base URL."
        case 429:
            return "The quota is used up; waiting does not help."
        case _:
            return "The server does not take this request."
