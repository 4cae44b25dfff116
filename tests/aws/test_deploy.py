"""``deploy`` on a real sandbox: the run that carries the release is followed, and its failure explained."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from the_sink.aws.s3 import Objects
from the_sink.aws.session import Aws
from the_sink.deploy.causes import explain
from the_sink.deploy.deploy import DeployPlan, apply
from the_sink.deploy.follow import follow
from the_sink.deploy.pace import Pace
from the_sink.deploy.progress import Progress
from the_sink.errors import SinkError
from the_sink.models import Event, Release, Said
from the_sink.naming import Names
from the_sink.plan import VerifyServing
from the_sink.report.events import PlainDisplay
from the_sink.sandbox.process import wait_until
from the_sink.tasks import releasing

from .conftest import CLOCK, commit, git
from .test_platform import run

PIPELINE = "my-app-stage-pipeline"
NAMES = Names("my-app", "stage")

BUILDS = """
version: 0.2
phases:
  build:
    commands:
      - |
        echo '[{"name": "my-app-stage-app", "imageUri": "r/my-app-stage:x"}]' > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""


@pytest.fixture
def stage(invoke: Any, app: Path, platform_bucket: str) -> str:
    """The bootstrapped environment's archive bucket."""
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert ended.code == 0, ended.err
    return platform_bucket


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
    """The words are those of the template's own buildspec, which finds no digest here."""
    template = Path(__file__).parents[2] / "template/aws/buildspec.yaml"
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


def test_a_release_is_archived_once_and_released_as_often_as_asked(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")

    first = invoke(app, "deploy", "--env", "stage", "--sandbox")
    again = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert again.code == 1
    run_id = releases(aws)[1]["pipelineExecutionId"]
    assert (
        f"The run {run_id} of this commit failed in Build: phase BUILD: `exit 7` ended with exit status 7. "
        "Deploying it again."
    ) in again.err.splitlines()
    assert f"Using s3://{stage}/my-app/{head}.zip, which exists already." in again.err
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1, "my-app/latest.zip": 2}
    assert len(releases(aws)) == 2
    assert "of this commit failed" not in first.err


def test_a_retry_that_was_asked_for_and_another_commit_need_no_explanation(
    invoke: Any, app: Path, stage: str
) -> None:
    invoke(app, "deploy", "--env", "stage", "--sandbox")
    forced = invoke(app, "deploy", "--env", "stage", "--sandbox", "--again")
    (app / "README.md").write_text("Second.\n")
    commit(app, "Second thoughts")
    other = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert (forced.code, other.code) == (1, 1)
    assert "of this commit failed" not in forced.err + other.err


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


