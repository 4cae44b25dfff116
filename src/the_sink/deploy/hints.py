"""What must be done about a failure before the next deploy, by the words in which it is told (pure).

Each is the beginning of a sentence that its caller ends with how to deploy again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from the_sink.models import StackEvent

_RELEASE_FAILED = re.compile(r"\brelease ended with exit code \d+; web is not started\b")
"""The words of the runtime's container-init."""

# CloudFormation's words: https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/18
_UNKNOWN_PARAMETERS = re.compile(r"Parameters: \[([^\]]+)\] do not exist in the template")


MEND = "Mend the cause, commit"


def hint_for_stack(cause: StackEvent | None, env: str, flags: str) -> str:
    """Return what helps a stack that failed.

    Args:
        cause: The first event that failed.
        env: The environment.
        flags: What a command ends with to mean the same AWS.
    """
    found = _UNKNOWN_PARAMETERS.search(cause.reason) if cause else None
    if cause is None or found is None or not cause.is_nested_stack:
        return MEND
    command = "platform.publish" if env == "stage" else f"platform.promote --env {env}"
    return (
        f"The platform's template in {env} does not know {found[1]} yet. In the platform's repository: "
        f"invoke {command}{flags}"
    )


def hint_for_task(log: Iterable[str]) -> str:
    """Return what helps a task that ended, by the last lines of its log."""
    if not any(_RELEASE_FAILED.search(line) for line in log):
        return MEND
    return (
        "The `release:` command of the Procfile failed, before anything was served: see above what the "
        "migration said, mend it, commit"
    )
