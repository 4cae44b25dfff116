"""``python -m sink_sandbox.shim MODULE WORD…``: a stand-in that Ctrl-C ends without a traceback.

What it has started hears Ctrl-C from the terminal too, and says its own last words: the stand-in ends once
that has ended. Imported before the module, whose imports can be interrupted as well.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import NoReturn

EXIT_CODE = 130
"""128 + SIGINT, as shells count, and docker."""


def main() -> int:
    """Run ``main`` of the module that is named first with the words after it; return its exit code."""
    signal.signal(signal.SIGINT, _leave)
    module, *words = sys.argv[1:]
    return int(importlib.import_module(module).main(words))


def _leave(number: int, _frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # pressed twice, it is still the first time
    raise SystemExit(EXIT_CODE)


if __name__ == "__main__":
    sys.exit(main())
