"""A deploy that did not end well is explained, down to its cause and the way out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from the_sink.aws.session import Aws
from the_sink.diagnosis.causes import explain
from the_sink.errors import SinkError
from the_sink.models import Release
from the_sink.plan import VerifyServing
from the_sink.verbs.deploy import DeployPlan, apply
from the_sink.verbs.follow import follow
from the_sink.verbs.poller import Pace
from the_sink.verbs.progress import Progress

from .conftest import CLOCK, commit, git
from .deploying import BUILDS, NAMES, PIPELINE, close_build, releases, versions
from .test_platform import run

pytestmark = pytest.mark.long  # a further combination of what the journey walks


def test_a_build_that_fails_is_explained_down_to_its_command(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 1
    *told, message, hint = ended.err.splitlines()
    assert message.startswith(f"my-app stage: the deploy of {head[:8]} failed in Build: phase BUILD: ")
    assert message.endswith("phase BUILD: `exit 7` ended with exit status 7.")
    assert hint == "Mend it, commit, deploy again."
    assert told[-2:] == ["    | nothing to log in to", "    | compiling the answer"]
    assert any(re.fullmatch(r"  Build FAILED in .*", line) for line in told)
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1, "my-app/latest.zip": 1}
    assert releases(aws)[0]["sourceRevisions"][0]["revisionSummary"] == f"{head} Start"


def test_a_missing_runtime_is_nothing_that_the_app_could_mend(invoke: Any, app: Path, stage: str) -> None:
    """The words are those of a buildspec in shell; tests/build_commands has those of sink-build."""
    template = Path(__file__).parents[2] / "tests/fixtures/buildspec-in-shell.yaml"
    commands = yaml.safe_load(template.read_text())["phases"]["pre_build"]["commands"]
    (check,) = (command for command in commands if "no runtime image" in command)
    setting = "FROM_DIGEST=None; RUNTIME=3.13; CONFIGURATION=aws/cfn-template-configuration-stage.json"
    buildspec = {"version": 0.2, "phases": {"pre_build": {"commands": [setting, check]}}}
    (app / "aws/buildspec.yaml").write_text(yaml.safe_dump(buildspec))
    sha = commit(app, "Build for real")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 1
    assert ended.err.splitlines()[-2:] == [
        f"my-app stage: the deploy of {sha[:8]} failed in Build: "
        "the platform has no runtime image for Python 3.13.",
        "In the platform's repository: invoke runtimes.publish --runtime 3.13 --architecture X86_64 "
        "--sandbox; then deploy again.",
    ]


def test_a_run_that_vanishes_is_one_sentence() -> None:
    """Recreating a pipeline deletes its history, and that may happen between plan and look."""
    aws: Any = SimpleNamespace(pipelines=SimpleNamespace(executions=lambda _pipeline: ()))
    release = Release("my-app", "a" * 40, "Start")
    verify = VerifyServing(NAMES.service, release)
    archive: Any = None
    progress = Progress("stage", release, "invoke deploy", "invoke deploy")
    planned = DeployPlan(NAMES, release, archive, "b", "latest", "", "", "", (verify,), progress, None)
    aws.clock = CLOCK

    with pytest.raises(SinkError) as caught:
        run(apply(aws, planned))

    assert caught.value.message == (
        "The run of pipeline my-app-stage-pipeline that deployed aaaaaaaa is no longer there."
    )


def test_a_stack_that_fails_names_the_resource_and_the_way_out(invoke: Any, app: Path, stage: str) -> None:
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    template = app / "aws/cfn-template.yml"
    good = template.read_text()
    template.write_text(
        good.replace(
            "Outputs:",
            "  Same:\n    Type: AWS::Logs::LogGroup\n    DependsOn: Log\n    Properties:\n"
            "      LogGroupName: !Ref Log\nOutputs:",
        )
    )
    head = commit(app, "Add a log")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 1
    message, hint = ended.err.splitlines()[-2:]
    assert message.startswith(
        f"my-app stage: the deploy of {head[:8]} failed in Deploy/CloudFormation: "
        "Same (AWS::Logs::LogGroup) in stack my-app-stage: "
    )
    assert "already exists" in message
    assert "invoke deploy --env stage --sandbox --yes" in hint

    nothing = invoke(app, "outputs", "--env", "stage", "--sandbox")

    assert nothing.code == 2
    assert nothing.err == (
        "my-app has no outputs in stage: its stack is in ROLLBACK_COMPLETE.\n"
        "Mend the cause, then invoke deploy --env stage --sandbox --yes: it deletes what is left and "
        "deploys.\n"
    )

    template.write_text(good)
    commit(app, "Take it out again")
    refused = invoke(app, "deploy", "--env", "stage", "--sandbox")
    cleared = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert refused.code == 1
    assert refused.err.splitlines()[-2].startswith("Stack my-app-stage is in ROLLBACK_COMPLETE: ")
    assert "Deleting stack my-app-stage." in cleared.err.splitlines()
    # The stack is there now; this small app has no service for the next action.
    assert "failed in Deploy/UpdateService: Cluster not found" in cleared.err.splitlines()[-2]
    assert cleared.err.splitlines()[-1] == "Mend the cause, commit, then deploy again."


def test_a_resource_that_the_stacks_role_may_not_make_waits_for_a_policy(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    """The real StackRole, and a managed policy that sink.toml names by its ARN in an account on AWS."""
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    template = app / "aws/cfn-template.yml"
    jobs = "  Jobs:\n    Type: AWS::SQS::Queue\n    Properties: { QueueName: my-jobs }\nOutputs:"
    template.write_text(template.read_text().replace("Outputs:", jobs))
    head = commit(app, "Add a queue")

    refused = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert refused.code == 1
    message, hint = refused.err.splitlines()[-2:]
    assert re.fullmatch(
        rf"my-app stage: the deploy of {head[:8]} failed in Deploy/CloudFormation: "
        r"Jobs \(AWS::SQS::Queue\) in stack my-app-stage: "
        r"the role StackRole \(my-app-stage-pipeline-StackRole-\w+\) lacks "
        r"sqs:CreateQueue on arn:aws:sqs:eu-west-1:000000000000:\*\.",
        message,
    )
    assert hint == (
        "Allow it by a managed policy that additional_policies of sink.toml names "
        "(docs/how-to/add-a-resource.md), run `invoke bootstrap --env stage --sandbox`, then invoke deploy "
        "--env stage --sandbox --yes: it deletes what is left of the stack, whose first creation this was, "
        "and deploys."
    )
    assert aws("sqs").list_queues().get("QueueUrls", []) == []

    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:my-*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws("iam").create_policy(PolicyName="my-app-jobs", PolicyDocument=document)
    settings = app / "sink.toml"
    named = '[environments.stage]\nadditional_policies = ["arn:aws:iam::123456789012:policy/my-app-jobs"]'
    settings.write_text(settings.read_text().replace("[environments.stage]", named))
    commit(app, "Name the policy")
    bootstrapped = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    made = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert bootstrapped.code == 0, bootstrapped.err
    # This small app has no service for the next action.
    assert "failed in Deploy/UpdateService: Cluster not found" in made.err.splitlines()[-2]
    (queue,) = aws("sqs").list_queues()["QueueUrls"]
    assert queue.endswith("/my-jobs")


def test_a_superseded_release_says_by_what(
    invoke: Any, app: Path, stage: str, aws: Any, connection: Aws
) -> None:
    first = git(app, "rev-parse", "HEAD")
    close_build(aws)
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    (app / "README.md").write_text("Second.\n")
    second = commit(app, "Second thoughts")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")

    older = releases(aws)[1]["pipelineExecutionId"]
    _, followed = run(follow(connection, NAMES, older, Pace(connection.clock, 20, "The run")))
    _, error = run(explain(connection, NAMES, Release("my-app", first, "Start"), followed))

    assert followed.execution.status == "Superseded"
    assert error.message == (
        f"my-app stage: the deploy of {first[:8]} was superseded by {second[:8]} Second thoughts."
    )


def test_a_stopped_run_says_so(invoke: Any, app: Path, stage: str, aws: Any, connection: Aws) -> None:
    close_build(aws)
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    mine = releases(aws)[0]["pipelineExecutionId"]
    aws("codepipeline").stop_pipeline_execution(
        pipelineName=PIPELINE, pipelineExecutionId=mine, abandon=True, reason="Not today"
    )

    _, followed = run(follow(connection, NAMES, mine, Pace(connection.clock, 20, "The run")))
    _, error = run(explain(connection, NAMES, Release("my-app", "a" * 40, ""), followed))

    assert (
        error.message == "my-app stage: the deploy of aaaaaaaa was stopped: its execution ended as Stopped."
    )
