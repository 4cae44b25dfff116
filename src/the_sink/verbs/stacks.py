"""Change a stack of ours, or follow one that a pipeline changes: events on the way, a cause if it fails.

Used by ``platform.bootstrap`` and ``bootstrap`` (which apply) and by ``deploy`` (which follows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator

from the_sink.aws.cloudformation import TEMPLATE_BODY_LIMIT, StackRequest
from the_sink.aws.session import Aws
from the_sink.diagnosis.stack_events import StackFollower, describe_cause, find_protected
from the_sink.errors import SinkError
from the_sink.models import ChangeSet, Event, ResourceChanged, Said, Stack, StackApplied, StackEvent
from the_sink.naming import template_upload_key
from the_sink.plan import ApplyStack, DeleteStack, Step, WaitForStack
from the_sink.verbs.platform.templates import Template
from the_sink.verbs.poller import Pace

_CHANGE_TIMEOUT_S = 1800.0

_IN_USE = " as it is in use by "
"""CloudFormation's words for an export that another stack imports (aws/aws-cdk#8671)."""

Telling = Generator[Event, None, None]
"""Work that tells what it does and returns nothing."""


def apply_step(
    aws: Aws,
    step: Step,
    template: Template,
    bucket: str = "",
    before_update: Callable[[], Telling] | None = None,
) -> Generator[Event, None, StackApplied | None]:
    """Carry out one step of a plan for a stack; a step of another kind is left to the caller.

    Args:
        aws: The account.
        step: A wait, a deletion, or the change itself.
        template: What the stack is made from.
        bucket: Where a template that is too large for a request may lie; none for an account's first stack.
        before_update: Waits for the moment at which an existing stack may change; not called where nothing
            would. If it raises, the computed change is left to nobody.

    Returns:
        What became of the stack, None after a step that only clears the way.

    Raises:
        SinkError: CloudFormation failed; the message names the first resource that did and why.
        TimedOut: something that was waited for does not end.
    """
    match step:
        case WaitForStack(name):
            yield from wait_for_stack(aws, name)
        case DeleteStack(name):
            if found := aws.stacks.describe(name):
                yield from delete_stack(aws, found)
        case ApplyStack():
            yield Said(f"{'Creating' if step.is_new else 'Comparing'} stack {step.stack}.")
            change = plan_change(aws, step, template, bucket)
            if change is not None and not step.is_new and before_update is not None:
                try:
                    yield from before_update()
                except BaseException:
                    aws.stacks.discard(change)
                    raise
            return (yield from apply_change(aws, step, change))
    return None


def plan_change(aws: Aws, step: ApplyStack, template: Template, bucket: str = "") -> ChangeSet | None:
    """Let CloudFormation work out what a step would change; None if nothing.

    Args:
        aws: The account.
        step: The stack, with its parameters and tags.
        template: What it is made from.
        bucket: Where a template that is too large for a request may lie.
    """
    return aws.stacks.plan(
        StackRequest(
            name=step.stack,
            template=_template_source(aws, template, bucket),
            parameters=step.parameters,
            keep=step.keep,
            tags=step.tags,
            change_set=_change_set_name(aws, template, step),
            is_new=step.is_new,
        )
    )


def apply_change(
    aws: Aws, step: ApplyStack, change: ChangeSet | None
) -> Generator[Event, None, StackApplied]:
    """Make a computed change and follow it to its end.

    Raises:
        SinkError: CloudFormation failed; the message names the first resource that did and why.
        TimedOut: it is still at work after half an hour.
    """
    if change is None:
        return StackApplied(_present(aws, step.stack), "unchanged")
    follower = StackFollower(aws, change.stack_id)
    follower.skip_history()
    aws.stacks.apply(change)
    stack = yield from _follow(aws, change.stack_id, follower)
    if not stack.status.is_success:
        cause = describe_cause(follower.seen) or stack.reason or f"it ended in {stack.status}."
        verb = "created" if step.is_new else "updated"
        hint = _failure_hint(stack, cause, find_protected(follower.seen))
        raise SinkError(f"Stack {step.stack} could not be {verb}: {cause}", hint)
    return StackApplied(stack, "created" if step.is_new else "updated")


