"""What the pipeline says of a build, and what the release's archive says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sink_build.aws import Aws
from sink_build.errors import CommandFailed
from sink_build.ledger import Ledger

FOLDER_VARIABLE = "SINK_BUILD_FOLDER"

_VARIABLES = (
    "AWS_REGION",
    "AWS_ACCOUNT_ID",
    "APP_NAME",
    "APP_ENV",
    "PLATFORM_BUCKET",
    "PLATFORM_ECR_REPOSITORY",
    "RUNTIME_VERSION",
    "ECR_REPOSITORY",
    "ECR_TAG",
    "SECRETS_DELIVERY",
)


@dataclass(frozen=True)
class Build:
    """A build of an app for an environment, as the pipeline's BuildProject describes it.

    Attributes:
        environ: All variables, for the programs that are run.
        folder: Of this build alone and outside the sources: what one command leaves for the next, and
            ``.env``.
        bucket: The platform's.
        registry: The registry's host.
        runtimes: The repository of runtime images for the processor that is built for.
        default_runtime: The Python of a configuration file that names none.
        repository: Of the app in this environment.
        moving_tag: The tag of the last release that deployed well.
        delivery: How settings reach the app: ``task`` or ``image``.
        promoted_from: The environment whose releases this one takes; "" for none.
    """

    environ: Mapping[str, str]
    folder: Path
    region: str
    app: str
    env: str
    bucket: str
    registry: str
    runtimes: str
    default_runtime: str
    repository: str
    moving_tag: str
    delivery: str
    promoted_from: str

    @property
    def aws(self) -> Aws:
        """AWS under the build's role."""
        return Aws(self.region, self.environ)

    @property
    def ledger(self) -> Ledger:
        """What the app's pipelines have admitted and released; a build only reads it."""
        return Ledger(self.aws, self.bucket, self.app)

    def address(self, reference: str) -> str:
        """Return the whole address of ``<repository>:<tag>`` or ``<repository>@<digest>``."""
        return f"{self.registry}/{reference}"

    @property
    def env_file(self) -> Path:
        """The settings of this environment, until the build phase ends."""
        return self.folder / ".env"


@dataclass(frozen=True)
class Release:
    """What is built.

    Attributes:
        commit: From ``release.json``, which the deploy wrote into the archive.
        template_version: Of the template that the app is at; "" where it is not known.
        runtime: The Python of this environment, from the configuration file in the same archive.
        runtime_digest: Its image now. By digest from here on: the tag may move to a newer runtime while
            this build goes on, and the image would not be the one that its own tag and labels name.
    """

    commit: str
    template_version: str
    runtime: str
    runtime_digest: str


def read_build(environ: Mapping[str, str], command: str, arguments: Sequence[str]) -> Build:
    """Return the build that these variables describe, for a command that takes no arguments.

    Raises:
        CommandFailed: there are arguments, or a variable is missing: the pipeline is older than what it
            builds.
    """
    if arguments:
        raise CommandFailed(
            f"It takes no argument, and was given {arguments[0]!r}.", f"Use: sink-build {command}"
        )
    missing = [name for name in _VARIABLES if not environ.get(name)]
    if missing:
        env = environ.get("APP_ENV") or "<env>"
        raise CommandFailed(
            f"The pipeline does not set {', '.join(missing)}.",
            f"Bring it up to date, in the app's repository: invoke bootstrap --env {env}; then deploy again.",
        )
    folder = environ.get(FOLDER_VARIABLE, "")
    if not folder or not Path(folder).is_dir():
        raise CommandFailed(
            f"{FOLDER_VARIABLE} names no folder.",
            "The first command of a generated aws/buildspec.yaml makes it and exports its name; restore it.",
        )
    return Build(
        environ=environ,
        folder=Path(folder),
        region=environ["AWS_REGION"],
        app=environ["APP_NAME"],
        env=environ["APP_ENV"],
        bucket=environ["PLATFORM_BUCKET"],
        # A pipeline that was bootstrapped before there was the variable is in a region where this holds.
        registry=environ.get("ECR_REGISTRY")
        or f"{environ['AWS_ACCOUNT_ID']}.dkr.ecr.{environ['AWS_REGION']}.amazonaws.com",
        runtimes=environ["PLATFORM_ECR_REPOSITORY"],
        default_runtime=environ["RUNTIME_VERSION"],
        repository=environ["ECR_REPOSITORY"],
        moving_tag=environ["ECR_TAG"],
        delivery=environ["SECRETS_DELIVERY"],
        # There only where releases come from another environment.
        promoted_from=environ.get("PROMOTED_FROM", ""),
    )


def read_manifest() -> tuple[str, str]:
    """Return the commit and the template version that ``release.json`` names.

    Raises:
        CommandFailed: it is missing or not what a deploy writes.
    """
    content = _read_object(Path("release.json"), "deploy with `invoke deploy`, which writes it")
    commit = content.get("commit")
    if not isinstance(commit, str) or not commit:
        raise CommandFailed("release.json names no commit.", "Deploy with `invoke deploy`, which writes it.")
    return commit, str(content.get("template_version", ""))


def configuration_file(env: str) -> str:
    """Return the path of an environment's configuration file in the archive."""
    return f"aws/cfn-template-configuration-{env}.json"


def read_runtime(build: Build, env: str) -> str:
    """Return the Python that an environment's configuration file asks for.

    Raises:
        CommandFailed: there is no such file, or it is not JSON.
    """
    parameters = _read_object(Path(configuration_file(env)), "commit it").get("Parameters")
    found = parameters.get("RuntimeVersion") if isinstance(parameters, dict) else None
    return str(found or build.default_runtime)


def _read_object(path: Path, mend: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CommandFailed(
            f"There is no {path} in {Path.cwd()}.",
            f"sink-build runs in the root of a release's archive; {mend}.",
        ) from None
    except ValueError as error:  # what is not UTF-8, too
        raise CommandFailed(f"{path} is not JSON: {error}.", f"Mend it, or {mend}.") from error
    if not isinstance(content, dict):
        raise CommandFailed(f"{path} is not a JSON object.", f"Mend it, or {mend}.")
    return content
