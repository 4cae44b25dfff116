"""Promotion between environments that serve: a small service of one process, deployed for real in each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.session import Aws

from .conftest import SMALL_PLATFORM, commit, configuration
from .test_approval import until
from .test_promotion import put_archive
from .walking import Walk, at_a_terminal, push_image, walk

pytestmark = pytest.mark.long  # a further combination of what the journey walks

__all__ = ["walk"]


def uat_versions(aws: Any, bucket: str) -> int:
    return len(aws("s3").list_object_versions(Bucket=bucket, Prefix="my-app/uat.zip").get("Versions", []))


def test_what_serves_before_is_taken_on_once(
    walk: Walk, aws: Any, platform_bucket: str, connection: Aws
) -> None:
    """Whatever is checked out, changed or not: a promotion ships what is archived.

    Who does not wait until it was seen to serve is told that it was not; it serves all the same.
    """
    first = walk.commit("First")
    unseen = interrupted_at_the_end(walk, "stage")
    walk.commit("Not deployed")
    (walk.folder / "README.md").write_text("not even committed")

    promoted = walk.deploy("uat", "--json")
    again = walk.deploy("uat")
    looked = interrupted_at_the_end(walk, "uat")

    look = f"invoke deploy --env {{}} --commit {first} --sandbox"
    assert re.fullmatch(
        f"The run [0-9a-f-]{{36}} of {first[:8]} succeeded; that every task runs the release was not seen "
        "yet.",
        unseen[0],
    )
    assert unseen[1] == f"Look at it: {look.format('stage')}"
    assert looked == [
        "Interrupted while looking at what serves in uat; nothing was started.",
        f"Look again: {look.format('uat')}",
    ]

    assert promoted.code == 0, promoted.err
    told = json.loads(promoted.out)
    assert told["ok"] is True
    assert (told["env"], told["release"]["commit"], told["was_serving_already"]) == ("uat", first, False)
    assert f"Promoting {first[:8]} 'First' from stage to uat." in promoted.err.splitlines()
    assert again.code == 0
    assert again.out.startswith(f"my-app uat already serves {first[:8]} (sha256:")
    assert uat_versions(aws, platform_bucket) == 1
    look_at_ledger(connection, platform_bucket, aws, first)


def look_at_ledger(connection: Aws, bucket: str, aws: Any, first: str) -> None:
    """Each environment has one record of the release, and uat's image is admitted by what stage's names."""
    (in_stage,) = connection.ledger.releases(bucket, "my-app", "stage")
    (in_uat,) = connection.ledger.releases(bucket, "my-app", "uat")
    stage_key = f"releases/my-app/stage/{first}/{in_stage.execution_id}.json"

    assert connection.ledger.commits(bucket, "my-app", "uat") == {first}
    assert (in_stage.admitted_by, in_uat.admitted_by) == ("build", stage_key)
    for record, tag in ((in_stage, "latest"), (in_uat, "uat")):
        archive = aws("s3").head_object(Bucket=bucket, Key=f"my-app/{tag}.zip")
        assert record.digest == image_of(aws, record.env)[1]
        assert (record.commit, record.subject) == (first, "First")
        assert (record.archive_key, record.archive_version) == (f"my-app/{tag}.zip", archive["VersionId"])
        assert (record.repository, record.tag) == (f"my-app-{record.env}", f"{first}-12345678")
        assert (record.released_by, record.approved_by) == ("Tester <tester@example.com>", "")
        assert record.started_at < record.finished_at


def interrupted_at_the_end(walk: Walk, env: str) -> list[str]:
    """Press Ctrl-C while a deploy looks at the service, and return what it says then."""

    def interrupt(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("the_sink.verbs.deploy._verify", interrupt)
        ended = walk.deploy(env)
    assert ended.code == 130, ended.err
    lines: list[str] = ended.err.splitlines()[-2:]
    return lines


@pytest.mark.long
def test_an_older_release_goes_back_on_a_yes_only(
    walk: Walk, aws: Any, platform_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the history where this clone has it, else by when each was committed, not when it was archived."""
    first = walk.commit("First")
    assert walk.deploy("stage").code == 0
    second = walk.commit("Second")
    assert walk.deploy("stage").code == 0
    assert walk.deploy("uat").code == 0
    stage = walk.deploy("stage", "--commit", first[:10])
    back = ("uat", "--commit", first[:10])
    question = f"{first[:8]} is older than {second[:8]}, which serves in uat; go back?"

    unasked = walk.deploy(*back)
    declined = at_a_terminal(monkeypatch, "n\n", lambda: walk.deploy(*back))
    hung_up = at_a_terminal(monkeypatch, "\x04", lambda: walk.deploy(*back))
    elsewhere = "abcdef0123456789abcdef0123456789abcdef01"
    put_archive(aws, platform_bucket, elsewhere)
    # That it never served in stage is asked first.
    unknown = at_a_terminal(monkeypatch, "y\nn\n", lambda: walk.deploy("uat", "--commit", elsewhere))
    assert uat_versions(aws, platform_bucket) == 1
    agreed = at_a_terminal(monkeypatch, "y\n", lambda: walk.deploy(*back))

    for refused, asked in ((stage, question.replace("uat", "stage")), (unasked, question)):
        assert refused.code == 2
        assert refused.err.splitlines()[-2:] == [
            f"{asked} There is no terminal to ask at.",
            "If you mean it, add --yes.",
        ]
    for refused in (declined, hung_up):
        assert refused.code == 2
        assert refused.err.endswith(f"{question} [y/N] Nothing was done.\n")
    assert unknown.code == 2
    assert f"abcdef01 is older than {second[:8]}, which serves in uat; go back? [y/N] " in unknown.err
    assert agreed.code == 0, agreed.err
    assert agreed.out.startswith(f"my-app uat serves {first[:8]} ")
    returned = walk.deploy("stage", "--commit", first, "--yes")
    assert returned.out.startswith(f"my-app stage serves {first[:8]} ")


