"""The embedded AWS: one process on loopback that runs the real templates and the real buildspec.

What is named here is its face: all that the platform's tasks and the demo may use of it. A name is imported
when it is first asked for, because every ``docker`` command of a build imports this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sink_sandbox.client.choosing import require_compute
    from sink_sandbox.client.lifecycle import (
        ACCOUNT_ID,
        START_TIMEOUT_S,
        Sandbox,
        default_name,
        find,
        require,
        reset,
        start,
        state_dir,
        stop,
    )
    from sink_sandbox.client.questions import accesses, applied_patches, environment, status
    from sink_sandbox.errors import SandboxUnavailable

__all__ = [
    "ACCOUNT_ID",
    "START_TIMEOUT_S",
    "Sandbox",
    "SandboxUnavailable",
    "accesses",
    "applied_patches",
    "default_name",
    "environment",
    "find",
    "require",
    "require_compute",
    "reset",
    "start",
    "state_dir",
    "status",
    "stop",
]

_MODULES = {
    "SandboxUnavailable": "sink_sandbox.errors",
    "accesses": "sink_sandbox.client.questions",
    "applied_patches": "sink_sandbox.client.questions",
    "environment": "sink_sandbox.client.questions",
    "require_compute": "sink_sandbox.client.choosing",
    "status": "sink_sandbox.client.questions",
}
"""Where a name of the face is defined, unless in ``client.lifecycle``."""


def __getattr__(name: str) -> Any:
    """Import a name of the face (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES.get(name, "sink_sandbox.client.lifecycle")), name)
    globals()[name] = found
    return found
