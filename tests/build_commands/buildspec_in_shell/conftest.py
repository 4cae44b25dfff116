"""A buildspec from before ``sink-build``, run by a shell: calls of ``aws`` and ``docker`` are written down.

An app keeps its buildspec until its team updates it: what such a file does with the variables that a pipeline
of this version sets has to stay.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sink_sandbox.services.codebuild.buildspec import Buildspec, parse_buildspec

BY_THE_PIPELINE = {
    *("AWS_REGION", "AWS_ACCOUNT_ID", "APP_NAME", "APP_ENV", "PLATFORM_ECR_REPOSITORY", "RUNTIME_VERSION"),
    *("ECR_REPOSITORY", "ECR_TAG", "SECRETS_DELIVERY", "PROMOTED_FROM"),
}

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
DIGEST = "sha256:" + "d" * 64
SECRET_VALUE = '{"KEY": "a planted\\tsecret",\n "OTHER": "x"}'

STAGE = "aws_account_id.dkr.ecr.aws_region.amazonaws.com/hello-sink-stage"
UAT = "aws_account_id.dkr.ecr.aws_region.amazonaws.com/hello-sink-uat"

TOOL = """#!/bin/sh
# Writes down how it was called, and answers what the test has put beside it.
echo "$(basename "$0") $*" >> "$CALLS/calls"
case "$*" in
  *get-login-password*) echo password ;;
  *get-secret-value*) printf 'version-1\\t'; cat "$CALLS/secret" ;;
  *"--repository-name runtime "*) echo "$DIGEST" ;;
  *batch-get-image*) cat "$CALLS/missing" ;;
  *describe-clusters*) cat "$CALLS/services" 2> /dev/null || exit 254 ;;
  *describe-images*) cat "$CALLS/images" 2> /dev/null || { cat "$CALLS/refusal" >&2; exit 254; } ;;
  *"container-init env"*) printf %s "$SINK_SECRET_CORE" > "$CALLS/handed-on" ;;
  *"login --username"*) cat > /dev/null ;;
  *" --secret id=env,src="*) words=$*; words=${words#*id=env,src=}; cp "${words%% *}" "$CALLS/lent" ;;
  "push "*:cache-*) if [ -e "$CALLS/frozen" ]; then exit 1; fi ;;
  *the-sink.secrets-delivery*) cat "$CALLS/delivery" ;;
  inspect*) for last; do :; done; echo "base-of-${last##*@}" ;;
esac
"""

Play = Callable[..., list[str]]


@pytest.fixture(scope="session")
def buildspec() -> Buildspec:
    return parse_buildspec((FIXTURES / "buildspec-in-shell.yaml").read_text())


@pytest.fixture(scope="session")
def commands(buildspec: Buildspec) -> list[str]:
    return [command for phase in buildspec.phases for command in (*phase.commands, *phase.finally_commands)]


@pytest.fixture
def play(commands: list[str], tmp_path: Path) -> Play:
    """A function that plays all commands, by delivery and by the tags that the registry lacks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("aws", "docker"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    (tmp_path / "release.json").write_text(json.dumps({"commit": "c0ffee", "template_version": "1.2.3"}))
    (tmp_path / "aws").mkdir(exist_ok=True)
    for env in ("stage", "uat"):
        (tmp_path / f"aws/cfn-template-configuration-{env}.json").write_text('{"Parameters": {}}')
    (tmp_path / "secret").write_text(SECRET_VALUE)
    (tmp_path / "services").write_text("1")
    (tmp_path / "delivery").write_text("image")

    def run(
        delivery: str, missing: str, shell: str = "sh", promoted_from: str = "", digest: str = DIGEST
    ) -> list[str]:
        (tmp_path / "missing").write_text(missing)
        (tmp_path / "calls").unlink(missing_ok=True)
        environment = {name: name.lower() for name in BY_THE_PIPELINE} | {
            "APP_NAME": "hello-sink",
            "APP_ENV": "uat" if promoted_from else "stage",
            "ECR_REPOSITORY": "hello-sink-uat" if promoted_from else "hello-sink-stage",
            "ECR_TAG": "latest",
            "PLATFORM_ECR_REPOSITORY": "runtime",
            "RUNTIME_VERSION": "3.13",
            "SECRETS_DELIVERY": delivery,
            "CALLS": str(tmp_path),
            "DIGEST": digest,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        }
        # As a pipeline stack does: the variable is there only where releases come from another environment.
        del environment["PROMOTED_FROM"]
        environment |= {"PROMOTED_FROM": promoted_from} if promoted_from else {}
        script = "\n".join(["set -eu", *commands])
        subprocess.run([shell, "-c", script], cwd=tmp_path, env=environment, check=True)
        return (tmp_path / "calls").read_text().splitlines()

    return run


def tag_of(calls: list[str]) -> str:
    found = next(found for call in calls if (found := re.search(r"imageTag=(c0ffee-\w{8})", call)))
    return found[1]
