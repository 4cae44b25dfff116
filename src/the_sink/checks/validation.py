"""Everything that an app's files can be told apart from by reading them: the first half of ``validate``.

The other half asks programs (git, cfn-lint) and is :mod:`the_sink.local.tool_checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from the_sink.checks.combinations import check_combinations
from the_sink.checks.effective import (
    PLATFORM_DEFAULTS,
    check_database_name,
    check_environment_name,
    check_pipeline,
    check_shared,
    effective,
    platform_stacks,
    wanted_boundary,
)
from the_sink.checks.environment_file import check_environment_file
from the_sink.checks.keep_alive import IDLE_TIMEOUT, check_idle_timeout
from the_sink.config import answers, legacy, platform_pin, procfile
from the_sink.config.build_steps import check_build_steps, find_steps
from the_sink.config.environment_file import (
    EnvironmentFile,
    effective_parameters,
    file_name,
    parse_environment_file,
)
from the_sink.config.files import Files, Folder
from the_sink.config.problems import Problem, warnings_of
from the_sink.config.settings import Settings, read_app
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import Parameter, describe_yaml_error, parse_template, read_parameters
from the_sink.naming import ENVIRONMENTS

BUILDSPEC_FILE = "aws/buildspec.yaml"
DOCKERFILE = "aws/Dockerfile"


def check_app(root: Path) -> list[Problem]:
    """Return every problem of the app at ``root``, in the order in which its files are read."""
    files = Folder(root)
    settings, problems = read_app(root)
    template = _read_template(files)
    problems = [*problems, *template.problems]
    for env in settings.environment_names if settings else _environments_present(files):
        problems += _check_environment(files, env, template, settings)[1]
    problems += _check_buildspec(files)
    problems += _check_dockerfile(files)
    if not legacy.is_legacy(files):
        problems += _check_procfile(files)
    problems += _check_origin(files)
    return problems


def check_release(files: Files, settings: Settings, env: str) -> list[Problem]:
    """Return every problem of the files that a pipeline acts on, as one commit has them.

    What else ``validate`` looks at decides nothing about a deploy, such as where the template came from.
    A buildspec of the team's own may do without Dockerfile and Procfile; one that is there is used.
    """
    template = _read_template(files)
    problems = [
        *template.problems,
        *_check_environment(files, env, template, settings)[1],
        *_check_buildspec(files),
    ]
    if files.has(DOCKERFILE):
        problems += _check_dockerfile(files)
    if files.has(procfile.FILE):
        problems += _check_procfile(files)
    return problems


def check_against_pipeline(files: Files, env: str, pipeline: Mapping[str, str]) -> list[Problem]:
    """Return what of a release's files the environment's pipeline does not agree with.

    Args:
        files: The release's; what is wrong with them alone is said by :func:`check_release`.
        env: The environment's name.
        pipeline: The parameters of its pipeline's stack.
    """
    template, content = _read_release(files, env)
    return check_pipeline(env, template.document, template.declared, content, pipeline)


def database_class(files: Files, env: str) -> str:
    """Return the instance class of the database that a release's stack would have.

    Args:
        files: The release's.
        env: The environment's name.

    Returns:
        ``none`` where it has no database, "" where its files do not tell.
    """
    template, content = _read_release(files, env)
    if template.problems:
        return ""
    if not platform_stacks(template.document):
        return "none"  # a template that does without the platform's resources
    found = effective("RDSInstanceClass", env, template.document, template.declared, content)
    return found.value if found else ""


def database_snapshot(files: Files, env: str) -> str | None:
    """Return the snapshot that a release's database is made from, "" for none.

    None where its files do not tell.

    Args:
        files: The release's.
        env: The environment's name.
    """
    template, content = _read_release(files, env)
    if template.problems or not platform_stacks(template.document):
        return None
    found = effective("RDSSnapshotIdentifier", env, template.document, template.declared, content)
    return found.value if found else None


def load_parameters(settings: Settings, env: str) -> Mapping[str, str]:
    """Return the values that an environment's stacks will have, of the working tree, for a task to use.

    Those of its configuration file, and the defaults of the app's template where that is silent;
    ``EcrTag`` is always there, because the platform's stack has a default for it too, and so is
    ``PermissionsBoundaryArn``, as ``sink.toml`` wants it.

    Raises:
        ConfigError: the file or the template that it fills is malformed, or contradicts ``sink.toml``.
    """
    files = Folder(settings.root)
    template = _read_template(files)
    content, found = _check_environment(files, env, template, settings)
    warnings_of([*template.problems, *found])
    tag = effective("EcrTag", env, template.document, template.declared, content)
    values = effective_parameters(content, template.declared)
    return {
        **values,
        "EcrTag": tag.value if tag else PLATFORM_DEFAULTS["EcrTag"],
        "PermissionsBoundaryArn": wanted_boundary(settings.environment(env), template.document),
    }


def load_tags(settings: Settings, env: str) -> Mapping[str, str]:
    """Return the tags that an environment's configuration file gives the app's stack.

    Args:
        settings: The app's.
        env: The environment's name.
    """
    return _read_release(Folder(settings.root), env)[1].tags


def platform_parameters(settings: Settings, env: str, shipped: Mapping[str, Parameter]) -> Mapping[str, str]:
    """Return what each parameter of the platform's stack comes to in an environment.

    Args:
        settings: The app's.
        env: The environment's name.
        shipped: The parameters of that stack; their defaults count where the app passes nothing.

    Returns:
        A value for each of them that has one; nothing where the app's template does not nest that stack.

    Raises:
        ConfigError: as ``load_parameters``.
    """
    load_parameters(settings, env)
    files = Folder(settings.root)
    template = _read_template(files)
    content, _ = _check_environment(files, env, template, settings)
    if not platform_stacks(template.document):
        return {}
    found = {name: effective(name, env, template.document, template.declared, content) for name in shipped}
    values = {
        name: value.value if (value := found[name]) else parameter.default
        for name, parameter in shipped.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def has_database(settings: Settings, env: str) -> bool:
    """Return whether an environment has a database, by the values that its stack will have.

    Raises:
        ConfigError: as ``load_parameters``.
    """
    parameters = load_parameters(settings, env)
    found = database_class(Folder(settings.root), env)
    return (found or parameters.get("RDSInstanceClass", "none")) != "none"


@dataclass(frozen=True)
class _Template:
    """The app's template as far as it can be read."""

    document: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Parameter] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


