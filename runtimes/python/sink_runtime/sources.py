"""Which of an app's sources do not compile, and why."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from sink_runtime.layout import say


def say_what_does_not_compile(sources: Path) -> None:
    """Write each fault to the log, and the first once more in one sentence, which a deploy repeats.

    All of it goes to standard error: of two streams the builder of an image may turn the order around.
    """
    faults = []
    for path in sorted(sources.rglob("*.py")):
        name = str(path.relative_to(sources.parent))
        try:
            compile(path.read_bytes(), name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError) as error:
            faults.append((name, error))
            print("".join(traceback.format_exception_only(error)), file=sys.stderr, end="")
    if not faults:
        say(f"The sources in {sources} do not compile.")
        return
    name, error = faults[0]
    line = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    reason = error.msg if isinstance(error, SyntaxError) else error
    others = f" {len(faults) - 1} more: see above." if len(faults) > 1 else ""
    say(f"{name}{line} does not compile: {type(error).__name__}: {reason}.{others}")
