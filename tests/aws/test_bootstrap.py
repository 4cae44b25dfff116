"""``bootstrap`` on a real sandbox: the environment's delivery exists, and nothing of it runs yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.session import Aws
from the_sink.config import load_app
from the_sink.naming import Names
from the_sink.plan import ApplyStack
from the_sink.resources import platform_version, resource_path
from the_sink.verbs.bootstrap import plan

from .conftest import SMALL_PLATFORM, commit

STACK = "my-app-stage-pipeline"
SECRET = "my-app-stage-secret-core"


@pytest.fixture
def platform(bare_platform_bucket: str) -> str:
    """A platform to bootstrap on, which has published nothing yet."""
    return bare_platform_bucket


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
    assert "Warning: The platform has no template and no sink-build for stage yet" in ended.err
    assert "Warning: The platform has no runtime image 3.13 for X86_64 yet" in ended.err


def test_a_package_that_is_not_the_pinned_one_is_said_to_be_what_bootstraps(
    invoke: Any, app: Path, platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update the old package would bring its old pipeline.yml, and nobody would see it."""
    installed = tmp_path / "site-packages" / f"the_sink-{platform_version()}.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(f"Name: the-sink\nVersion: {platform_version()}\n")
    (installed / "direct_url.json").write_text(json.dumps({"vcs_info": {"commit_id": "c" * 40}}))
    monkeypatch.syspath_prepend(str(installed.parent))
    (app / "requirements-platform.txt").write_text(f"the-sink[sandbox] @ git+https://x/y@{'b' * 40}\n")

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox", "--dry-run")

    assert (
        "Warning: requirements-platform.txt: it pins commit bbbbbbbb, and cccccccc is installed, whose files "
        "are used here. Install it: .venv/bin/pip install --force-reinstall -r requirements-platform.txt\n"
    ) in ended.err


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


