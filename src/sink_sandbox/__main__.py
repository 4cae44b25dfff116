"""``python -m sink_sandbox``: the server process that ``lifecycle.start`` launches."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Serve until SIGTERM; a refusal is one line on standard error and exit code 2."""
    from sink_sandbox.client.lifecycle import DEFAULT_PORT, default_name
    from sink_sandbox.errors import SinkError

    parser = argparse.ArgumentParser(prog="python -m sink_sandbox", description=__doc__)
    parser.add_argument("--name", default=default_name())
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--engine", default="", help="the Docker Engine to use, as JSON; else processes")
    parser.add_argument("--reason", default="", help="why tasks are played the way they are")
    parser.add_argument(
        "--starting",
        type=int,
        help="an inherited file that is locked; it is closed once the sandbox is ready",
    )
    arguments = parser.parse_args()
    try:
        from sink_sandbox.server.application import serve
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"The package {error.name!r} is missing; install the-sink with its extra 'sandbox'.\n"
        )
        return 2
    try:
        serve(arguments.name, arguments.port, arguments.engine, arguments.reason, arguments.starting)
    except SinkError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
