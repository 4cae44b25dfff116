"""The pipeline: its stages, what starts it, and what its own commands may do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from the_sink.naming import SINK_BUILD

from .policies import allows, request, role_statements


def stages(stack: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Actions by name, by stage."""
    return {
        stage["Name"]: {action["Name"]: action for action in stage["Actions"]}
        for stage in stack.properties("Pipeline")["Stages"]
    }


def test_actions_come_in_order(stack: Callable[..., Any]) -> None:
    found = stages(stack("pipeline"))

    assert {name: list(actions) for name, actions in found.items()} == {
        "Source": ["Source"],
        "Build": ["Build", "Admit"],
        "Deploy": ["CloudFormation", "UpdateService", "Record"],
    }
    assert [action["RunOrder"] for action in found["Build"].values()] == [1, 2]
    assert [action["RunOrder"] for action in found["Deploy"].values()] == [1, 2, 3]


def test_what_rolls_out_is_what_was_admitted(stack: Callable[..., Any]) -> None:
    found = stages(stack("pipeline"))
    admit, rollout = found["Build"]["Admit"], found["Deploy"]["UpdateService"]

    assert admit["InputArtifacts"] == [{"Name": "BuildOutput"}]
    assert admit["OutputArtifacts"] == [{"Name": "AdmittedOutput", "Files": ["imagedefinitions.json"]}]
    assert rollout["InputArtifacts"] == [{"Name": "AdmittedOutput"}]
    assert rollout["Configuration"]["FileName"] == "imagedefinitions.json"


def test_only_what_may_be_taken_over_is_held_against_the_environment_before(
    stack: Callable[..., Any],
) -> None:
    def before(**parameters: str) -> str:
        (command,) = stages(stack("pipeline", **parameters))["Build"]["Admit"]["Commands"]
        return str(command.rpartition("--promoted-from ")[2])

    uat = {"AppEnv": "uat", "PromotedFrom": "stage"}
    assert before(**uat) == '"stage"'
    assert before(**uat, SecretsDelivery="image") == before() == '""'


KEYS = {
    "releases/demo-app/stage/c/e.json": ({"PipelineRole"}, {"PipelineRole"}),
    "releases/demo-app/uat/c/e.json": (set(), {"PipelineRole"}),
    "releases/demo-app-2/stage/c/e.json": (set(), set()),
    "admissions/demo-app/stage/c/d.json": ({"PipelineRole"}, {"PipelineRole"}),
    "admissions/demo-app/uat/c/d.json": (set(), set()),
}
"""Objects of the platform's bucket: which roles of demo-app in stage may write, and at least read, each."""


@pytest.mark.parametrize("key", KEYS)
def test_nobody_but_the_pipeline_writes_the_ledger_and_each_record_once(
    key: str, stack: Callable[..., Any]
) -> None:
    """Neither a build nor the app's template, and not for another environment or app."""
    delivery = stack("pipeline")
    arn = f"arn:aws:s3:::<import the-sink-PipelineS3Bucket>/{key}"

    def allowed(action: str, context: dict[str, Any] | None = None) -> set[str]:
        asked = request(action, arn, context)
        return {
            role
            for role in ("PipelineRole", "BuildRole", "StackRole", "EventRole")
            if allows(role_statements(delivery, role), asked)
        }

    writers, readers = KEYS[key]
    assert allowed("s3:PutObject", {"s3:if-none-match": "*"}) == writers
    assert allowed("s3:PutObject") == set()
    assert allowed("s3:GetObject") >= readers
    assert allowed("s3:DeleteObject") == allowed("s3:DeleteObjectVersion") == set()


def test_no_build_changes_what_was_approved_or_admitted(stack: Callable[..., Any]) -> None:
    """Nor the template that CloudFormation deploys after it, with a role that makes roles."""
    build = role_statements(stack("pipeline"), "BuildRole")

    def may_put(key: str) -> bool:
        return allows(build, request("s3:PutObject", f"<ArtifactBucket.Arn>/{key}"))

    assert may_put("demo-app-stage-pipel/BuildOutpu/aBcDeFg")
    assert not may_put("demo-app-stage-pipel/AdmittedOu/aBcDeFg")
    assert not may_put("demo-app-stage-pipel/SourceOutp/aBcDeFg")


