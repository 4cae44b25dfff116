"""The few Go templates that scripts give to ``--format``.

Understood are paths (``{{.Config.Image}}``), ``{{json .Path}}``, ``{{index .Path 0 "key"}}`` and text
between them; every other template is refused by name rather than answered wrongly.
https://docs.docker.com/engine/cli/formatting/
"""

from __future__ import annotations

import json
import re
from typing import Any

from sink_sandbox.errors import InputError

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_PATH = r"\.(?:[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)?"
_INDEX = re.compile(rf'index ({_PATH})((?: (?:\d+|"[^"]*"))+)')


def render_template(template: str, value: object) -> str:
    """Return what ``docker … --format`` prints for one object.

    Raises:
        InputError: naming the part of the template that is not understood, or that the object lacks.
    """
    return _ACTION.sub(lambda match: _text(_evaluate(match[1], match[0], value)), template)


def _evaluate(expression: str, written: str, value: object) -> object:
    if re.fullmatch(_PATH, expression):
        return _walk(expression, written, value)
    if match := re.fullmatch(rf"json ({_PATH})", expression):
        return json.dumps(_walk(match[1], written, value), separators=(",", ":"), ensure_ascii=False)
    if match := _INDEX.fullmatch(expression):
        found: Any = _walk(match[1], written, value)
        for number, key in re.findall(r' (?:(\d+)|"([^"]*)")', match[2]):
            if isinstance(found, dict):
                found = found.get(number or key, "")
            elif isinstance(found, list) and number and int(number) < len(found):
                found = found[int(number)]
            else:
                raise InputError(f"template {written}: there is no element {number or key}.")
        return found
    raise InputError(
        f"The template {written} is not understood without a Docker Engine.",
        'Use {{.Path}}, {{json .Path}} or {{index .Path 0}}, {{index .Path "key"}}.',
    )


def _walk(path: str, written: str, value: object) -> object:
    found: Any = value
    for name in path.strip(".").split("."):
        if not name:
            continue
        if not isinstance(found, dict) or name not in found:
            raise InputError(f"template {written}: there is no field {name}.")
        found = found[name]
    return found


def _text(value: object) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
    return str(value)
