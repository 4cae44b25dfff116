"""Least privilege, encryption, TLS, and that nothing worth keeping goes with a stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from the_sink.naming import PYTHON_RUNTIMES

from .policies import BOUNDARY, EVERYTHING, as_list, statements

STATEFUL = {
    "AWS::S3::Bucket": ("RetainExceptOnCreate", "Retain"),
    "AWS::EFS::FileSystem": ("RetainExceptOnCreate", "Retain"),
    "AWS::Cognito::UserPool": ("RetainExceptOnCreate", "Retain"),
    "AWS::RDS::DBInstance": ("Snapshot", "Snapshot"),
}
CHOSEN = {"AWS::ECR::Repository", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
"""Kept or not, each for its reason, but never by accident."""


@pytest.mark.parametrize("name", EVERYTHING)
def test_these_tests_look_at_every_statement_there_is(name: str, stack: Callable[..., Any]) -> None:
    def stated(value: Any) -> Iterator[str]:
        if isinstance(value, dict) and "Sid" in value:
            yield value["Sid"]
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from stated(each)

    resolved = stack(name, **EVERYTHING[name])
    written = {(i, sid) for i, body in resolved.template["Resources"].items() for sid in stated(body)}

    assert {(i, statement["Sid"]) for i, statement in statements(resolved)} == written


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_statement_says_what_it_is_for(name: str, stack: Callable[..., Any]) -> None:
    found = list(statements(stack(name, **EVERYTHING[name])))

    assert found
    for logical_id, statement in found:
        assert re.fullmatch("[A-Za-z0-9]+", statement.get("Sid", "")), (logical_id, statement)
    assert len({(i, s["Sid"]) for i, s in found}) == len(found)


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_statement_allows_every_action(name: str, stack: Callable[..., Any]) -> None:
    for logical_id, statement in statements(stack(name, **EVERYTHING[name])):
        assert "NotAction" not in statement, logical_id
        if statement["Effect"] == "Allow":
            assert [a for a in as_list(statement["Action"]) if "*" in a] == [], (logical_id, statement["Sid"])


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_reaches_beyond_the_app_gives_its_reason(name: str, stack: Callable[..., Any]) -> None:
    """A resource that names neither the app nor a resource of these stacks has a comment beside it."""
    resolved = stack(name, **EVERYTHING[name], **({} if name == "platform" else {"AppName": "probe-app"}))
    broad = [
        (logical_id, statement["Sid"])
        for logical_id, statement in statements(resolved)
        for resource in as_list(statement.get("Resource", "<own>"))
        if "probe-app" not in resource
        and "<" not in resource
        and resource != EVERYTHING[name].get("NotificationTopicArn")
    ]

    assert broad
    for logical_id, sid in broad:
        assert reason(resolved.block(logical_id), sid), f"{logical_id}: {sid} gives no reason"


def reason(block: str, sid: str) -> str:
    """The comments inside a statement's source and right above it."""
    lines = block.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == f"- Sid: {sid}")
    end = next((i for i in range(start + 1, len(lines)) if "- Sid: " in lines[i]), len(lines))
    while lines[end - 1].strip().startswith("#"):
        end -= 1  # what stands above the next statement is the next one's
    while lines[start - 1].strip().startswith("#"):
        start -= 1
    return " ".join(line.strip() for line in lines[start:end] if line.strip().startswith("#"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_role_escapes_the_boundary(name: str, stack: Callable[..., Any]) -> None:
    bounded = stack(name, **EVERYTHING[name])
    roles = [r["Properties"] for r in bounded.resources.values() if r["Type"] == "AWS::IAM::Role"]

    assert roles
    assert {role["PermissionsBoundary"] for role in roles} == {BOUNDARY}
    free = stack(name, **{**EVERYTHING[name], "PermissionsBoundaryArn": ""})
    assert "PermissionsBoundary" not in str(
        [r["Properties"].keys() for r in free.resources.values() if r["Type"] == "AWS::IAM::Role"]
    )


def test_roles_that_the_app_makes_are_under_the_boundary_too(stack: Callable[..., Any]) -> None:
    made = {
        s["Sid"]: s for i, s in statements(stack("pipeline", **EVERYTHING["pipeline"])) if i == "StackRole"
    }

    assert made["MakeRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert "iam:DeleteRolePermissionsBoundary" not in str(made)


def test_roles_are_passed_to_the_services_that_need_them_and_no_other(stack: Callable[..., Any]) -> None:
    passed = {}
    for name in EVERYTHING:
        for logical_id, statement in statements(stack(name, **EVERYTHING[name])):
            if "iam:PassRole" in as_list(statement["Action"]):
                assert statement["Action"] == "iam:PassRole", logical_id
                assert "*" not in as_list(statement["Resource"]), logical_id
                services = as_list(statement["Condition"]["StringEquals"]["iam:PassedToService"])
                passed[logical_id, statement["Sid"]] = set(services)

    assert passed == {
        ("PipelineRole", "PassStackRole"): {"cloudformation.amazonaws.com"},
        ("PipelineRole", "PassTaskRoles"): {"ecs.amazonaws.com", "ecs-tasks.amazonaws.com"},
        ("StackRole", "PassTaskRoles"): {"ecs-tasks.amazonaws.com"},
        ("StackPolicy", "PassItselfToNestedStacks"): {"cloudformation.amazonaws.com"},
    }


def test_the_stack_role_reaches_the_apps_roles_but_not_those_of_its_delivery(
    stack: Callable[..., Any],
) -> None:
    """Else an app's template could give its pipeline, and so itself, anything."""
    delivery, app = stack("pipeline"), stack("python")
    allowed = {
        resource
        for i, s in statements(delivery)
        if i == "StackRole" and any(a.startswith("iam:") for a in as_list(s["Action"]))
        for resource in as_list(s["Resource"])
        if "aws-service-role" not in resource
    }
    paths = {r["Properties"]["Path"] for r in delivery.resources.values() if r["Type"] == "AWS::IAM::Role"}

    assert allowed == {"arn:aws:iam::123456789012:role/the-sink/apps/demo-app/stage/*"}
    assert paths == {"/the-sink/delivery/demo-app/stage/"}
    assert app.properties("TaskRole")["Path"] == "/the-sink/apps/demo-app/stage/"
    assert app.properties("ExecutionRole")["Path"] == "/the-sink/apps/demo-app/stage/"


def test_an_app_touches_no_other_apps_files(stack: Callable[..., Any]) -> None:
    """Neither directly nor by giving another's file system its own tag first."""
    own = {"StringEquals": {"aws:ResourceTag/the-sink:stack": "demo-app-stage"}}
    at_creation = {
        "StringEquals": {"elasticfilesystem:CreateAction": ["CreateAccessPoint", "CreateFileSystem"]}
    }
    changing = [
        (action, s.get("Condition"))
        for i, s in statements(stack("pipeline"))
        if i == "StackRole"
        for action in as_list(s["Action"])
        if re.match(r"elasticfilesystem:(?!Describe)", action)
    ]

    assert {a for a, c in changing if c == own} >= {
        "elasticfilesystem:DeleteFileSystem",
        "elasticfilesystem:PutFileSystemPolicy",
        "elasticfilesystem:TagResource",
    }
    assert [(a, c) for a, c in changing if c != own] == [
        ("elasticfilesystem:CreateFileSystem", {"Bool": {"elasticfilesystem:Encrypted": "true"}}),
        ("elasticfilesystem:TagResource", at_creation),
    ]
    app = stack("python")
    tag = {"Key": "the-sink:stack", "Value": "demo-app-stage"}
    assert tag in app.properties("FileSystem")["FileSystemTags"]
    assert tag in app.properties("FileSystemAccessPoint")["AccessPointTags"]


def test_policies_fit_into_a_role(stack: Callable[..., Any]) -> None:
    """10,240 characters without white space for all inline policies of a role, 6,144 for a managed policy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    longest = {"PlatformName": "p" * 30, "AppName": "a" * 24}
    for name in EVERYTHING:
        names = {"PlatformName": longest["PlatformName"]} if name == "platform" else longest
        for logical_id, resource in stack(name, **EVERYTHING[name], **names).resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                policies = [p["PolicyDocument"] for p in resource["Properties"]["Policies"]]
                assert length(policies) < 10_240, logical_id
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                assert length(resource["Properties"]["PolicyDocument"]) < 6_144, logical_id


def length(policies: Any) -> int:
    """How long policies are as IAM counts them; a token stands for an ARN or an id that is not known here."""
    return len(re.sub(r"<[^>]+>", "x" * 60, json.dumps(policies, separators=(",", ":"))))


def test_alarms_and_scaling_are_made_under_a_policy_of_their_own(stack: Callable[..., Any]) -> None:
    """Which is the role's, lies under its path, and names the alarms that the app's stack makes."""
    policy = stack("pipeline").properties("StackPolicy")
    made = {s["Sid"]: s for s in policy["PolicyDocument"]["Statement"]}
    alarms = [
        r["Properties"]["AlarmName"]
        for r in stack("python", AlarmTopicArn="arn:topic").resources.values()
        if r["Type"] == "AWS::CloudWatch::Alarm"
    ]

    assert policy["Roles"] == ["<StackRole>"]
    assert policy["Path"] == "/the-sink/delivery/demo-app/stage/"
    assert len(alarms) == 8
    allowed = made["MakeAlarms"]["Resource"].rpartition(":alarm:")[2]
    assert all(fnmatchcase(name, allowed) for name in alarms)
    assert not fnmatchcase("demo-app-two/stage/cpu", allowed)
    assert made["MakeScaling"]["Condition"]["StringEquals"] == {
        "application-autoscaling:service-namespace": "ecs",
        "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
    }


@pytest.mark.parametrize(
    ("role", "env"), [("GitHubRole", "stage"), ("GitHubUatRole", "uat"), ("GitHubProdRole", "prod")]
)
def test_workflows_are_bound_to_organisation_and_environment(
    role: str, env: str, stack: Callable[..., Any]
) -> None:
    platform = stack("platform", GitHubOrganization="acme", GitHubRepositoryPattern="svc-*")
    (statement,) = platform.properties(role)["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Federated": "<GitHubOidcProvider>"}
    assert statement["Condition"] == {
        "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
        "StringLike": {
            "token.actions.githubusercontent.com:sub": [
                f"repo:acme/svc-*:environment:{env}",
                f"repo:acme@*/svc-*@*:environment:{env}",
            ]
        },
    }


def test_workflows_only_upload_and_watch(stack: Callable[..., Any]) -> None:
    changing = {
        action
        for i, s in statements(stack("platform", GitHubOrganization="acme"))
        if i.startswith("GitHub") and s["Action"] != "sts:AssumeRoleWithWebIdentity"
        for action in as_list(s["Action"])
        if not re.match(r"\w+:(Get|List|Describe|BatchGet|Filter)", action)
    }

    assert changing == {"s3:PutObject", "codepipeline:StartPipelineExecution"}


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_cannot_be_made_again_outlives_its_stack(name: str, stack: Callable[..., Any]) -> None:
    for logical_id, resource in stack(name, **EVERYTHING[name]).resources.items():
        kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        if resource["Type"] in STATEFUL:
            assert kept == STATEFUL[resource["Type"]], logical_id
        if resource["Type"] in CHOSEN:
            assert None not in kept, logical_id
            # What an update replaces may be wanted back, and no name is in the way of it.
            assert resource["UpdateReplacePolicy"] == "Retain", logical_id
    secret = stack("pipeline").resources["SecretCore"]
    assert secret["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize(("name", "count"), [("platform", 3), ("pipeline", 1)])
def test_buckets_are_private_encrypted_and_tls_only(name: str, count: int, stack: Callable[..., Any]) -> None:
    resolved = stack(name)
    buckets = [i for i, r in resolved.resources.items() if r["Type"] == "AWS::S3::Bucket"]

    assert len(buckets) == count
    for bucket in buckets:
        properties = resolved.properties(bucket)
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert "SSEAlgorithm" in str(properties["BucketEncryption"])
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        policy = resolved.properties(f"{bucket}Policy")
        assert policy["Bucket"] == f"<{bucket}>"
        (tls,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "TlsOnly"]
        assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
        assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert tls["Resource"] == [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"]


def test_no_rule_expires_a_release(stack: Callable[..., Any]) -> None:
    """A release is a current object of the pipeline bucket; rules there touch superseded versions only."""
    bucket = stack("platform").properties("PipelineBucket")

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    for rule in bucket["LifecycleConfiguration"]["Rules"]:
        assert not {"ExpirationInDays", "ExpirationDate", "Transitions"} & rule.keys()
        assert "NoncurrentVersionExpiration" in rule


def test_the_image_that_serves_is_out_of_reach_of_expiry(stack: Callable[..., Any]) -> None:
    text = stack("pipeline", EcrTag="moving").properties("Repository")["LifecyclePolicy"][
        "LifecyclePolicyText"
    ]
    first, *others = json.loads(text)["rules"]

    assert first["rulePriority"] < min(rule["rulePriority"] for rule in others)
    assert first["selection"]["tagPatternList"] == ["moving"]
    assert first["selection"]["countNumber"] == 1


def test_build_caches_expire_among_themselves(stack: Callable[..., Any]) -> None:
    """They take no release's place, and no release is in reach of their rule."""
    text = stack("pipeline", EcrTag="moving").properties("Repository")["LifecyclePolicy"][
        "LifecyclePolicyText"
    ]
    _moving, caches, releases = json.loads(text)["rules"]
    (pattern,) = caches["selection"]["tagPatternList"]

    assert fnmatchcase("cache-0123456789abcdef", pattern)
    assert not fnmatchcase(f"{'c' * 40}-01234567", pattern)
    assert caches["selection"]["countNumber"] == 5
    assert releases["selection"] == {
        "tagStatus": "any",
        "countType": "imageCountMoreThan",
        "countNumber": 100,
    }


def test_runtimes_move_by_version_and_stay_by_build(stack: Callable[..., Any]) -> None:
    """``3.13`` moves, ``3.13-20260101-0123abcd`` never does; old builds go, each version's for itself."""
    repository = stack("platform").properties("RuntimeRepository")
    movable = [
        f["ImageTagMutabilityExclusionFilterValue"] for f in repository["ImageTagMutabilityExclusionFilters"]
    ]
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    expired = [r["selection"]["tagPatternList"] for r in rules if r["selection"]["tagStatus"] == "tagged"]

    assert repository["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [r["rulePriority"] for r in rules] == list(range(1, len(rules) + 1))
    for version in PYTHON_RUNTIMES:
        build = f"{version}-20260101-0123abcd"
        assert [m for m in movable if fnmatchcase(version, m)] == [version]
        assert [m for m in movable if fnmatchcase(build, m)] == []
        assert [p for p in expired if fnmatchcase(build, p[0])] == [[f"{version}-*"]]
        assert [p for p in expired if fnmatchcase(version, p[0])] == []
    assert len(expired) == len(PYTHON_RUNTIMES)


def test_data_is_encrypted_and_not_public(stack: Callable[..., Any]) -> None:
    app = stack("python", RDSInstanceClass="db.t4g.micro", AppEnv="prod")
    database, files = app.properties("Database"), app.properties("FileSystem")
    volume = app.properties("TaskDefinition")["Volumes"][0]["EFSVolumeConfiguration"]

    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"  # else billed
    assert database["MasterUserPassword"].startswith("{{resolve:secretsmanager:<DatabaseSecret>:")
    assert files["Encrypted"] is True
    assert volume["TransitEncryption"] == "ENABLED"
    assert volume["AuthorizationConfig"]["IAM"] == "ENABLED"
    assert (
        stack("python", RDSInstanceClass="db.t4g.micro").properties("Database")["DeletionProtection"] is False
    )


NOTHING = [{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "nothing"}]
"""A group without a rule of its own lets everything out:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html"""


def test_nothing_but_a_task_calls_whom_it_likes(stack: Callable[..., Any]) -> None:
    app, platform = stack("python"), stack("platform", NetworkEgress="endpoints")
    egress = {
        i: r["Properties"]["SecurityGroupEgress"]
        for each in (app, platform)
        for i, r in each.resources.items()
        if r["Type"] == "AWS::EC2::SecurityGroup"
    }

    assert [i for i, rules in egress.items() if rules != NOTHING] == ["TaskSecurityGroup"]
    assert app.properties("LoadBalancerEgress") == {
        "GroupId": "<LoadBalancerSecurityGroup>",
        "DestinationSecurityGroupId": "<TaskSecurityGroup>",
        "IpProtocol": "tcp",
        "FromPort": 8080,
        "ToPort": app.properties("Service")["LoadBalancers"][0]["ContainerPort"],
        "Description": "to tasks",
    }


def test_every_rule_of_a_security_group_says_what_it_is_for(stack: Callable[..., Any]) -> None:
    app = stack("python", UsePlatformCertificate="true")
    platform = stack("platform", NetworkEgress="endpoints")
    rules = [
        rule
        for each in (app, platform)
        for r in each.resources.values()
        if r["Type"].startswith("AWS::EC2::SecurityGroup")
        for direction in ("SecurityGroupIngress", "SecurityGroupEgress")
        for rule in r["Properties"].get(direction, [r["Properties"]] if "GroupId" in r["Properties"] else [])
    ]

    assert rules
    assert [rule for rule in rules if not rule.get("Description")] == []


@pytest.mark.parametrize(
    ("parameters", "ports"),
    [
        ({}, [80]),
        ({"UniqueDomainNameCertificateArn": "arn:own"}, [80, 443]),
        ({"UsePlatformCertificate": "true"}, [80, 443]),
    ],
)
def test_a_load_balancer_is_open_where_it_listens(
    parameters: dict[str, str], ports: list[int], stack: Callable[..., Any]
) -> None:
    app = stack("python", **parameters)
    open_ports = [r["FromPort"] for r in app.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"]]
    listening = [
        r["Properties"]["Port"]
        for r in app.resources.values()
        if r["Type"] == "AWS::ElasticLoadBalancingV2::Listener"
    ]

    assert open_ports == listening == ports


def test_only_the_load_balancer_is_open(stack: Callable[..., Any]) -> None:
    app = stack("python", EcsAlbAllowedCidr="10.0.0.0/8")
    groups = {i: r["Properties"] for i, r in app.resources.items() if r["Type"] == "AWS::EC2::SecurityGroup"}
    sources = {
        i: {rule.get("CidrIp") or rule["SourceSecurityGroupId"] for rule in group["SecurityGroupIngress"]}
        for i, group in groups.items()
    }

    assert sources == {
        "LoadBalancerSecurityGroup": {"10.0.0.0/8"},
        "TaskSecurityGroup": {"<LoadBalancerSecurityGroup>"},
        "FileSystemSecurityGroup": {"<TaskSecurityGroup>"},
        "DatabaseSecurityGroup": {"<TaskSecurityGroup>"},
    }
    assert app.properties("LoadBalancer")["Scheme"] == "internal"
    assert (
        app.properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"]
        == "DISABLED"
    )


def test_shells_are_shut_in_prod_unless_opened(stack: Callable[..., Any]) -> None:
    def is_open(**parameters: str) -> bool:
        app = stack("python", **parameters)
        enabled = app.properties("Service")["EnableExecuteCommand"]
        granted = "OpenShells" in [s["Sid"] for i, s in statements(app) if i == "TaskRole"]
        assert enabled == granted
        return bool(enabled)

    assert is_open(AppEnv="stage")
    assert not is_open(AppEnv="prod")
    assert is_open(AppEnv="prod", EnableExec="true")
    assert not is_open(AppEnv="stage", EnableExec="false")
