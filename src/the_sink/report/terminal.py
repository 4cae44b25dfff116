"""What may reach a terminal: text from outside with its control characters shown, not obeyed.

A commit's subject, a build's log or an error of AWS's may hold escape sequences, which move the cursor,
change the window's title or hide what was said before; and marks that turn the reading direction around.
"""

from __future__ import annotations

import re

# Every control character but line feed and tab, line and paragraph separators, the marks that turn the
# reading direction around (https://unicode.org/reports/tr9/), and halves of surrogate pairs, which no stream
# can write.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return text with each such character as its escape, such as ``\x1b``; ``\r\n`` is a line's end."""
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def visible_json(text: str) -> str:
    """Return JSON with each such character as an escape of JSON's, so that a reader gets the same values."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
