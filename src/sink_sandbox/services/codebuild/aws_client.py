"""Run as a script by builds: hands one ``aws`` call over to ``aws_server``, standard library only."""

from __future__ import annotations

import array
import json
import os
import socket
import sys
import time

_PATIENCE_S = 30.0


def main() -> int:
    """Return the call's exit code; 255, awscli's own for an error of its, when nobody answers."""
    path, arguments = sys.argv[1], sys.argv[2:]
    connection = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.connect(path)
            break
        except OSError:
            if time.monotonic() > deadline:
                sys.stderr.write("aws: the sandbox's command line does not answer.\n")
                return 255
            time.sleep(0.02)
    call = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    message = json.dumps(call).encode()
    streams = array.array("i", [0, 1, 2])
    connection.sendmsg([len(message).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.sendall(message)
    answer = connection.recv(16)
    return int(answer) if answer else 255


if __name__ == "__main__":
    sys.exit(main())
