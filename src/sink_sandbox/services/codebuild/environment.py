"""What the commands of a build see: CodeBuild's variables, the build's own, and this machine's tools."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from sink_host.home import find_home
from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.buildspec import Buildspec, SecretReference, parse_secret_reference
from sink_sandbox.services.codebuild.job import Job
from sink_sandbox.services.iam.access import Credentials

_PASSED_ON = frozenset(
    (
        "LANG",
        "LC_ALL",
        "TZ",
        "TERM",
        "USER",
        "LOGNAME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
    )
)
"""What reaching the package registries from this machine may need; nothing else of the user's environment."""

_PASSED_ON_PREFIXES = ("PIP_", "UV_")


_LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "::1")
"""How a build calls this machine, and with it the sandbox: no proxy leads there."""


class UnresolvedVariable(Exception):
    """A parameter or a secret that a variable names cannot be read; the message never holds a value."""


def machine_environment(
    command_folders: list[Path], home: Path, temporary: Path, host: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of this machine that a build gets.

    ``HOME`` is the build's own, so that no configuration of the user's reaches it; package caches are
    shared, so that a build does not download what this machine has.

    Args:
        command_folders: What comes first on the PATH.
        home: The build's home.
        temporary: Where ``mktemp`` and its like put what the build leaves; it goes with the build.
        host: This machine's environment (default: this process's).
    """
    host = os.environ if host is None else host
    user_home = find_home(host) or home  # the build's own, where the user has none
    passed = {
        name: value
        for name, value in host.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return {
        **passed,
        **_around_proxies(passed),
        "PATH": os.pathsep.join(
            [
                *(str(folder) for folder in command_folders),
                str(Path(sys.executable).parent),
                host.get("PATH") or os.defpath,
            ]
        ),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": host.get("XDG_CACHE_HOME") or str(user_home / ".cache"),
        "XDG_CONFIG_HOME": host.get("XDG_CONFIG_HOME") or str(user_home / ".config"),
        "XDG_DATA_HOME": host.get("XDG_DATA_HOME") or str(user_home / ".local" / "share"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def _around_proxies(passed: Mapping[str, str]) -> dict[str, str]:
    """Return NO_PROXY with this machine in it, in both spellings, where there is a proxy at all."""
    if not any(name.lower().endswith("_proxy") for name in passed):
        return {}
    known = [
        each.strip() for name in ("no_proxy", "NO_PROXY") for each in passed.get(name, "").split(",") if each
    ]
    excepted = ",".join(dict.fromkeys([*known, *_LOOPBACK]))
    return {"NO_PROXY": excepted, "no_proxy": excepted}


def sandbox_environment(
    state_dir: Path, endpoint_url: str, region: str, credentials: Credentials
) -> dict[str, str]:
    """Return what leads the AWS command line, under the build's role, and our ``docker`` to this sandbox."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        **credentials.as_environment(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "THE_SINK_SANDBOX_STATE": str(state_dir),
        "THE_SINK_SANDBOX_ENDPOINT": endpoint_url,
    }


def codebuild_variables(job: Job, source: Path, secondary: Mapping[str, Path]) -> dict[str, str]:
    """Return CodeBuild's own variables.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    """
    primary = next((entry for entry in job.inputs if not entry.identifier), None)
    return {
        "CI": "true",
        "CODEBUILD_CI": "true",
        "CODEBUILD_BUILD_ARN": job.arn,
        "CODEBUILD_BUILD_ID": job.build_id,
        "CODEBUILD_BUILD_IMAGE": job.image,
        "CODEBUILD_BUILD_NUMBER": str(job.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": job.initiator,
        "CODEBUILD_KMS_KEY_ID": f"arn:aws:kms:{job.region}:{ACCOUNT_ID}:alias/aws/s3",
        "CODEBUILD_LOG_PATH": job.log_stream,
        "CODEBUILD_PROJECT_ARN": f"arn:aws:codebuild:{job.region}:{ACCOUNT_ID}:project/{job.project}",
        "CODEBUILD_SOURCE_VERSION": f"arn:aws:s3:::{primary.bucket}/{primary.key}" if primary else "",
        "CODEBUILD_SRC_DIR": str(source),
        "CODEBUILD_START_TIME": str(int(job.started * 1000)),
        # Not set where there is no version, as of a source in a bucket without versioning.
        **({"CODEBUILD_RESOLVED_SOURCE_VERSION": job.resolved_version} if job.resolved_version else {}),
        **{f"CODEBUILD_SRC_DIR_{identifier}": str(path) for identifier, path in secondary.items()},
    }


def build_variables(job: Job, spec: Buildspec, clients: Clients) -> tuple[dict[str, str], list[str]]:
    """Return the build's variables and, apart, the values that must not be shown.

    The start of the build overrides the project, and both override the buildspec ("Environment
    variables", https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html).

    Raises:
        UnresolvedVariable: naming the variable and what it refers to.
    """
    values = dict(spec.variables)
    hidden: list[str] = []

    def read(name: str, read_value: object) -> None:
        values[name] = str(read_value)
        hidden.append(values[name])

    overridden = {variable.name for variable in job.variables}
    for name, parameter in spec.parameter_store.items():
        if name not in overridden:
            read(name, _parameter(clients, job.region, name, parameter))
    for name, reference in spec.secrets_manager.items():
        if name not in overridden:
            read(name, _secret(clients, job.region, name, reference))
    for variable in job.variables:
        if variable.kind == "PARAMETER_STORE":
            read(variable.name, _parameter(clients, job.region, variable.name, variable.value))
        elif variable.kind == "SECRETS_MANAGER":
            reference = parse_secret_reference(variable.value)
            read(variable.name, _secret(clients, job.region, variable.name, reference))
        else:
            values[variable.name] = variable.value
    return values, hidden


def _parameter(clients: Clients, region: str, name: str, parameter: str) -> str:
    from botocore.exceptions import ClientError

    try:
        answer = clients.get("ssm", region).get_parameter(Name=parameter, WithDecryption=True)
    except ClientError as error:
        raise UnresolvedVariable(
            f"{name}: the parameter {parameter} cannot be read: {error.response['Error']['Code']}"
        ) from error
    return str(answer["Parameter"]["Value"])


def _secret(clients: Clients, region: str, name: str, reference: SecretReference) -> str:
    from botocore.exceptions import ClientError

    arguments = {"SecretId": reference.secret_id}
    if reference.version_stage:
        arguments["VersionStage"] = reference.version_stage
    if reference.version_id:
        arguments["VersionId"] = reference.version_id
    try:
        text = clients.get("secretsmanager", region).get_secret_value(**arguments)["SecretString"]
    except ClientError as error:
        raise UnresolvedVariable(
            f"{name}: the secret {reference.secret_id} cannot be read: {error.response['Error']['Code']}"
        ) from error
    if not reference.json_key:
        return str(text)
    try:
        value = json.loads(text)[reference.json_key]
    except (ValueError, TypeError, KeyError) as error:
        raise UnresolvedVariable(
            f"{name}: the secret {reference.secret_id} has no key {reference.json_key}"
        ) from error
    return value if isinstance(value, str) else json.dumps(value)
