"""What the platform's stack of an app will really be given, and whether both stacks mean the same.

An environment is two stacks: the pipeline's, which ``bootstrap`` makes from ``sink.toml``, and the app's,
which the pipeline makes from ``aws/``. What both must say is written twice, and a difference shows in AWS
only: images built for another processor, secrets that reach nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from the_sink.config.environment_file import EnvironmentFile, file_name
from the_sink.config.problems import Problem
from the_sink.config.settings import FILE as SETTINGS_FILE
from the_sink.config.settings import NO_BOUNDARY, Environment, Settings
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import Parameter, as_text
from the_sink.naming import Names, legacy_channel_key

PLATFORM_DEFAULTS: Mapping[str, str] = {
    "PlatformName": "the-sink",
    "EcrTag": "latest",
    "SecretsDelivery": "image",
    "Architecture": "X86_64",
    "PermissionsBoundaryArn": "",
    "RDSInstanceClass": "db.t4g.micro",
    "RDSAllocatedStorage": "20",
    "RDSMaxAllocatedStorage": "0",
    "RDSSnapshotIdentifier": "",
    "EcsAlbScheme": "internal",
    "UniqueDomainNameCertificateArn": "",
    "UsePlatformCertificate": "false",
}
"""What ``stacks/python/cfn-template.yml`` takes for a parameter that an app does not pass: part of the
contract of its major version, and held against that file by a test."""

_BOOTSTRAPPED = ("EcrTag", "SecretsDelivery", "Architecture", "PermissionsBoundaryArn")
"""What both stacks of an environment have and another bootstrap changes in its pipeline's."""

PLATFORM_BOUNDARY = "platform"
"""``PermissionsBoundaryArn`` of an environment under the boundary that its ``bootstrap`` makes, in the
pipeline's stack and in the app's configuration files alike."""

_PLATFORM_STACK = re.compile(r"stacks/python/cfn-template-v1(-|\.\d)")
"""A channel of the major (``v1-stage``), a version of it (``v1.2.0``), the legacy platform's ``v1.1``."""


@dataclass(frozen=True)
class Effective:
    """The value that one parameter of the platform's stack will have.

    Attributes:
        value: As CloudFormation will see it.
        file: The file that decides it.
        why: How it does, as the end of a clause: ``by its default``; "" where it just says so.
        parameter: The app's own parameter that carries it; "" where none does.
    """

    value: str
    file: str
    why: str = ""
    parameter: str = ""


