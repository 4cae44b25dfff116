"""``approve`` and ``reject`` on a real sandbox: who waits, who goes on, and which answers are refused."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.codepipeline import Pipelines
from the_sink.models import Execution
from the_sink.report import lines

from .conftest import commit, git
from .deploying import BUILDS

PIPELINE = "my-app-stage-pipeline"
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@pytest.fixture
def waiting_app(invoke: Any, app: Path, platform_bucket: str) -> Path:
    """An app whose build succeeds and whose stage asks for an approval."""
    settings = app / "sink.toml"
    settings.write_text(
        settings.read_text().replace(
            "[environments.stage]", "[environments.stage]\nrequires_approval = true", 1
        )
    )
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    commit(app, "Ask before deploying")
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert ended.code == 0, ended.err
    return app


def until(condition: Callable[[], Any]) -> Any:
    """Poll until something is there."""
    deadline = time.monotonic() + 60
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found
    return found


def open_approval(aws: Any) -> dict[str, Any]:
    """The approval that is open, {} if none is."""
    stages = aws("codepipeline").get_pipeline_state(name=PIPELINE)["stageStates"]
    gate = next(stage for stage in stages if stage["stageName"] == "Approval")
    latest: dict[str, Any] = gate["actionStates"][0].get("latestExecution", {})
    return latest if latest.get("status") == "InProgress" and latest.get("token") else {}


def status_of(aws: Any, stage: str) -> str:
    """How the newest run stands in a stage, "" if it has not come there."""
    stages = aws("codepipeline").get_pipeline_state(name=PIPELINE)["stageStates"]
    found = next(each for each in stages if each["stageName"] == stage)
    return str(found["actionStates"][0].get("latestExecution", {}).get("status", ""))


@pytest.fixture
def waits(invoke: Any, waiting_app: Path, aws: Any) -> str:
    """The commit whose release waits; nobody watches it."""
    # It gives up watching once the approval is open.
    invoke(waiting_app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: open_approval(aws))
    return git(waiting_app, "rev-parse", "HEAD")


def test_nothing_waits(invoke: Any, waiting_app: Path) -> None:
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        "Nothing in stage waits for an approval.\n"
        "A release arrives there by: invoke deploy --env stage --sandbox\n"
    )


def test_a_release_on_its_way_to_the_approval_is_no_reason_to_look_elsewhere(
    invoke: Any, waiting_app: Path, aws: Any
) -> None:
    """Exit code 1 and not 2: the same command is right a moment later."""
    gate = {"pipelineName": PIPELINE, "stageName": "Approval", "transitionType": "Inbound"}
    aws("codepipeline").disable_stage_transition(**gate, reason="Not yet")
    sha = git(waiting_app, "rev-parse", "HEAD")
    invoke(waiting_app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: status_of(aws, "Source") == "Succeeded")

    early = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    aws("codepipeline").enable_stage_transition(**gate)
    until(lambda: open_approval(aws))
    answered = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert early.code == 1
    assert early.err == (
        f"{sha[:8]} 'Ask before deploying' is on its way to the approval of stage, and does not wait for "
        "it yet: Source is done. The way into stage Approval is closed.\n"
        f"Answer once it waits; to see when that is: invoke deploy --env stage --commit {sha} --sandbox\n"
    )
    assert answered.code == 0, answered.err


def test_what_waits_has_run_nothing_and_read_nothing(waits: str, aws: Any) -> None:
    """Build holds the environment's secret and runs the app's code."""
    assert status_of(aws, "Build") == ""
    assert aws("codebuild").list_builds_for_project(projectName="my-app-stage-build")["ids"] == []


def test_a_pipeline_of_the_old_order_is_answered_until_it_is_bootstrapped_again(
    invoke: Any, waiting_app: Path, aws: Any
) -> None:
    """Before 1.1 the approval stood between Build and Deploy."""
    pipeline = aws("codepipeline").get_pipeline(name=PIPELINE)["pipeline"]
    source, approval, build, deploy = pipeline["stages"]
    aws("codepipeline").update_pipeline(pipeline={**pipeline, "stages": [source, build, approval, deploy]})
    sha = git(waiting_app, "rev-parse", "HEAD")
    invoke(waiting_app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: open_approval(aws))

    assert status_of(aws, "Build") == "Succeeded"
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"Approved {sha[:8]} 'Ask before deploying' for stage, ")


def test_before_the_environment_exists(invoke: Any, app: Path, platform_bucket: str) -> None:
    ended = invoke(app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "First: invoke bootstrap --env stage --sandbox"


def test_another_commit_waits(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "approve", "--env", "stage", "--commit", "0badc0de", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        f"stage waits for an approval of {waits[:8]} 'Ask before deploying', and not of 0badc0de.\n"
        "Leave --commit out if that one is meant. Whichever comes later waits until it is answered.\n"
    )
    assert open_approval(aws)


def test_a_message_that_is_too_long(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "reject", "--env", "stage", "--message", "x" * 513, "--sandbox")

    assert ended.code == 2
    assert ended.err == "The message has 513 characters, 512 are allowed.\nSay it shorter.\n"
    assert open_approval(aws)


def test_status_says_what_waits(invoke: Any, waiting_app: Path, waits: str) -> None:
    shown = invoke(waiting_app, "status", "--env", "stage", "--sandbox")
    told = json.loads(invoke(waiting_app, "status", "--env", "stage", "--sandbox", "--json").out)

    assert f"  waits for approval: {waits[:8]} 'Ask before deploying', since " in shown.out
    waiting = told["environments"][0]["waiting_for_approval"]
    assert waiting["commit"] == waits
    assert waiting["subject"] == "Ask before deploying"
    run = told["environments"][0]["execution"]
    for moment in (waiting["since"], run["started_at"], run["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", moment)
    assert "token" not in json.dumps(told)


def test_an_approval_lets_the_watched_release_on(
    invoke: Any, waiting_app: Path, waits: str, aws: Any
) -> None:
    """Its beginning is enough of a commit; a second answer finds nothing to answer."""
    ended = invoke(waiting_app, "approve", "--env", "stage", "--commit", waits[:8], "--sandbox")

    assert ended.code == 0, ended.err
    assert re.fullmatch(
        f"Approved {waits[:8]} 'Ask before deploying' for stage, which waited since {MOMENT}; it goes on.\n",
        ended.out,
    )
    assert ended.err.splitlines() == [
        f"The archive that waits is my-app/{waits}.zip, byte for byte; its release.json names {waits[:8]}.",
        f"Watch it: invoke deploy --env stage --commit {waits} --sandbox",
    ]
    assert not open_approval(aws)
    again = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    assert again.code == 2
    assert again.err.startswith("Nothing in stage waits for an approval. ")


def put_archive(aws: Any, bucket: str, summary: str, files: dict[str, str]) -> None:
    """Upload an archive past ``invoke deploy``, with a summary of the uploader's choice."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    aws("s3").put_object(
        Bucket=bucket,
        Key="my-app/latest.zip",
        Body=packed.getvalue(),
        Metadata={"codepipeline-artifact-revision-summary": summary},
    )
    until(lambda: open_approval(aws))


