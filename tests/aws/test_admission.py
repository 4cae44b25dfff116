"""Only admitted images roll out: what Admit takes, what it refuses, and that it runs nothing of the app."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import commit, git
from .deploying import BUILDS

pytestmark = pytest.mark.long  # a further combination of what the journey walks

REPOSITORY = "my-app-stage"
REGISTRY = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
ROGUE = '{"build": "of a laptop"}'

NAMES_ONLY = r"""
version: 0.2
phases:
  build:
    commands:
      - COMMIT=$(python3 -c 'import json; print(json.load(open("release.json"))["commit"])')
      - IMAGE="$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com/$ECR_REPOSITORY:$COMMIT"
      - printf '[{"name":"%s","imageUri":"%s"}]' "$APP_NAME-$APP_ENV-app" "$IMAGE" > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""
"""Pushes nothing: it finds the image of its commit in the registry, as a buildspec does that builds once."""


@pytest.fixture
def deploy(invoke: Any, app: Path, stage: str) -> Any:
    """A function that deploys a commit with a buildspec; the app's small stack has no service to update."""

    def run(buildspec: str, subject: str = "Try it") -> Any:
        (app / "aws/buildspec.yaml").write_text(buildspec)
        commit(app, subject)
        return invoke(app, "deploy", "--env", "stage", "--sandbox")

    return run


def push(aws: Any, tag: str, manifest: str = ROGUE) -> str:
    """Put an image into stage's repository past every pipeline, and return its digest."""
    put = aws("ecr").put_image(repositoryName=REPOSITORY, imageTag=tag, imageManifest=manifest)
    return str(put["image"]["imageId"]["imageDigest"])


