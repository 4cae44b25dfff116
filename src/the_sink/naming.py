"""Every AWS name and every S3 key of an app, made in one place (no I/O).

The rules are those of the platform this one succeeds, so that its apps can move here, and the limits
of the services that the names end up in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from the_sink.errors import InputError

ENVIRONMENTS = ("stage", "uat", "prod")
"""In promotion order; ``stage`` is mandatory and comes first."""

DEFAULT_TAGS = {"stage": "latest", "uat": "uat", "prod": "prod"}
"""Which archive (``<app>/<tag>.zip``) an environment follows unless ``sink.toml`` says otherwise."""

RESERVED_APP_NAMES = frozenset({"stacks", "releases", "admissions"})
"""Folders of the pipeline bucket that are the platform's. Every app's ``StackRole`` reads ``stacks/``, so an
app of that name would show its releases to all; the others hold the release ledger. No other name of the
platform's can be an app's: each ends in what is no environment (``<platform>-platform``,
``<platform>-python-runtime``)."""


PYTHON_RUNTIMES = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""The runtime images that the platform builds: what ``RuntimeVersion`` may be."""

ARCHITECTURES = ("X86_64", "ARM64")
"""The processors that tasks may run on, as ``Architecture`` of the stacks names them."""

RETIRED_RUNTIMES = {"3.10": "October 2026"}
"""Runtimes that Python itself supports no longer, and since when (https://devguide.python.org/versions/).
They still build and deploy, with a warning."""


def check_platform_name(name: str) -> str:
    """Return ``name`` if it can name a platform: it begins a stack's, a repository's and exports' names.

    Raises:
        InputError: quoting the name.
    """
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?", name) or "--" in name:
        raise InputError(
            f"{name!r} cannot name a platform.",
            "Use 1 to 30 lowercase letters, digits and single hyphens, beginning with a letter.",
        )
    return name


def check_app_name(name: str) -> str:
    """Return ``name`` if it can name an app, be it one of the legacy platform.

    What that platform asked for (5 to 24 characters, lowercase letters, digits and hyphens, none at the
    end), and what AWS makes impossible, because names of its resources begin with the app's: stack names
    begin with a letter (https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html),
    load balancer names not with ``internal-``
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html).
    ``copier.yml`` asks more of a new one. Two hyphens in a row are in the way of a database alone:
    :func:`the_sink.checks.effective.check_database_name`.

    Raises:
        InputError: quoting the name and saying which rule it breaks.
    """
    problem = _app_name_problem(name)
    if problem:
        raise InputError(
            f"{name!r} cannot name an app: {problem}.",
            "Use 5 to 24 lowercase letters, digits and hyphens, beginning with a letter; AppName in each of "
            "the app's aws/cfn-template-configuration-<env>.json is the same.",
        )
    return name


def _app_name_problem(name: str) -> str:
    if not 5 <= len(name) <= 24:
        return f"it has {len(name)} characters, 5 to 24 are allowed"
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return "only lowercase letters, digits and hyphens are allowed"
    if not name[0].isalpha():
        return "its stacks are named after it, and stack names must begin with a letter"
    if name.endswith("-"):
        return "it may not end with a hyphen"
    if name.startswith("internal-"):
        return "load balancer names may not begin with 'internal-'"
    if name in RESERVED_APP_NAMES:
        return f"{name}/ of the pipeline bucket is the platform's own folder"
    return ""


def check_environment(env: str, allowed: tuple[str, ...] = ENVIRONMENTS) -> str:
    """Return ``env`` if it is one of ``allowed``.

    Raises:
        InputError: naming the environments that exist.
    """
    if env not in allowed:
        raise InputError(f"There is no environment {env!r}.", f"Choose one of: {', '.join(allowed)}.")
    return env


