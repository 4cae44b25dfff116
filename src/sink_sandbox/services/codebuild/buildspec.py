"""CodeBuild's buildspec: parse, check, and the order in which its phases run (pure).

The reference is https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html. What the
sandbox cannot do is refused by name; what makes no difference to a build's outcome (cache, reports) is
named in the build's log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")


class BuildspecError(Exception):
    """The buildspec is not one, or asks for what the sandbox refuses; the message is for the build's log."""


@dataclass(frozen=True)
class Phase:
    """One phase's commands."""

    name: str
    commands: tuple[str, ...]
    finally_commands: tuple[str, ...] = ()
    on_failure: str = ""
    """``ABORT``, ``CONTINUE``, or "" for the default of the phase transitions."""


@dataclass(frozen=True)
class Artifacts:
    """Which files make an output artifact."""

    files: tuple[str, ...]
    base_directory: str = ""
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class SecretReference:
    """One entry of ``env/secrets-manager``."""

    secret_id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


@dataclass(frozen=True)
class Buildspec:
    """A checked buildspec."""

    phases: tuple[Phase, ...]
    variables: dict[str, str] = field(default_factory=dict)
    parameter_store: dict[str, str] = field(default_factory=dict)
    secrets_manager: dict[str, SecretReference] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    shell: str = ""
    artifacts: Artifacts | None = None
    secondary_artifacts: dict[str, Artifacts] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    """What the sandbox leaves out, as lines for the build's log."""