def test_a_commit_that_was_archived_with_other_bytes_is_refused(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")
    aws("s3").put_object(Bucket=stage, Key=f"my-app/{head}.zip", Body=b"other")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 1
    assert (
        f"The archive of {head[:8]} in s3://{stage} has other bytes than the one made here."
        in ended.err.splitlines()
    )
    assert releases(aws) == []


def test_a_release_with_other_settings_than_its_pipeline_waits_for_a_bootstrap(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    """Built for one delivery of the secret and run with the other, the service would get no setting."""
    settings, template = app / "sink.toml", app / "aws/cfn-template.yml"
    settings.write_text(settings.read_text().replace("[app]", '[app]\nsecrets_delivery = "image"', 1))
    declared = "Parameters:\n  SecretsDelivery: { Type: String, Default: image }"
    template.write_text(template.read_text().replace("Parameters:", declared, 1))
    commit(app, "Secrets in the image")

    refused = invoke(app, "deploy", "--env", "stage", "--sandbox")
    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    planned = invoke(app, "deploy", "--env", "stage", "--sandbox", "--dry-run")

    assert refused.code == 2
    assert refused.err.splitlines()[-2:] == [
        'aws/cfn-template.yml: SecretsDelivery is "image" by its default, and the pipeline of stage has '
        '"task": both stacks need the same.',
        "First: invoke bootstrap --env stage --sandbox",
    ]
    assert versions(aws, stage) == {}
    assert planned.code == 0, planned.err


def test_a_dry_run_prints_the_plan_and_changes_nothing(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    head = git(app, "rev-parse", "HEAD")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--dry-run")

    assert ended.out == (
        "Nothing was changed. This would be done:\n"
        f"  1. upload s3://{stage}/my-app/{head}.zip\n"
        f"  2. copy it to s3://{stage}/my-app/latest.zip, which starts the pipeline\n"
        "  3. follow the run of pipeline my-app-stage-pipeline that carries it\n"
        f"  4. check that every task of my-app-stage-ecs-service runs {head[:8]}\n"
    )
    assert versions(aws, stage) == {}


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


def test_watching_ends_in_time_and_is_taken_up_again(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")

    assert ended.code == 1
    assert ended.err.splitlines()[-2:] == [
        f"The deploy of {head[:8]} did not end within 2 s.",
        f"It goes on. Watch again: invoke deploy --env stage --commit {head} --sandbox",
    ]
    assert "The way into stage Build is closed: Freeze (open it: aws codepipeline" in ended.err

    shown = invoke(app, "status", "--env", "stage", "--sandbox")
    assert "  closed: the way into Build (Freeze)" in shown.out.splitlines()

    opener = threading.Timer(1, open_build, [aws])
    opener.start()
    resumed = invoke(app, "deploy", "--env", "stage", "--commit", head, "--sandbox")
    opener.join()

    assert "failed in Build: phase BUILD" in resumed.err
    assert versions(aws, stage)["my-app/latest.zip"] == 1
    assert len(releases(aws)) == 1


def interrupt_at(monkeypatch: pytest.MonkeyPatch, beginning: str) -> None:
    """Press Ctrl-C when a line that begins so is shown."""
    show = PlainDisplay.show

    def interrupted(self: PlainDisplay, event: Event) -> None:
        show(self, event)
        if isinstance(event, Said) and event.text.startswith(beginning):
            raise KeyboardInterrupt

    monkeypatch.setattr(PlainDisplay, "show", interrupted)


def test_an_interruption_before_the_release_says_that_nothing_was_released(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")
    deploy = ("deploy", "--env", "stage", "--sandbox")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, "Uploaded s3://")
        ended = invoke(app, *deploy, "--again")

    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"Interrupted before {head[:8]} was released: stage stays as it is. Its archive is uploaded.",
        f"Deploy it: invoke deploy --env stage --commit {head} --sandbox --again",
    ]
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1}
    assert releases(aws) == []

    gone_on = invoke(app, *ended.err.splitlines()[-1].split()[3:])

    assert "failed in Build: phase BUILD" in gone_on.err
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1, "my-app/latest.zip": 1}


@pytest.mark.parametrize("options", ["", " --commit HEAD --timeout 90 --again --yes", " --dry-run"])
def test_an_interruption_before_the_first_line_says_so_and_how_to_go_on(
    invoke: Any, app: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(releasing, "choose_commit", interrupted)
    command = f"deploy --env stage{options}"

    ended = invoke(app, *command.split())

    assert (ended.code, ended.out) == (130, "")
    assert ended.err == f"Interrupted: nothing was released.\nDeploy: invoke {command}\n"


def test_an_interruption_within_the_release_does_not_claim_to_know(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)
    copy = Objects.copy

    def interrupted(self: Objects, *arguments: Any) -> str:
        copy(self, *arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objects, "copy", interrupted)
        ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"Interrupted at the moment when {head[:8]} was being released to stage: it may be on its way, or "
        "not.",
        f"This finds out, and goes on from there: invoke deploy --env stage --commit {head} --sandbox",
    ]
    # Here it was: the command follows that run, and makes no second one.
    gone_on = invoke(app, "deploy", "--env", "stage", "--commit", head, "--sandbox", "--timeout", "1")
    assert f"carries {head[:8]}" in gone_on.err
    assert versions(aws, stage)["my-app/latest.zip"] == 1


@pytest.mark.parametrize(
    ("moment", "sentence", "hint"),
    [
        pytest.param(
            "Released as s3://",
            "Stopped watching before the run began: {head} is released to stage, and AWS starts the run by "
            "itself.",
            "Watch it, and start it should nothing have",
            id="before the run",
        ),
        pytest.param(
            "Run ",
            "Stopped watching; the run {run} of {head} goes on.",
            "Watch again",
            id="during the run",
        ),
    ],
)
def test_an_interruption_after_the_release_says_how_to_watch_again(
    invoke: Any, app: Path, stage: str, aws: Any, monkeypatch: pytest.MonkeyPatch,
    moment: str, sentence: str, hint: str,
) -> None:  # fmt: skip
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)
    interrupt_at(monkeypatch, moment)

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert wait_until(lambda: len(releases(aws)) == 1, 60)
    (run,) = releases(aws)
    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        sentence.format(head=head[:8], run=run["pipelineExecutionId"]),
        f"{hint}: invoke deploy --env stage --commit {head} --sandbox",
    ]
    assert run["status"] == "InProgress"


def test_an_interruption_after_a_failure_says_how_to_hear_its_cause(
    invoke: Any, app: Path, stage: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(app, "rev-parse", "HEAD")

    def interrupt(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("the_sink.deploy.deploy.explain", interrupt)
    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    (run,) = releases(aws)
    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"The run {run['pipelineExecutionId']} of {head[:8]} failed; its cause was not found yet.",
        f"This says why, and deploys it again: invoke deploy --env stage --commit {head} --sandbox",
    ]


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

    assert error.message == "my-app stage: the deploy of aaaaaaaa was stopped: its run ended as Stopped."