def wait_for_stack(aws: Aws, name: str) -> Generator[Event, None, None]:
    """Wait until nobody changes the stack any more."""
    yield Said(f"Stack {name} is being changed by someone else; waiting for that to end.")
    pace = Pace(aws.clock, _CHANGE_TIMEOUT_S, f"The change of stack {name}")
    while (stack := aws.stacks.describe(name)) and stack.status.is_in_progress:
        pace.wait()


def delete_stack(aws: Aws, stack: Stack) -> Generator[Event, None, None]:
    """Delete a stack and wait until its name is free.

    Raises:
        SinkError: something of it cannot be deleted; the message says what.
    """
    yield Said(f"Deleting stack {stack.name}.")
    follower = StackFollower(aws, stack.stack_id)
    follower.skip_history()
    aws.stacks.delete(stack.name)
    pace = Pace(aws.clock, _CHANGE_TIMEOUT_S, f"The deletion of stack {stack.name}")
    while (now := aws.stacks.describe(stack.name)) is not None:
        if now.status.name == "DELETE_FAILED":
            follower.poll()
            protected = find_protected(follower.seen)
            raise SinkError(
                f"Stack {stack.name} could not be deleted: {describe_cause(follower.seen) or now.reason}",
                f"If nothing in it is missed, let it go: `{protected}`. Then run the same command again."
                if protected
                else "",
            )
        yield from resource_events(follower.poll())
        pace.wait()


def _follow(aws: Aws, stack_id: str, follower: StackFollower) -> Generator[Event, None, Stack]:
    pace = Pace(aws.clock, _CHANGE_TIMEOUT_S, "The change of the stack")
    while True:
        stack = _present(aws, stack_id)
        events = follower.poll()
        yield from resource_events(events)
        # A stack under review shows no progress until its change set begins to be executed.
        if not stack.status.is_in_progress and not stack.status.is_never_created and follower.seen:
            yield from resource_events(follower.poll())
            return stack
        pace.wait(changed=bool(events))


def resource_events(events: tuple[StackEvent, ...]) -> Generator[Event, None, None]:
    """Yield what a watcher should see of a stack's history: its resources, not the stack itself."""
    for event in events:
        if not event.is_about_stack:
            yield ResourceChanged(
                event.stack_name, event.logical_id, event.resource_type, event.status, event.reason
            )


def _present(aws: Aws, name: str) -> Stack:
    stack = aws.stacks.describe(name)
    if stack is None:
        raise SinkError(f"Stack {name} was deleted while it was looked at.", "Run the same command again.")
    return stack


def _template_source(aws: Aws, template: Template, bucket: str) -> str:
    """Return the template's text, or where it lies if it is too large to travel in a request."""
    content = template.text.encode()
    if len(content) <= TEMPLATE_BODY_LIMIT:
        return template.text
    if not bucket:
        raise SinkError(
            f"{template.path} has {len(content)} bytes; the first stack of an account may have "
            f"{TEMPLATE_BODY_LIMIT}.",
            "Shorten it: there is no bucket yet that it could be read from.",
        )
    name = template.path.rsplit("/", 1)[-1].removesuffix(".yml")
    key = template_upload_key(name, hashlib.sha256(content).hexdigest())
    aws.objects.put_once(bucket, key, content, {})
    return f"https://{bucket}.s3.{aws.target.region}.{aws.url_suffix}/{key}"


def _change_set_name(aws: Aws, template: Template, step: ApplyStack) -> str:
    # Two people who bootstrap at once must not meet in one name; what they ask for may well be equal.
    seed = f"{template.text}{sorted(step.parameters.items())}{aws.clock.now()}"
    return f"the-sink-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"


def _failure_hint(stack: Stack, cause: str, protected: str) -> str:
    if stack.status.must_be_deleted:
        let_go = f" `{protected}` and" if protected else ""
        return (
            f"Mend the cause, then run{let_go} the same command with --yes: it deletes what is left and "
            "starts over."
        )
    if stack.status.needs_continued_rollback:
        return (
            f"Continue with `aws cloudformation continue-update-rollback --stack-name {stack.name}`, "
            "then run the same command again."
        )
    if _IN_USE in cause:
        return (
            "The stack is as it was before. Let those stacks do without it first (for a certificate: "
            "docs/how-to/serve-https.md; for subnets: docs/how-to/change-the-network.md), then run the same "
            "command again."
        )
    return "The stack is as it was before. Mend the cause and run the same command again."
