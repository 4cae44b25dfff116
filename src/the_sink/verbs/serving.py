"""What an environment really runs: its service's deployment, its tasks' image digests, its address."""

from __future__ import annotations

import io
import json
import zipfile

from the_sink.aws.session import Aws
from the_sink.errors import SinkError
from the_sink.models import ActionRun, Serving, Stack
from the_sink.naming import Names, commit_of_image_tag

ADMITTED_ARTIFACT = "AdmittedOutput"
"""What UpdateService deploys: images by their digests. A pipeline of a platform before 1.1 has none."""

BUILD_ARTIFACT = "BuildOutput"
"""What Build wants to deploy: images by their tags, as a rule."""

IMAGE_DEFINITIONS = "imagedefinitions.json"


def describe_serving(aws: Aws, names: Names, stack: Stack | None) -> Serving | None:
    """Return what the environment runs now, None if it has no service.

    Args:
        aws: The environment's account.
        names: Of the app there.
        stack: The app's stack, for the address.
    """
    service = aws.services.describe(names.cluster, names.service)
    if service is None:
        return None
    tasks = aws.services.tasks(names.cluster, names.service, names.container)
    running = [task for task in tasks if task.status == "RUNNING"]
    deployments = aws.services.deployments(names.cluster, names.service)
    latest = deployments[0] if deployments else None
    if latest is None:
        is_settled, note = service.rollout_state in {"", "COMPLETED"}, service.rollout_reason
    else:
        is_settled, note = latest.status == "SUCCESSFUL", f"{latest.status} {latest.reason}".strip()
    return Serving(
        digests=tuple(sorted({task.digest for task in running})),
        running=len(running),
        desired=service.desired,
        is_settled=is_settled,
        note="" if is_settled else note,
        url=address_of(stack, is_sandbox=aws.target.is_sandbox),
    )


def address_of(stack: Stack | None, *, is_sandbox: bool = False) -> str:
    """Return the address at which the app answers, "" before its stack has one.

    That is the stack's ``Url``, which knows of certificate and domain name; templates of the legacy
    platform put out the load balancer's name only. Nobody resolves a domain name to the sandbox, whose
    load balancers speak plain HTTP under a name that holds their port.
    """
    outputs = stack.outputs if stack else {}
    host = outputs.get("EcsAlbDNSName", "")
    by_name = f"http://{host}" if host else ""
    return by_name if is_sandbox else outputs.get("Url") or by_name


def find_problem(serving: Serving | None, digest: str) -> str:
    """Return why an environment does not serve an image, "" if it does.

    The image serves if the service's deployment has completed, as many tasks run as are meant to, and
    each of them runs this digest.
    """
    if serving is None:
        return "there is no service"
    if not serving.is_settled:
        return f"the service's deployment has not completed ({serving.note})"
    others = [each for each in serving.digests if each != digest]
    if others:
        return f"a task runs another image ({', '.join(others) or 'unknown'}) than the release ({digest})"
    if serving.running != serving.desired:
        return f"{serving.running} of {serving.desired} tasks run"
    return ""


def describe_release_image(aws: Aws, names: Names, actions: tuple[ActionRun, ...]) -> str:
    """Return the digest of the image that a run of the pipeline deployed.

    Admit names its digest in ``imagedefinitions.json``, which UpdateService deploys. In a pipeline that was
    bootstrapped before there was an admission Build names a tag there, and the registry knows the digest.

    Raises:
        SinkError: the run's artifact or its image no longer exists, or the image's tag, in a buildspec of
            the legacy platform the same for every commit, was moved by a later build.
    """
    named = (
        (found, run)
        for artifact in (ADMITTED_ARTIFACT, BUILD_ARTIFACT)
        for run in actions
        if (found := _image_of(aws, names, run, artifact))
    )
    uri, build = next(named, ("", None))
    if "@" in uri:
        return uri.partition("@")[2]
    repository, _, tag = uri.rpartition(":")
    image = aws.registry.image(repository.rpartition("/")[2], tag=tag) if tag else None
    if image is None:
        raise SinkError(
            f"The image that the run built ({uri or 'unknown'}) is not in the registry {names.repository}.",
            "Build it again: commit, then deploy.",
        )
    built_at = build.updated_at if build else None
    is_moving = not commit_of_image_tag(tag)
    if is_moving and built_at and image.pushed_at and image.pushed_at > built_at:
        raise SinkError(
            f"The tag {tag} of {names.repository} was moved by a later build: which image this run's was "
            "cannot be told.",
            f"Look at what runs: invoke status --env {names.env}{aws.target.flags}",
        )
    return image.digest


def _image_of(aws: Aws, names: Names, run: ActionRun, artifact_name: str) -> str:
    bucket, key = run.artifacts.get(artifact_name, ("", ""))
    if not key or run.status != "Succeeded":
        return ""
    with zipfile.ZipFile(io.BytesIO(aws.objects.read(bucket, key))) as artifact:
        if IMAGE_DEFINITIONS not in artifact.namelist():
            return ""
        definitions = json.loads(artifact.read(IMAGE_DEFINITIONS))
    return next((str(each["imageUri"]) for each in definitions if each.get("name") == names.container), "")
