"""The metadata that a task asks for by the address which it alone was given.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
"""

from __future__ import annotations

import secrets

from ministack.services import ecs_metadata


def is_of_task(method: str, path: str) -> bool:
    """Whether a request has the address of a task that runs."""
    token = path.removeprefix("/v4/").partition("/")[0].encode()
    # Compared with each in constant time: whoever guesses learns nothing from how long it takes.
    known = [secrets.compare_digest(token, each.encode()) for each in list(ecs_metadata._TOKEN_TO_TASK)]
    return method == "GET" and any(known)
