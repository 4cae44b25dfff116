"""cfn-lint for machines that AWS's own validator has no build for.

It takes seconds to be loaded: it runs in a process of its own, once for all templates that are asked about.
What it found is kept by the template's content.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sink_host.templates.validator import Finding, ValidatorFailed, Wait
from sink_sandbox.server.saver import write_atomically

_COMMAND = (sys.executable, "-c", "import sys; from cfnlint.runner import main; sys.exit(main())")

_IGNORED = ("W", "E0002")
"""Warnings, and the exceptions of cfn-lint's own rules, which say nothing of the template."""


class CfnLint:
    """cfn-lint with the memory of one sandbox, which lies in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, texts: Sequence[str], region: str, wait: Wait | None) -> list[list[Finding]]:
        """Return the errors of each template, as it is written.

        Raises:
            ValidatorFailed: cfn-lint gave no answer.
        """
        unknown = list(dict.fromkeys(text for text in texts if not self._verdict(text, region).is_file()))
        if unknown:
            self._lint(unknown, region, wait)
        return [
            [Finding(**found) for found in json.loads(self._verdict(text, region).read_bytes())]
            for text in texts
        ]

    def _verdict(self, text: str, region: str) -> Path:
        """The file of what was found; another version of cfn-lint may find something else."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._folder / version("cfn-lint") / region / f"{digest}.json"

    def _lint(self, texts: Sequence[str], region: str, wait: Wait | None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as made:
            files = {Path(made) / f"{number}.yml": text for number, text in enumerate(texts)}
            for file, text in files.items():
                file.write_text(text, encoding="utf-8")
            found = _run(Path(made), [file.name for file in files], region, wait)
            for file, text in files.items():
                findings = [asdict(_finding(match)) for match in found if match["Filename"] == file.name]
                write_atomically(self._verdict(text, region), json.dumps(findings).encode())


def _run(folder: Path, files: list[str], region: str, wait: Wait | None) -> list[dict[str, Any]]:
    """Return cfn-lint's errors; its settings are these alone, not those of a file in somebody's home."""
    command = [*_COMMAND, "--format", "json", "--regions", region, "--ignore-checks", *_IGNORED, "--", *files]
    with (folder / "out").open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
        )
        try:
            if wait is not None:
                wait(lambda: process.poll() is not None)
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    text = (folder / "out").read_text()
    try:
        # It says nothing at all where there is nothing to say, and where it failed; its exit code tells.
        matches: list[dict[str, Any]] = json.loads(text) if text or process.returncode else []
    except ValueError as error:
        said = (folder / "errors").read_text().split("\n")
        reason = next((line for line in reversed(said) if line), "no word")
        raise ValidatorFailed(f"cfn-lint ended with exit code {process.returncode}: {reason}") from error
    return [match for match in matches if match["Level"] == "Error"]


def _finding(match: Mapping[str, Any]) -> Finding:
    location = match["Location"]
    return Finding(
        match["Rule"]["Id"], location["Start"]["LineNumber"], _place(location["Path"]), match["Message"]
    )


def _place(path: list[Any] | None) -> str:
    """A resource is called by its logical id; so is what else has one, after its section."""
    parts = [str(part) for part in path or []]
    if parts[:1] == ["Resources"] and len(parts) > 1:
        return parts[1]
    return "/".join(parts[:2]) or "the template"
