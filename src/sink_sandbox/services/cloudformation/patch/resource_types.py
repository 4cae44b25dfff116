"""Resource types that the emulator's CloudFormation lacks, and which types only pretend.

Each missing type goes through the emulator's own service where it has one, so that the service's API
shows it. ``simulated`` says for the stacks at hand what is recorded and has no effect.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import get_account_id, new_uuid, now_iso
from ministack.services import ec2, iam
from ministack.services.cloudformation import _stacks, provisioners

Provisioned = tuple[str, dict[str, str]]
Properties = dict[str, Any]

_EFFECTLESS = {
    "AWS::ApplicationAutoScaling::": "a service is kept within its limits; nothing measures, so none scales",
    "AWS::AutoScaling::": "groups are recorded; no instance runs",
    "AWS::CertificateManager::": "certificates are recorded; nothing serves them",
    "AWS::CloudFormation::": (
        "a stack's role is asked whether it may make each new resource, not what a change or a deletion takes"
    ),
    "AWS::CloudWatch::": "alarms are recorded; nothing measures, so none goes off or rolls a release back",
    "AWS::CodeBuild::": (
        "builds run with the tools of this machine; a project's image and compute type, and a buildspec's "
        "runtime-versions, count for nothing"
    ),
    "AWS::DocDB::": "clusters are recorded; nothing listens at their addresses",
    "AWS::EC2::": "networks are recorded; nothing is routed or filtered",
    "AWS::EFS::": "a file system is a folder of this machine",
    "AWS::EKS::": "clusters are recorded; nothing runs in them",
    "AWS::ElastiCache::": "caches, of Redis too, are recorded; nothing listens at their addresses",
    "AWS::KMS::": "keys are recorded; nothing is encrypted at rest",
    "AWS::OpenSearchService::": "domains are recorded; nothing listens at their addresses",
    "AWS::RDS::DBCluster": "clusters are recorded; nothing listens at their addresses",
    "AWS::Route53::": "zones and records are recorded; no name resolves by them",
    "AWS::WAFv2::": "rules are recorded; no request is looked at",
}


def install() -> None:
    """Add the types."""
    provisioners._RESOURCE_HANDLERS.update(
        {
            "AWS::EC2::EIP": {"create": _create_address, "update": _keep, "delete": _delete_address},
            "AWS::EC2::NatGateway": {"create": _create_nat, "update": _keep, "delete": _delete_nat},
            "AWS::EC2::SecurityGroupIngress": _rule_handlers("Ingress"),
            "AWS::EC2::SecurityGroupEgress": _rule_handlers("Egress"),
            "AWS::IAM::OIDCProvider": {
                "create": _create_oidc,
                "update": _update_oidc,
                "delete": _delete_oidc,
            },
            "AWS::IAM::RolePolicy": _inline_policy_handlers("Role"),
            "AWS::IAM::UserPolicy": _inline_policy_handlers("User"),
            "AWS::IAM::GroupPolicy": _inline_policy_handlers("Group"),
        }
    )


def simulated() -> list[str]:
    """Return one sentence for each kind of resource in the deployed stacks that has no effect."""
    kinds = {
        resource.get("ResourceType", "")
        for _, stack in _stacks.all_items()
        for resource in stack.get("_resources", {}).values()
    }
    return [
        f"{prefix}*: {meaning}"
        for prefix, meaning in _EFFECTLESS.items()
        if any(kind.startswith(prefix) for kind in kinds)
    ]


def _keep(physical_id: str, _old: Properties, _new: Properties, _stack_name: str) -> Provisioned:
    for kind in (ec2._addresses, ec2._nat_gateways):
        for known in kind.values():
            if physical_id in (known.get("PublicIp"), known.get("NatGatewayId")):
                return physical_id, _attributes(known)
    return physical_id, {}


def _attributes(record: dict[str, Any]) -> dict[str, str]:
    names = ("AllocationId", "PublicIp", "NatGatewayId")
    return {name: record[name] for name in names if record.get(name)}


def _create_address(_logical_id: str, props: Properties, _stack_name: str) -> Provisioned:
    answer = ec2._allocate_address({"Domain": [props.get("Domain", "vpc")]})
    address = ec2._addresses[_member(answer, "allocationId")]
    return address["PublicIp"], _attributes(address)


def _delete_address(physical_id: str, _props: Properties) -> None:
    for allocation, address in list(ec2._addresses.items()):
        if address["PublicIp"] == physical_id:
            ec2._release_address({"AllocationId": [allocation]})


def _create_nat(_logical_id: str, props: Properties, _stack_name: str) -> Provisioned:
    params = {
        name: [props[name]] for name in ("SubnetId", "AllocationId", "ConnectivityType") if name in props
    }
    identifier = _member(ec2._create_nat_gateway(params), "natGatewayId")
    return identifier, {"NatGatewayId": identifier}


def _delete_nat(physical_id: str, _props: Properties) -> None:
    ec2._nat_gateways.pop(physical_id, None)


def _rule_handlers(direction: str) -> dict[str, Any]:
    authorize = ec2._authorize_sg_ingress if direction == "Ingress" else ec2._authorize_sg_egress
    revoke = ec2._revoke_sg_ingress if direction == "Ingress" else ec2._revoke_sg_egress

    def create(_logical_id: str, props: Properties, _stack_name: str) -> Provisioned:
        identifier = f"sgr-{new_uuid().replace('-', '')[:17]}"
        _checked(authorize(_rule(props, direction)))
        return identifier, {"Id": identifier}

    def update(physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        revoke(_rule(old, direction))
        _checked(authorize(_rule(new, direction)))
        return physical_id, {"Id": physical_id}

    def delete(_physical_id: str, props: Properties) -> None:
        revoke(_rule(props, direction))

    return {"create": create, "update": update, "delete": delete}


def _rule(props: Properties, direction: str) -> dict[str, list[str]]:
    """A rule as the request of EC2's API spells it."""
    peer = props.get("SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId")
    found = {
        "GroupId": props.get("GroupId"),
        "IpPermissions.1.IpProtocol": props.get("IpProtocol"),
        "IpPermissions.1.FromPort": props.get("FromPort"),
        "IpPermissions.1.ToPort": props.get("ToPort"),
        "IpPermissions.1.IpRanges.1.CidrIp": props.get("CidrIp"),
        "IpPermissions.1.Groups.1.GroupId": peer,
    }
    return {name: [str(value)] for name, value in found.items() if value is not None}


