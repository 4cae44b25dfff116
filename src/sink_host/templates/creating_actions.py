"""Which action CloudFormation cannot make a resource without, read from the resource types' own schemas.

A type's schema lists what its create handler may call ("handlers" → "create" → "permissions",
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html), and so names far
more than one resource takes: what an optional property needs, and what is called of other services. From
these lists are taken the actions that bring the thing itself into being; whoever may call none of them
cannot make it.

What this cannot tell is a type whose schema names no handlers, or no action by which it surely comes into
being; nor that a permission is missing which only some resources of a type need, or which a later update or
the deletion takes.
"""

from __future__ import annotations

import re
from functools import cache

from sink_host.templates.resource_schemas import resource_schema, service_authorization

_READS = re.compile(r"(Batch)?(Check|Describe|Get|Head|List|Lookup|Query|Read|Scan|Search|Select|Test|View)")
_TAGS = re.compile(r"(Create|Delete)Tags|(Add|Remove)Tags|(Un)?[Tt]ag[A-Z]|(Un)?[Tt]ag$")
_UNDOES = re.compile(
    r"(Cancel|Delete|Deregister|Detach|Disassociate|Release|Remove|Revoke|Stop|Terminate|Unsubscribe)[A-Z]"
)
_HTTP = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
"""The actions of API Gateway's management
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html)."""

_BRINGS = frozenset(
    {"Add", "Allocate", "Copy", "Create", "Import", "Publish", "Register", "Request", "Restore", "Run"}
)
"""Verbs with which a thing begins that another call of the same handler may begin instead."""

_HELPERS = frozenset({"ec2", "iam", "kms", "logs", "s3", "sso", "vpc-lattice"})
"""Services that the handlers of many others call."""

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z0-9]*|[A-Z0-9]+")


@cache
def creating_actions(resource_type: str, region: str) -> tuple[str, ...]:
    """Return the actions of which one at least must be allowed, or the type cannot be made.

    Args:
        resource_type: As templates call it, for example ``AWS::SQS::Queue``.
        region: Where it would be made.

    Returns:
        As AWS spells them, the one that fits the type best first. Empty where nobody can tell: an unknown
        type, one without handlers, no cfn-lint beside this interpreter.
    """
    named = {
        operation: [str(action) for action in handler.get("permissions", ()) if ":" in action]
        for operation, handler in resource_schema(resource_type, region).get("handlers", {}).items()
    }
    if not named.get("create"):
        return ()
    own = _own_services(resource_type, named)
    writing = [action for action in named["create"] if _service(action) in own and _writes(action)]
    chosen = _bringing(resource_type.rpartition("::")[2], writing) or writing
    # A schema's misspelling is no action that a policy could allow.
    if any("*" in action for action in chosen) or not any(map(_is_known, chosen)):
        return ()
    return tuple(dict.fromkeys(chosen))


def resource_pattern(action: str, region: str, account: str) -> str:
    """Return the ARN of what an action is authorized on, with ``*`` for what is not known; ``*`` for several.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    service, _, name = action.lower().partition(":")
    known = service_authorization().get(service, {})
    kinds = known.get("Actions", {}).get(name, {}).get("Resources", [])
    formats = {text for kind in kinds for text in known["Resources"].get(kind, {}).get("ARNFormats", [])}
    if len(formats) != 1:
        return "*"
    pattern = formats.pop().replace(".*", "*")
    for variable, value in (("Partition", "aws"), ("Region", region), ("Account", account)):
        pattern = pattern.replace(f"${{{variable}}}", value)
    return re.sub(r"\$\{\w+\}", "*", pattern)


def _bringing(kind: str, actions: list[str]) -> list[str]:
    """Return the actions that make a thing of this kind, the best first; none if there is no Create of it."""
    if any(_name(action) in _HTTP for action in actions):
        return []
    wanted = _words(kind)
    named = []
    for action in actions:
        verb, *noun = _words(_name(action))
        is_exact = noun == wanted
        is_akin = verb.capitalize() in _BRINGS and (_holds(noun, wanted) or _holds(wanted, noun))
        if is_akin or (is_exact and verb == "put"):
            named.append((not (is_exact and verb == "create"), verb != "create", action))
    named.sort(key=lambda each: each[:2])
    return [action for *_, action in named] if any(not other for _, other, _ in named) else []


def _own_services(resource_type: str, named: dict[str, list[str]]) -> set[str]:
    """Return the services whose actions are about the type: called so, or asked by every handler."""
    called = resource_type.split("::")[1].lower()
    creating = {_service(action) for action in named["create"]}
    own = {one for one in creating if one.replace("-", "") in (called, re.sub(r"v2$", "", called))}
    if own:
        return own
    for operation in ("read", "delete"):
        if named.get(operation):
            creating &= {_service(action) for action in named[operation]}
    return creating - _HELPERS or creating


def _writes(action: str) -> bool:
    name = _name(action)
    return not (name == "GET" or _READS.match(name) or _TAGS.match(name) or _UNDOES.match(name))


def _service(action: str) -> str:
    return action.partition(":")[0].lower()


def _name(action: str) -> str:
    name = action.partition(":")[2]
    return name[:1].upper() + name[1:]


def _words(name: str) -> list[str]:
    """Split a name in capitals, without the plural: ``DBInstances`` is ``db``, ``instance``."""
    return [word.lower().removesuffix("s") for word in _WORD.findall(name)]


def _holds(words: list[str], part: list[str]) -> bool:
    return (
        any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1)) if part else False
    )


def _is_known(action: str) -> bool:
    service, _, name = action.lower().partition(":")
    return name in service_authorization().get(service, {}).get("Actions", {})
