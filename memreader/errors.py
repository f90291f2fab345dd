"""Every error memreader raises, as one tree.

    MemreaderError                    exit code 1
    ├── ConfigurationError            2: a setting, an option or a name is wrong
    │   ├── MissingExtra              an optional dependency is not installed
    │   ├── PromptTooLong             a prompt that cannot fit the model's window
    │   ├── ModelTooSmall             the strategy declares this model below its minimum
    │   ├── StoreInUse                another process owns the folder of a vector store
    │   └── BudgetRefused             the plan is over a limit before anything was spent
    ├── DocumentError                 5: the document cannot be read
    │   ├── EncryptedDocument
    │   ├── BrokenDocument
    │   ├── NoText                    no text layer, or nothing but white space
    │   └── UnknownFormat
    ├── EndpointError                 6: the model's endpoint is unreachable or refuses us
    │   ├── Unreachable
    │   ├── Refused
    │   └── SilentTruncation          the server cut the prompt without saying so
    ├── TransientError                one call failed in a way that another try may mend
    │   ├── RateLimited
    │   └── ServerFault
    ├── CallFailed                    one call failed for good; the strategy's default applies
    │   └── ReplyUnusable             the reply could not be parsed, even after one repair
    ├── StrategyFault                 the strategy broke its contract
    ├── StoreFault                    journal or shelf failed in use: a full disk, a damaged file
    └── BudgetExceeded                a cap was reached; the reader answers with what it has

A message says what happened, with the value, and then what to do.
"""

from __future__ import annotations


class MemreaderError(Exception):
    """The root: `except MemreaderError` catches all that memreader raises on purpose."""

    exit_code = 1


class ConfigurationError(MemreaderError):
    """A setting, an option, a name or the combination of them is wrong."""

    exit_code = 2


class MissingExtra(ConfigurationError):
    """An optional dependency is not installed; the message has the install line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra `{extra}`, which is not installed. "
            f"Install it with: pip install 'memreader-agents[{extra}]'"
        )
        self.extra = extra


class PromptTooLong(ConfigurationError):
    """A prompt cannot fit the model's window; raised before the call is made."""


class ModelTooSmall(ConfigurationError):
    """The strategy cannot work with this model and says so before spending."""


class StoreInUse(ConfigurationError):
    """Another process owns the folder of a vector store; one alone may."""


class BudgetRefused(ConfigurationError):
    """The plan is over a limit, or its price is unknown, before anything was spent."""


class DocumentError(MemreaderError):
    """A document cannot be read."""

    exit_code = 5


class EncryptedDocument(DocumentError):
    """The document needs a password."""


class BrokenDocument(DocumentError):
    """The file is damaged, cut short, or not what its name says."""


class NoText(DocumentError):
    """The document holds no text: an image-only PDF, an empty file."""


class UnknownFormat(DocumentError):
    """Not a format that memreader reads."""


class EndpointError(MemreaderError):
    """The model's endpoint is unreachable, or refuses every call."""

    exit_code = 6


class Unreachable(EndpointError):
    """Nothing answers at the endpoint's address."""


class Refused(EndpointError):
    """The endpoint refuses: wrong key, no such model, no permission."""


class SilentTruncation(EndpointError):
    """The server read fewer tokens than we sent and did not say so."""


class TransientError(MemreaderError):
    """One attempt failed in a way that another attempt may mend."""

    #: Seconds the server asked us to wait, if it did.
    retry_after: float | None = None
    #: Whether the server may have done (and billed) the work all the same.
    may_be_billed: bool = False


class RateLimited(TransientError):
    """The server asked us to slow down (HTTP 429 and its kin)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerFault(TransientError):
    """The server failed: 5xx, a reset, a cut stream, a time-out, a body that is not an answer."""

    def __init__(self, message: str, *, may_be_billed: bool = False) -> None:
        super().__init__(message)
        self.may_be_billed = may_be_billed


class CallFailed(MemreaderError):
    """One call failed for good: recorded by the run, left to the strategy's documented default."""


class ReplyUnusable(CallFailed):
    """The reply could not be parsed into the wanted shape, even after the bounded repair."""


class StrategyFault(MemreaderError):
    """A strategy broke its contract: it took an endpoint's refusal for an answer."""


class StoreFault(MemreaderError):
    """The journal or the shelf failed in mid-use: its disk is full, or its file damaged."""


class BudgetExceeded(MemreaderError):
    """A call was not made because its worst case would pass a cap."""

    def __init__(self, limit: str, cap: float, needed: float) -> None:
        what = (
            f"The reading has taken {needed:,.1f} of its {cap:,.6g} seconds, earlier tries included"
            if limit == "seconds"
            else f"The next call could bring {limit} to {needed:,.6g}, over the cap of {cap:,.6g}"
        )
        super().__init__(f"{what}. Raise the cap, or continue with a fresh budget by --resume.")
        self.limit = limit
        self.cap = cap
        self.needed = needed
