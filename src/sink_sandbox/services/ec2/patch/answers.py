"""Reads the answers of the emulator's EC2."""

from __future__ import annotations

import re
from typing import Any

Answer = tuple[int, dict[str, str], Any]


def find_member(answer: Answer, name: str) -> str:
    """Return the text of an element.

    Raises:
        ValueError: the answer is an error, or has no such element.
    """
    match = re.search(rf"<{name}>([^<]+)</{name}>", check(answer))
    if match is None:
        raise ValueError(f"The emulator's answer has no {name}.")
    return match[1]


def check(answer: Answer) -> str:
    """Return the answer's text.

    Raises:
        ValueError: it is an error; with its message.
    """
    status, _, body = answer
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        message = re.search(r"<Message>([^<]*)</Message>", text)
        raise ValueError(message[1] if message else text)
    return text
