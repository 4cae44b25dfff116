"""The buildspec: what is understood, what is refused by name, and in which order phases follow."""

from __future__ import annotations

import pytest

from sink_sandbox.services.codebuild.buildspec import (
    Artifacts,
    Buildspec,
    BuildspecError,
    Phase,
    SecretReference,
    next_phase,
    parse_buildspec,
    parse_secret_reference,
    uploads_artifacts,
)

FULL = """
version: 0.2
env:
  shell: bash
  variables:
    PLAIN: text
    NUMBER: 3
    FLAG: true
    VERSION: 3.10
  parameter-store:
    FROM_STORE: /app/key
  secrets-manager:
    PASSWORD: app-secret:password
  exported-variables: [TAG]
phases:
  install:
    runtime-versions:
      python: 3.13
    commands: pip --version
  build:
    on-failure: ABORT
    commands:
      - make
      - |
        one
        two
    finally:
      - tidy
artifacts:
  files: ["**/*"]
  base-directory: out
  discard-paths: yes
  exclude-paths: ["**/*.tmp"]
  secondary-artifacts:
    docs:
      files: [index.html]
cache:
  paths: [/root/.cache]
"""


def test_a_full_buildspec_is_understood() -> None:
    spec = parse_buildspec(FULL)

    # An unquoted 3.10 is the number 3.1 in YAML, here as on AWS.
    assert spec.variables == {"PLAIN": "text", "NUMBER": "3", "FLAG": "true", "VERSION": "3.1"}
    assert spec.parameter_store == {"FROM_STORE": "/app/key"}
    assert spec.secrets_manager == {"PASSWORD": SecretReference("app-secret", "password")}
    assert spec.exported_variables == ("TAG",)
    assert spec.phases == (
        Phase("install", ("pip --version",)),
        Phase("build", ("make", "one\ntwo\n"), ("tidy",), "ABORT"),
    )
    assert spec.artifacts == Artifacts(("**/*",), "out", True, ("**/*.tmp",))
    assert spec.secondary_artifacts == {"docs": Artifacts(("index.html",))}
    assert [remark.partition(":")[0] for remark in spec.remarks] == [
        "cache",
        "runtime-versions (python 3.13)",
    ]


def test_phases_run_in_codebuilds_order_whatever_the_files() -> None:
    spec = parse_buildspec(
        """
version: 0.2
phases:
  post_build: {commands: [c]}
  build: {commands: [b]}
  install: {commands: [a]}
"""
    )

    assert [phase.name for phase in spec.phases] == ["install", "build", "post_build"]
    assert spec == Buildspec(phases=spec.phases)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 0.2\nphases: [", "not YAML"),
        ("- a list", "the buildspec must be a mapping"),
        ("phases: {build: {commands: [x]}}", "version is missing"),
        ("version: 0.1\nphases: {build: {commands: [x]}}", "version is 0.1"),
        ("version: 0.2", "phases must be a mapping"),
        ("version: 0.2\nphases: {}", "phases is empty"),
        ("version: 0.2\nphases: {test: {commands: [x]}}", "phases has test"),
        ("version: 0.2\nbatch: {}\nphases: {build: {commands: [x]}}", "has batch"),
        ("version: 0.2\nrun-as: me\nphases: {build: {commands: [x]}}", "has run-as"),
        ("version: 0.2\nphases: {build: {run-as: me, commands: [x]}}", "phases/build/run-as"),
        ("version: 0.2\nphases: {build: {on-failure: RETRY, commands: [x]}}", "on-failure is 'RETRY'"),
        (
            "version: 0.2\nphases:\n  build:\n    commands:\n      - echo Note: this",
            r"commands\[0\] must be a string",
        ),
        ("version: 0.2\nphases: {build: {commands: {a: b}}}", "must be a list"),
        ("version: 0.2\nenv: {shell: powershell.exe}\nphases: {build: {commands: [x]}}", "env/shell"),
        ("version: 0.2\nenv: {secrets: {}}\nphases: {build: {commands: [x]}}", "env has secrets"),
        (
            "version: 0.2\nenv: {git-credential-helper: yes}\nphases: {build: {commands: [x]}}",
            "git-credential",
        ),
        ("version: 0.2\nenv: {variables: {A: [1]}}\nphases: {build: {commands: [x]}}", "env/variables/A"),
        (
            "version: 0.2\nenv: {exported-variables: [A, AWS_B]}\nphases: {build: {commands: [x]}}",
            "AWS_B, but what starts with AWS_ cannot be exported",
        ),
        (
            "version: 0.2\nphases: {build: {commands: [x]}}\nartifacts: {files: []}",
            "artifacts/files is empty",
        ),
        ("version: 0.2\nphases: {build: {commands: [x]}}\nartifacts: {name: a}", "artifacts has no files"),
        (
            "version: 0.2\nphases: {build: {commands: [x]}}\nartifacts: {files: [a], s3-prefix: b}",
            "s3-prefix",
        ),
        (
            "version: 0.2\nphases: {build: {commands: [x]}}\nartifacts: {files: [a], discard-paths: perhaps}",
            "yes or no",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(BuildspecError, match=problem):
        parse_buildspec(text)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("name", SecretReference("name")),
        ("name:key", SecretReference("name", "key")),
        ("name:key:AWSPREVIOUS", SecretReference("name", "key", "AWSPREVIOUS")),
        ("name:::id", SecretReference("name", "", "", "id")),
        (
            "arn:aws:secretsmanager:eu-west-1:000000000000:secret:core-a1b2c3:key",
            SecretReference("arn:aws:secretsmanager:eu-west-1:000000000000:secret:core-a1b2c3", "key"),
        ),
    ],
)
def test_a_secret_is_named_by_id_or_arn(text: str, reference: SecretReference) -> None:
    assert parse_secret_reference(text) == reference


@pytest.mark.parametrize(
    ("phase", "failed", "following"),
    [
        (Phase("install", ()), False, "next"),
        (Phase("install", ()), True, "end"),
        (Phase("install", (), (), "CONTINUE"), True, "next"),
        (Phase("pre_build", ()), True, "end"),
        (Phase("build", ()), True, "next"),
        (Phase("build", (), (), "ABORT"), True, "end"),
        (Phase("post_build", ()), True, "end"),
    ],
)
def test_only_a_failed_build_goes_on_by_default(phase: Phase, failed: bool, following: str) -> None:
    assert next_phase(phase, failed=failed) == following


@pytest.mark.parametrize(
    ("last", "failed", "uploads"),
    [
        ("post_build", False, True),
        ("post_build", True, True),
        ("build", True, True),
        ("pre_build", True, False),
    ],
)
def test_artifacts_are_uploaded_once_build_was_reached(last: str, failed: bool, uploads: bool) -> None:
    assert uploads_artifacts(Phase(last, ()), failed=failed) is uploads
