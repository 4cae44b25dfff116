"""What a running sandbox is asked: how it is, what roles did, how to reach it."""

from __future__ import annotations

from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID, Sandbox, require
from sink_sandbox.client.process import request
from sink_sandbox.errors import SandboxUnavailable

_TIMEOUT_S = 10


def status(name: str) -> dict[str, Any]:
    """Return what the running sandbox ``name`` reports of itself: version, compute, what is simulated.

    Raises:
        SandboxUnavailable: it is not running, or does not answer.
    """
    return _ask(name, "/_sandbox/status")


def accesses(name: str) -> list[dict[str, Any]]:
    """Return what roles asked the running sandbox ``name`` for since it was started, the latest last.

    Each is a dict with ``role`` (its ARN), ``action``, ``resource`` and ``allowed``.

    Raises:
        SandboxUnavailable: it is not running, or does not answer.
    """
    return list(_ask(name, "/_sandbox/access")["access"])


def applied_patches(name: str) -> list[dict[str, Any]]:
    """Return what the running sandbox ``name`` has changed in its emulator, in the order of application.

    Each is a dict with ``name``, ``module`` (below ``sink_sandbox``), ``reason`` and ``after``, the names of
    those that must come before it.

    Raises:
        SandboxUnavailable: it is not running, does not answer, or is of a version that had no such list.
    """
    running = require(name)
    answer = request(running.port, "GET", "/_sandbox/patches", running.secret, _TIMEOUT_S)
    if not isinstance(answer, dict):
        raise SandboxUnavailable(
            f"The sandbox {name!r} does not list its patches: its version is an earlier one, or it is busy.",
            "Start it anew, with its state: invoke sandbox.stop && invoke sandbox.start",
        )
    return list(answer["patches"])


def environment(sandbox: Sandbox, region: str) -> dict[str, str]:
    """Return the variables that let ``aws`` and boto3 in another process reach the sandbox as its root."""
    return {
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def _ask(name: str, path: str) -> dict[str, Any]:
    running = require(name)
    answer = request(running.port, "GET", path, running.secret, _TIMEOUT_S)
    if not isinstance(answer, dict):
        raise SandboxUnavailable(f"The sandbox {name!r} does not answer.", "invoke sandbox.stop")
    return answer
