"""``docker inspect`` and ``docker images`` with the registry's names, and without other sandboxes' images."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from sink_sandbox.containers.docker.names import is_reference
from sink_sandbox.containers.references import parse_reference
from sink_sandbox.docker_cli.go_template import render_template

if TYPE_CHECKING:
    from sink_sandbox.docker_cli.engine.command import Command


def inspect(command: Command, words: list[str]) -> int:
    """``docker inspect``: names of the repository asked for come first, because scripts take the first.

    The engine lists every name that an image has, those of other sandboxes too; a template that asks for
    names is therefore filled in here, every other one by the engine.
    """
    mapped = [command.names.to_engine(word) if is_reference(word) else word for word in words]
    template, rest = _take_format(mapped)
    if template is not None and ".Repo" not in template and template != "json":
        return command.hand_on(["inspect", *mapped])
    done = command.ask(["inspect", *rest])
    if done.returncode:
        sys.stdout.write(command.names.to_registry(done.stdout))
        sys.stderr.write(command.names.to_registry(done.stderr))
        return done.returncode
    asked = [word for word in words if is_reference(word)]
    described = [_own(command, one, asked) for one in json.loads(done.stdout)]
    if template is None or template == "json":
        sys.stdout.write(json.dumps(described, indent=4, ensure_ascii=False) + "\n")
    else:
        for one in described:
            sys.stdout.write(render_template(template, one) + "\n")
    return 0


def images(command: Command, words: list[str]) -> int:
    """``docker images``: one line for each name, as the engine lists them."""
    template, rest = _take_format(words)
    quiet = any(word in ("-q", "--quiet") for word in rest)
    asked = [
        command.names.to_engine(word) if is_reference(word) else word
        for word in rest
        if word not in ("-q", "--quiet")
    ]
    done = command.ask(["images", "--format", "{{json .}}", *asked])
    if done.returncode:
        sys.stderr.write(command.names.to_registry(done.stderr))
        return done.returncode
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [
        {**row, "Repository": command.names.to_registry(row["Repository"])}
        for row in rows
        if not command.names.is_foreign(row["Repository"])
    ]
    if template is not None and template != "json":
        lines = [render_template(template, row) for row in rows]
    elif template == "json":
        lines = [json.dumps(row) for row in rows]
    elif quiet:
        lines = list(dict.fromkeys(row["ID"] for row in rows))
    else:
        lines = _table(rows)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _own(command: Command, described: dict[str, Any], asked: list[str]) -> dict[str, Any]:
    """Return an image's description with the names that it has in this sandbox."""
    repositories = {parse_reference(word).name for word in asked}
    own = dict(described)
    for key in ("RepoTags", "RepoDigests"):
        names = [
            command.names.to_registry(name)
            for name in described.get(key) or []
            if not command.names.is_foreign(name)
        ]
        if key in own:
            own[key] = sorted(names, key=lambda name: parse_reference(name).name not in repositories)
    return own


def _take_format(words: list[str]) -> tuple[str | None, list[str]]:
    kept: list[str] = []
    template: str | None = None
    pending = list(words)
    while pending:
        word = pending.pop(0)
        flag, equals, value = word.partition("=")
        if flag in ("-f", "--format"):
            template = value if equals else (pending.pop(0) if pending else "")
        else:
            kept.append(word)
    return template, kept


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = {
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "ID": "IMAGE ID",
        "CreatedSince": "CREATED",
        "Size": "SIZE",
    }
    lines = [list(columns.values()), *([str(row.get(key, "")) for key in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
