"""``deploy --env uat``: which release goes on, and why another may not; the journey rolls one out."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import APP_FILES, commit, git

OLD = "abcdef0123456789abcdef0123456789abcdef01"
"""A commit that this clone never had."""


@pytest.fixture
def bucket(invoke: Any, app: Path, platform_bucket: str) -> str:
    """Both environments are bootstrapped; nothing was deployed yet."""
    for env in ("stage", "uat"):
        ended = invoke(app, "bootstrap", "--env", env, "--sandbox")
        assert ended.code == 0, ended.err
    return platform_bucket


def put_archive(aws: Any, bucket: str, sha: str, files: dict[str, str] = APP_FILES) -> bytes:
    """Archive a commit as an earlier deploy from elsewhere would have."""
    content = io.BytesIO()
    release = {"app": "my-app", "commit": sha, "subject": "Older", "committed_at": "2026-01-01T00:00:00Z"}
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in {**files, "release.json": json.dumps(release)}.items():
            archive.writestr(path, text)
    aws("s3").put_object(Bucket=bucket, Key=f"my-app/{sha}.zip", Body=content.getvalue())
    return content.getvalue()


def uat_archives(aws: Any, bucket: str) -> list[bytes]:
    """Every version of what uat follows, newest first."""
    found = aws("s3").list_object_versions(Bucket=bucket, Prefix="my-app/uat.zip").get("Versions", [])
    return [
        aws("s3").get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
        for each in found
    ]


def test_before_stage_exists(invoke: Any, app: Path, platform_bucket: str) -> None:
    ended = invoke(app, "deploy", "--env", "uat", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "my-app has no stage in account 000000000000, eu-west-1, to promote from.",
        "First: invoke bootstrap --env stage --sandbox",
    ]


def test_before_uat_exists(invoke: Any, app: Path, platform_bucket: str, aws: Any) -> None:
    invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    put_archive(aws, platform_bucket, OLD)

    ended = invoke(app, "deploy", "--env", "uat", "--commit", OLD, "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "my-app has no environment uat in account 000000000000, eu-west-1.",
        "First: invoke bootstrap --env uat --sandbox",
    ]


def test_nothing_serves_before(invoke: Any, app: Path, bucket: str) -> None:
    ended = invoke(app, "deploy", "--env", "uat", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "Nothing serves in stage yet, so there is nothing to promote.",
        "First: invoke deploy --env stage --sandbox",
    ]


def test_a_commit_that_was_never_archived(invoke: Any, app: Path, bucket: str) -> None:
    head = git(app, "rev-parse", "HEAD")

    for name, called in (("HEAD", head[:8]), ("0badc0de", "0badc0de")):
        ended = invoke(app, "deploy", "--env", "uat", "--commit", name, "--sandbox")

        assert ended.code == 2
        assert ended.err.splitlines()[-2:] == [
            f"{called} was never archived: s3://{bucket}/my-app/ has no release of it.",
            f"What is promoted was deployed before: invoke deploy --env stage --commit {called} --sandbox",
        ]


def test_a_name_that_nobody_knows(invoke: Any, app: Path, bucket: str) -> None:
    ended = invoke(app, "deploy", "--env", "uat", "--commit", "v9", "--sandbox")

    assert ended.code == 2
    assert "There is no commit 'v9' in this repository." in ended.err


def test_a_beginning_of_several_commits(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    other = OLD[:-1] + "2"
    put_archive(aws, bucket, OLD)
    put_archive(aws, bucket, other)

    ended = invoke(app, "deploy", "--env", "uat", "--commit", "abcdef01", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        f"abcdef01 begins 2 archived commits: {OLD}, {other}.",
        "Give more digits.",
    ]


def test_what_never_served_before_is_asked_about(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    """Without a terminal the answer is no, and nothing is copied; --yes is a yes."""
    archived = put_archive(aws, bucket, OLD)

    refused = invoke(app, "deploy", "--env", "uat", "--commit", "abcdef01", "--sandbox")
    untouched = uat_archives(aws, bucket)
    ended = invoke(app, "deploy", "--env", "uat", "--commit", "abcdef01", "--yes", "--sandbox")

    assert refused.code == 2
    assert refused.err.splitlines()[-2:] == [
        "abcdef01 was never deployed well in stage; promote it to uat all the same? "
        "There is no terminal to ask at.",
        "If you mean it, add --yes.",
    ]
    assert untouched == []
    assert "Promoting abcdef01 'Older' from stage to uat." in ended.err.splitlines()
    assert uat_archives(aws, bucket) == [archived]
    # This small app's build fails by design: the run is uat's own, and followed to its cause.
    assert ended.code == 1
    assert "my-app uat: the deploy of abcdef01 failed in Build" in ended.err


def test_a_release_without_what_the_environment_needs(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    files = {path: text for path, text in APP_FILES.items() if not path.endswith("uat.json")}
    put_archive(aws, bucket, OLD, files)

    ended = invoke(app, "deploy", "--env", "uat", "--commit", OLD, "--yes", "--sandbox")

    assert ended.code == 2
    assert "aws/cfn-template-configuration-uat.json" in ended.err
    assert uat_archives(aws, bucket) == []


def test_an_archive_with_other_files_than_its_commit_is_refused(
    invoke: Any, app: Path, bucket: str, aws: Any
) -> None:
    """Whoever may write into the bucket deploys nothing of their own under a reviewed commit."""
    head = git(app, "rev-parse", "HEAD")
    put_archive(aws, bucket, head, {**APP_FILES, "aws/evil.sh": "x"})

    ended = invoke(app, "deploy", "--env", "uat", "--commit", head, "--yes", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        f"The archive of {head[:8]} is not what this clone has as {head[:8]}: added: aws/evil.sh.",
        "Find out who put it there. A release never changes: commit anew, and deploy that to stage.",
    ]
    assert uat_archives(aws, bucket) == []


def test_something_else_lies_under_the_archives_key(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    aws("s3").put_object(Bucket=bucket, Key=f"my-app/{OLD}.zip", Body=b"no zip")

    ended = invoke(app, "deploy", "--env", "uat", "--commit", OLD, "--yes", "--sandbox")

    assert ended.code == 2
    assert "The archive of abcdef01 cannot be read: File is not a zip file." in ended.err


def test_a_dry_run_says_what_would_be_copied(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    put_archive(aws, bucket, OLD)

    told = invoke(app, "deploy", "--env", "uat", "--commit", OLD, "--dry-run", "--sandbox")
    data = invoke(app, "deploy", "--env", "uat", "--commit", OLD, "--dry-run", "--json", "--sandbox")

    steps = [
        f"use the archive s3://{bucket}/my-app/{OLD}.zip, which exists already",
        f"copy it to s3://{bucket}/my-app/uat.zip, which starts the pipeline",
        "follow the run of pipeline my-app-uat-pipeline that carries it",
        "check that every task of my-app-uat-ecs-service runs abcdef01",
    ]
    assert [line.split(". ", 1)[1] for line in told.out.splitlines()[1:]] == steps
    assert json.loads(data.out)["ok"] is True
    assert json.loads(data.out)["steps"] == steps
    assert uat_archives(aws, bucket) == []


NESTING = APP_FILES["aws/cfn-template.yml"].replace(
    "Outputs:",
    """  StackPython:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub "https://bucket.s3.amazonaws.com/stacks/python/cfn-template-v1-${AppEnv}.yml"
      Parameters:
        AppName: !Ref AppName
        EcrTag: !Ref EcrTag
        SecretsDelivery: task
        PermissionsBoundaryArn: platform
        Colour: blue
