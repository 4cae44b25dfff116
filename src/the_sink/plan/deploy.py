"""A release: archived once, released, followed, looked at."""

from __future__ import annotations

from dataclasses import dataclass

from the_sink.errors import SinkError
from the_sink.models import Release, Stack
from the_sink.naming import Names, release_key, tag_key
from the_sink.plan.stacks import DeleteStack
from the_sink.plan.steps import PutOnce, Step


@dataclass(frozen=True)
class ReuseArchive(Step):
    """The commit's archive lies in the bucket already."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"use the archive s3://{self.bucket}/{self.key}, which exists already"


@dataclass(frozen=True)
class ReleaseArchive(Step):
    """Copy the archive to the key that the pipeline watches, which starts it."""

    bucket: str
    source: str
    key: str

    def __str__(self) -> str:
        return f"copy it to s3://{self.bucket}/{self.key}, which starts the pipeline"


@dataclass(frozen=True)
class FollowExecution(Step):
    """Watch the run that carries this version of the archive until it ends."""

    pipeline: str

    def __str__(self) -> str:
        return f"follow the run of pipeline {self.pipeline} that carries it"


@dataclass(frozen=True)
class VerifyServing(Step):
    """See that the service's deployment completed and every task runs the release's image."""

    service: str
    release: Release

    def __str__(self) -> str:
        return f"check that every task of {self.service} runs {self.release.short}"


@dataclass(frozen=True)
class DeployObserved:
    """What an environment holds when a release is to go there."""

    bucket: str
    app_stack: Stack | None
    archive_is_equal: bool | None
    """None where the commit was never archived."""
    is_serving: bool
    """Whether every task runs this commit's image already."""
    is_under_way: bool
    """Whether a run that carries this commit has begun, or is about to."""


def plan_deploy(
    names: Names,
    release: Release,
    observed: DeployObserved,
    *,
    tag: str,
    again: bool,
    may_delete: bool,
    flags: str = "",
) -> tuple[Step, ...]:
    """Return the steps that bring a release into an environment.

    Args:
        names: Of the app in the environment.
        release: What is to serve.
        observed: What the environment holds.
        tag: Which archive the environment follows.
        again: Run the pipeline even if the release serves already.
        may_delete: Whether an app stack whose creation failed may be deleted to start over.
        flags: End the command in a hint.

    Raises:
        SinkError: the commit was archived with other bytes, or the app's stack is stuck.
    """
    if observed.archive_is_equal is False:
        raise SinkError(
            f"The archive of {release.short} in s3://{observed.bucket} has other bytes than the one made "
            "here.",
            "A release never changes: commit what differs (files named in `package`, or another version of "
            "the platform package) and deploy the new commit.",
        )
    verify = VerifyServing(names.service, release)
    if observed.is_under_way:
        return (FollowExecution(names.pipeline), verify)
    if observed.is_serving and not again:
        return (verify,)
    key = release_key(release.app, release.commit)
    return (
        *_unstick(observed.app_stack, f"invoke deploy --env {names.env}{flags} --yes", may_delete),
        PutOnce(observed.bucket, key)
        if observed.archive_is_equal is None
        else ReuseArchive(observed.bucket, key),
        ReleaseArchive(observed.bucket, key, tag_key(release.app, tag)),
        FollowExecution(names.pipeline),
        verify,
    )


def _unstick(stack: Stack | None, command: str, may_delete: bool) -> tuple[Step, ...]:
    """The pipeline would run for minutes only to be refused by a stack in one of these states.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
    """
    if stack is None:
        return ()
    if stack.status.needs_continued_rollback:
        raise SinkError(
            f"Stack {stack.name} is in {stack.status}: an update failed, and so did going back.",
            f"Continue with `aws cloudformation continue-update-rollback --stack-name {stack.name}`, then "
            "deploy again.",
        )
    if not stack.status.must_be_deleted:
        return ()
    if may_delete:
        return (DeleteStack(stack.name, str(stack.status)),)
    raise SinkError(
        f"Stack {stack.name} is in {stack.status}: its first creation failed, and all that AWS allows is to "
        "delete it.",
        f"Mend the cause, then {command}: it deletes what is left and deploys.",
    )
