"""``requirements-platform.txt``: the one line that pins the platform's package to the template's version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from the_sink.config.problems import Problem

FILE = "requirements-platform.txt"

_LINE = re.compile(
    r"the-sink(?:\[[\w,-]+\])?\s*@\s*git\+(?P<url>\S+?)@(?P<commit>[0-9a-f]{40})(?:#\S*)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Pin:
    """Where the package comes from: a git URL and a full commit."""

    url: str
    commit: str


def parse_pin(text: str) -> Pin | None:
    """Return the pin, None where there is no such line, or more than one."""
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    matches = [_LINE.fullmatch(line) for line in lines if line]
    if len(matches) != 1 or matches[0] is None:
        return None
    return Pin(matches[0]["url"], matches[0]["commit"])


def check_pin(text: str, template_commit: str) -> list[Problem]:
    """Return what is wrong with the pin, as far as the app's own files can tell.

    Args:
        text: The file.
        template_commit: ``_commit`` of the answers: ``v1.0.0``, or ``v1.0.0-3-gabcdef0`` between versions.
    """
    pin = parse_pin(text)
    if pin is None:
        expected = "expected: the one line 'the-sink[sandbox] @ git+<url>@<full commit>'"
        return [Problem(FILE, f"it does not pin the platform; {expected}.", f"git checkout HEAD -- {FILE}.")]
    between = re.search(r"-g([0-9a-f]{7,40})$", template_commit)
    if between and not pin.commit.startswith(between.group(1)):
        message = f"it pins commit {pin.commit[:8]}, the template is at {template_commit}."
        return [Problem(FILE, message, "Both move together: copier update.")]
    return []


def check_installed(text: str, commit: str) -> list[Problem]:
    """Warn where the installed package is not the pinned one: its stacks and tasks are what is used.

    Args:
        text: The file; one without a pin is said to be so by :func:`check_pin`.
        commit: That the installed package was taken from, "" where nobody knows.
    """
    pin = parse_pin(text)
    if pin is None or not commit or commit == pin.commit:
        return []
    message = f"it pins commit {pin.commit[:8]}, and {commit[:8]} is installed, whose files are used here."
    # Without --force-reinstall pip leaves another commit of the same version where it is:
    # https://github.com/pypa/pip/issues/5780
    install = f".venv/bin/pip install --force-reinstall -r {FILE}"
    return [Problem(FILE, message, f"Install it: {install}", is_warning=True)]