@dataclass(frozen=True)
class Names:
    """The names of one app in one environment."""

    app: str
    env: str

    @property
    def app_stack(self) -> str:
        """The CloudFormation stack that the pipeline deploys from the app's ``aws/cfn-template.yml``."""
        return f"{self.app}-{self.env}"

    @property
    def pipeline_stack(self) -> str:
        """The CloudFormation stack of ``stacks/python/pipeline.yml``: the app's delivery."""
        return f"{self.app}-{self.env}-pipeline"

    @property
    def pipeline(self) -> str:
        """The CodePipeline pipeline."""
        return f"{self.app}-{self.env}-pipeline"

    @property
    def build_project(self) -> str:
        """The CodeBuild project of the Build stage."""
        return f"{self.app}-{self.env}-build"

    @property
    def cluster(self) -> str:
        """The ECS cluster."""
        return f"{self.app}-{self.env}-ecs-cluster"

    @property
    def service(self) -> str:
        """The ECS service."""
        return f"{self.app}-{self.env}-ecs-service"

    @property
    def container(self) -> str:
        """The one container of the task definition, as ``imagedefinitions.json`` names it."""
        return f"{self.app}-{self.env}-app"

    @property
    def task_family(self) -> str:
        """The task definition family."""
        return f"{self.app}-{self.env}-app"

    @property
    def repository(self) -> str:
        """The ECR repository: one per app and environment."""
        return f"{self.app}-{self.env}"

    @property
    def database(self) -> str:
        """The RDS instance."""
        return f"{self.app}-{self.env}-db"

    @property
    def artifact_bucket(self) -> str:
        """What the name of the pipeline's artifact bucket begins with, before a part of its stack's id."""
        return f"the-sink-artifacts-{self.app}-{self.env}"

    @property
    def log_group(self) -> str:
        """The CloudWatch log group of the tasks."""
        return f"/the-sink/{self.app}/{self.env}/app"

    @property
    def log_streams(self) -> str:
        """What the names of the tasks' log streams begin with; the task's id follows."""
        return f"app/{self.container}/"

    @property
    def build_log_group(self) -> str:
        """The CloudWatch log group of the builds."""
        return f"/the-sink/{self.app}/{self.env}/build"

    @property
    def alarms(self) -> str:
        """What the names of CloudWatch alarms begin with, before a slash and what each is about."""
        return f"{self.app}/{self.env}"

    @property
    def secret(self) -> str:
        """The Secrets Manager secret whose keys become the app's ``.env``. Of a file: ``…-secret-<name>``."""
        return f"{self.app}-{self.env}-secret-core"


def release_key(app: str, commit: str) -> str:
    """The S3 key of a release's archive; ``commit`` is the full 40-digit SHA."""
    return f"{app}/{commit}.zip"


def tag_key(app: str, tag: str) -> str:
    """The S3 key whose new versions start the pipelines that follow ``tag``."""
    return f"{app}/{tag}.zip"


def ledger_prefix(app: str, env: str) -> str:
    """What the S3 keys of an environment's releases begin with; ``<commit>/<execution id>.json`` follows."""
    return f"releases/{app}/{env}/"


def platform_stack(platform: str) -> str:
    """The CloudFormation stack of ``stacks/platform/cfn-template.yml``."""
    return f"{platform}-platform"


def platform_export(platform: str, name: str) -> str:
    """An export of the platform stack, for example ``PipelineS3Bucket``."""
    return f"{platform}-{name}"


def runtime_repository(platform: str, architecture: str = "X86_64") -> str:
    """The ECR repository of the platform's Python runtime images; for ``ARM64`` it ends in ``-arm64``.

    Its tags are ``3.10`` to ``3.14``, and those that stay.
    """
    return f"{platform}-python-runtime{'-arm64' if architecture == 'ARM64' else ''}"


@dataclass(frozen=True)
class Publication:
    """A file that ``platform.publish`` puts into the platform's bucket, once for each version.

    Attributes:
        name: What its keys begin with.
        ending: What they end with, dot included.
        source: What it is made from, in the repository.
        what: What it is, as pages name it.
    """

    name: str
    ending: str
    source: str
    what: str

    def version_key(self, version: str) -> str:
        """The immutable S3 key at a platform version such as ``1.0.0``."""
        return f"{self.name}-v{version}{self.ending}"

    def channel_key(self, major: int | str, env: str) -> str:
        """The moving S3 key of a major version: what ``env`` takes at its next pipeline execution."""
        return f"{self.name}-v{major}-{env}{self.ending}"

    def version_of(self, key: str) -> str:
        """The version that an immutable key names, "" for any other key."""
        found = re.fullmatch(rf"{re.escape(self.name)}-v(\d+\.\d+\.\d+){re.escape(self.ending)}", key)
        return found[1] if found else ""


STACK_TEMPLATE = Publication(
    name="stacks/python/cfn-template",
    ending=".yml",
    source="stacks/python/cfn-template.yml",
    what="an app's default resources",
)
SINK_BUILD = Publication(
    name="stacks/python/build/sink-build",
    ending=".pyz",
    source="stacks/python/build",
    what="`sink-build`, the platform's commands in a pipeline",
)

PUBLICATIONS = (STACK_TEMPLATE, SINK_BUILD)
"""The template first: every published version has one, and what an environment holds is read from it."""


def legacy_channel_key() -> str:
    """The moving S3 key that apps of the legacy platform name in every environment; it moves with prod's."""
    return "stacks/python/cfn-template-v1.1.yml"


def template_upload_key(name: str, digest: str) -> str:
    """The S3 key of a template that is uploaded to be deployed once: too long for a request's body.

    Args:
        name: What the file is called, without its ending.
        digest: Of its content, in hexadecimal; the first 16 digits count, so that the same content has
            the same key.
    """
    return f"stacks/python/{name}-{digest[:16]}.yml"


def commit_of_image_tag(tag: str) -> str:
    """The full SHA that an immutable image tag ``<sha>-<key>`` names, or "" for any other tag.

    A further attempt at the same image ends in a number: :mod:`sink_build.tags`.
    """
    found = re.fullmatch(r"([0-9a-f]{40})-[0-9a-f]{8}(?:-\d)?", tag)
    return found[1] if found else ""
