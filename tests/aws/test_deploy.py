"""``deploy`` on a real sandbox: what it archives and releases, and that it follows the run of a release."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from .conftest import commit, git
from .deploying import close_build, open_build, releases, versions


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


def test_watching_ends_in_time_and_is_taken_up_again(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "5")

    assert ended.code == 1
    assert ended.err.splitlines()[-2:] == [
        f"The deploy of {head[:8]} did not end within 5 s.",
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