def test_an_environment_is_made_again_beside_the_artifacts_of_its_earlier_life(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    """A bucket with objects is kept; the next one is another, so neither is in the other's way."""

    def bucket() -> str:
        pipeline = aws("codepipeline").get_pipeline(name=STACK)["pipeline"]
        return str(pipeline["artifactStore"]["location"])

    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    before = bucket()
    aws("s3").put_object(Bucket=before, Key="my-app-stage-pipelin/SourceOutp/a1B2c3D", Body=b"an artifact")
    aws("cloudformation").delete_stack(StackName=STACK)
    aws("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )

    again = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert again.code == 0, again.err
    assert bucket() != before
    for each in (before, bucket()):
        assert each.startswith(Names("my-app", "stage").artifact_bucket)
        aws("s3").head_bucket(Bucket=each)


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


def test_a_service_that_changes_its_processor_takes_another_moving_tag(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    """Its stack starts the image of that tag, before the release and where it is rolled back."""
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    aws("ecr").put_image(repositoryName="my-app-stage", imageTag="latest", imageManifest="{}")
    settings = app / "sink.toml"
    text = settings.read_text().replace("[environments.uat]", 'architecture = "ARM64"\n[environments.uat]')
    settings.write_text(text)

    refused = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    file = app / "aws/cfn-template-configuration-stage.json"
    configuration = json.loads(file.read_text())
    configuration["Parameters"]["EcrTag"] = "stage-arm64"
    file.write_text(json.dumps(configuration))
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert refused.code == 2
    assert refused.err.splitlines()[-2:] == [
        "my-app stage serves on X86_64, and its moving tag latest names an image for that; "
        "with ARM64 it needs another tag.",
        'Write a new one into aws/cfn-template-configuration-stage.json, such as "EcrTag": "stage-arm64".',
    ]
    assert ended.out.startswith(f"Stack {STACK} is updated."), ended.err
    (project,) = aws("codebuild").batch_get_projects(names=["my-app-stage-build"])["projects"]
    variables = {v["name"]: v["value"] for v in project["environment"]["environmentVariables"]}
    assert variables["PLATFORM_ECR_REPOSITORY"] == "the-sink-python-runtime-arm64"


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
    assert "  waits for approval: " in shown.out


def test_the_second_environment_follows_the_first(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    ended = invoke(app, "bootstrap", "--env", "uat", "--sandbox")

    assert ended.code == 0, ended.err
    shown = json.loads(invoke(app, "status", "--sandbox", "--json").out)
    assert [each["is_bootstrapped"] for each in shown["environments"]] == [True, True]


def test_what_comes_next_is_a_command_to_copy(invoke: Any, app: Path, platform: str) -> None:
    stage = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    uat = invoke(app, "bootstrap", "--env", "uat", "--sandbox")

    assert stage.err.splitlines()[-1] == "Next: invoke deploy --env stage --sandbox"
    assert uat.err.splitlines()[-1] == (
        "Next: invoke deploy --env uat --sandbox promotes what serves in stage"
    )


def test_a_dry_run_does_not_promise_a_change(invoke: Any, app: Path, platform: str) -> None:
    """Whether anything changes only CloudFormation can say."""
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox", "--dry-run")

    assert ended.out == (
        "Nothing was changed. This would be done:\n"
        f"  1. bring stack {STACK} up to date with stacks/python/pipeline.yml\n"
    )


def test_a_template_too_large_for_a_request_is_read_from_the_bucket(
    invoke: Any, app: Path, platform: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline's template is near CloudFormation's limit; here the limit comes to it."""
    monkeypatch.setattr("the_sink.verbs.stacks.TEMPLATE_BODY_LIMIT", 1000)

    first = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    second = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.out.startswith(f"Stack {STACK} is created.")
    assert second.out.startswith(f"Stack {STACK} is up to date.")
    (stored,) = aws("s3").list_objects_v2(Bucket=platform, Prefix="stacks/")["Contents"]
    body = aws("s3").get_object(Bucket=platform, Key=stored["Key"])["Body"].read()
    assert body == resource_path("stacks/python/pipeline.yml").read_bytes()


def promoted_from(connection: Aws, app: Path, stage: str, uat: str) -> str:
    """Plan uat's bootstrap with these settings; return the environment whose images its builds may read."""
    names = '[app]\nname = "my-app"\n[platform]\nname = "the-sink"\n'
    (app / "sink.toml").write_text(f"{names}[environments.stage]\n{stage}\n[environments.uat]\n{uat}\n")
    settings = load_app(app)
    planned = plan(
        connection,
        settings,
        settings.environment("uat"),
        lambda _environment: connection,
        parameters={"EcrTag": "uat", "RuntimeVersion": "3.13", "PermissionsBoundaryArn": ""},
        tags={},
        version="1.0.0",
        repository="",
        may_delete=False,
    )
    (step,) = (step for step in planned.steps if isinstance(step, ApplyStack))
    return step.parameters["PromotedFrom"]


def test_images_are_taken_over_only_where_builds_can_reach_them(
    invoke: Any, app: Path, platform: str, connection: Aws
) -> None:
    """A registry is an account's and a region's, and an image an architecture's."""
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    here, there = 'region = "eu-west-1"', 'region = "eu-central-1"'
    one, other = 'account = "111122223333"', 'account = "444455556666"'

    for stage, uat, expected in (
        (here, here, "stage"),
        (f"{here}\n{one}", f"{here}\n{one}", "stage"),
        (f'{here}\n{one}\nprofile = "a"', f'{here}\n{one}\nprofile = "b"', "stage"),
        (here, there, ""),
        (f"{here}\n{one}", f"{here}\n{other}", ""),
        (f"{here}\n{one}", here, ""),
        (f'{here}\nprofile = "a"', f'{here}\nprofile = "b"', ""),
        (here, f'{here}\narchitecture = "ARM64"', ""),
        (here, f'{here}\ntag = "latest"', ""),
    ):
        assert promoted_from(connection, app, stage, uat) == expected, (stage, uat)


def test_the_stack_is_told_where_releases_come_from(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    for env in ("stage", "uat"):
        invoke(app, "bootstrap", "--env", env, "--sandbox")

    found = {
        env: {
            p["ParameterKey"]: p["ParameterValue"]
            for p in describe(aws, f"my-app-{env}-pipeline")["Parameters"]
        }
        for env in ("stage", "uat")
    }
    assert (found["stage"]["PromotedFrom"], found["uat"]["PromotedFrom"]) == ("", "stage")
    projects = aws("codebuild").batch_get_projects(names=["my-app-stage-build", "my-app-uat-build"])[
        "projects"
    ]
    variables = {
        project["name"]: {v["name"]: v["value"] for v in project["environment"]["environmentVariables"]}
        for project in projects
    }
    assert variables["my-app-uat-build"]["PROMOTED_FROM"] == "stage"
    assert "PROMOTED_FROM" not in variables["my-app-stage-build"]


def test_a_pipelines_stack_is_on_the_bill_of_the_apps(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    file = app / "aws/cfn-template-configuration-stage.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "Tags": {"CostCenterID": "4711", "Name": "my-app-stage"}}))

    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0

    tags = {each["Key"]: each["Value"] for each in describe(aws)["Tags"]}
    assert (tags["CostCenterID"], tags["Name"], tags["the-sink:app"]) == ("4711", "my-app-stage", "my-app")


def test_a_pipeline_is_told_whose_the_network_is(invoke: Any, app: Path, platform: str, aws: Any) -> None:
    """A platform's stack of before does not say; then it is this account's."""
    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    assert parameters(aws)["VpcOwnerId"] == ""

    shared = f"{SMALL_PLATFORM}  VpcOwnerId: {{ Value: '210987654321' }}\n"
    aws("cloudformation").update_stack(StackName="the-sink-platform", TemplateBody=shared)
    aws("cloudformation").get_waiter("stack_update_complete").wait(
        StackName="the-sink-platform", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )

    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    assert parameters(aws)["VpcOwnerId"] == "210987654321"


BOUNDARY = "arn:aws:iam::000000000000:policy/the-sink-my-app-stage-boundary"


def boundaries(aws: Any) -> dict[str, str]:
    """The boundary of each role of stage's pipeline stack, by its logical name."""
    found = aws("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    roles = {
        each["LogicalResourceId"]: aws("iam").get_role(RoleName=each["PhysicalResourceId"])["Role"]
        for each in found
        if each["ResourceType"] == "AWS::IAM::Role"
    }
    return {
        name: role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        for name, role in roles.items()
    }


def choose_boundary(app: Path, chosen: str) -> None:
    settings = app / "sink.toml"
    text = settings.read_text().replace('permissions_boundary = "none"\n', "")
    stage = "[environments.stage]\n"
    settings.write_text(text.replace(stage, f"{stage}{chosen}"))


def test_a_new_environment_is_under_a_boundary_of_its_own(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 0, ended.err
    assert set(boundaries(aws).values()) == {BOUNDARY}
    assert parameters(aws)["PermissionsBoundaryArn"] == "platform"
    assert "have no permissions boundary" not in ended.err
    assert aws("iam").get_policy(PolicyArn=BOUNDARY)["Policy"]["PolicyName"].endswith("-boundary")


def test_an_environment_that_is_there_without_one_is_asked_about(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    choose_boundary(app, 'permissions_boundary = "none"\n')
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    before = boundaries(aws)
    choose_boundary(app, "")

    refused = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    untouched = boundaries(aws)
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox", "--yes")

    assert set(before.values()) == {""}
    assert refused.code == 2
    said = refused.err.splitlines()
    first = said.index("These roles of stage have no permissions boundary:")
    assert len(said[first + 1 : -3]) == len(before)
    assert all(line.startswith(f"  {STACK}-") for line in said[first + 1 : -3])
    assert said[-3:] == [
        'To leave them so, write permissions_boundary = "none" under [environments.stage] of sink.toml and '
        '"PermissionsBoundaryArn": "" into aws/cfn-template-configuration-stage.json.',
        "Put the boundary on them, the app's own with its next deploy? There is no terminal to ask at.",
        "If you mean it, add --yes.",
    ]
    assert untouched == before
    assert ended.code == 0, ended.err
    assert set(boundaries(aws).values()) == {BOUNDARY}
    again = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert "have no permissions boundary" not in again.err


GITHUB = """
[github]
repository = "acme/my-app"
owner_id = "123456"
repository_id = "456789"
"""


def test_a_repository_that_the_platform_does_not_trust_is_refused(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    (app / "sink.toml").write_text((app / "sink.toml").read_text() + GITHUB)

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "The platform the-sink trusts no GitHub organisation, and sink.toml names acme/my-app.",
        "In the platform's repository: invoke platform.bootstrap --parameter GitHubOrganization=acme "
        "--sandbox",
    ]


def test_workflows_of_the_repository_get_a_role_of_their_own(
    invoke: Any, app: Path, platform: str, aws: Any
) -> None:
    provider = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
    trust_organization(aws, "acme", provider)
    (app / "sink.toml").write_text((app / "sink.toml").read_text() + GITHUB)

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 0, ended.err
    (line,) = [line for line in ended.out.splitlines() if line.startswith("  GitHubRoleArn: ")]
    arn = line.removeprefix("  GitHubRoleArn: ")
    assert f"On GitHub: gh variable set SINK_ROLE_ARN --env stage --body {arn}" in ended.err.splitlines()
    trust = aws("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Federated": provider}
    assert statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == (
        "repo:acme@123456/my-app@456789:environment:stage"
    )
    settings = (app / "sink.toml").read_text()
    (app / "sink.toml").write_text(settings.replace("acme/my-app", "else/my-app"))
    other = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert other.err.splitlines()[-2:] == [
        "The platform the-sink lets repositories of acme deploy, and sink.toml names else/my-app.",
        "Correct repository in the table [github] of sink.toml.",
    ]


def trust_organization(aws: Any, organization: str, provider: str) -> None:
    """Let the small platform of these tests have what ``GitHubOrganization`` brings."""
    text = SMALL_PLATFORM.replace("Resources:", "  GitHubOrganization: { Type: String }\nResources:", 1) + (
        f'  GitHubOidcProviderArn:\n    Value: "{provider}"\n'
        '    Export: { Name: !Sub "${PlatformName}-GitHubOidcProviderArn" }\n'
    )
    aws("cloudformation").update_stack(
        StackName="the-sink-platform",
        TemplateBody=text,
        Parameters=[{"ParameterKey": "GitHubOrganization", "ParameterValue": organization}],
    )
    aws("cloudformation").get_waiter("stack_update_complete").wait(
        StackName="the-sink-platform", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