def _read_template(files: Files) -> _Template:
    text, problems = files.read(TEMPLATE_FILE)
    if problems:
        return _Template(problems=problems)
    document, problems = parse_template(text)
    if problems:
        return _Template(problems=problems)
    declared, problems = read_parameters(document)
    return _Template(document, declared, problems)


def _read_release(files: Files, env: str) -> tuple[_Template, EnvironmentFile]:
    """Return template and configuration of an environment, empty where they are missing or malformed."""
    text, missing = files.read(file_name(env))
    content = EnvironmentFile() if missing else parse_environment_file(text, file_name(env))[0]
    return _read_template(files), content


def _environments_present(files: Files) -> Iterator[str]:
    return (env for env in ENVIRONMENTS if files.has(file_name(env)))


def _check_environment(
    files: Files, env: str, template: _Template, settings: Settings | None
) -> tuple[EnvironmentFile, list[Problem]]:
    file = file_name(env)
    text, problems = files.read(file)
    if problems:
        return EnvironmentFile(), problems
    content, problems = parse_environment_file(text, file)
    problems += check_environment_file(content, file, template.declared)
    shared = (env, template.document, template.declared, content)
    problems += check_environment_name(*shared)
    problems += check_idle_timeout(files, effective(IDLE_TIMEOUT, *shared))
    if platform_stacks(template.document):
        problems += check_combinations(env, lambda name: effective(name, *shared))
    if settings is not None:
        problems += check_shared(settings, *shared)
        problems += check_database_name(settings.app, *shared)
    return content, problems


def _check_buildspec(files: Files) -> list[Problem]:
    import yaml

    text, problems = files.read(BUILDSPEC_FILE)
    if problems:
        return problems
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [Problem(BUILDSPEC_FILE, f"it is not YAML: {describe_yaml_error(error)}.")]
    if not isinstance(document, dict):
        return [Problem(BUILDSPEC_FILE, "it is empty, or no mapping; expected: version and phases.")]
    # https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    if str(document.get("version")) != "0.2":
        problems.append(Problem(BUILDSPEC_FILE, f"version is {document.get('version')!r}; expected: 0.2."))
    if not isinstance(document.get("phases"), dict):
        problems.append(Problem(BUILDSPEC_FILE, "phases is missing: the build would do nothing."))
    problems += check_build_steps(document.get("phases"), BUILDSPEC_FILE)
    return [*problems, *legacy.check_buildspec(text, BUILDSPEC_FILE)]


def calls_sink_build(files: Files) -> bool:
    """Whether an app's buildspec runs the platform's program; False for one that cannot be read."""
    import yaml

    text, _ = files.read(BUILDSPEC_FILE)
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return isinstance(document, dict) and bool(find_steps(document.get("phases")))


def _check_dockerfile(files: Files) -> list[Problem]:
    text, problems = files.read(DOCKERFILE)
    if not problems and not re.search(r"(?im)^\s*FROM\s+\S+", text):
        problems = [Problem(DOCKERFILE, "it has no FROM instruction.")]
    return problems


def _check_procfile(files: Files) -> list[Problem]:
    text, problems = files.read(procfile.FILE)
    if problems:
        return problems
    commands, problems = procfile.parse_procfile(text)
    return [*problems, *procfile.check_processes(commands)]


def _check_origin(files: Files) -> list[Problem]:
    text, problems = files.read(answers.FILE)
    if not problems:
        problems = answers.check_answers(text)
    elif legacy.is_legacy(files) and not files.has(answers.FILE):
        problems = []  # no template made it
    found = answers.parse_answers(text)
    pin, missing = files.read(platform_pin.FILE)
    return [*problems, *(missing or platform_pin.check_pin(pin, found.commit if found else ""))]
