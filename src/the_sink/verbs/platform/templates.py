"""CloudFormation templates that travel with the package: their text, and what they declare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from the_sink.config.stack_template import parse_template
from the_sink.resources import resource_path


@dataclass(frozen=True)
class Template:
    """A template of ours.

    Attributes:
        path: Where it lies under the repository's root, for example ``stacks/python/pipeline.yml``.
        text: Its bytes as text.
        parameters: The names that it declares.
    """

    path: str
    text: str
    parameters: frozenset[str]


@cache
def load_template(path: str, checkout: Path | None = None) -> Template:
    """Read a template, a checkout's or the shipped one; once in a process, because its YAML is long."""
    text = resource_path(path, checkout).read_text(encoding="utf-8")
    document, _problems = parse_template(text, path)
    return Template(
        path=path,
        text=text,
        parameters=frozenset(document.get("Parameters", {})),
    )
