"""Says for the stacks at hand which kinds of resources are recorded and have no effect."""

from __future__ import annotations

from ministack.services.cloudformation import _stacks

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