def parse_buildspec(text: str) -> Buildspec:
    """Return the buildspec that ``text`` (YAML) says.

    Raises:
        BuildspecError: naming the key.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"the buildspec is not YAML: {' '.join(str(error).split())}") from error
    top = _mapping(document, "the buildspec")
    version = str(top.get("version", ""))
    if version != "0.2":
        raise BuildspecError(f"version is {version or 'missing'}; the sandbox runs version 0.2")
    _known(top, "the buildspec", "version env phases artifacts cache reports proxy")
    remarks = []
    if "cache" in top:
        remarks.append(
            "cache: the sandbox keeps no build cache of its own; package caches of this machine are used."
        )
    if "reports" in top:
        remarks.append("reports: the sandbox collects no test reports.")
    if "proxy" in top:
        remarks.append("proxy: the sandbox has no explicit proxy.")
    env = _mapping(top.get("env") or {}, "env")
    _known(
        env, "env", "shell variables parameter-store secrets-manager exported-variables git-credential-helper"
    )
    if _flag(env.get("git-credential-helper", False), "env/git-credential-helper"):
        raise BuildspecError("env/git-credential-helper is not available in the sandbox")
    shell = str(env.get("shell") or "")
    if shell not in ("", "bash", "sh", "/bin/sh"):
        raise BuildspecError(f"env/shell is {shell!r}; the sandbox has bash and sh")
    phases, phase_remarks = _phases(top.get("phases"))
    artifacts, secondary = _artifacts(top.get("artifacts"))
    exported = _strings(env.get("exported-variables") or [], "env/exported-variables")
    reserved = [name for name in exported if name.startswith("AWS_")]
    if reserved:
        # "env/exported-variables", https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
        raise BuildspecError(
            f"env/exported-variables has {', '.join(reserved)}, but what starts with AWS_ cannot be exported"
        )
    return Buildspec(
        phases=phases,
        variables=_variables(env.get("variables"), "env/variables"),
        parameter_store=_variables(env.get("parameter-store"), "env/parameter-store"),
        secrets_manager={
            name: parse_secret_reference(value)
            for name, value in _variables(env.get("secrets-manager"), "env/secrets-manager").items()
        },
        exported_variables=exported,
        shell=shell,
        artifacts=artifacts,
        secondary_artifacts=secondary,
        remarks=(*remarks, *phase_remarks),
    )


def parse_secret_reference(value: str) -> SecretReference:
    """Return what ``secret-id:json-key:version-stage:version-id`` names; the id may be an ARN."""
    parts = value.split(":")
    if value.startswith("arn:"):
        parts = [":".join(parts[:7]), *parts[7:]]
    if len(parts) > 4 or not parts[0]:
        raise BuildspecError(
            f"env/secrets-manager has {value!r}; it must be id:json-key:version-stage:version-id"
        )
    return SecretReference(*parts)


def next_phase(current: Phase, *, failed: bool) -> str:
    """Return what follows a phase: ``next``, or ``end`` when nothing further of the buildspec runs.

    By default a failed build goes on to post_build, and any other failed phase ends the build
    (https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html).
    """
    if not failed:
        return "next"
    if current.on_failure == "ABORT":
        return "end"
    if current.on_failure == "CONTINUE" or current.name == "build":
        return "next"
    return "end"


def uploads_artifacts(last: Phase | None, *, failed: bool) -> bool:
    """Whether artifacts are still uploaded when the last phase that ran was ``last``.

    AWS attempts it "even if the BUILD phase fails"; a build that never reached that phase has nothing
    to upload.
    """
    return not failed or (last is not None and last.name in ("build", "post_build"))


def _phases(value: Any) -> tuple[tuple[Phase, ...], list[str]]:
    section = _mapping(value, "phases")
    _known(section, "phases", " ".join(PHASES))
    phases = []
    remarks = []
    for name in PHASES:
        if section.get(name) is None:
            continue
        phase = _mapping(section[name], f"phases/{name}")
        _known(phase, f"phases/{name}", "commands finally on-failure runtime-versions run-as")
        if "run-as" in phase:
            raise BuildspecError(f"phases/{name}/run-as is not available in the sandbox")
        on_failure = str(phase.get("on-failure") or "")
        if on_failure not in ("", "ABORT", "CONTINUE"):
            raise BuildspecError(
                f"phases/{name}/on-failure is {on_failure!r}; the sandbox knows ABORT and CONTINUE"
            )
        if phase.get("runtime-versions"):
            wanted = ", ".join(f"{tool} {version}" for tool, version in phase["runtime-versions"].items())
            remarks.append(f"runtime-versions ({wanted}): the sandbox uses the tools of this machine.")
        commands = _commands(phase.get("commands"), f"phases/{name}/commands")
        finals = _commands(phase.get("finally"), f"phases/{name}/finally")
        phases.append(Phase(name, commands, finals, on_failure))
    if not phases:
        raise BuildspecError("phases is empty")
    return tuple(phases), remarks


def _commands(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise BuildspecError(f"{where} must be a list of commands")
    commands = []
    for index, item in enumerate(value):
        if isinstance(item, dict | list):
            # The trap of `- echo Note: this`: a colon makes a mapping of an unquoted command.
            raise BuildspecError(f"{where}[{index}] must be a string; quote a command that contains a colon")
        if item is not None:
            commands.append(_scalar(item))
    return tuple(commands)


def _artifacts(value: Any) -> tuple[Artifacts | None, dict[str, Artifacts]]:
    if value is None:
        return None, {}
    section = _mapping(value, "artifacts")
    _known(
        section,
        "artifacts",
        "files name discard-paths base-directory exclude-paths enable-symlinks s3-prefix secondary-artifacts",
    )
    secondary = {
        str(identifier): _artifact(entry, f"artifacts/secondary-artifacts/{identifier}")
        for identifier, entry in _mapping(
            section.get("secondary-artifacts") or {}, "artifacts/secondary-artifacts"
        ).items()
    }
    primary = _artifact(section, "artifacts") if "files" in section else None
    if primary is None and not secondary:
        raise BuildspecError("artifacts has no files")
    return primary, secondary


def _artifact(value: Any, where: str) -> Artifacts:
    section = _mapping(value, where)
    files = _strings(section.get("files"), f"{where}/files")
    if not files:
        raise BuildspecError(f"{where}/files is empty")
    for key in ("enable-symlinks", "s3-prefix"):
        if section.get(key):
            raise BuildspecError(f"{where}/{key} is not available in the sandbox")
    return Artifacts(
        files=files,
        base_directory=str(section.get("base-directory") or ""),
        discard_paths=_flag(section.get("discard-paths", False), f"{where}/discard-paths"),
        exclude_paths=_strings(section.get("exclude-paths") or [], f"{where}/exclude-paths"),
    )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BuildspecError(f"{where} must be a mapping")
    return value


def _known(section: dict[str, Any], where: str, keys: str) -> None:
    unknown = sorted(str(key) for key in section if key not in keys.split())
    if unknown:
        raise BuildspecError(f"{where} has {', '.join(unknown)}, which the sandbox does not run")


def _variables(value: Any, where: str) -> dict[str, str]:
    variables = {}
    for name, content in _mapping(value or {}, where).items():
        if isinstance(content, dict | list):
            raise BuildspecError(f"{where}/{name} must be a string")
        variables[str(name)] = "" if content is None else _scalar(content)
    return variables


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
        raise BuildspecError(f"{where} must be a list of strings")
    return tuple(_scalar(item) for item in value)


def _flag(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("yes", "true"):
        return True
    if str(value).lower() in ("no", "false"):
        return False
    raise BuildspecError(f"{where} must be yes or no")


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