def test_approval_stands_before_whatever_runs_the_apps_code(stack: Callable[..., Any]) -> None:
    found = stages(stack("pipeline", RequireApproval="true"))

    assert list(found) == ["Source", "Approval", "Build", "Deploy"]
    assert list(found["Approval"]) == ["Approve"]
    assert "NotificationArn" not in found["Approval"]["Approve"]["Configuration"]
    told = stages(stack("pipeline", RequireApproval="true", NotificationTopicArn="arn:aws:sns:eu-west-1:1:t"))
    assert told["Approval"]["Approve"]["Configuration"]["NotificationArn"] == "arn:aws:sns:eu-west-1:1:t"


@pytest.mark.parametrize("approval", ["true", "false"])
@pytest.mark.parametrize("topic", ["", "arn:aws:sns:eu-west-1:1:t"])
def test_the_topic_is_written_to_only_where_somebody_is_asked(
    approval: str, topic: str, stack: Callable[..., Any]
) -> None:
    """Failures reach it by EventBridge, not by the pipeline's role."""
    delivery = stack("pipeline", RequireApproval=approval, NotificationTopicArn=topic)
    sids = {s["Sid"] for s in role_statements(delivery, "PipelineRole")}
    asks = any(
        "NotificationArn" in action.get("Configuration", {})
        for actions in stages(delivery).values()
        for action in actions.values()
    )

    assert ("AskForApproval" in sids) == asks == (approval == "true" and topic != "")


@pytest.mark.parametrize(("env", "mode"), [("stage", "SUPERSEDED"), ("uat", "QUEUED"), ("prod", "QUEUED")])
def test_what_was_chosen_is_never_passed_by(env: str, mode: str, stack: Callable[..., Any]) -> None:
    pipeline = stack("pipeline", AppEnv=env).properties("Pipeline")

    assert (pipeline["PipelineType"], pipeline["ExecutionMode"]) == ("V2", mode)


def test_artifacts_are_made_before_they_are_used(stack: Callable[..., Any]) -> None:
    made: set[str] = set()
    for actions in stages(stack("pipeline", RequireApproval="true")).values():
        for action in actions.values():
            assert {a["Name"] for a in action.get("InputArtifacts", [])} <= made, action["Name"]
            made |= {a["Name"] for a in action.get("OutputArtifacts", [])}
    assert made == {"SourceOutput", "BuildOutput", "AdmittedOutput"}


def test_the_stack_comes_from_the_archive(stack: Callable[..., Any]) -> None:
    configuration = stages(stack("pipeline", AppEnv="uat"))["Deploy"]["CloudFormation"]["Configuration"]

    assert configuration == {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "demo-app-uat",
        "TemplatePath": "SourceOutput::aws/cfn-template.yml",
        "TemplateConfiguration": "SourceOutput::aws/cfn-template-configuration-uat.json",
        "Capabilities": "CAPABILITY_IAM,CAPABILITY_NAMED_IAM,CAPABILITY_AUTO_EXPAND",
        "RoleArn": "<StackRole.Arn>",
    }


def test_a_new_archive_starts_the_pipeline_with_that_version(stack: Callable[..., Any]) -> None:
    delivery = stack("pipeline", ArchiveTag="uat")
    rule = delivery.properties("ArchiveRule")
    (target,) = rule["Targets"]
    source = stages(delivery)["Source"]["Source"]["Configuration"]
    pattern = rule["EventPattern"]["detail"]

    assert (rule["EventPattern"]["source"], rule["EventPattern"]["detail-type"]) == (
        ["aws.s3"],
        ["Object Created"],
    )
    assert pattern["bucket"]["name"] == [source["S3Bucket"]]
    assert pattern["object"]["key"] == [source["S3ObjectKey"]] == ["demo-app/uat.zip"]
    assert source["PollForSourceChanges"] == "false"
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"] == {"rev": "$.detail.object.version-id"}
    assert json.loads(transformer["InputTemplate"].replace("<rev>", "v1")) == {
        "sourceRevisions": [
            {"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "v1"}
        ]
    }
    (statement,) = delivery.properties("EventRole")["Policies"][0]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        "codepipeline:StartPipelineExecution",
        target["Arn"],
    )


