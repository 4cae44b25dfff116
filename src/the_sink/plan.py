"""What a verb will do, decided before it does anything: desired and observed state in, steps out (no I/O).

``--dry-run`` prints the steps; without it the verb carries out the same list. A request that cannot be
met is refused here, so that a refusal leaves nothing half-made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from the_sink.errors import InputError, NotFound, SinkError
from the_sink.models import Release, Secret, Stack
from the_sink.naming import Names, release_key, tag_key


@dataclass(frozen=True)
class Step:
    """One thing that a verb does; ``str`` is the line that ``--dry-run`` prints."""


# --- Stacks of our own ------------------------------------------------------------------------------


@dataclass(frozen=True)
class WaitForStack(Step):
    """Someone else is changing the stack; their change ends first."""

    stack: str

    def __str__(self) -> str:
        return f"wait for the change of stack {self.stack} that is under way"


@dataclass(frozen=True)
class DeleteStack(Step):
    """Remove what a failed first creation left, so that the name is free again."""

    stack: str
    status: str

    def __str__(self) -> str:
        return f"delete stack {self.stack}, whose creation failed ({self.status})"


@dataclass(frozen=True)
class RestoreSecret(Step):
    """Take back the deletion of a secret that AWS still holds."""

    name: str

    def __str__(self) -> str:
        return f"restore secret {self.name}, which is waiting to be deleted"


@dataclass(frozen=True)
class ApplyStack(Step):
    """Create a stack or bring it up to date through a change set."""

    stack: str
    is_new: bool
    template: str
    parameters: Mapping[str, str]
    keep: frozenset[str]
    """Parameters whose value stays what it is."""
    tags: Mapping[str, str]

    def __str__(self) -> str:
        verb = "create" if self.is_new else "update"
        return f"{verb} stack {self.stack} from {self.template}"


@dataclass(frozen=True)
class StopSelfStarted(Step):
    """Stop the run that AWS starts because a pipeline was created."""

    pipeline: str

    def __str__(self) -> str:
        return f"stop the run that pipeline {self.pipeline} starts by itself when it is created"


def plan_stack(
    name: str,
    observed: Stack | None,
    *,
    template: str,
    declared: frozenset[str],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    may_delete: bool = False,
) -> tuple[Step, ...]:
    """Return the steps that bring one stack of ours to what it should be.

    Args:
        name: The stack's name.
        observed: The stack as it stands, None if there is none.
        template: What it is made from, as people call it.
        declared: The parameters that the template has.
        parameters: Those to set. Others that the stack has keep their value.
        tags: The stack's tags.
        may_delete: Whether a stack whose creation failed may be deleted to start over.

    Raises:
        SinkError: the stack is stuck in a state that only a person may leave; the hint says how.
    """
    steps: list[Step] = []
    is_new = observed is None or observed.status.is_never_created
    if observed is not None and observed.status.is_in_progress:
        steps.append(WaitForStack(name))
    elif observed is not None and observed.status.must_be_deleted:
        if not may_delete:
            raise SinkError(
                f"Stack {name} is in {observed.status}: its creation failed, and all that AWS allows is to "
                "delete it.",
                "Run the same command with --yes: it deletes what is left of the stack and creates it anew.",
            )
        steps.append(DeleteStack(name, str(observed.status)))
        is_new = True
    elif observed is not None and observed.status.needs_continued_rollback:
        raise SinkError(
            f"Stack {name} is in {observed.status}: an update failed, and so did going back.",
            f"Continue with `aws cloudformation continue-update-rollback --stack-name {name}`, then run the "
            "same command again.",
        )
    had = frozenset() if observed is None or is_new else frozenset(observed.parameters)
    keep = (declared & had) - set(parameters)
    steps.append(ApplyStack(name, is_new, template, dict(parameters), keep, dict(tags)))
    return tuple(steps)


# --- Objects ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PutOnce(Step):
    """Store an object under a key that must be free."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"upload s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class MoveChannel(Step):
    """Point a channel, a moving key, at other bytes."""

    bucket: str
    key: str
    is_new: bool

    def __str__(self) -> str:
        return f"{'create' if self.is_new else 'move'} channel s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class PublishObserved:
    """What a bucket holds under the keys of a publish: whether each exists, and whether it is equal."""

    version_is_equal: bool | None
    """None where the version was never published."""
    channels: Mapping[str, bool | None]
    """For every channel's key the same; the first is the one that a publish moves."""


