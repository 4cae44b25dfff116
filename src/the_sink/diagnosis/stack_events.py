"""What the history of a stack says: what is new in it, what failed first, and what was not deleted."""

from __future__ import annotations

from datetime import datetime

from the_sink.aws.session import Aws
from the_sink.models import StackEvent

_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")
"""Reasons that CloudFormation gives to what it gave up because something else had failed."""


class StackFollower:
    """Reads what is new in the history of a stack and of every stack inside it.

    Args:
        aws: The account.
        stack: The stack's ARN, so that it still answers when it has been deleted.
        since: Events before this moment belong to earlier changes.
        until: Events after it, to later ones; None while the change goes on.
    """

    def __init__(
        self, aws: Aws, stack: str, since: datetime | None = None, until: datetime | None = None
    ) -> None:
        self._aws = aws
        self._since = since
        self._until = until
        self._newest: dict[str, str] = {stack: ""}
        self.seen: list[StackEvent] = []

    def skip_history(self) -> None:
        """Regard everything that has happened so far as read, inside the stacks of the stack too."""
        self.poll()
        self.seen.clear()

    def poll(self) -> tuple[StackEvent, ...]:
        """Return the events since the last call, in the order in which they happened."""
        new: list[StackEvent] = []
        waiting = list(self._newest)
        while waiting:
            stack = waiting.pop(0)
            events = self._aws.stacks.describe_events(stack, after=self._newest[stack])
            if events:
                self._newest[stack] = events[-1].event_id
            for event in events:
                if (self._since and event.at < self._since) or (self._until and event.at > self._until):
                    continue
                new.append(event)
                inner = event.physical_id
                if event.is_nested_stack and inner.startswith("arn:") and inner not in self._newest:
                    self._newest[inner] = ""
                    waiting.append(inner)
        new.sort(key=lambda event: event.at)
        self.seen += new
        return tuple(new)


def find_cause(events: list[StackEvent]) -> StackEvent | None:
    """Return the first failure that is no consequence of another: the deepest, where stacks are nested.

    A change that CloudFormation refuses when every resource is done (of an export that another stack
    imports) fails in none of them: the rollback begins with the reason (aws/aws-cdk#8671).
    """
    failures = [
        event
        for event in events
        if event.status.name.endswith("_FAILED") and not event.reason.startswith(_CONSEQUENCES)
    ]
    own = [event for event in failures if not event.is_nested_stack and not event.is_about_stack]
    refused = [
        event
        for event in events
        if event.is_about_stack and event.status.name == "UPDATE_ROLLBACK_IN_PROGRESS" and event.reason
    ]
    return min(own or failures or refused, key=lambda event: event.at, default=None)


def describe_cause(events: list[StackEvent]) -> str:
    """Return one sentence about what failed first, "" if nothing did."""
    cause = find_cause(events)
    if cause is None:
        return ""
    reason = cause.reason.strip().rstrip(".") or "no reason given"
    return f"{reason}." if cause.is_about_stack else f"{describe_place(cause)}: {reason}."


def describe_place(cause: StackEvent) -> str:
    """Return which resource of which stack an event is about."""
    return f"{cause.logical_id} ({cause.resource_type}) in stack {cause.stack_name}"


_LET_GO = {
    "AWS::RDS::DBInstance": "aws rds modify-db-instance --db-instance-identifier {} --no-deletion-protection",
    # What the call leaves out goes back to its default, which matters no more
    # (https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html).
    "AWS::Cognito::UserPool": "aws cognito-idp update-user-pool --user-pool-id {} "
    "--deletion-protection INACTIVE",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "aws elbv2 modify-load-balancer-attributes "
    "--load-balancer-arn {} --attributes Key=deletion_protection.enabled,Value=false",
}
"""What takes the protection from deletion off, by type of resource."""


def find_protected(events: list[StackEvent]) -> str:
    """Return the command that lets go all that was not deleted because it is protected, or ""."""
    commands = [
        _LET_GO[event.resource_type].format(event.physical_id)
        for event in events
        if event.resource_type in _LET_GO
        and event.status.name == "DELETE_FAILED"
        and "protect" in event.reason
    ]
    return " && ".join(dict.fromkeys(commands))


def unprotect_database(identifier: str) -> str:
    """Return the command that lets RDS delete a database."""
    return _LET_GO["AWS::RDS::DBInstance"].format(identifier)