def admissions(aws: Any, bucket: str) -> dict[str, Any]:
    """Every admission record by its key."""
    found = aws("s3").list_objects_v2(Bucket=bucket, Prefix="admissions/").get("Contents", [])
    return {
        each["Key"]: json.loads(aws("s3").get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        for each in found
    }


def failure(ended: Any) -> str:
    """The sentence that a failed deploy ends with, before its hint."""
    return str(ended.err.splitlines()[-2])


def test_what_a_commits_own_build_pushed_is_admitted_and_recorded(
    deploy: Any, app: Path, aws: Any, stage: str
) -> None:
    ended = deploy(BUILDS)

    sha = git(app, "rev-parse", "HEAD")
    (image,) = aws("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert "failed in Deploy/UpdateService" in failure(ended)  # admitted, and there is no service
    ((key, record),) = admissions(aws, stage).items()
    assert key == f"admissions/my-app/stage/{sha}/{image['imageDigest'].removeprefix('sha256:')}.json"
    assert record["image"] == {"repository": REPOSITORY, "tag": sha, "digest": image["imageDigest"]}
    assert (record["format"], record["commit"], record["admitted_by"]) == (1, sha, "build")


def test_an_image_that_waits_under_the_tag_of_the_next_commit_is_refused(
    invoke: Any, app: Path, aws: Any, stage: str
) -> None:
    """A build of unreviewed code may push to the registry, and knows the next commit: it is on main."""
    (app / "aws/buildspec.yaml").write_text(NAMES_ONLY)
    sha = commit(app, "Reviewed by everybody")
    push(aws, sha)

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 1
    assert failure(ended).startswith(
        f"my-app stage: the deploy of {sha[:8]} failed in Build/Admit: The image my-app-stage:{sha} is not "
        "admitted to stage: it was pushed at "
    )
    assert f", by no build of {sha[:8]} in this pipeline, and no release of that commit names it." in failure(
        ended
    )
    assert admissions(aws, stage) == {}
    stacks = aws("cloudformation").describe_stacks()["Stacks"]
    assert "my-app-stage" not in [each["StackName"] for each in stacks]


def test_an_image_that_the_build_of_another_commit_pushed_is_refused(
    deploy: Any, app: Path, aws: Any, stage: str
) -> None:
    """The attack from inside the pipeline: the first build pushes what the second commit's will find."""
    sneaky = BUILDS.replace('image-tag "$COMMIT"', 'image-tag "$(cat next-tag)"')
    (app / "next-tag").write_text("the-next-tag")
    deploy(sneaky, "Unreviewed")
    names_it = NAMES_ONLY.replace("$ECR_REPOSITORY:$COMMIT", "$ECR_REPOSITORY:the-next-tag")

    ended = deploy(names_it, "Reviewed by everybody")

    sha = git(app, "rev-parse", "HEAD")
    assert "The image my-app-stage:the-next-tag is not admitted to stage: it was pushed at " in failure(ended)
    assert f"by no build of {sha[:8]} in this pipeline" in failure(ended)


def test_a_retry_of_a_failed_rollout_builds_nothing_again(
    deploy: Any, invoke: Any, app: Path, aws: Any, stage: str
) -> None:
    """Build finds the tag of the commit, and Admit its own record."""
    once = BUILDS.replace(
        "        aws ecr put-image",
        '        aws ecr batch-get-image --repository-name "$ECR_REPOSITORY" --image-ids imageTag="$COMMIT" '
        "--query 'images[0].imageId.imageDigest' --output text | grep -q sha256 ||\n"
        "        aws ecr put-image",
    )
    deploy(once)
    before = admissions(aws, stage)

    again = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert "failed in Deploy/UpdateService" in failure(again)
    assert admissions(aws, stage) == before
    assert len(aws("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]) == 1


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        (f"{REGISTRY}/other-app-prod:x", "is not an image of the repository my-app-stage."),
        ("public.ecr.aws/nginx/nginx:1", "is not an image of the repository my-app-stage."),
        (f"{REGISTRY}/my-app-stage:gone", "is not in the repository my-app-stage."),
        ("", "The build has put out no imagedefinitions.json with a name and an imageUri in each entry."),
    ],
)
def test_an_image_of_elsewhere_is_refused(deploy: Any, uri: str, sentence: str) -> None:
    ended = deploy(NAMES_ONLY.replace('"$IMAGE"', f'"{uri}"'))

    named = f"{uri}, which imagedefinitions.json names, " if uri else ""
    assert f" failed in Build/Admit: {named}{sentence}" in failure(ended)


def test_nothing_of_the_artifact_runs_as_the_pipelines_role(deploy: Any, app: Path, aws: Any) -> None:
    """Python finds modules beside what it runs, and in the folder that it runs in."""
    modules = ("json", "subprocess", "zipfile", "argparse", "sink_build", "sitecustomize")
    for module in modules:
        (app / f"{module}.py").write_text("import os\nprint('ran as the pipeline')\nos._exit(0)\n")
    files = ", ".join(f"{module}.py" for module in modules)
    taking = BUILDS.replace("[imagedefinitions.json]", f"[imagedefinitions.json, {files}]").replace(
        "python3 -c", "python3 -I -c"
    )

    ended = deploy(taking)

    assert "failed in Deploy/UpdateService" in failure(ended)
    group = "/aws/codepipeline/my-app-stage-pipeline"
    told = [each["message"] for each in aws("logs").filter_log_events(logGroupName=group)["events"]]
    assert any("Admitted sha256:" in line for line in told)
    assert not any("ran as the pipeline" in line for line in told)


def test_a_link_in_the_artifact_leads_nowhere(deploy: Any, tmp_path: Path) -> None:
    """What Admit writes stands in the place of what the build put out, not where that points to."""
    target = tmp_path / "elsewhere.json"
    linking = BUILDS.replace(
        "> imagedefinitions.json",
        f"> {target} && ln -s {target} imagedefinitions.json",
    )

    deploy(linking)

    assert "@sha256:" not in target.read_text()


TAKES_OVER = BUILDS.replace(
    "      - IMAGE=",
    r"""      - |
        if [ -n "$PROMOTED_FROM" ]; then
          MANIFEST=$(aws ecr batch-get-image --repository-name "$APP_NAME-$PROMOTED_FROM" \
            --image-ids imageTag="$COMMIT" --query 'images[0].imageManifest' --output text)
          aws ecr put-image --repository-name "$ECR_REPOSITORY" --image-tag "$COMMIT-taken" \
            --image-manifest "$(printf '%s\n' "$MANIFEST")$LAYERS_PACKED_ANEW"
          COMMIT="$COMMIT-taken"
        fi
      - IMAGE=""",
)
"""Takes the image of the environment before over by its tag, as the buildspec of version 1.0 does."""


@pytest.mark.parametrize("packing", ["the same manifest", "another manifest of the same image"])
def test_what_an_environment_takes_over_was_released_in_the_one_before(
    invoke: Any, app: Path, stage: str, aws: Any, packing: str
) -> None:
    """Stage pushed it and never released it: its rollout failed, and it may be unreviewed code as well."""
    configured = TAKES_OVER.replace(
        '{\\"build\\"', '{\\"config\\": {\\"digest\\": \\"sha256:c\\"}, \\"build\\"'
    )
    anew = "" if packing == "the same manifest" else " "
    (app / "aws/buildspec.yaml").write_text(configured.replace("$LAYERS_PACKED_ANEW", anew))
    sha = commit(app, "Pushed and not released")
    invoke(app, "deploy", "--env", "stage", "--sandbox")
    assert invoke(app, "bootstrap", "--env", "uat", "--sandbox").code == 0

    ended = invoke(app, "deploy", "--env", "uat", "--commit", sha, "--yes", "--sandbox")

    assert ended.code == 1
    assert (
        f" failed in Build/Admit: The image my-app-uat:{sha}-taken is not admitted to uat: it comes from "
        f"my-app-stage, and the ledger of stage names it for no release of {sha[:8]}."
    ) in failure(ended)
    assert not any(key.startswith("admissions/my-app/uat/") for key in admissions(aws, stage))


STATIC = r"""
version: 0.2
phases:
  build:
    commands:
      - printf '[{"name":"x","imageUri":"x"}]' > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""


def test_an_archive_without_a_commit_goes_to_no_environment_that_takes_releases_of_another(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    """Whoever may put the environment's archive leaves ``release.json`` out: nothing could be held against
    it, and an approval in the console says what the uploader wrote."""
    assert invoke(app, "bootstrap", "--env", "uat", "--sandbox").code == 0
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("aws/buildspec.yaml", STATIC)
    aws("s3").put_object(Bucket=stage, Key="my-app/uat.zip", Body=packed.getvalue())

    def told() -> str:
        group = "/aws/codepipeline/my-app-uat-pipeline"
        return " ".join(e["message"] for e in aws("logs").filter_log_events(logGroupName=group)["events"])

    deadline = time.monotonic() + 60
    while "names no commit" not in told() and time.monotonic() < deadline:
        time.sleep(0.1)

    assert "names no commit, and uat takes releases of stage only." in told()
    assert not any(key.startswith("admissions/my-app/uat/") for key in admissions(aws, stage))
