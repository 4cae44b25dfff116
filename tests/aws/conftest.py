"""Our edge on a real sandbox: one connection per test, and a platform stack small enough to be quick."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from invoke.program import Program

from sink_sandbox.client.lifecycle import Sandbox
from the_sink.aws.session import Aws, Target, connect
from the_sink.local.sink_build import pack_sink_build
from the_sink.models import Clock
from the_sink.naming import ENVIRONMENTS, SINK_BUILD
from the_sink.resources import resource_path
from the_sink.tasks import app_namespace

REGION = "eu-west-1"

CLOCK = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))

SMALL_PLATFORM = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  PlatformName: { Type: String, Default: the-sink }
Resources:
  PipelineBucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: { Status: Enabled }
      NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } }
  AccessLogsBucket:
    Type: AWS::S3::Bucket
  RuntimeRepository:
    Type: AWS::ECR::Repository
    Properties: { RepositoryName: !Sub "${PlatformName}-python-runtime" }
  RuntimeArmRepository:
    Type: AWS::ECR::Repository
    Properties: { RepositoryName: !Sub "${PlatformName}-python-runtime-arm64" }
Outputs:
  PipelineS3Bucket:
    Value: !Ref PipelineBucket
    Export: { Name: !Sub "${PlatformName}-PipelineS3Bucket" }
  AccessLogsS3Bucket:
    Value: !Ref AccessLogsBucket
    Export: { Name: !Sub "${PlatformName}-AccessLogsS3Bucket" }
  RuntimeRepositoryName:
    Value: !Ref RuntimeRepository
    Export: { Name: !Sub "${PlatformName}-RuntimeRepositoryName" }
  RuntimeRepositoryUri: { Value: !GetAtt RuntimeRepository.RepositoryUri }
  RuntimeArmRepositoryName:
    Value: !Ref RuntimeArmRepository
    Export: { Name: !Sub "${PlatformName}-RuntimeArmRepositoryName" }
  RuntimeArmRepositoryUri: { Value: !GetAtt RuntimeArmRepository.RepositoryUri }
  VpcId:
    Value: vpc-12345678
    Export: { Name: !Sub "${PlatformName}-VpcId" }
"""


_SETTINGS = """
[app]
name = "my-app"
[platform]
name = "the-sink"
[environments.stage]
region = "eu-west-1"
[environments.uat]
region = "eu-west-1"
"""

PARAMETERS = """
Parameters:
  PlatformName: { Type: String }
  AppName: { Type: String }
  AppEnv: { Type: String }
  RuntimeVersion: { Type: String }
  EcrTag: { Type: String }
"""
"""What the template of an app is given by its pipeline and its configuration files."""

_APP_TEMPLATE = (
    PARAMETERS
    + """\
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Sub "/${AppName}/${AppEnv}" }
Outputs:
  EcsAlbDNSName: { Value: !Sub "${AppName}-${AppEnv}" }
"""
)

_BUILDSPEC = """
version: 0.2
phases:
  pre_build:
    commands:
      - echo "nothing to log in to"
  build:
    commands:
      - echo "compiling the answer"
      - exit 7
artifacts:
  files: [imagedefinitions.json]
"""


def configuration(env: str, tag: str) -> str:
    """Return an environment's configuration file."""
    parameters = {
        "PlatformName": "the-sink",
        "AppName": "my-app",
        "AppEnv": env,
        "RuntimeVersion": "3.13",
        "EcrTag": tag,
    }
    return json.dumps({"Parameters": parameters, "Tags": {}})


APP_FILES = {
    "sink.toml": _SETTINGS,
    "aws/buildspec.yaml": _BUILDSPEC,
    "aws/cfn-template.yml": _APP_TEMPLATE,
    "aws/cfn-template-configuration-stage.json": configuration("stage", "latest"),
    "aws/cfn-template-configuration-uat.json": configuration("uat", "uat"),
}


@pytest.fixture(scope="session", autouse=True)
def read_service_models_once() -> Iterator[None]:
    """Commands of these tests share what botocore reads from its own files; a process does so anyway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(autouse=True)
def ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox answers at once and charges nothing: what waits for it looks four times a second."""
    monkeypatch.setattr("the_sink.verbs.poller._LONGEST_S", 0.25)


@pytest.fixture
def target(sandbox: Sandbox) -> Target:
    """The sandbox as a task would address it."""
    return Target.sandbox(REGION, sandbox.endpoint_url, sandbox.secret)


@pytest.fixture
def connection(target: Target) -> Aws:
    """An open connection to the sandbox."""
    return connect(target, CLOCK)


@pytest.fixture
def bare_platform_bucket(aws: Any) -> str:
    """The pipeline bucket of a platform stack that has the outputs apps read, and little else."""
    client = aws("cloudformation")
    client.create_stack(StackName="the-sink-platform", TemplateBody=SMALL_PLATFORM)
    deadline = time.monotonic() + 60
    while True:
        stack = client.describe_stacks(StackName="the-sink-platform")["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE" or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return next(each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "PipelineS3Bucket")


@pytest.fixture
def platform_bucket(aws: Any, bare_platform_bucket: str) -> str:
    """The same, once ``sink-build`` is there, which pipelines run."""
    commands = pack_sink_build(resource_path(SINK_BUILD.source), "1.0.0")
    for env in ENVIRONMENTS:
        aws("s3").put_object(Bucket=bare_platform_bucket, Key=SINK_BUILD.channel_key(1, env), Body=commands)
    return bare_platform_bucket


@dataclass(frozen=True)
class Outcome:
    """How one command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs a task as a person would, in this process: ``invoke(folder, "deploy", …)``."""

    def run(folder: Path, *arguments: str, namespace: Any = app_namespace) -> Outcome:
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code = 0
        try:
            Program(namespace=namespace()).run(["invoke", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed app called my-app whose files are just enough for bootstrap and deploy."""
    folder = tmp_path / "my-app"
    for path, text in APP_FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.com")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "Start")
    return folder


@pytest.fixture
def stage(invoke: Any, app: Path, platform_bucket: str) -> str:
    """The bootstrapped environment's archive bucket."""
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert ended.code == 0, ended.err
    return platform_bucket


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it says."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commit everything and return the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")
