"""``bootstrap`` on a real sandbox: the environment's delivery exists, and nothing of it runs yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from the_sink.resources import platform_version

from .conftest import commit

STACK = "my-app-stage-pipeline"
SECRET = "my-app-stage-secret-core"


@pytest.fixture
def platform(platform_bucket: str) -> str:
    """A platform to bootstrap on."""
    return platform_bucket


def describe(aws: Any, name: str = STACK) -> Any:
    return aws("cloudformation").describe_stacks(StackName=name)["Stacks"][0]


def parameters(aws: Any) -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in describe(aws)["Parameters"]}


def test_an_environment_is_made_once_and_then_up_to_date(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    first = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    second = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.out.splitlines()[0] == f"Stack {STACK} is created."
    assert second.out.splitlines()[0] == f"Stack {STACK} is up to date."
    assert "  PipelineName: my-app-stage-pipeline" in first.out.splitlines()
    secret = aws("secretsmanager").get_secret_value(SecretId=SECRET)
    assert secret["SecretString"] == "{}"
    tags = {each["Key"]: each["Value"] for each in describe(aws)["Tags"]}
    assert tags == {
        "the-sink:platform": "the-sink",
        "the-sink:app": "my-app",
        "the-sink:env": "stage",
        "the-sink:template-version": platform_version(),
    }


def test_what_the_first_deploy_will_miss_is_said(invoke: Any, app: Path, platform: str) -> None:
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox", "--dry-run")

    assert ended.code == 0
    assert "Warning: The platform has no template for stage yet" in ended.err
    assert "Warning: The platform has no runtime image 3.13 yet" in ended.err


def test_a_dry_run_changes_nothing(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox", "--dry-run")

    assert ended.out == (
        "Nothing was changed. This would be done:\n"
        f"  1. create stack {STACK} from stacks/python/pipeline.yml\n"
        f"  2. stop the run that pipeline {STACK} starts by itself when it is created\n"
    )
    assert [each["StackName"] for each in aws("cloudformation").describe_stacks()["Stacks"]] == [
        "the-sink-platform"
    ]


def test_no_run_goes_on_that_nobody_asked_for(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    """Not even where an earlier life of the environment left an archive to deploy."""
    aws("s3").put_object(Bucket=platform, Key="my-app/latest.zip", Body=b"an old release")

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 0, ended.err
    runs = aws("codepipeline").list_pipeline_executions(pipelineName=STACK)["pipelineExecutionSummaries"]
    assert [run["trigger"]["triggerType"] for run in runs] == ["CreatePipeline"]
    assert runs[0]["status"] in {"Stopped", "Stopping", "Failed"}
    shown = invoke(app, "status", "--env", "stage", "--sandbox")
    assert "last run: none yet" in shown.out


def test_a_secret_that_is_there_is_adopted_with_what_is_in_it(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    client = aws("secretsmanager")
    arn = client.create_secret(Name=SECRET, SecretString='{"KEY": "kept"}')["ARN"]

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 0, ended.err
    assert client.get_secret_value(SecretId=SECRET)["SecretString"] == '{"KEY": "kept"}'
    assert parameters(aws)["ExistingSecretArn"] == arn
    assert f"  SecretArn: {arn}" in ended.out.splitlines()
    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").out.startswith(
        f"Stack {STACK} is up to date."
    )


def test_a_secret_that_waits_to_be_deleted_is_restored(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    client = aws("secretsmanager")
    client.create_secret(Name=SECRET, SecretString='{"KEY": "kept"}')
    client.delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 0, ended.err
    assert f"Restored secret {SECRET}." in ended.err
    assert client.get_secret_value(SecretId=SECRET)["SecretString"] == '{"KEY": "kept"}'


def test_settings_become_parameters(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    before = parameters(aws)
    settings = app / "sink.toml"
    settings.write_text(
        settings.read_text().replace(
            "[environments.uat]", 'architecture = "ARM64"\nrequires_approval = true\n[environments.uat]'
        )
    )

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    after = parameters(aws)

    assert ended.out.startswith(f"Stack {STACK} is updated."), ended.err
    assert {key: after[key] for key in after if after[key] != before[key]} == {
        "Architecture": "ARM64",
        "RequireApproval": "true",
    }
    assert before["EcrTag"] == "latest"
    assert before["RuntimeVersion"] == "3.13"


def test_a_pipeline_that_waits_for_an_approval_is_not_changed_under_it(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    (app / "aws/buildspec.yaml").write_text(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - echo '[]' > imagedefinitions.json\n"
        "artifacts:\n  files: [imagedefinitions.json]\n"
    )
    settings = app / "sink.toml"
    settings.write_text(
        settings.read_text().replace("[environments.uat]", "requires_approval = true\n[environments.uat]")
    )
    commit(app, "Ask for approval")
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    deployed = invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")
    assert "Stage Approval waits for an approval of " in deployed.err
    settings.write_text(settings.read_text().replace("requires_approval = true", "requires_approval = false"))

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 1
    assert ended.err.splitlines()[-2] == (
        f"Pipeline {STACK} is waiting for an approval, and changing it would end that run."
    )
    assert "invoke approve or reject --env stage --sandbox" in ended.err
    assert parameters(aws)["RequireApproval"] == "true"
    left = aws("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    assert [each for each in left if each["ExecutionStatus"] == "AVAILABLE"] == []
    shown = invoke(app, "status", "--env", "stage", "--sandbox")
    assert "  waiting: Approval needs an approval" in shown.out.splitlines()


def test_the_second_environment_follows_the_first(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    ended = invoke(app, "bootstrap", "--env", "uat", "--sandbox")

    assert ended.code == 0, ended.err
    shown = json.loads(invoke(app, "status", "--sandbox", "--json").out)
    assert [each["is_bootstrapped"] for each in shown["environments"]] == [True, True]
