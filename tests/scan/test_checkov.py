"""Templates, Dockerfiles as they are built, and secrets in files: checkov finds nothing, and would.

What it is told to pass over says why in place, as ``# checkov:skip=<rule>: <reason>`` inside the resource:
https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
"""

from __future__ import annotations

import re
from pathlib import Path

from .conftest import Report, tell


def test_nothing_insecure_is_left(checkov: Report) -> None:
    found = [finding for finding in checkov.failed if not finding.is_planted]

    # Said in words: pytest's comparison of two lists ends after the first item.
    assert not found, tell(found)
    assert checkov.unread == []


def test_everything_was_read(checkov: Report, tree: Path) -> None:
    templates = [path for path in tree.rglob("*.yml") if "AWSTemplateFormatVersion" in path.read_text()]
    wanted = {str(path.relative_to(tree)) for path in (*templates, *tree.rglob("*Dockerfile"))}

    assert {"stacks/python/cfn-template.yml", "service/aws/Dockerfile"} <= wanted
    # A service's own template is nothing but the platform's nested stack: no rule of checkov's is about that.
    assert wanted - checkov.read == {"service/aws/cfn-template.yml"}


def test_what_is_insecure_is_found(checkov: Report) -> None:
    found = {(finding.file, finding.rule) for finding in checkov.failed if finding.is_planted}

    assert {
        ("insecure/cfn-template.yml", "CKV_AWS_24"),
        ("insecure/Dockerfile", "CKV_DOCKER_8"),
        ("insecure/Dockerfile", "CKV2_DOCKER_2"),
        ("insecure/compose.yaml", "CKV_SECRET_2"),
    } <= found


def test_every_exception_has_a_reason_and_is_one(checkov: Report, tree: Path) -> None:
    """A comment that hides nothing any more goes."""
    unexplained = [finding for finding in checkov.skipped if len(finding.reason.split()) < 4]
    assert not unexplained, tell(unexplained)
    used = {(finding.file, finding.rule) for finding in checkov.skipped}
    written = {
        (str(path.relative_to(tree)), rule)
        for path in tree.rglob("*")
        if path.is_file()
        for rule in re.findall(r"checkov:skip=(\w+)", path.read_text(errors="replace"))
    }

    assert written - used == set()