def manifest(commit: str, app: str = "my-app", subject: str = "Looks harmless") -> dict[str, str]:
    """An archive's ``release.json``."""
    content = {"app": app, "commit": commit, "subject": subject, "committed_at": "2026-03-01T12:00:00Z"}
    return {"release.json": json.dumps(content)}


@pytest.mark.parametrize(
    ("archived", "files", "sentence"),
    [
        (
            True,
            {**manifest("a" * 40), "app/main.py": "print('other code')"},
            "What waits for stage says that it is aaaaaaaa, and is another archive than "
            "s3://{bucket}/my-app/{a}.zip.",
        ),
        (
            False,
            manifest("a" * 40),
            "What waits for stage says that it is aaaaaaaa, and that commit was never archived: there is no "
            "s3://{bucket}/my-app/{a}.zip.",
        ),
        (
            False,
            manifest("a" * 40, app="other-app"),
            "What waits for stage is not a release of my-app: its release.json names the app 'other-app' and "
            "the commit '{a}'.",
        ),
        (
            False,
            manifest("../../latest"),
            "What waits for stage is not a release of my-app: its release.json names the app 'my-app' and "
            "the commit '../../latest'.",
        ),
    ],
)
def test_an_archive_that_is_not_its_commits_is_refused(
    invoke: Any,
    waiting_app: Path,
    platform_bucket: str,
    aws: Any,
    archived: bool,
    files: dict[str, str],
    sentence: str,
) -> None:
    """Whatever its summary says, which is the uploader's; it can still be rejected."""
    if archived:
        aws("s3").put_object(Bucket=platform_bucket, Key=f"my-app/{'a' * 40}.zip", Body=b"what was reviewed")
    put_archive(aws, platform_bucket, f"{'a' * 40} Reviewed by everybody", files)

    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[0] == sentence.format(bucket=platform_bucket, a="a" * 40)
    assert ended.err.splitlines()[1].endswith("End it: invoke reject --env stage --sandbox")
    assert open_approval(aws)
    assert invoke(waiting_app, "reject", "--env", "stage", "--sandbox").code == 0


def test_commit_and_subject_are_those_inside_the_archive(
    invoke: Any, waiting_app: Path, platform_bucket: str, aws: Any, waits: str
) -> None:
    """The summary names another commit than the archive."""
    assert invoke(waiting_app, "reject", "--env", "stage", "--sandbox").code == 0
    until(lambda: not open_approval(aws))
    aws("s3").copy_object(
        Bucket=platform_bucket,
        Key="my-app/latest.zip",
        CopySource={"Bucket": platform_bucket, "Key": f"my-app/{waits}.zip"},
        Metadata={"codepipeline-artifact-revision-summary": f"{'b' * 40} Only a typo"},
        MetadataDirective="REPLACE",
    )
    until(lambda: open_approval(aws))

    wrong = invoke(waiting_app, "approve", "--env", "stage", "--commit", "b" * 40, "--sandbox")
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert wrong.code == 2
    assert wrong.err.splitlines()[0] == (
        f"stage waits for an approval of {waits[:8]} 'Ask before deploying', and not of bbbbbbbb."
    )
    assert ended.out.startswith(f"Approved {waits[:8]} 'Ask before deploying' for stage, ")


