"""The command line. One command a file; heavy imports inside the commands."""

from __future__ import annotations

import sys
from typing import Any

from memreader.cli.codes import ERROR, INTERRUPTED, USAGE
from memreader.cli.printable import say


def main() -> None:
    """Run the command line and exit with its code; a user's mistake gets one line, no traceback."""
    _collect_less()
    sys.exit(run(sys.argv[1:]))


def _collect_less() -> None:
    """Garbage collection at the usual pace takes a third of start-up and most of the exit."""
    import atexit
    import gc

    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one return for each kind of end
    """Run with these arguments and return the exit code (tests call this)."""
    import typer

    from memreader.cli.app import app
    from memreader.errors import MemreaderError

    try:
        result = app(arguments, standalone_mode=False)
    except MemreaderError as error:
        say(str(error))
        return error.exit_code
    except _usage_error() as error:
        error.show()
        return USAGE
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away: nothing is left to say
        sys.stderr.close()
        return ERROR
    except OSError as error:  # a full disk, a folder that may not be written to
        if error.filename is None:
            raise
        say(
            f"{error.filename} cannot be used ({error.strerror}). Set MEMREADER_HOME to a folder "
            f"that you may write to, if it stands there."
        )
        return ERROR
    except typer.Exit as leaving:
        return leaving.exit_code
    return result if isinstance(result, int) else 0


def _usage_error() -> Any:
    """The class of usage errors: typer carries a click of its own, and names only its heirs."""
    import typer

    return next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "UsageError")
