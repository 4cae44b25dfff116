"""Keeps awscli loaded and forks for each call; ends with the sandbox, whose pipe is its standard input."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

_LOADED = ("ecr", "secretsmanager", "s3", "sts")
"""The services of the platform's buildspec; others are read when they are called."""

_DRIVER_SETTINGS = ("AWS_CONFIG_FILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""What awscli reads when it is loaded, and not for each call."""


def main() -> None:
    """Serve calls on the socket named by the first argument until standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)  # who calls while the command line is loaded waits instead of being refused
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    for service in _LOADED:
        driver.session.get_service_data(service)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: they answer themselves
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj == 0:
                    # Whoever started this has ended, perhaps too suddenly to tidy up.
                    path = Path(sys.argv[1])
                    path.unlink(missing_ok=True)
                    path.parent.rmdir()
                    return
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _answer(connection, driver)
                connection.close()


def _answer(connection: socket.socket, driver: Any) -> NoReturn:
    """Run one call in this forked process, as if it had been started by the build."""
    code = 255
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        size, streams, _, _ = socket.recv_fds(connection, 8, 3)
        call = json.loads(_read(connection, int.from_bytes(size, "big")))
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        loaded = {name: os.environ.get(name) for name in _DRIVER_SETTINGS}
        data_path = os.environ["AWS_DATA_PATH"]  # set by awscli for itself when it is imported
        os.environ.clear()
        os.environ.update({"AWS_DATA_PATH": data_path, **call["environment"]})
        os.chdir(call["folder"])
        sys.argv = ["aws", *call["arguments"]]
        threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()
        if {name: os.environ.get(name) for name in _DRIVER_SETTINGS} != loaded:
            from awscli.clidriver import create_clidriver

            driver = create_clidriver()
        code = int(driver.main(call["arguments"]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 255
    except Exception:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            connection.sendall(str(code).encode())
        os._exit(0)


def _read(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            break
        parts += part
    return parts


def _end_with_caller(connection: socket.socket) -> None:
    """A build that is stopped takes its calls with it."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main()
