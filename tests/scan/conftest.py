"""The scanners, and one tree with all that they look at.

They run in `.ci/run`, or by `invoke scan`; `invoke test` leaves them out: checkov alone takes as long as a
quarter of the other tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sink_host import uv
from tests.workflows.conftest import CHECKOUT, render, service

__all__ = ["render", "service"]

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"

INSECURE_TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Everybody:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: a shell for the world
      SecurityGroupIngress:
        - { IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0, Description: ssh }
"""
INSECURE_DOCKERFILE = """
FROM python:latest
RUN sudo apt-get install curl && curl --insecure https://example.com/install | sh
USER root
"""
# A key that AWS's own documentation uses as its example.
INSECURE_COMPOSE = """
services:
  app:
    environment:
      AWS_ACCESS_KEY_ID: AKIAIOSFODNN7EXAMPLE
      AWS_SECRET_ACCESS_KEY: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
"""


@dataclass(frozen=True)
class Scanners:
    """The programs of an environment of their own."""

    folder: Path

    def run(self, name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one to its end; what it finds it says by its exit code and on standard output."""
        # Without an account checkov has nobody to ask; this keeps it from trying.
        env = {**os.environ, "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
        command = [str(self.folder / name), *arguments]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def scanners(pytestconfig: pytest.Config) -> Scanners:
    """The scanners as they are locked; kept in pytest's cache, their pins are none of this project's."""
    assert pytestconfig.cache
    environment = pytestconfig.cache.mkdir("scanners") / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not (environment / "bin" / "python").exists():
        uv.make_environment(environment, Path(sys.executable))
    uv.install_locked(environment, LOCK)
    return Scanners(environment / "bin")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory, service: Path) -> Path:
    """What is scanned: ``stacks/``, ``runtimes/``, a generated service, and what is insecure on purpose.

    The service's Dockerfile is as it is built, behind the runtime's own lines: by itself it has neither a
    base nor a user.
    """
    folder = tmp_path_factory.mktemp("scan")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("stacks", "runtimes"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    shutil.copytree(service, folder / "service", ignore=ignored)
    dockerfile = folder / "service/aws/Dockerfile"
    _, _, own = dockerfile.read_text().partition("\nFROM ${FROM}\n")
    assert own
    dockerfile.write_text((CHECKOUT / "runtimes/python/3.13.Dockerfile").read_text() + own)
    (folder / "insecure").mkdir()
    (folder / "insecure/cfn-template.yml").write_text(INSECURE_TEMPLATE)
    (folder / "insecure/Dockerfile").write_text(INSECURE_DOCKERFILE)
    (folder / "insecure/compose.yaml").write_text(INSECURE_COMPOSE)
    return folder


@dataclass(frozen=True)
class Finding:
    """One thing that a scanner found, or was told to pass over."""

    file: str
    rule: str
    where: str
    reason: str = ""
    what: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.rule}: {self.what}"

    @property
    def is_planted(self) -> bool:
        """Whether it is about what is insecure on purpose."""
        return self.file.startswith("insecure/")


def tell(findings: Iterable[object]) -> str:
    """Return every finding on a line of its own, for whoever has to mend them."""
    return "\n".join(["found:", *map(str, findings)])


@dataclass(frozen=True)
class Report:
    """What checkov says of the tree."""

    failed: list[Finding]
    skipped: list[Finding]
    read: set[str]
    unread: list[str]


@pytest.fixture(scope="session")
def checkov(scanners: Scanners, tree: Path) -> Report:
    """Templates, Dockerfiles as they are built, and keys and passwords in any file."""
    frameworks = ["--framework", "cloudformation", "dockerfile", "secrets"]
    quiet = ["--compact", "--skip-download", "--output", "json"]
    done = scanners.run("checkov", "--directory", ".", *frameworks, *quiet, cwd=tree)
    try:
        reports = json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"checkov ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    results = [each["results"] for each in reports]

    def findings(kind: str) -> list[Finding]:
        return [_finding(check) for result in results for check in result[kind]]

    return Report(
        failed=findings("failed_checks"),
        skipped=findings("skipped_checks"),
        read={each.file for each in (*findings("passed_checks"), *findings("failed_checks"))},
        unread=[file for result in results for file in result["parsing_errors"]],
    )


def _finding(check: dict[str, Any]) -> Finding:
    reason = str(check["check_result"].get("suppress_comment") or "")
    return Finding(
        check["file_path"].lstrip("/"),
        check["check_id"],
        check["resource"],
        reason.strip(),
        str(check["check_name"]),
    )
