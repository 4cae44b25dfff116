"""What the tests of ``deploy`` look at, and what they hold up: archives, runs, the way into Build."""

from __future__ import annotations

from typing import Any

from the_sink.naming import Names

PIPELINE = "my-app-stage-pipeline"
NAMES = Names("my-app", "stage")

BUILDS = r"""
version: 0.2
phases:
  build:
    commands:
      - COMMIT=$(python3 -c 'import json; print(json.load(open("release.json"))["commit"])')
      - |
        aws ecr put-image --repository-name "$ECR_REPOSITORY" --image-tag "$COMMIT" \
          --image-manifest "{\"build\": \"$CODEBUILD_BUILD_ID\"}"
      - IMAGE="$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com/$ECR_REPOSITORY:$COMMIT"
      - printf '[{"name":"%s","imageUri":"%s"}]' "$APP_NAME-$APP_ENV-app" "$IMAGE" > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""


def versions(aws: Any, bucket: str) -> dict[str, int]:
    """How often each archive of the app was written."""
    found: dict[str, int] = {}
    for each in aws("s3").list_object_versions(Bucket=bucket, Prefix="my-app/").get("Versions", []):
        found[each["Key"]] = found.get(each["Key"], 0) + 1
    return found


def close_build(aws: Any) -> None:
    aws("codepipeline").disable_stage_transition(
        pipelineName=PIPELINE, stageName="Build", transitionType="Inbound", reason="Freeze"
    )


def open_build(aws: Any) -> None:
    aws("codepipeline").enable_stage_transition(
        pipelineName=PIPELINE, stageName="Build", transitionType="Inbound"
    )


def releases(aws: Any) -> list[Any]:
    runs = aws("codepipeline").list_pipeline_executions(pipelineName=PIPELINE)["pipelineExecutionSummaries"]
    return [each for each in runs if each["trigger"]["triggerType"] != "CreatePipeline"]
