"""The platform engineer's tasks: composition only. ``invoke --list`` is the menu."""

import sys

# Every Python 3 must be able to read this file as far as it ends: no newer syntax in it.
if sys.version_info < (3, 11):  # noqa: UP036 (whoever starts it with an older one is told so)
    sys.stderr.write(
        "Python "
        + ".".join(map(str, sys.version_info[:2]))
        + " runs this invoke, and the platform needs 3.11 or later; make .venv with a newer one: "
        + "python3.13 -m venv --clear .venv && .venv/bin/pip install -r requirements.lock && "
        + ".venv/bin/pip install --no-deps -e .\n"
    )
    sys.exit(2)

try:
    from the_sink.tasks import platform_namespace
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "the_sink":
        raise
    sys.stderr.write(
        "The platform's package is not installed where this invoke runs; use .venv/bin/invoke after: "
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.lock && "
        ".venv/bin/pip install --no-deps -e .\n"
    )
    sys.exit(2)

from demo import task as demo

namespace = platform_namespace(demo)
