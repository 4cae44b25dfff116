"""What AWS would refuse of a template: AWS's own validator, with the rules of cdk-preflight.

It runs as a process of its own, once for all templates that are asked about. What it found is kept by what
was judged: a template that was judged before costs nothing, whoever asks.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sink_host.errors import SinkError
from sink_host.templates.deployed import DeployedTemplate
from sink_host.templates.validator_files import cache_folder, fetch_validator

PROGRAM = Path(__file__).with_name("validator_program.py")

Severity = Literal["error", "warning", "advice"]

_TYPE = re.compile(r"\bAWS::\w+::\w+")

_LISTED = 12
"""Items of a list that a message names; as many again are worth no ellipsis."""

Wait = Callable[[Callable[[], bool]], None]
"""Polls until a condition holds; raises when nobody wants the answer any more."""


class ValidatorFailed(SinkError):
    """The validator ended without a verdict."""


@dataclass(frozen=True)
class Finding:
    """One thing in a template that AWS refuses, or warns of.

    Attributes:
        rule: Its name with whoever knows it, for example ``F3002`` or ``pf-elbv2-tg-name``.
        line: In the template as it was written; 0 where it has none.
        place: The logical id, or the section of what has none.
        message: One sentence, without the place.
        fix: What to do about it, where the rule says so.
        severity: ``error`` is what AWS refuses, ``warning`` what cfn-lint warns of, ``advice`` all else.
    """

    rule: str
    line: int
    place: str
    message: str
    fix: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"line {self.line}, {self.place}" if self.line else self.place
        return f"{where}: {self.message.rstrip('.')} ({self.rule})"


def judge_templates(
    templates: Sequence[DeployedTemplate], region: str, *, wait: Wait | None = None
) -> list[tuple[Finding, ...]]:
    """Return what is wrong with each template in a region.

    Args:
        templates: As they will be deployed.
        region: By its name; what a service knows differs by region.
        wait: How to wait for the validator's end; None waits for it.

    Raises:
        ValidatorUnavailable: there is no validator for this machine, or it could not be fetched.
        ValidatorFailed: it gave no answer.
    """
    verdicts = [_verdict(template, region) for template in templates]
    unknown = {
        verdict: template
        for verdict, template in zip(verdicts, templates, strict=True)
        if not verdict.is_file()
    }
    if unknown:
        answers = _ask(list(unknown.values()), region, wait)
        for verdict, answer in zip(unknown, answers, strict=True):
            _keep(verdict, answer)
    return [
        tuple(_finding(found, template) for found in json.loads(verdict.read_bytes()))
        for verdict, template in zip(verdicts, templates, strict=True)
    ]


def _verdict(template: DeployedTemplate, region: str) -> Path:
    """The file of what was found; another validator, other rules or another program may find more."""
    asked = json.dumps([template.text, dict(sorted(template.parameters.items()))])
    digest = hashlib.sha256(asked.encode() + PROGRAM.read_bytes()).hexdigest()
    return cache_folder() / "verdicts" / region / f"{digest}.json"


def _ask(templates: Sequence[DeployedTemplate], region: str, wait: Wait | None) -> list[list[dict[str, Any]]]:
    folder = fetch_validator()
    request = {
        "region": region,
        "templates": [
            {
                "text": template.text,
                "parameters": dict(template.parameters),
                "types": sorted(set(_TYPE.findall(template.text))),
            }
            for template in templates
        ],
    }
    with (
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), str(folder)], stdin=asked, stdout=out, stderr=errors
        )
        try:
            if wait is not None:
                wait(lambda: process.poll() is not None)
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        errors.seek(0)
        try:
            return list(json.loads(out.read()))
        except ValueError as error:
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            reason = said[-1] if said else "no word"
            raise ValidatorFailed(
                f"AWS's template validator ended with exit code {process.returncode}: {reason}"
            ) from error


def _keep(verdict: Path, answer: list[dict[str, Any]]) -> None:
    verdict.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=verdict.parent, prefix="verdict-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        Path(name).replace(verdict)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _finding(found: dict[str, Any], template: DeployedTemplate) -> Finding:
    return Finding(
        rule=found["rule"],
        line=template.original_line(found["line"]),
        place=found["entity"] or "the template",
        message=_shortened(" ".join(found["message"].split())),
        fix=found["fix"],
        severity=found["severity"],
    )


def _shortened(message: str) -> str:
    """Some lists of what is allowed have hundreds of items."""

    def shorten(match: re.Match[str]) -> str:
        items = match[1].split(", ")
        return (
            f"[{', '.join(items[:_LISTED])}, … {len(items)} in all]" if len(items) > 2 * _LISTED else match[0]
        )

    return re.sub(r"\[([^\[\]]*)\]", shorten, message)