def platform_stacks(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a template passes to each nested stack of the platform's, by logical name."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, resource in _mapping(template.get("Resources")).items():
        properties = _mapping(_mapping(resource).get("Properties"))
        # The address is text inside functions, at a depth that is the app's business.
        if _PLATFORM_STACK.search(str(properties.get("TemplateURL", ""))):
            found[str(name)] = _mapping(properties.get("Parameters"))
    return found


def effective(
    name: str,
    env: str,
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    content: EnvironmentFile,
) -> Effective | None:
    """Return the value that ``name`` will have, None where the files do not tell."""
    for stack, passed in platform_stacks(template).items():
        if name not in passed:
            default = PLATFORM_DEFAULTS.get(name)
            why = f"because {stack} does not pass it"
            return None if default is None else Effective(default, TEMPLATE_FILE, why)
        value = passed[name]
        if isinstance(value, Mapping):
            # Ref is what everybody writes; of any other function the outcome is CloudFormation's.
            return _own(str(value["Ref"]), env, declared, content) if set(value) == {"Ref"} else None
        return Effective(as_text(value), TEMPLATE_FILE, f"where {stack} is passed it")
    return _own(name, env, declared, content)


def wanted_boundary(environment: Environment, template: Mapping[str, Any]) -> str:
    """Return ``PermissionsBoundaryArn`` as ``sink.toml`` wants it: "" for none, ``platform``, or an ARN.

    An app on the template v1.1 of the legacy platform stays without one where ``sink.toml`` is silent: that
    template's roles are of a contract in which there was none.

    Args:
        environment: The environment.
        template: The app's.
    """
    if environment.permissions_boundary == NO_BOUNDARY:
        return ""
    is_legacy = any(
        legacy_channel_key() in str(resource) for resource in _mapping(template.get("Resources")).values()
    )
    return environment.permissions_boundary or ("" if is_legacy else PLATFORM_BOUNDARY)


def check_shared(
    settings: Settings,
    env: str,
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    content: EnvironmentFile,
) -> list[Problem]:
    """Return every value that the app's stack would have and its pipeline's would not."""
    environment = settings.environment(env)
    key = f"environments.{env}"
    wanted = {
        "PlatformName": ("platform.name", settings.platform),
        "AppName": ("app.name", settings.app),
        "SecretsDelivery": ("app.secrets_delivery", settings.secrets_delivery),
        "Architecture": (f"{key}.architecture", environment.architecture),
        "PermissionsBoundaryArn": (
            f"{'' if environment.permissions_boundary else 'the default of '}{key}.permissions_boundary",
            wanted_boundary(environment, template),
        ),
    }
    problems = []
    for name, (setting, expected) in wanted.items():
        found = _said(name, env, template, declared, content)
        if found is None or found.value == expected:
            continue
        # As it is written in sink.toml; in a stack, no boundary is an empty value.
        is_opted_out = name == "PermissionsBoundaryArn" and environment.permissions_boundary == NO_BOUNDARY
        written = NO_BOUNDARY if is_opted_out else expected
        message = (
            f'{name} is "{found.value}"{found.why and f" {found.why}"}, and {setting} of {SETTINGS_FILE} is '
            f'"{written}": both stacks need the same.'
        )
        other = f"change {SETTINGS_FILE} and run invoke bootstrap --env {env}."
        if expected == PLATFORM_BOUNDARY and not found.value:
            other = (
                f'do without: permissions_boundary = "{NO_BOUNDARY}" under [{key}] of {SETTINGS_FILE}, then '
                f"invoke bootstrap --env {env}."
            )
        if found.parameter:
            hint = f'Write "{found.parameter}": "{expected}" into {file_name(env)}, or {other}'
        else:
            hint = f"Pass {name} there, or {other}"
        problems.append(Problem(found.file, message, hint))
    return problems


def check_database_name(
    app: str,
    env: str,
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    content: EnvironmentFile,
) -> list[Problem]:
    """Return the problem of an app that may be called what its database may not.

    Only apps of the legacy platform have such names
    (https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html).
    """
    if "--" not in app or not platform_stacks(template):
        return []
    found = effective("RDSInstanceClass", env, template, declared, content)
    if found is None or found.value == "none":
        return []
    message = (
        f'RDSInstanceClass is "{found.value}"{found.why and f" {found.why}"}, and the database would be '
        f"called {Names(app, env).database}: RDS takes no name with two hyphens in a row."
    )
    hint = f'Do without one ("RDSInstanceClass": "none" in {file_name(env)}), or give the app another name.'
    return [Problem(found.file, message, hint)]


def check_pipeline(
    env: str,
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    content: EnvironmentFile,
    pipeline: Mapping[str, str],
) -> list[Problem]:
    """Return every value that a release's stack would have and the pipeline that deploys it has not.

    ``sink.toml`` may say the same as the release and the pipeline still what it said at the last bootstrap.

    Args:
        env: The environment's name.
        template: The release's.
        declared: Its parameters.
        content: The release's configuration file of the environment.
        pipeline: The parameters of the pipeline's stack as it stands.
    """
    problems = []
    for name in _BOOTSTRAPPED:
        found = _said(name, env, template, declared, content)
        if found is None or found.value == pipeline.get(name, found.value):
            continue
        message = (
            f'{name} is "{found.value}"{found.why and f" {found.why}"}, and the pipeline of {env} has '
            f'"{pipeline[name]}": both stacks need the same.'
        )
        problems.append(Problem(found.file, message, f"First: invoke bootstrap --env {env}"))
    return problems


def check_environment_name(
    env: str, template: Mapping[str, Any], declared: Mapping[str, Parameter], content: EnvironmentFile
) -> list[Problem]:
    """Return whether the file of one environment would deploy another."""
    found = effective("AppEnv", env, template, declared, content)
    if found is None or found.value == env:
        return []
    why = found.why and f" {found.why}"
    message = f'AppEnv is "{found.value}"{why}; by the name of {file_name(env)} it is "{env}".'
    return [Problem(found.file, message, f'Write "AppEnv": "{env}" into {file_name(env)}.')]


def _own(
    name: str, env: str, declared: Mapping[str, Parameter], content: EnvironmentFile
) -> Effective | None:
    if name in content.parameters:
        return Effective(content.parameters[name], file_name(env), parameter=name)
    if content.named is None or name in content.named:
        return None  # it is there, and no text: said already
    default = declared[name].default if name in declared else None
    return None if default is None else Effective(default, TEMPLATE_FILE, "by its default", name)


def _said(
    name: str,
    env: str,
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    content: EnvironmentFile,
) -> Effective | None:
    """Return what an app says of a parameter of both stacks, None where its files do not tell.

    That is what the platform's stack will be given, but for a boundary: a generated app says ``platform`` and
    passes the ARN of that one on.
    """
    for passed in platform_stacks(template).values():
        match passed.get(name):
            case {"Fn::If": ["HasPlatformBoundary", _, {"Ref": parameter}]}:
                return _own(str(parameter), env, declared, content)
    return effective(name, env, template, declared, content)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