@pytest.mark.long
def test_two_environments_that_follow_one_tag_share_the_archive_and_no_image(
    walk: Walk, aws: Any, platform_bucket: str, connection: Aws
) -> None:
    """One copy starts both pipelines. Each has its own approval, repository and image, and its own turn."""
    settings = walk.folder / "sink.toml"
    settings.write_text(settings.read_text() + PROD_FOLLOWS_UAT)
    (walk.folder / "aws/cfn-template-configuration-prod.json").write_text(configuration("prod", "uat"))
    sha = walk.commit("Prod follows uat")
    bootstrapped = walk.run(walk.folder, "bootstrap", "--env", "prod", "--sandbox")
    assert bootstrapped.code == 0, bootstrapped.err
    for tag in (f"prepared-{sha}", "uat"):
        push_image(walk.sandbox, "my-app-prod", tag, version=f"{sha} as prod built it")
    assert walk.deploy("stage").code == 0

    in_uat = walk.deploy("uat")
    assert in_uat.code == 0, in_uat.err
    until(lambda: "waits for approval" in walk.run(walk.folder, "status", "--env", "prod", "--sandbox").out)
    unapproved = walk.run(walk.folder, "status", "--env", "prod", "--sandbox", "--json")
    approved = walk.run(walk.folder, "approve", "--env", "prod", "--sandbox")
    in_prod = walk.deploy("prod")

    assert json.loads(unapproved.out)["environments"][0]["serving"] is None
    assert approved.out.startswith(f"Approved {sha[:8]} 'Prod follows uat' for prod")
    # It followed the run that was there: nothing was released a second time, in neither of them.
    assert in_prod.code == 0, in_prod.err
    assert "Released as" not in in_prod.err
    assert in_prod.out.startswith(f"my-app prod serves {sha[:8]} ")
    versions = aws("s3").list_object_versions(Bucket=platform_bucket, Prefix="my-app/uat.zip")["Versions"]
    runs = {env: releases_of(aws, f"my-app-{env}-pipeline") for env in ("uat", "prod")}
    assert runs == {env: [versions[0]["VersionId"]] for env in runs}
    assert len(versions) == 1
    images = {env: image_of(aws, env) for env in ("uat", "prod")}
    assert [uri.partition(".com/")[2] for uri, _ in images.values()] == [
        f"my-app-uat@{images['uat'][1]}",
        f"my-app-prod@{images['prod'][1]}",
    ]
    assert images["uat"][1] != images["prod"][1]
    (record,) = connection.ledger.releases(platform_bucket, "my-app", "prod")
    assert record.approved_by == "arn:aws:iam::000000000000:root"
    told = walk.run(walk.folder, "status", "--env", "prod", "--sandbox")
    assert f"  released: by {record.released_by}, approved by {record.approved_by}\n" in told.out