def test_failures_are_told_only_to_whom_wants_to_know(stack: Callable[..., Any]) -> None:
    assert "FailureRule" not in stack("pipeline").resources
    rule = stack("pipeline", NotificationTopicArn="arn:aws:sns:eu-west-1:1:t").properties("FailureRule")
    assert rule["EventPattern"]["detail"] == {"pipeline": ["<Pipeline>"], "state": ["FAILED"]}
    assert rule["Targets"][0]["Arn"] == "arn:aws:sns:eu-west-1:1:t"


def test_builds_get_the_variables_of_the_contract(stack: Callable[..., Any]) -> None:
    project = stack("pipeline", RuntimeVersion="3.12").properties("BuildProject")
    variables = {v["Name"]: v["Value"] for v in project["Environment"]["EnvironmentVariables"]}

    assert variables == {
        "AWS_ACCOUNT_ID": "123456789012",
        "APP_NAME": "demo-app",
        "APP_ENV": "stage",
        "PLATFORM_ECR_REPOSITORY": "<import the-sink-RuntimeRepositoryName>",
        "RUNTIME_VERSION": "3.12",
        "ECR_REGISTRY": "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "ECR_REPOSITORY": "<Repository>",
        "ECR_TAG": "latest",
        "SECRETS_DELIVERY": "task",
        "PLATFORM_BUCKET": "<import the-sink-PipelineS3Bucket>",
        "SINK_BUILD_KEY": SINK_BUILD.channel_key(1, "stage"),
    }
    assert project["Source"] == {"Type": "CODEPIPELINE", "BuildSpec": "aws/buildspec.yaml"}
    assert project["Environment"]["PrivilegedMode"] is True


@pytest.mark.parametrize(
    ("architecture", "host"), [("X86_64", "LINUX_CONTAINER"), ("ARM64", "ARM_CONTAINER")]
)
def test_builds_run_on_the_processor_they_build_for(
    architecture: str, host: str, stack: Callable[..., Any]
) -> None:
    environment = stack("pipeline", Architecture=architecture).properties("BuildProject")["Environment"]

    assert environment["Type"] == host
    assert ("aarch64" in environment["Image"]) == (architecture == "ARM64")


@pytest.mark.parametrize(
    ("architecture", "export"), [("X86_64", "RuntimeRepositoryName"), ("ARM64", "RuntimeArmRepositoryName")]
)
def test_builds_find_the_runtimes_for_their_processor_and_may_pull_no_others(
    architecture: str, export: str, stack: Callable[..., Any]
) -> None:
    delivery = stack("pipeline", Architecture=architecture)
    variables = delivery.properties("BuildProject")["Environment"]["EnvironmentVariables"]
    (policy,) = delivery.properties("BuildRole")["Policies"]
    (pull,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "PullRuntime")

    assert {"Name": "PLATFORM_ECR_REPOSITORY", "Value": f"<import the-sink-{export}>"} in variables
    assert pull["Resource"].endswith(f":repository/<import the-sink-{export}>")


def test_no_layer_with_secrets_stays_on_a_build_host(stack: Callable[..., Any]) -> None:
    def cache(delivery: str) -> Any:
        return stack("pipeline", SecretsDelivery=delivery).properties("BuildProject")["Cache"]

    assert cache("task") == {"Type": "LOCAL", "Modes": ["LOCAL_DOCKER_LAYER_CACHE"]}
    assert cache("image") == {"Type": "NO_CACHE"}


def test_a_configuration_file_may_carry_a_stack_policy(stack: Callable[..., Any]) -> None:
    """``CreateStack`` and ``UpdateStack`` with a policy need this too, for the app's own stack only."""
    role = stack("pipeline").properties("PipelineRole")
    (statement,) = [
        s
        for s in role["Policies"][0]["PolicyDocument"]["Statement"]
        if "cloudformation:SetStackPolicy" in s["Action"]
    ]

    assert statement["Resource"] == "arn:aws:cloudformation:eu-west-1:123456789012:stack/demo-app-stage/*"


