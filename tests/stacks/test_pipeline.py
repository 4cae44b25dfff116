"""The pipeline: its stages, what starts it, and the commands that advance the moving tag."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .policies import allows, request, role_statements

FAKE_AWS = """#!{python} -IS
import json, pathlib, sys
images = json.loads(pathlib.Path({images!r}).read_text())
arguments = sys.argv[1:]
if arguments[:2] == ["ecr", "batch-get-image"]:
    tag = arguments[arguments.index("--image-ids") + 1].removeprefix("imageTag=")
    found = [i for i in images if i["tag"] == tag]
    json.dump({{"images": [
        {{"imageId": {{"imageDigest": i["digest"], "imageTag": tag}},
          "imageManifest": i["manifest"],
          "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"}}
        for i in found]}}, sys.stdout)
elif arguments[:2] == ["ecr", "put-image"]:
    source = arguments[arguments.index("--cli-input-json") + 1].removeprefix("file://")
    pathlib.Path({put!r}).write_text(pathlib.Path(source).read_text())
else:
    sys.exit("unexpected: " + " ".join(arguments))
"""
"""Answers as ECR does; what is put is kept for the test to read."""


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
        "Build": ["Build"],
        "Deploy": ["CloudFormation", "UpdateService", "AdvanceTag"],
    }
    assert [action["RunOrder"] for action in found["Deploy"].values()] == [1, 2, 3]


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
    assert made == {"SourceOutput", "BuildOutput"}


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
        "ECR_REPOSITORY": "<Repository>",
        "ECR_TAG": "latest",
        "SECRETS_DELIVERY": "task",
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


@pytest.fixture
def advance(tmp_path: Path, stack: Callable[..., Any]) -> Callable[..., tuple[int, str, Any]]:
    """A function that runs AdvanceTag's commands; it returns exit code, output and what was put."""
    action = stages(stack("pipeline", EcrTag="moving"))["Deploy"]["AdvanceTag"]

    def run(released: str, images: list[dict[str, str]]) -> tuple[int, str, Any]:
        put = tmp_path / "put.json"
        put.unlink(missing_ok=True)
        (tmp_path / "images.json").write_text(json.dumps(images))
        fake = tmp_path / "bin" / "aws"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(
            FAKE_AWS.format(python=sys.executable, images=str(tmp_path / "images.json"), put=str(put))
        )
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        work = tmp_path / released
        work.mkdir()
        definitions = [
            {"name": "demo-app-stage-app", "imageUri": f"1.dkr.ecr.eu-west-1.amazonaws.com/r:{released}"}
        ]
        (work / "imagedefinitions.json").write_text(json.dumps(definitions))
        # A shell of its own for each: whether CodePipeline keeps one for all is not documented.
        output = ""
        for command in action["Commands"]:
            done = subprocess.run(
                ["sh", "-c", command.replace("<Repository>", "demo-app-stage")],
                cwd=work,
                env={"PATH": f"{fake.parent}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            output += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, output, None
        return 0, output, json.loads(put.read_text()) if put.exists() else None

    return run


def test_the_moving_tag_follows_a_release_that_serves(advance: Callable[..., Any]) -> None:
    manifest = '{\n   "schemaVersion": 2, "say": "it\'s \\u00fc"\n}'
    code, _, put = advance(
        "abc-1",
        [
            {"tag": "abc-1", "digest": "sha256:new", "manifest": manifest},
            {"tag": "moving", "digest": "sha256:old", "manifest": "{}"},
        ],
    )

    assert code == 0
    assert put == {
        "repositoryName": "demo-app-stage",
        "imageTag": "moving",
        "imageDigest": "sha256:new",
        "imageManifest": manifest,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
    }


def test_a_first_release_gets_the_moving_tag(advance: Callable[..., Any]) -> None:
    code, _, put = advance("abc-1", [{"tag": "abc-1", "digest": "sha256:new", "manifest": "{}"}])

    assert (code, put["imageTag"]) == (0, "moving")


def test_a_tag_that_is_there_is_left_alone(advance: Callable[..., Any]) -> None:
    same = [{"tag": tag, "digest": "sha256:new", "manifest": "{}"} for tag in ("abc-1", "moving")]

    assert advance("abc-1", same) == (0, "moving is abc-1 already.\n", None)


def test_a_buildspec_that_moves_the_tag_itself_does_no_harm(advance: Callable[..., Any]) -> None:
    code, _, put = advance("moving", [{"tag": "moving", "digest": "sha256:new", "manifest": "{}"}])

    assert (code, put) == (0, None)


def test_a_release_without_an_image_fails_the_action(advance: Callable[..., Any]) -> None:
    code, output, _ = advance("abc-1", [{"tag": "moving", "digest": "sha256:old", "manifest": "{}"}])

    assert code == 1
    assert "There is no image abc-1 in demo-app-stage." in output


def test_commands_are_what_codepipeline_takes(stack: Callable[..., Any]) -> None:
    """Single lines of at most 1000 characters, at most 50, and no tool that a laptop may lack."""
    commands = stages(stack("pipeline", AppName="a" * 24))["Deploy"]["AdvanceTag"]["Commands"]

    assert len(commands) <= 50
    for command in commands:
        assert "\n" not in command
        assert len(command.replace("<Repository>", "a" * 30)) <= 1000
        assert command.split()[0] in {"aws", "python3", "test"}
