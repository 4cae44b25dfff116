"""What roles asked the sandbox for, as text: how much, the refused, then the allowed (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Artifacts, log streams, tasks and stacks have ever new names, and the rest of their lines is alike.
_GENERATED = (
    (re.compile(r"^(arn:[\w-]+:s3:::[^/]+/(?:.*/)?)[^/]+$"), r"\1*"),
    (re.compile(r"(:log-stream:(?:.*/)?)[^/]+$"), r"\1*"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32,}\b"), "*"),
)


def render_accesses(accesses: Sequence[Mapping[str, Any]]) -> str:
    """Return their number, a line for each refusal, and one for what each role did with resources of a kind.

    Args:
        accesses: As the sandbox tells them: ``role`` (an ARN), ``action``, ``resource``, ``allowed``.
    """
    refused = sorted(
        (_role(each), each["action"], each["resource"]) for each in accesses if not each["allowed"]
    )
    roles = len({each["role"] for each in accesses})
    count = f"{_count(len(accesses), 'access', 'accesses')} by {_count(roles, 'role', 'roles')}"
    return "\n".join(
        [
            f"{count}, {len(refused) or 'none'} refused.",
            *(f"REFUSED {role}: {action} on {resource}" for role, action, resource in refused),
            *_render_allowed([each for each in accesses if each["allowed"]]),
        ]
    )


def _render_allowed(accesses: Sequence[Mapping[str, Any]]) -> list[str]:
    actions: dict[tuple[str, str], set[str]] = {}
    resources: dict[tuple[str, str], set[str]] = {}
    for each in accesses:
        key = (_role(each), _fold(each["resource"]))
        actions.setdefault(key, set()).add(each["action"])
        resources.setdefault(key, set()).add(each["resource"])
    lines = []
    for (role, like), done in sorted(
        actions.items(), key=lambda item: (item[0][0], sorted(item[1]), item[0][1])
    ):
        (first, *others) = sorted(resources[role, like])
        place = f"{like} ({len(others) + 1})" if others else first
        lines.append(f"allowed {role}: {', '.join(sorted(done))} on {place}")
    return lines


def _fold(resource: str) -> str:
    for pattern, replacement in _GENERATED:
        resource = pattern.sub(replacement, resource)
    return resource


def _role(access: Mapping[str, Any]) -> str:
    return str(access["role"]).rpartition("/")[2]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