def releases_of(aws: Any, pipeline: str) -> list[str]:
    """The archive version of each run of a pipeline that a release started."""
    runs = aws("codepipeline").list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    return [
        run["sourceRevisions"][0]["revisionId"]
        for run in runs
        if run["trigger"]["triggerType"] != "CreatePipeline"
    ]


def image_of(aws: Any, env: str) -> tuple[str, str]:
    """The image that an environment's task was started from, and its digest."""
    ecs, cluster = aws("ecs"), f"my-app-{env}-ecs-cluster"
    task = ecs.describe_tasks(cluster=cluster, tasks=ecs.list_tasks(cluster=cluster)["taskArns"])["tasks"][0]
    return task["containers"][0]["image"], task["containers"][0]["imageDigest"]


PROD_FOLLOWS_UAT = """
[environments.prod]
region = "eu-west-1"
tag = "uat"
"""


def test_bytes_go_through_this_machine_where_the_buckets_differ(
    invoke: Any, app: Path, platform_bucket: str, aws: Any, _clients: Any
) -> None:
    """Uat lives elsewhere, with a platform of its own; another account is the same to the client."""
    settings = app / "sink.toml"
    text = settings.read_text()
    settings.write_text(text.replace('[environments.uat]\nregion = "eu-west-1"', UAT_ELSEWHERE))
    commit(app, "Move uat")
    there = _clients.get("cloudformation", "us-east-1")
    there.create_stack(StackName="the-sink-platform", TemplateBody=SMALL_PLATFORM)
    there.get_waiter("stack_create_complete").wait(
        StackName="the-sink-platform", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    bucket = next(
        each["OutputValue"]
        for each in there.describe_stacks(StackName="the-sink-platform")["Stacks"][0]["Outputs"]
        if each["OutputKey"] == "PipelineS3Bucket"
    )
    assert bucket != platform_bucket
    for env in ("stage", "uat"):
        assert invoke(app, "bootstrap", "--env", env, "--sandbox").code == 0
    sha = "abcdef0123456789abcdef0123456789abcdef01"
    archived = put_archive(aws, platform_bucket, sha)

    ended = invoke(app, "deploy", "--env", "uat", "--commit", sha, "--yes", "--sandbox")

    assert f"Uploaded s3://{bucket}/my-app/{sha}.zip" in ended.err
    s3 = _clients.get("s3", "us-east-1")
    for key in (f"my-app/{sha}.zip", "my-app/uat.zip"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == archived
    # The small app's build fails by design, in uat's own pipeline.
    assert "my-app uat: the deploy of abcdef01 failed in Build" in ended.err
    project = _clients.get("codebuild", "us-east-1").batch_get_projects(names=["my-app-uat-build"])
    names = {each["name"] for each in project["projects"][0]["environment"]["environmentVariables"]}
    assert "PROMOTED_FROM" not in names


UAT_ELSEWHERE = '[environments.uat]\nregion = "us-east-1"'