def _create_oidc(_logical_id: str, props: Properties, _stack_name: str) -> Provisioned:
    host = props["Url"].removeprefix("https://").rstrip("/")
    arn = f"arn:aws:iam::{get_account_id()}:oidc-provider/{host}"
    if arn in iam._oidc_providers:
        raise ValueError(
            f"Provider with url {props['Url']} already exists. (HandlerErrorCode: AlreadyExists)"
        )
    iam._oidc_providers[arn] = {"Arn": arn, "Url": host, "CreateDate": now_iso(), **_oidc_settings(props)}
    return arn, {"Arn": arn}


def _update_oidc(physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Provisioned:
    if physical_id not in iam._oidc_providers:
        return _create_oidc("", new, stack_name)
    iam._oidc_providers[physical_id].update(_oidc_settings(new))
    return physical_id, {"Arn": physical_id}


def _delete_oidc(physical_id: str, _props: Properties) -> None:
    iam._oidc_providers.pop(physical_id, None)


def _oidc_settings(props: Properties) -> dict[str, Any]:
    return {
        "ClientIDList": list(props.get("ClientIdList") or []),
        "ThumbprintList": list(props.get("ThumbprintList") or []),
        "Tags": list(props.get("Tags") or []),
    }


def _inline_policy_handlers(owner: str) -> dict[str, Any]:
    """An inline policy of one owner: what ``AWS::IAM::Policy`` does for several, but with a name of its own.

    Policy and owner are its identity, so another of either is another resource:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
    """
    several = provisioners._RESOURCE_HANDLERS["AWS::IAM::Policy"]

    def of_one(props: Properties) -> Properties:
        return {**props, f"{owner}s": [props[f"{owner}Name"]]}

    def create(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
        several["create"](logical_id, of_one(props), stack_name)
        return f"{props['PolicyName']}|{props[f'{owner}Name']}", {}

    def update(_physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Provisioned:
        # CloudFormation deletes the predecessor of a replacement by itself.
        return create("", new, stack_name)

    def delete(physical_id: str, props: Properties) -> None:
        several["delete"](physical_id, of_one(props))

    return {"create": create, "update": update, "delete": delete}


def _member(answer: tuple[int, dict[str, str], Any], name: str) -> str:
    text = _checked(answer)
    match = re.search(rf"<{name}>([^<]+)</{name}>", text)
    if match is None:
        raise ValueError(f"The emulator's answer has no {name}.")
    return match[1]


def _checked(answer: tuple[int, dict[str, str], Any]) -> str:
    status, _, body = answer
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        message = re.search(r"<Message>([^<]*)</Message>", text)
        raise ValueError(message[1] if message else text)
    return text
