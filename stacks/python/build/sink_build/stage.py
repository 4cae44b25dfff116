"""The arguments that ``admit`` and ``record`` share: which execution of which environment they belong to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sink_build.aws import Aws
from sink_build.executions import Executions
from sink_build.images import Repository
from sink_build.ledger import Ledger


@dataclass(frozen=True)
class Stage:
    """One action's place, and its edges to AWS.

    Attributes:
        app: The app's name.
        env: The environment.
        bucket: The platform's.
        archive_key: The archive that the environment follows.
        execution_id: Of the pipeline.
        definitions: ``imagedefinitions.json`` of the input artifact.
        promoted_from: The environment whose images Build may take over, "" for none.
        moving_tag: The tag that means the last release that deployed well.
    """

    app: str
    env: str
    bucket: str
    archive_key: str
    execution_id: str
    definitions: Path
    promoted_from: str
    moving_tag: str
    aws: Aws
    executions: Executions
    repository: Repository
    ledger: Ledger

    @property
    def container(self) -> str:
        """The service's container, which UpdateService gives the release's image."""
        return f"{self.app}-{self.env}-app"


def read_stage(command: str, environ: Mapping[str, str], arguments: Sequence[str]) -> Stage:
    """Read the arguments; wrong ones end the program with argparse's message and exit code 2."""
    parser = argparse.ArgumentParser(prog=f"sink-build {command}", allow_abbrev=False)
    for name in ("app", "env", "region", "bucket", "archive", "pipeline", "execution", "repository"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--artifact", required=True, type=Path)
    parser.add_argument("--promoted-from", default="")
    parser.add_argument("--moving-tag", default="")
    given = parser.parse_args(list(arguments))
    aws = Aws(given.region, environ)
    return Stage(
        app=given.app,
        env=given.env,
        bucket=given.bucket,
        archive_key=given.archive,
        execution_id=given.execution,
        definitions=given.artifact / "imagedefinitions.json",
        promoted_from=given.promoted_from,
        moving_tag=given.moving_tag,
        aws=aws,
        executions=Executions(aws, given.pipeline),
        repository=Repository(aws, given.repository),
        ledger=Ledger(aws, given.bucket, given.app),
    )
