"""Builds of CodeBuild, started through its API on a source in S3: phases, variables, artifacts, log."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sink_sandbox.client import lifecycle
from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codebuild.runner import BuildHost
from sink_sandbox.services.iam.access import AccessLog
from sink_sandbox.services.iam.patch.roles import ServiceRoles

from .helpers import archive, make_role, wait_for


class Project:
    """A project on a bucket, its builds and their log."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        self.aws = aws
        self.codebuild = aws("codebuild")
        self.s3 = aws("s3")
        self.s3.create_bucket(Bucket="work", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.codebuild.create_project(
            name="project",
            source={"type": "S3", "location": "work/source.zip"},
            artifacts={
                "type": "S3",
                "location": "work",
                "path": "out",
                "name": "artifact.zip",
                "namespaceType": "NONE",
                "packaging": "ZIP",
            },
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{"name": "FROM_PROJECT", "value": "project"}],
            },
            logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": "/builds"}},
            serviceRole=make_role(aws, "build"),
        )

    def start(self, buildspec: str, files: dict[str, str] | None = None, **more: Any) -> str:
        """Start a build of the files."""
        content = archive({"buildspec.yml": buildspec, **(files or {})})
        self.s3.put_object(Bucket="work", Key="source.zip", Body=content)
        return str(self.codebuild.start_build(projectName="project", **more)["build"]["id"])

    def finished(self, build_id: str) -> dict[str, Any]:
        """Wait for a build."""

        def build() -> dict[str, Any] | None:
            found = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]
            return None if found["buildStatus"] == "IN_PROGRESS" else found

        return wait_for(build, "the build")

    def run(self, buildspec: str, files: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Build the files and wait."""
        return self.finished(self.start(buildspec, files, **more))

    def output(self, build: dict[str, Any]) -> list[str]:
        """The lines that the commands wrote."""
        events = self.aws("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"]
        )["events"]
        return [event["message"] for event in events if not event["message"].startswith("[Container]")]

    def artifact(self, key: str = "out/artifact.zip") -> dict[str, str]:
        """The files of an artifact."""
        body = self.s3.get_object(Bucket="work", Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as found:
            return {name: found.read(name).decode() for name in found.namelist()}


@pytest.fixture
def project(aws: Callable[[str], Any]) -> Project:
    return Project(aws)


def phases(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_a_build_runs_its_phases_and_uploads_its_artifact(project: Project) -> None:
    build = project.run(
        """
version: 0.2
phases:
  install: {commands: ["export A=1"]}
  pre_build: {commands: ["B=2; mkdir made; cd made"]}
  build: {commands: ["echo $A$B > result.txt", "test -f ../given.txt"]}
artifacts:
  base-directory: made
  files: ['**/*']
""",
        {"given.txt": "x"},
    )

    assert build["buildStatus"] == "SUCCEEDED"
    assert list(phases(build)) == [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
        "COMPLETED",
    ]
    assert build["currentPhase"] == "COMPLETED"
    assert build["endTime"] >= build["startTime"]
    assert project.artifact() == {"result.txt": "12\n"}


def test_a_failed_command_fails_its_phase_and_post_build_still_runs(project: Project) -> None:
    build = project.run(
        """
version: 0.2
phases:
  build:
    commands: [echo one, exit 7, echo never]
    finally: [echo finally $CODEBUILD_BUILD_SUCCEEDING]
  post_build:
    commands: [echo succeeding=$CODEBUILD_BUILD_SUCCEEDING > left.txt]
artifacts:
  files: [left.txt]
"""
    )

    assert build["buildStatus"] == "FAILED"
    assert {name: phases(build)[name] for name in ("BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")} == {
        "BUILD": "FAILED",
        "POST_BUILD": "SUCCEEDED",
        "UPLOAD_ARTIFACTS": "SUCCEEDED",
    }
    context = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")["contexts"][0]
    assert context == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: exit 7. Reason: exit status 7",
    }
    assert project.output(build) == ["one", "finally 1"]
    assert project.artifact() == {"left.txt": "succeeding=0\n"}


def test_on_failure_decides_what_follows(project: Project) -> None:
    build = project.run(
        """
version: 0.2
phases:
  install: {on-failure: CONTINUE, commands: ["false"]}
  build: {on-failure: ABORT, commands: ["false"]}
  post_build: {commands: [echo never]}
"""
    )

    assert build["buildStatus"] == "FAILED"
    assert phases(build)["INSTALL"] == phases(build)["BUILD"] == "FAILED"
    assert "POST_BUILD" not in phases(build)


def test_variables_come_from_start_project_and_buildspec_in_that_order(project: Project) -> None:
    build = project.run(
        """
version: 0.2
env:
  variables: {FROM_SPEC: spec, FROM_PROJECT: spec, FROM_START: spec}
  exported-variables: [FROM_SPEC, MADE]
phases:
  build:
    commands:
      - echo $FROM_SPEC $FROM_PROJECT $FROM_START
      - export MADE="two words"
      - echo $CODEBUILD_BUILD_ID $CODEBUILD_INITIATOR $CODEBUILD_SOURCE_VERSION $AWS_REGION
      - test "$CODEBUILD_SRC_DIR" = "$PWD"
""",
        environmentVariablesOverride=[{"name": "FROM_START", "value": "start", "type": "PLAINTEXT"}],
        artifactsOverride={"type": "NO_ARTIFACTS"},
    )

    assert build["buildStatus"] == "SUCCEEDED"
    assert project.output(build) == [
        "spec project start",
        f"{build['id']} 000000000000/user arn:aws:s3:::work/source.zip eu-west-1",
    ]
    assert {entry["name"]: entry["value"] for entry in build["exportedEnvironmentVariables"]} == {
        "FROM_SPEC": "spec",
        "MADE": "two words",
    }


def test_secrets_and_parameters_reach_the_commands_and_not_the_log(project: Project) -> None:
    project.aws("secretsmanager").create_secret(Name="core", SecretString='{"PASSWORD": "planted-secret"}')
    project.aws("ssm").put_parameter(Name="/app/token", Value="planted-token", Type="SecureString")

    build = project.run(
        """
version: 0.2
env:
  secrets-manager: {PASSWORD: "core:PASSWORD"}
  parameter-store: {TOKEN: /app/token}
phases:
  build:
    commands:
      - test "$PASSWORD" = planted-secret && test "$TOKEN" = planted-token
      - echo "password=$PASSWORD token=$TOKEN"
"""
        + "      - echo planted-secret\n",
        artifactsOverride={"type": "NO_ARTIFACTS"},
    )

    assert build["buildStatus"] == "SUCCEEDED"
    assert project.output(build) == ["password=*** token=***", "***"]
    events = project.aws("logs").filter_log_events(logGroupName="/builds")["events"]
    assert not [event for event in events if "planted" in event["message"]]


@pytest.mark.parametrize(
    ("spec", "code", "problem"),
    [
        ("version: 0.2\nphases: [", "YAML_FILE_ERROR", "not YAML"),
        (
            "version: 0.2\nenv: {secrets-manager: {A: none}}\nphases: {build: {commands: [x]}}",
            "Decrypted Variables Error",
            "A: the secret none cannot be read",
        ),
    ],
)
def test_what_goes_wrong_before_the_commands_fails_the_download(
    project: Project, spec: str, code: str, problem: str
) -> None:
    build = project.run(spec)

    context = next(p for p in build["phases"] if p["phaseType"] == "DOWNLOAD_SOURCE")["contexts"][0]
    assert build["buildStatus"] == "FAILED"
    assert context["statusCode"] == code
    assert problem in context["message"]


def test_an_artifact_that_is_not_there_fails_the_upload(project: Project) -> None:
    build = project.run("version: 0.2\nphases: {build: {commands: ['true']}}\nartifacts: {files: [none]}")

    assert (build["buildStatus"], phases(build)["UPLOAD_ARTIFACTS"]) == ("FAILED", "FAILED")


def test_the_commands_reach_this_sandbox_and_no_settings_of_the_user(
    project: Project, sandbox: lifecycle.Sandbox
) -> None:
    build = project.run(
        """
version: 0.2
phases:
  build:
    commands:
      - echo $AWS_ENDPOINT_URL $AWS_CONFIG_FILE $(aws sts get-caller-identity --query Arn --output text)
      - ls -A "$HOME"
      - aws s3api head-bucket --bucket work
      - docker version > /dev/null
      - echo "${THE_SINK_SANDBOX:-unset} ${VIRTUAL_ENV:-unset} ${PYTHONPATH:-unset}"
""",
        privilegedModeOverride=True,
        artifactsOverride={"type": "NO_ARTIFACTS"},
    )

    assert build["buildStatus"] == "SUCCEEDED", project.output(build)
    assert project.output(build)[0] == (
        f"{sandbox.endpoint_url} /dev/null arn:aws:sts::000000000000:assumed-role/build/codebuild"
    )
    assert project.output(build)[-1] == "unset unset unset"


def test_a_build_without_privileged_mode_has_no_docker_daemon(project: Project) -> None:
    spec = "version: 0.2\nphases: {build: {commands: [docker version]}}"
    settings = {"artifactsOverride": {"type": "NO_ARTIFACTS"}}

    without, privileged = (
        project.run(spec, **settings),
        project.run(spec, privilegedModeOverride=True, **settings),
    )

    assert (without["buildStatus"], privileged["buildStatus"]) == ("FAILED", "SUCCEEDED")
    assert project.output(without)[0] == (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    )


def test_a_buildspec_may_lie_in_s3_and_is_read_under_the_builds_role(project: Project) -> None:
    project.s3.put_object(
        Bucket="work", Key="specs/a.yml", Body=b"version: 0.2\nphases: {build: {commands: [echo from S3]}}"
    )
    settings = {"artifactsOverride": {"type": "NO_ARTIFACTS"}}

    read = project.run("", buildspecOverride="arn:aws:s3:::work/specs/a.yml", **settings)
    missing = project.run("", buildspecOverride="arn:aws:s3:::work/specs/b.yml", **settings)
    no_reading = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::work/specs/*"}
    project.aws("iam").put_role_policy(
        RoleName="build",
        PolicyName="not",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [no_reading]}),
    )
    refused = project.run("", buildspecOverride="arn:aws:s3:::work/specs/a.yml", **settings)

    assert (read["buildStatus"], project.output(read)) == ("SUCCEEDED", ["from S3"])
    for build, problem in ((missing, "NoSuchKey"), (refused, "AccessDenied")):
        context = next(p for p in build["phases"] if p["phaseType"] == "DOWNLOAD_SOURCE")["contexts"][0]
        assert context["statusCode"] == "YAML_FILE_ERROR"
        assert problem in context["message"]


def test_what_a_build_leaves_behind_goes_with_it(project: Project) -> None:
    """A build that fails has no time to tidy up, and what lies about may be a secret."""
    build = project.run(
        """
version: 0.2
phases:
  build: {commands: ["LEFT=$(mktemp -d)", "echo KEY=value > $LEFT/.env", "ls $LEFT/.env", "exit 3"]}
"""
    )

    (left,) = (line for line in project.output(build) if line.endswith("/.env"))
    assert not Path(left).exists()


def test_what_builds_had_when_the_sandbox_was_killed_goes_at_its_next_start(tmp_path: Path) -> None:
    """Temporary files, and the environment of the build's shell with the secret it has fetched."""
    host = BuildHost(tmp_path, Clients("http://127.0.0.1:1", "secret"), ServiceRoles(AccessLog()), list)
    folder = host.folder / "a-build"
    (folder / "shell").mkdir(parents=True)
    temporary = host.make_temporary(folder)
    left = [folder / "shell" / "environment", temporary / ".env"]
    for file in left:
        file.write_text("export SINK_SECRET_CORE")

    Builds(host)

    assert [path for path in (*left, folder, temporary) if path.exists()] == []


def test_a_build_can_be_stopped_and_times_out(project: Project) -> None:
    build_id = project.start("version: 0.2\nphases: {build: {commands: [sleep 33]}}")
    wait_for(
        lambda: project.codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD",
        "the build phase",
    )
    project.codebuild.stop_build(id=build_id)

    assert project.finished(build_id)["buildStatus"] == "STOPPED"


def test_the_projects_settings_are_kept(project: Project) -> None:
    found = project.codebuild.batch_get_projects(names=["project"])["projects"][0]

    assert found["logsConfig"]["cloudWatchLogs"]["groupName"] == "/builds"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ({"sourceTypeOverride": "CODEPIPELINE"}, "started by its pipeline"),
        ({"sourceTypeOverride": "GITHUB"}, "no source of type GITHUB"),
        ({"artifactsOverride": {"type": "CODEPIPELINE"}}, "no artifacts of type CODEPIPELINE"),
    ],
)
def test_what_cannot_be_built_here_is_refused_by_name(
    project: Project, override: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem):
        project.start("version: 0.2", **override)


def test_a_build_without_an_engine_reads_what_its_user_reads(
    project: Project, sandbox: lifecycle.Sandbox
) -> None:
    """It is a process of the developer's: the sandbox's secret keeps out who is not the developer."""
    build = project.run(
        f"version: 0.2\nphases:\n  build:\n    commands:\n      - wc -c < {sandbox.state_dir}/secret\n"
    )

    assert project.output(build) == [str(len(sandbox.secret))]
