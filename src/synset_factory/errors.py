"""The one error that a person can mend, and how it leaves the process."""

import sys
from collections.abc import Callable
from typing import NoReturn

INTERRUPTED = 130  # the shell's exit status of a process ended by Ctrl-C: 128 + SIGINT


class InputError(Exception):
    """Bad input, as one clear sentence that names the file, the row and the remedy."""


def run_main(main: Callable[[], None]) -> NoReturn:
    """Run `main` and exit: 0, or 1 with an InputError's sentence on stderr, or 130 at Ctrl-C.

    Any other exception is a fault of ours and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        said, status = f"error: {' '.join(str(error).split())}", 1  # one line, whatever it quotes
    except KeyboardInterrupt:
        said, status = "Interrupted.", INTERRUPTED
    else:
        sys.exit(0)
    # Said here, when the error's frames are gone: a progress bar in them has ended its line.
    print(said, file=sys.stderr)
    sys.exit(status)