Outputs:""",
)


def test_a_release_that_is_ahead_of_the_environments_platform(
    invoke: Any, app: Path, bucket: str, aws: Any
) -> None:
    """Its app template passes what the channel's template does not have yet: seen before the build."""
    put_archive(aws, bucket, OLD, {**APP_FILES, "aws/cfn-template.yml": NESTING})
    deploy = ("deploy", "--env", "uat", "--commit", OLD, "--yes", "--sandbox")

    nothing = invoke(app, *deploy)
    key = "stacks/python/cfn-template-v1-uat.yml"
    aws("s3").put_object(
        Bucket=bucket,
        Key=key,
        Body=b"Parameters: {AppName: {Type: String}, EcrTag: {Type: String}, "
        b"SecretsDelivery: {Type: String}, PermissionsBoundaryArn: {Type: String}}",
    )
    behind = invoke(app, *deploy)

    aws("s3").put_object(
        Bucket=bucket,
        Key=key,
        Body=b"Parameters: {AppName: {Type: String}, EcrTag: {Type: String}, "
        b"SecretsDelivery: {Type: String}, PermissionsBoundaryArn: {Type: String}, "
        b"Colours: {Type: String, Default: red}}",
    )
    misspelt = invoke(app, *deploy)

    assert (nothing.code, behind.code, misspelt.code) == (2, 2, 2)
    assert nothing.err.splitlines()[-2:] == [
        f"The platform has no template s3://{bucket}/{key}, which aws/cfn-template.yml nests.",
        "In the platform's repository: invoke platform.publish --sandbox",
    ]
    assert behind.err.splitlines()[-2:] == [
        "aws/cfn-template.yml: StackPython passes Colour, no parameter of the platform's template in uat.",
        "The release is made for a newer platform than this environment has. In the platform's repository: "
        "invoke platform.promote --env uat --sandbox",
    ]
    assert misspelt.err.splitlines()[-2:] == [
        "aws/cfn-template.yml: StackPython passes Colour, no parameter of the platform's template in uat. "
        "Did you mean 'Colours'?",
        "Spell it so there, and commit.",
    ]
    assert uat_archives(aws, bucket) == []


def test_stage_takes_commits_and_uat_takes_none(invoke: Any, app: Path, bucket: str, aws: Any) -> None:
    """A commit that is here and nowhere else cannot skip stage, not even with --yes."""
    (app / "README.md").write_text("New.\n")
    sha = commit(app, "Never deployed")

    ended = invoke(app, "deploy", "--env", "uat", "--commit", sha, "--yes", "--sandbox")

    assert ended.code == 2
    assert f"{sha[:8]} was never archived" in ended.err
    assert uat_archives(aws, bucket) == []
