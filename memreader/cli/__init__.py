"""The command line. One command a file; heavy imports inside the commands."""

from __future__ import annotations

import sys

from memreader.cli.codes import ERROR, INTERRUPTED, USAGE


def main() -> None:
    """Run the command line and exit with its code; a user's mistake gets one line, no traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run with these arguments and return the exit code (tests call this)."""
    import click

    from memreader.cli.app import app
    from memreader.errors import MemreaderError

    try:
        result = app(arguments, standalone_mode=False)
    except MemreaderError as error:
        print(f"memreader: {error}", file=sys.stderr)
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away: nothing is left to say
        sys.stderr.close()
        return ERROR
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return result if isinstance(result, int) else 0
