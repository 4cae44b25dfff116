"""CloudFormation: our own two stacks changed through change sets, and the app's stack looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, error_text, translated
from the_sink.errors import SinkError
from the_sink.models import ChangeSet, Clock, ResourceChange, Stack, StackEvent, StackStatus

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

TEMPLATE_BODY_LIMIT = 51_200
"""Bytes of a template that may travel in a request; a larger one must lie in S3.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

_CHANGE_SET_POLL_S = 1.0
_CHANGE_SET_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class StackRequest:
    """What a stack is to become.

    Attributes:
        template: The template's text, or its https address.
        parameters: Parameters to set.
        keep: Parameters that keep the value they have.
        change_set: A name for the change set, unique for this stack.
    """

    name: str
    template: str
    parameters: Mapping[str, str]
    keep: frozenset[str]
    tags: Mapping[str, str]
    change_set: str
    is_new: bool


@translated("CloudFormation")
class Stacks:
    """The stacks of an account and region."""

    def __init__(self, client: CloudFormationClient, target: Target, clock: Clock) -> None:
        self._client = client
        self._target = target
        self._clock = clock

    def describe(self, name: str) -> Stack | None:
        """Return a stack, or None if there is none of that name (or only a deleted one)."""
        try:
            found = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        if not found or found[0]["StackStatus"] == "DELETE_COMPLETE":
            return None
        stack = found[0]
        return Stack(
            name=stack["StackName"],
            stack_id=stack.get("StackId", stack["StackName"]),
            status=StackStatus(stack["StackStatus"]),
            reason=stack.get("StackStatusReason", ""),
            outputs={o["OutputKey"]: o.get("OutputValue", "") for o in stack.get("Outputs", [])},
            parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])},
            tags={tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])},
        )

    def describe_events(self, stack: str, after: str = "") -> tuple[StackEvent, ...]:
        """Return a stack's events, oldest first, those after the event ``after`` only.

        Args:
            stack: Name or ARN; a deleted stack answers to its ARN only.
            after: An event's id; "" returns everything that AWS keeps.
        """
        events: list[StackEvent] = []
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
        try:
            for page in pages:
                for event in page["StackEvents"]:
                    if event["EventId"] == after:
                        return tuple(reversed(events))
                    events.append(_event(event))
        except ClientError as error:
            if not _is_missing(error):
                raise
        return tuple(reversed(events))

    def plan(self, request: StackRequest) -> ChangeSet | None:
        """Let CloudFormation compute a change; None if there is nothing to change.

        Nothing is changed yet, except that a new stack now exists under review.

        Raises:
            SinkError: CloudFormation refuses the change, with its reason.
        """
        where = "TemplateURL" if request.template.startswith("https://") else "TemplateBody"
        arguments: dict[str, Any] = {
            "StackName": request.name,
            "ChangeSetName": request.change_set,
            "ChangeSetType": "CREATE" if request.is_new else "UPDATE",
            where: request.template,
            "Parameters": [
                *(
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in request.parameters.items()
                ),
                *({"ParameterKey": key, "UsePreviousValue": True} for key in sorted(request.keep)),
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        }
        made = self._client.create_change_set(**arguments)
        return self._await_change_set(request.name, made["Id"], made["StackId"])

    def _await_change_set(self, name: str, change_set: str, stack_id: str) -> ChangeSet | None:
        deadline = self._clock.now() + _CHANGE_SET_TIMEOUT_S
        while True:
            answer = self._client.describe_change_set(ChangeSetName=change_set, StackName=name)
            status = answer["Status"]
            if status == "CREATE_COMPLETE":
                return ChangeSet(change_set, stack_id, self._changes(name, change_set))
            if status == "FAILED":
                reason = answer.get("StatusReason", "").strip().rstrip(".")
                self._client.delete_change_set(ChangeSetName=change_set, StackName=name)
                if _is_empty_change(reason):
                    return None
                raise SinkError(f"CloudFormation refuses the change of stack {name}: {reason}.")
            if self._clock.now() > deadline:
                raise SinkError(f"CloudFormation did not work out the change of stack {name} in 5 minutes.")
            self._clock.sleep(_CHANGE_SET_POLL_S)

    def _changes(self, name: str, change_set: str) -> tuple[ResourceChange, ...]:
        changes: list[ResourceChange] = []
        pages = self._client.get_paginator("describe_change_set")
        for page in pages.paginate(ChangeSetName=change_set, StackName=name):
            found = [change.get("ResourceChange", {}) for change in page.get("Changes", [])]
            changes += [
                ResourceChange(
                    action=resource.get("Action", ""),
                    logical_id=resource.get("LogicalResourceId", ""),
                    resource_type=resource.get("ResourceType", ""),
                    replacement=resource.get("Replacement") == "True",
                )
                for resource in found
            ]
        return tuple(changes)

    def apply(self, change: ChangeSet) -> None:
        """Begin to make a computed change; ``describe`` tells when it has ended."""
        self._client.execute_change_set(ChangeSetName=change.change_set_id)

    def discard(self, change: ChangeSet) -> None:
        """Throw a computed change away."""
        self._client.delete_change_set(ChangeSetName=change.change_set_id)

    def delete(self, name: str) -> None:
        """Begin to delete a stack; retained resources stay."""
        self._client.delete_stack(StackName=name)

    def export(self, name: str) -> str | None:
        """Return the value of one of the account's exports, or None."""
        for page in self._client.get_paginator("list_exports").paginate():
            for found in page["Exports"]:
                if found["Name"] == name:
                    return found["Value"]
        return None

    def resources(self, stack: str, resource_type: str) -> tuple[str, ...]:
        """Return the physical ids of what a stack has of one type; of nested stacks that is their ARN.

        Args:
            stack: Name or ARN.
            resource_type: Such as ``AWS::RDS::DBInstance``.
        """
        found: list[str] = []
        for page in self._client.get_paginator("list_stack_resources").paginate(StackName=stack):
            found += [
                resource["PhysicalResourceId"]
                for resource in page["StackResourceSummaries"]
                if resource["ResourceType"] == resource_type
                and resource.get("PhysicalResourceId")
                and resource["ResourceStatus"] != "DELETE_COMPLETE"
            ]
        return tuple(found)


def _event(event: Any) -> StackEvent:
    return StackEvent(
        event_id=event["EventId"],
        stack_id=event["StackId"],
        stack_name=event["StackName"],
        logical_id=event.get("LogicalResourceId", ""),
        physical_id=event.get("PhysicalResourceId", ""),
        resource_type=event.get("ResourceType", ""),
        status=StackStatus(event.get("ResourceStatus", "")),
        reason=event.get("ResourceStatusReason", ""),
        at=event["Timestamp"],
    )


# CloudFormation gives these outcomes no code of their own, so its text is matched, here only.


def _is_missing(error: ClientError) -> bool:
    return error_code(error) == "ValidationError" and "does not exist" in error_text(error)


def _is_empty_change(reason: str) -> bool:
    # "The submitted information didn't contain changes. …" of the service itself, "No updates are to be
    # performed." where a transform found nothing to do.
    return "didn't contain changes" in reason or "No updates are to be performed" in reason
