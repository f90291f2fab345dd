"""The command line. One command a file; heavy imports inside the commands."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

from memreader.cli.codes import COMPLETE, ERROR, INTERRUPTED, USAGE
from memreader.cli.printable import say

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing meets on a disk that is full or failing."""


def main() -> None:
    """Run the command line and exit with its code; a user's mistake gets one line, no traceback."""
    _collect_less()
    _mend_streams()
    sys.exit(_flushed(run(sys.argv[1:])))


def _collect_less() -> None:
    """Garbage collection at the usual pace takes a third of start-up and most of the exit."""
    import atexit
    import gc

    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)


def _mend_streams() -> None:
    """Stand in for standard streams that are closed; print all characters on any of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An answer that is paid for must not end at a letter that the locale does not have.
        sys.stdout.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """The exit code once the output is out: a full disk shows as late as here."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if code == COMPLETE and not isinstance(error, BrokenPipeError):
            say(_no_room(error))
        # Else Python tries once more as it exits, and reports that in a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or ERROR
    return code


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one return for each kind of end
    """Run with these arguments and return the exit code (tests call this)."""
    from memreader.errors import MemreaderError

    try:
        import typer

        from memreader.cli.app import app

        result = app(arguments, standalone_mode=False)
    except KeyboardInterrupt:  # first, since it may come while the names below are imported
        return INTERRUPTED
    except MemreaderError as error:
        say(str(error))
        return error.exit_code
    except _usage_error() as error:
        error.show()
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away: nothing is left to say
        sys.stderr.close()
        return ERROR
    except OSError as error:  # a full disk, a folder that may not be written to
        if error.filename is None and error.errno not in _NO_ROOM:
            raise
        say(_no_room(error))
        return ERROR
    except typer.Exit as leaving:
        return leaving.exit_code
    return result if isinstance(result, int) else 0


def _no_room(error: OSError) -> str:
    if error.filename is None:
        return (
            f"Writing failed: {error.strerror}. What is finished is kept: make room, "
            f"and the same command continues."
        )
    return (
        f"{error.filename} cannot be used ({error.strerror}). Set MEMREADER_HOME to a folder "
        f"that you may write to, if it stands there."
    )


def _usage_error() -> Any:
    """The class of usage errors: typer carries a click of its own, and names only its heirs."""
    import typer

    return next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "UsageError")
