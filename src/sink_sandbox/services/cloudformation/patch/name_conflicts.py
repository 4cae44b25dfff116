"""A resource whose name exists fails its creation; a stack takes nothing over that it did not make.

The emulator's handlers write over what has the name, and the stack's rollback or deletion then removes it.
CloudFormation fails the resource, and so never has it to delete. What identifies a resource is the primary
identifier of its type's schema
(https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-primaryidentifier).
A resource without a name of its own is given one that nothing has.
"""

from __future__ import annotations

import contextvars
import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.responses import get_region, new_uuid
from ministack.services.cloudformation import _stacks, provisioners, stacks

from sink_host.templates.resource_schemas import resource_schema
from sink_sandbox.services.cloudformation.patch.stacks import NESTED

Identity = tuple[str, ...]
"""The values that identify a resource of its type; empty where CloudFormation chooses them."""

_UNIQUE = {
    "AWS::CodeBuild::Project": ("Name",),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateName",),
    "AWS::EC2::SecurityGroup": ("GroupName", "VpcId"),
    "AWS::ECS::Service": ("ServiceName", "Cluster"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("Name",),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("Name",),
    "AWS::Events::Rule": ("Name", "EventBusName"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
}
"""Of types whose primary identifier is an ARN or an id that AWS gives: the names that must be unique."""

_DEFAULTS = {"EventBusName": "default", "Cluster": "default"}

_REFUSED_BY_THEIR_SERVICE = frozenset(
    {"AWS::CodePipeline::Pipeline", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"}
)
"""Types whose handlers refuse a name that exists, with words of their own."""

_MODULES = {
    "apigateway": "apigateway_v1",
    "apigatewayv2": "apigateway",
    "certificatemanager": "acm",
    "docdb": "documentdb",
    "elasticloadbalancingv2": "alb",
    "events": "eventbridge",
    "kinesisfirehose": "firehose",
    "lambda": "lambda_svc",
    "logs": "cloudwatch_logs",
    "opensearchservice": "opensearch",
}
"""The emulator's modules that are not called as CloudFormation calls the service."""

_STORES = {
    "AutoScalingGroup": "_asgs",
    "DBClusterParameterGroup": "_db_cluster_param_groups",
    "DBParameterGroup": "_param_groups",
    "KeyValueStore": "_kvstores",
    "LaunchConfiguration": "_launch_configs",
    "LoadBalancer": "_lbs",
    "TargetGroup": "_tgs",
    "WorkGroup": "_workgroups",
}
"""The emulator's stores that are not called like the type in the plural."""

_GONE = frozenset({"DELETED", "INACTIVE"})
"""States of which the emulator keeps records of what is no more."""

_is_updating: contextvars.ContextVar[bool] = contextvars.ContextVar("is_updating", default=False)


class AlreadyExists(ValueError):
    """The name is taken; the message is what CloudFormation gives as the resource's reason."""


def install() -> None:
    """Look for what exists before a resource is created, and before one is renamed."""
    provision, update = provisioners._provision_resource, provisioners._update_resource

    def provision_resource(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        if not _is_updating.get():  # an update of a type without a handler for it creates it again
            _refuse_existing(kind, props, stack_name, logical_id)
            _draw_name(kind, stack_name)
        return provision(kind, logical_id, props, stack_name)

    def update_resource(
        kind: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
        *rest: Any,
    ) -> Any:
        wanted = identity(kind, new)
        if wanted and wanted != identity(kind, old):
            _refuse_existing(kind, new, stack_name, logical_id or physical_id)
        token = _is_updating.set(kind != NESTED)  # what is new in a nested stack is created
        try:
            return update(kind, physical_id, old, new, stack_name, logical_id, *rest)
        finally:
            _is_updating.reset(token)

    provisioners._provision_resource = provision_resource
    stacks._provision_resource = provision_resource
    provisioners._update_resource = update_resource
    stacks._update_resource = update_resource


def _draw_name(kind: str, stack_name: str) -> None:
    """Let a name that CloudFormation chooses be another one each time that a stack of the name is made.

    Else what the stack before it retained would have the name. A nested stack has a name of its own each
    time, and so have its resources.
    """
    is_nested = "_parent_stack_name" in _stacks.get(stack_name, {})
    if kind != NESTED and not is_nested and not provisioners._NAME_SEED.get():
        provisioners._NAME_SEED.set(new_uuid()[:8])  # the resource's record keeps it, for its updates


def identity(kind: str, properties: Mapping[str, Any]) -> Identity:
    """Return what identifies the resource, if its properties say it."""
    names = _identifying(kind)
    values = [properties.get(name) or _DEFAULTS.get(name) for name in names]
    if kind == "AWS::EC2::SecurityGroup" and properties.get("GroupName"):
        values = [value for value in values if value]  # of the account's default VPC
    named = values and all(isinstance(value, str) for value in values) and properties.get(names[0])
    return tuple(_name(str(value)) for value in values) if named else ()


def _name(value: str) -> str:
    """Return the name in an ARN: a cluster, for example, is referred to by either."""
    return re.split(r"[:/]", value)[-1] if value.startswith("arn:") else value


def _identifying(kind: str) -> tuple[str, ...]:
    if kind in _UNIQUE:
        return _UNIQUE[kind]
    schema = resource_schema(kind, get_region())
    named = [path.removeprefix("/properties/") for path in schema.get("primaryIdentifier", ())]
    given = [path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", ())]
    return () if set(named) & set(given) else tuple(named)


def _refuse_existing(kind: str, props: dict[str, Any], stack_name: str, logical_id: str) -> None:
    wanted = identity(kind, props)
    if not wanted or kind in _REFUSED_BY_THEIR_SERVICE:
        return
    for owner, resource in _resources_of_stacks(kind, (stack_name, logical_id)):
        if identity(kind, resource.get("Properties") or {}) == wanted:
            # As in https://github.com/aws-samples/eb-php-wordpress/issues/25
            raise AlreadyExists(
                f"{resource['PhysicalResourceId']} already exists in stack {owner['StackId']}"
            )
    store = find_store(kind)
    if store is not None and any(_is_it(key, record, wanted) for key, record in store.items()):
        # As in https://github.com/stratospheric-dev/stratospheric/issues/204
        raise AlreadyExists(
            f"Resource handler returned message: \"Resource of type '{kind}' with identifier "
            f"'{'|'.join(wanted)}' already exists.\" (HandlerErrorCode: AlreadyExists)"
        )


def _resources_of_stacks(kind: str, but: tuple[str, str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for name, stack in list(_stacks.items()):
        if stack.get("StackStatus") == "DELETE_COMPLETE":
            continue
        for logical_id, resource in list(stack.get("_resources", {}).items()):
            if resource.get("ResourceType") == kind and (name, logical_id) != but:
                yield stack, resource


def find_store(kind: str) -> Any:
    """Return the emulator's store of a type's resources; None for types that it keeps otherwise."""
    _, service, name = kind.split("::", 2) if kind.count("::") == 2 else ("", "", "")
    service = service.lower()
    try:
        module = importlib.import_module(f"ministack.services.{_MODULES.get(service, service)}")
    except ImportError:
        return None
    if name in _STORES:
        return getattr(module, _STORES[name], None)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().split("_")
    for start in range(len(words)):  # DBInstance is kept among the instances
        found = getattr(module, f"_{_plural('_'.join(words[start:]))}", None)
        if hasattr(found, "items"):
            return found
    return None


def _plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"


def _is_it(key: Any, record: Any, wanted: Identity) -> bool:
    """Whether a record is the resource's: by its key, which may be an ARN or an address, or by its names."""
    known = {key}
    if isinstance(key, str) and (key.startswith("arn:") or "://" in key):
        known.add(re.split(r"[:/]", key)[-1])
    if isinstance(key, str) and len(wanted) > 1:
        known.update(re.split(r"[|/]", key))
    if isinstance(record, dict):
        if record.get("status") in _GONE:
            return False
        known.update(
            value
            for field, value in record.items()
            if isinstance(value, str) and re.search(r"(name|identifier|id)$", field, re.IGNORECASE)
        )
    return set(wanted) <= known