@pytest.mark.parametrize(
    ("role", "stack_name", "foreign"),
    [
        ("PipelineRole", "demo-app-stage", "demo-app-prod"),
        ("StackRole", "demo-app-stage-StackPython-1A2B3C4D5E6F", "demo-app-prod-StackPython-1A2B3C4D5E6F"),
    ],
)
def test_stacks_get_the_tags_of_the_configuration_file(
    role: str, stack_name: str, foreign: str, stack: Callable[..., Any]
) -> None:
    """By a deploy, on the app's own stacks only."""
    may = role_statements(stack("pipeline"), role)

    def tags(name: str, by: str) -> bool:
        arn = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/0-1"
        return allows(may, request("cloudformation:TagResource", arn, {"cloudformation:CreateAction": by}))

    assert tags(stack_name, "CreateStack")
    assert tags(stack_name, "UpdateStack")
    assert not tags(stack_name, "CreateStackSet")
    assert not tags(foreign, "UpdateStack")


def test_only_the_moving_tag_moves(stack: Callable[..., Any]) -> None:
    repository = stack("pipeline", EcrTag="moving").properties("Repository")

    assert repository["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [
        f["ImageTagMutabilityExclusionFilterValue"] for f in repository["ImageTagMutabilityExclusionFilters"]
    ] == ["moving"]


def test_a_secret_starts_empty_or_is_adopted(stack: Callable[..., Any]) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:demo-app-stage-secret-core-AbCdEf"
    created, adopted = stack("pipeline"), stack("pipeline", ExistingSecretArn=arn)

    assert created.properties("SecretCore")["SecretString"] == "{}"
    assert created.outputs["SecretArn"]["Value"] == "<SecretCore.Id>"
    assert "SecretCore" not in adopted.resources
    assert adopted.outputs["SecretArn"]["Value"] == arn
    for delivery in (created, adopted):
        asked = request("secretsmanager:GetSecretValue", arn)
        assert allows(role_statements(delivery, "BuildRole"), asked)


def test_a_build_reaches_the_images_that_it_may_take_over_and_no_others(stack: Callable[..., Any]) -> None:
    """Those of the one environment before; not where an image holds another environment's secrets."""

    def reached(**parameters: str) -> list[Any]:
        role = stack("pipeline", **parameters).properties("BuildRole")
        statements = role["Policies"][0]["PolicyDocument"]["Statement"]
        return [
            (s["Resource"], s["Action"])
            for s in statements
            if "ecr:" in str(s["Action"]) and s["Sid"] not in {"LogInToRegistry", "PullRuntime", "PushImage"}
        ]

    uat = {"AppEnv": "uat", "PromotedFrom": "stage"}
    reading = ["ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert reached(**uat) == [("arn:aws:ecr:eu-west-1:123456789012:repository/demo-app-stage", reading)]
    assert reached(**uat, SecretsDelivery="image") == []
    assert reached() == []


def test_a_build_knows_where_its_release_comes_from(stack: Callable[..., Any]) -> None:
    def variables(**parameters: str) -> dict[str, str]:
        project = stack("pipeline", **parameters).properties("BuildProject")
        return {v["Name"]: v["Value"] for v in project["Environment"]["EnvironmentVariables"]}

    assert variables(AppEnv="uat", PromotedFrom="stage")["PROMOTED_FROM"] == "stage"
    assert "PROMOTED_FROM" not in variables()


@pytest.mark.parametrize(("stage_name", "action"), [("Build", "Admit"), ("Deploy", "Record")])
def test_commands_are_what_codepipeline_takes(
    stage_name: str, action: str, stack: Callable[..., Any]
) -> None:
    """One line of at most 1000 characters that runs nothing of the artifact, in a folder of its own.

    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html
    """
    longest = {
        "PlatformName": "p" * 30,
        "AppName": "a" * 24,
        "AppEnv": "stage",
        "PromotedFrom": "stage",
        "EcrTag": "t" * 128,
    }
    (command,) = stages(stack("pipeline", **longest))[stage_name][action]["Commands"]

    assert "\n" not in command
    # An export of the longest name that a bucket may have stands for each import.
    assert len(re.sub("<import [^>]+>", "b" * 63, command).replace("<Repository>", "a" * 30)) <= 1000
    assert command.startswith('cd "$(mktemp -d)" && aws s3 cp ')
    channel = SINK_BUILD.channel_key(1, "stage")
    assert f"s3://<import {'p' * 30}-PipelineS3Bucket>/{channel} sink-build.pyz && " in command
    assert f" && python3 -I sink-build.pyz {action.lower()} " in command
    assert command.count("python3") == 1
