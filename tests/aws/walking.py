"""An app that really serves: a small service of one process in stage and uat, without a runtime image."""

from __future__ import annotations

import importlib.util
import os
import pty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.lifecycle import Sandbox

from .conftest import PARAMETERS, commit, git

IMAGES = Path(__file__).parents[1] / "sandbox" / "images.py"
"""Pushes an image; it belongs to another folder of tests, which have no package in common."""

SERVICE = (
    PARAMETERS
    + """\
Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: { ClusterName: !Sub "${AppName}-${AppEnv}-ecs-cluster" }
  TaskDefinition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      RequiresCompatibilities: [FARGATE]
      NetworkMode: awsvpc
      Cpu: "256"
      Memory: "512"
      ContainerDefinitions:
        - Name: !Sub "${AppName}-${AppEnv}-app"
          Image: !Sub "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${AppName}-${AppEnv}:${EcrTag}"
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: !Sub "${AppName}-${AppEnv}-ecs-service"
      Cluster: !Ref Cluster
      TaskDefinition: !Ref TaskDefinition
      LaunchType: FARGATE
      DesiredCount: 1
      DeploymentConfiguration:
        DeploymentCircuitBreaker: { Enable: true, Rollback: true }
      NetworkConfiguration:
        AwsvpcConfiguration: { Subnets: [subnet-12345678] }
"""
)

# The layers are in the registry already; the image itself is pushed by its own build, and once.
BUILDS = r"""
version: 0.2
phases:
  build:
    commands:
      - COMMIT=$(python3 -c 'import json; print(json.load(open("release.json"))["commit"])')
      - TAG="$COMMIT-12345678"
      - |
        read_manifest() {
          aws ecr batch-get-image --repository-name "$ECR_REPOSITORY" --image-ids imageTag="$1" \
            --query 'images[0].imageManifest' --output text
        }
      - PREPARED=$(read_manifest "prepared-$COMMIT")
      - |
        test "$(read_manifest "$TAG")" != None ||
          aws ecr put-image --repository-name "$ECR_REPOSITORY" --image-tag "$TAG" \
            --image-manifest "${PREPARED%\}}, \"annotations\": {\"build\": \"$CODEBUILD_BUILD_ID\"}}"
      - REGISTRY="$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com"
      - printf '[{"name":"%s","imageUri":"%s"}]' "$APP_NAME-$APP_ENV-app" "$REGISTRY/$ECR_REPOSITORY:$TAG" > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""  # noqa: E501 (a command is one line)


def push_image(*arguments: Any, **more: str) -> None:
    """Push an image of a small server."""
    spec = importlib.util.spec_from_file_location("images", IMAGES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.push_image(*arguments, **more)


@dataclass(frozen=True)
class Walk:
    """An app that serves in stage and in uat, and the commands of its developer."""

    folder: Path
    run: Callable[..., Any]
    sandbox: Sandbox

    def commit(self, subject: str, behaviour: str = "200") -> str:
        """Commit a change; the layers of its images are in both registries at once.

        ``behaviour`` is what the release answers on /health; "dies" ends at once.
        """
        (self.folder / "README.md").write_text(subject)
        sha = commit(self.folder, subject)
        self.push(sha, behaviour)
        return sha

    def push(self, sha: str, behaviour: str) -> None:
        for env, tag in (("stage", "latest"), ("uat", "uat")):
            push_image(self.sandbox, f"my-app-{env}", f"prepared-{sha}", version=sha, behaviour=behaviour)
            push_image(self.sandbox, f"my-app-{env}", tag, version=sha)

    def deploy(self, env: str, *more: str) -> Any:
        return self.run(self.folder, "deploy", "--env", env, "--sandbox", *more)


@pytest.fixture
def walk(invoke: Any, app: Path, platform_bucket: str, sandbox: Sandbox) -> Walk:
    """An app with a small service of one process, bootstrapped in stage and in uat."""
    (app / "aws/cfn-template.yml").write_text(SERVICE)
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    git(app, "config", "user.name", "Tester")
    git(app, "config", "user.email", "tester@example.com")
    found = Walk(app, invoke, sandbox)
    for env in ("stage", "uat"):
        ended = invoke(app, "bootstrap", "--env", env, "--sandbox")
        assert ended.code == 0, ended.err
    return found


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, keys: str, act: Callable[[], Any]) -> Any:
    """Run a command whose standard input is a terminal at which somebody types."""
    ours, theirs = pty.openpty()
    os.write(ours, keys.encode())
    try:
        with monkeypatch.context() as patch, os.fdopen(theirs, encoding="utf-8") as stdin:
            patch.setattr("sys.stdin", stdin)
            return act()
    finally:
        os.close(ours)