def plan_publish(
    bucket: str, version: str, version_key: str, observed: PublishObserved
) -> tuple[PutOnce | MoveChannel, ...]:
    """Return the steps that publish a template version and move the stage channel.

    Channels of later environments are created where they do not exist: nothing runs from them yet, so
    there is nothing that a promotion would protect. One that exists is moved by ``platform.promote`` only.

    Raises:
        InputError: the version was published with other bytes.
    """
    if observed.version_is_equal is False:
        raise InputError(
            f"Version {version} is published already, with another stacks/python/cfn-template.yml.",
            "A published version never changes: raise `version` in pyproject.toml, reinstall, publish again.",
        )
    steps: list[PutOnce | MoveChannel] = []
    if observed.version_is_equal is None:
        steps.append(PutOnce(bucket, version_key))
    for position, (key, is_equal) in enumerate(observed.channels.items()):
        if is_equal is None or (position == 0 and not is_equal):
            steps.append(MoveChannel(bucket, key, is_new=is_equal is None))
    return tuple(steps)


# --- Bootstrap --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BootstrapObserved:
    """What an environment finds when it is bootstrapped."""

    pipeline: Stack | None
    secret: Secret | None


def check_platform(
    platform: str, observed: Stack | None, account: str, region: str, flags: str = ""
) -> Stack:
    """Return the platform's stack; ``flags`` ends the command in the hint.

    Raises:
        NotFound: there is none, or its creation never ended well.
    """
    where = f"account {account}, {region}"
    hint = f"In the platform's repository: invoke platform.bootstrap{flags}"
    if observed is None or observed.status.is_never_created:
        raise NotFound(f"There is no platform {platform!r} in {where}.", hint)
    if observed.status.must_be_deleted or observed.status.name == "CREATE_IN_PROGRESS":
        raise NotFound(f"The platform {platform!r} in {where} is half-made ({observed.status}).", hint)
    return observed


def check_order(app: str, env: str, earlier: Mapping[str, bool], flags: str = "") -> None:
    """Refuse an environment whose predecessors do not exist.

    Args:
        app: The app's name.
        env: The environment that is to be.
        earlier: The environments before it, and whether each is bootstrapped.
        flags: End the command in the hint.

    Raises:
        InputError: naming the first environment that is missing.
    """
    for name, exists in earlier.items():
        if not exists:
            raise InputError(
                f"{app} has no {name} yet, and {env} is only reached through it.",
                f"First: invoke bootstrap --env {name}{flags}",
            )


def plan_bootstrap(
    names: Names,
    observed: BootstrapObserved,
    *,
    template: str,
    declared: frozenset[str],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    may_delete: bool,
) -> tuple[Step, ...]:
    """Return the steps that create an environment's delivery or bring it up to date.

    A secret that an earlier stack left behind is adopted by a new one, with everything in it.

    Args:
        names: Of the app in this environment.
        observed: What is there.
        template: What the stack is made from.
        declared: The template's parameters.
        parameters: Those to set.
        tags: The stack's tags.
        may_delete: Whether a stack whose creation failed may be deleted to start over.

    Raises:
        SinkError: the stack is stuck in a state that only a person may leave.
    """
    steps: list[Step] = []
    secret, stack = observed.secret, observed.pipeline
    if secret is not None and secret.is_scheduled_for_deletion:
        steps.append(RestoreSecret(secret.name))
    is_new = stack is None or stack.status.is_never_created or stack.status.must_be_deleted
    adopted = {"ExistingSecretArn": secret.arn if secret else ""} if is_new else {}
    steps += plan_stack(
        names.pipeline_stack,
        stack,
        template=template,
        declared=declared,
        parameters={**parameters, **adopted},
        tags=tags,
        may_delete=may_delete,
    )
    if is_new:
        steps.append(StopSelfStarted(names.pipeline))
    return tuple(steps)


# --- Deploy -----------------------------------------------------------------------------------------


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
