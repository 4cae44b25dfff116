"""ministack's ASGI application and what happens to its state as a whole: save, reset."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as ministack_app
from ministack.core import persistence

Handler = Callable[
    [str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[tuple[int, dict[str, str], bytes]]
]

application = ministack_app.app
"""The ASGI application that the server wraps."""


def save_alone() -> None:
    """Let the sandbox's saver be the only one that writes state files.

    ministack writes them once more at its end, in a way of its own, over what was saved and is right.
    """
    ministack_app.save_all = lambda _services: None


def version() -> str:
    """Return ministack's version."""
    return str(ministack_app._version())


def reset() -> None:
    """Empty every service and remove what was saved of it."""
    ministack_app._reset_all_state()


def snapshot() -> dict[str, bytes]:
    """Return each loaded service's state as the bytes of its state file.

    Called from a thread while requests are served: a service whose state changes meanwhile is tried
    again, and left out (its last file stays) if it never holds still.
    """
    taken: dict[str, bytes] = {}
    for service, get_state in ministack_app._build_persistence_save_dict().items():
        for _ in range(5):
            try:
                state = get_state()
                if state is not None:
                    taken[service] = json.dumps(
                        {
                            "__ministack_format__": persistence._state_format_version(service),
                            "payload": state,
                        },
                        default=persistence._json_default,
                    ).encode()
                break
            except RuntimeError:  # "dictionary changed size during iteration"
                continue
    return taken


def state_dir() -> str:
    """Return where ministack reads its state files at start."""
    return str(persistence.STATE_DIR)


def service_state(service: str) -> Any:
    """Return a service's module state, for contract tests."""
    return ministack_app._get_module(service).get_state()
