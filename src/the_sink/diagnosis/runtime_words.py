"""What the runtime's own programs, app-init and container-init, said last about why they failed (pure).

They begin each line with their name; a build by an engine puts its own step and time before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SAID = re.compile(r"(?:^|\s)(?:app-init|container-init): (?P<text>\S.*)")
_BEGINS = re.compile(r"[a-z][a-z0-9_-]*: ")
"""A command of the Procfile: what was said before it, such as that it waits for another task, has passed."""

_NO_FAULT = re.compile(
    r"\S+ is not written \("  # a read-only root
    r"|Not used of the settings"  # what the task definition or the image says wins
    r"|Procfile: "  # a process type that runs beside web
)
_MENDED = re.compile(r"web listens on port \d+ now\b")
_PORT = re.compile(r"port (\d+) \(\$PORT\)")
_RELEASE_FAILED = re.compile(r"release ended with exit code \d+; web is not started\b")
_NOT_HEARD = re.compile(r"nothing listens on port |web listens on port ")
_ENDED = re.compile(r"(\S+) ended with exit code \d+, and the task with it\b")
_SECRET = re.compile(r"The secret(?:'s| )")


def find_runtime_sentence(lines: Sequence[str]) -> str:
    """Return the last fault that they named, without its full stop; "" for none, or one that has passed."""
    fault = ""
    for line in lines:
        found = _SAID.search(line)
        if found is None or _NO_FAULT.match(found["text"]):
            continue
        has_passed = _BEGINS.match(found["text"]) or _MENDED.match(found["text"])
        fault = "" if has_passed else found["text"].strip().rstrip(".")
    return fault


def describe_port(sentence: str, asked: int) -> str:
    """Return where a port of a task leads, "" where that is the port that the sentence names.

    It is another where a process plays a container in the sandbox: each has a port of its own.
    """
    own = _PORT.search(sentence)
    return f" (port {asked} leads to the task's $PORT, {own[1]})" if own and int(own[1]) != asked else ""


def is_release_failure(sentence: str) -> bool:
    """Whether `release:` of the Procfile failed."""
    return bool(_RELEASE_FAILED.match(sentence))


def is_not_heard(sentence: str) -> bool:
    """Whether `web:` of the Procfile does not listen where it is asked."""
    return bool(_NOT_HEARD.match(sentence))


def ended_beside(sentence: str) -> str:
    """Return the process type that ended and took the task with it; "" where several were not running."""
    found = _ENDED.match(sentence)
    return found[1] if found else ""


def is_about_secret(sentence: str) -> bool:
    """Whether the environment's secret cannot be an environment."""
    return bool(_SECRET.match(sentence))