def test_an_archive_of_the_legacy_platform_is_compared_by_the_commit_that_is_meant(
    invoke: Any, waiting_app: Path, platform_bucket: str, aws: Any
) -> None:
    """It has no ``release.json``, and nobody gave it a summary."""
    put_archive(aws, platform_bucket, "", {"aws/buildspec.yaml": "version: 0.2"})
    content = aws("s3").get_object(Bucket=platform_bucket, Key="my-app/latest.zip")["Body"].read()
    aws("s3").put_object(Bucket=platform_bucket, Key=f"my-app/{'c' * 40}.zip", Body=content)

    unnamed = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    named = invoke(waiting_app, "approve", "--env", "stage", "--commit", "c" * 40, "--sandbox")

    assert unnamed.code == 2
    assert unnamed.err.splitlines()[0] == (
        "The archive that waits for stage names no commit, as those of the legacy platform, and cannot be "
        "compared with the one of its commit."
    )
    assert named.code == 0, named.err
    assert named.err.splitlines()[0] == (
        f"The archive that waits is my-app/{'c' * 40}.zip, byte for byte; as those of the legacy platform it "
        "has no release.json, and nothing inside names its commit."
    )


def test_a_rejection_is_what_the_watcher_hears(
    invoke: Any, waiting_app: Path, waits: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = open_approval(aws)["token"]
    was_told = threading.Event()
    say = lines.say

    def reject() -> None:
        assert was_told.wait(60)
        aws("codepipeline").put_approval_result(
            pipelineName=PIPELINE,
            stageName="Approval",
            actionName="Approve",
            result={"summary": "Not on a Friday", "status": "Rejected"},
            token=token,
        )

    def listen(text: str) -> None:
        say(text)
        if "waits for an approval" in text:
            was_told.set()

    monkeypatch.setattr(lines, "say", listen)
    somebody = threading.Thread(target=reject)
    somebody.start()
    watched = invoke(waiting_app, "deploy", "--env", "stage", "--commit", waits, "--sandbox")
    somebody.join()

    assert watched.code == 1
    (told,) = [line for line in watched.err.splitlines() if "waits for an approval" in line]
    assert re.fullmatch(
        f"Stage Approval waits for an approval of {waits[:8]} Ask before deploying, since \\d\\d:\\d\\d UTC. "
        "In another terminal: invoke approve --env stage --sandbox "
        r"\(or: invoke reject --env stage --sandbox\)",
        told,
    )
    assert watched.err.splitlines()[-2:] == [
        f"my-app stage: the deploy of {waits[:8]} failed in Approval/Approve: "
        "arn:aws:iam::000000000000:root rejected it: Not on a Friday.",
        "Nothing changed there; talk to them.",
    ]


def test_reject_ends_the_run(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "reject", "--env", "stage", "--message", "Too early", "--sandbox")

    assert ended.code == 0, ended.err
    assert re.fullmatch(
        f"Rejected {waits[:8]} 'Ask before deploying', which waited since {MOMENT}; stage stays as it is.\n",
        ended.out,
    )
    newest = until(
        lambda: [
            run
            for run in aws("codepipeline").list_pipeline_executions(pipelineName=PIPELINE)[
                "pipelineExecutionSummaries"
            ]
            if run["status"] == "Failed"
        ]
    )
    assert newest


def test_somebody_else_is_quicker(
    invoke: Any, waiting_app: Path, waits: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what waits and the answer to it."""
    token = open_approval(aws)["token"]
    look = Pipelines.execution

    def look_while_another_answers(self: Pipelines, name: str, execution_id: str) -> Execution:
        aws("codepipeline").put_approval_result(
            pipelineName=PIPELINE,
            stageName="Approval",
            actionName="Approve",
            result={"summary": "Not on a Friday", "status": "Rejected"},
            token=token,
        )
        return look(self, name, execution_id)

    monkeypatch.setattr(Pipelines, "execution", look_while_another_answers)
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        f"The approval of {waits[:8]} 'Ask before deploying' for stage is closed: somebody else has just "
        "answered it, or it has expired.\n"
        "See what became of it: invoke status --env stage --sandbox\n"
    )


def test_nothing_waits_any_more(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    """What ran last is said, for whoever wonders where their release is."""
    assert invoke(waiting_app, "reject", "--env", "stage", "--sandbox").code == 0
    until(lambda: not open_approval(aws))

    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[0].startswith(
        f"Nothing in stage waits for an approval. Its last run carries {waits[:8]}: "
    )


@pytest.mark.parametrize("task", ["approve", "reject"])
def test_the_environment_is_named(invoke: Any, app: Path, task: str) -> None:
    missing = invoke(app, task, "--sandbox")
    unknown = invoke(app, task, "--env", "prod", "--sandbox")

    assert (missing.code, unknown.code) == (2, 2)
    assert missing.err == "--env is missing.\nAdd --env with one of: stage, uat.\n"
    assert unknown.err.splitlines()[0] == "--env prod: there is no such environment here."
