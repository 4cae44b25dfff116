"""Everything that an app's files can be told apart from by reading them: the first half of ``validate``.

The other half asks programs (git, cfn-lint) and is :mod:`the_sink.local.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from the_sink.config import answers, platform_pin
from the_sink.config.environment_file import (
    EnvironmentFile,
    check_environment_file,
    file_name,
    parse_environment_file,
)
from the_sink.config.problems import Problem, refusal
from the_sink.config.settings import Settings, read_app
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import Parameter, describe_yaml_error, parse_template, read_parameters
from the_sink.naming import ENVIRONMENTS

BUILDSPEC_FILE = "aws/buildspec.yaml"
DOCKERFILE = "aws/Dockerfile"
PROCFILE = "app/Procfile"


def check_app(root: Path) -> list[Problem]:
    """Return every problem of the app at ``root``, in the order in which its files are read."""
    settings, problems = read_app(root)
    parameters, found = _parameters(root)
    problems = [*problems, *found]
    for env in settings.environment_names if settings else _environments_present(root):
        problems += _check_environment(root, env, parameters, settings)
    problems += _check_buildspec(root)
    problems += _check_text(root, DOCKERFILE, r"^\s*FROM\s+\S+", "it has no FROM instruction.")
    problems += _check_text(
        root, PROCFILE, r"^web:\s*\S+", "it has no line 'web: <command>': nothing would serve."
    )
    problems += _check_origin(root)
    return problems


def load_environment_file(settings: Settings, env: str) -> EnvironmentFile:
    """Return one environment's configuration, for a task that is about to use it.

    Raises:
        ConfigError: the file or the template that it fills is malformed.
    """
    parameters, problems = _parameters(settings.root)
    problems += _check_environment(settings.root, env, parameters, settings)
    if any(not problem.is_warning for problem in problems):
        raise refusal(problems)
    return parse_environment_file(_read(settings.root, file_name(env))[0], file_name(env))[0]


def _environments_present(root: Path) -> Iterator[str]:
    return (env for env in ENVIRONMENTS if (root / file_name(env)).exists())


def _parameters(root: Path) -> tuple[Mapping[str, Parameter], list[Problem]]:
    text, problems = _read(root, TEMPLATE_FILE)
    if problems:
        return {}, problems
    template, problems = parse_template(text)
    if problems:
        return {}, problems
    return read_parameters(template)


def _check_environment(
    root: Path, env: str, declared: Mapping[str, Parameter], settings: Settings | None
) -> list[Problem]:
    file = file_name(env)
    text, problems = _read(root, file)
    if problems:
        return problems
    content, problems = parse_environment_file(text, file)
    expected = {"AppEnv": env}
    if settings is not None:
        expected |= {"AppName": settings.app, "PlatformName": settings.platform}
    return [*problems, *check_environment_file(content, file, declared, expected)]


def _check_buildspec(root: Path) -> list[Problem]:
    import yaml

    text, problems = _read(root, BUILDSPEC_FILE)
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
    return problems


def _check_text(root: Path, file: str, pattern: str, message: str) -> list[Problem]:
    text, problems = _read(root, file)
    if not problems and not re.search(pattern, text, re.MULTILINE):
        problems = [Problem(file, message)]
    return problems


def _check_origin(root: Path) -> list[Problem]:
    text, problems = _read(root, answers.FILE)
    if not problems:
        problems = answers.check_answers(text)
    found = answers.parse_answers(text)
    pin, missing = _read(root, platform_pin.FILE)
    return [*problems, *(missing or platform_pin.check_pin(pin, found.commit if found else ""))]


def _read(root: Path, file: str) -> tuple[str, list[Problem]]:
    path = root / file
    if not path.is_file():
        return "", [Problem(file, "it is missing.", f"Restore it: git checkout HEAD -- {file}.")]
    try:
        return path.read_text(encoding="utf-8"), []
    except UnicodeDecodeError:
        return "", [Problem(file, "it is not UTF-8 text.", "Save it as UTF-8.")]
    except OSError as error:
        return "", [Problem(file, f"it cannot be read: {error.strerror}.")]
