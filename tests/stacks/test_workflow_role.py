"""The roles of GitHub workflows can do all of ``invoke deploy``, each to its environment, and nothing else.

Which calls that is, is read from the sources: from ``plan`` and ``apply`` of the deploy through everything
they reach, to the calls of boto3 in ``the_sink.aws``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import the_sink
from the_sink.naming import DEFAULT_TAGS, Names, release_key, tag_key

from .policies import ACCOUNT, allows, as_list, request, role_statements

PACKAGE = Path(the_sink.__file__).parent
Function = tuple[str, str]
"""Module of ``the_sink.deploy`` and name of a function or class in it."""

ACTIONS: dict[tuple[str, str], set[str]] = {
    ("cloudformation", "create_change_set"): {"cloudformation:CreateChangeSet"},
    ("cloudformation", "delete_change_set"): {"cloudformation:DeleteChangeSet"},
    ("cloudformation", "delete_stack"): {"cloudformation:DeleteStack"},
    ("cloudformation", "describe_change_set"): {"cloudformation:DescribeChangeSet"},
    ("cloudformation", "describe_stack_events"): {"cloudformation:DescribeStackEvents"},
    ("cloudformation", "describe_stacks"): {"cloudformation:DescribeStacks"},
    ("cloudformation", "execute_change_set"): {"cloudformation:ExecuteChangeSet"},
    ("cloudformation", "list_exports"): {"cloudformation:ListExports"},
    ("cloudformation", "list_stack_resources"): {"cloudformation:ListStackResources"},
    ("codebuild", "batch_get_builds"): {"codebuild:BatchGetBuilds"},
    ("codepipeline", "get_pipeline_execution"): {"codepipeline:GetPipelineExecution"},
    ("codepipeline", "get_pipeline_state"): {"codepipeline:GetPipelineState"},
    ("codepipeline", "list_action_executions"): {"codepipeline:ListActionExecutions"},
    ("codepipeline", "list_pipeline_executions"): {"codepipeline:ListPipelineExecutions"},
    ("codepipeline", "put_approval_result"): {"codepipeline:PutApprovalResult"},
    ("codepipeline", "start_pipeline_execution"): {"codepipeline:StartPipelineExecution"},
    ("codepipeline", "stop_pipeline_execution"): {"codepipeline:StopPipelineExecution"},
    ("ecr", "batch_get_image"): {"ecr:BatchGetImage"},
    ("ecr", "describe_images"): {"ecr:DescribeImages"},
    ("ecr", "describe_repositories"): {"ecr:DescribeRepositories"},
    ("ecr", "get_authorization_token"): {"ecr:GetAuthorizationToken"},
    ("ecr", "get_download_url_for_layer"): {"ecr:GetDownloadUrlForLayer"},
    ("ecr", "put_image"): {"ecr:PutImage"},
    ("ecs", "describe_service_deployments"): {"ecs:DescribeServiceDeployments"},
    ("ecs", "describe_services"): {"ecs:DescribeServices"},
    ("ecs", "describe_task_definition"): {"ecs:DescribeTaskDefinition"},
    ("ecs", "describe_tasks"): {"ecs:DescribeTasks"},
    ("ecs", "list_service_deployments"): {"ecs:ListServiceDeployments"},
    ("ecs", "list_tasks"): {"ecs:ListTasks"},
    ("elbv2", "describe_target_groups"): {"elasticloadbalancing:DescribeTargetGroups"},
    ("elbv2", "describe_target_health"): {"elasticloadbalancing:DescribeTargetHealth"},
    ("iam", "create_service_linked_role"): {"iam:CreateServiceLinkedRole"},
    ("iam", "list_roles"): {"iam:ListRoles"},
    ("logs", "get_log_events"): {"logs:GetLogEvents"},
    ("rds", "describe_db_instances"): {"rds:DescribeDBInstances"},
    # Without s3:PutObjectTagging: archives have no tags to copy
    # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
    ("s3", "copy_object"): {"s3:GetObject", "s3:PutObject"},
    ("s3", "get_object"): {"s3:GetObject", "s3:GetObjectVersion"},
    # ListBucket, or an object that is not there is answered with 403.
    ("s3", "head_object"): {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"},
    ("s3", "list_objects_v2"): {"s3:ListBucket"},
    ("s3", "put_object"): {"s3:PutObject"},
    ("secretsmanager", "describe_secret"): {"secretsmanager:DescribeSecret"},
    ("secretsmanager", "get_secret_value"): {"secretsmanager:GetSecretValue"},
    ("secretsmanager", "restore_secret"): {"secretsmanager:RestoreSecret"},
    # IAM knows the service by another prefix than boto3
    # (https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html).
    ("service-quotas", "get_service_quota"): {"servicequotas:GetServiceQuota"},
    # Everybody may ask who they are
    # (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    ("sts", "get_caller_identity"): set(),
}
"""What IAM asks for each call of boto3 in ``the_sink.aws``."""

FOR_PEOPLE = {"cloudformation:DeleteStack"}
"""What only ``deploy --yes`` does, after a first creation that failed; see the role's own comment."""


@cache
def tree(path: Path) -> ast.Module:
    """A parsed source."""
    return ast.parse(path.read_text())


def classes() -> dict[str, ast.ClassDef]:
    """The classes of ``the_sink.aws`` by name."""
    return {
        node.name: node
        for path in (PACKAGE / "aws").glob("*.py")
        for node in tree(path).body
        if isinstance(node, ast.ClassDef)
    }


def made_clients() -> dict[str, tuple[str, str]]:
    """Service and class by the name under which ``Aws`` hands them out: logs → ("logs", "Logs")."""
    return {
        method.name: (str(call.args[0].value), method.returns.id)
        for method in classes()["Aws"].body
        if isinstance(method, ast.FunctionDef) and isinstance(method.returns, ast.Name)
        for call in ast.walk(method)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "_client"
        and isinstance(call.args[0], ast.Constant)
    }


def boto_calls(class_name: str) -> dict[str, set[str]]:
    """The calls of boto3 that each method of a class makes, by itself or through others of the class."""
    methods = {node.name: node for node in classes()[class_name].body if isinstance(node, ast.FunctionDef)}
    direct = {name: set(direct_calls(node)) for name, node in methods.items()}
    inner = {
        name: {
            at.attr
            for at in ast.walk(node)
            if isinstance(at, ast.Attribute) and isinstance(at.value, ast.Name) and at.value.id == "self"
        }
        & methods.keys()
        for name, node in methods.items()
    }

    def reached(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        return direct[name].union(*(reached(n, seen | {name}) for n in inner[name] - seen - {name}))

    return {name: reached(name) for name in methods}


def direct_calls(node: ast.AST) -> Iterator[str]:
    """``self._client.x(…)`` and ``self._client.get_paginator("x")``."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        owner = call.func.value
        if isinstance(owner, ast.Attribute) and owner.attr == "_client":
            if call.func.attr == "get_paginator":
                assert isinstance(call.args[0], ast.Constant)
                yield str(call.args[0].value)
            else:
                yield call.func.attr


def everything_called() -> set[tuple[str, str]]:
    """Every call of boto3 in ``the_sink.aws``."""
    services = {class_name: service for service, class_name in made_clients().values()} | {"Identity": "sts"}
    return {
        (service, call)
        for class_name, service in services.items()
        for calls in boto_calls(class_name).values()
        for call in calls
    }


def reached_from(*starts: Function) -> set[Function]:
    """The functions and classes of ``the_sink.deploy`` that some of them lead to."""
    modules = {path.stem: tree(path) for path in (PACKAGE / "deploy").glob("*.py")}
    defined = {
        (module, node.name): node
        for module, parsed in modules.items()
        for node in parsed.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    seen: set[Function] = set()
    waiting = list(starts)
    while waiting:
        module, name = waiting.pop()
        if (module, name) in seen or (module, name) not in defined:
            continue
        seen.add((module, name))
        names, aliases = imports(modules[module])
        for node in ast.walk(defined[module, name]):
            if isinstance(node, ast.Name):
                waiting.append(names.get(node.id, (module, node.id)))
            elif isinstance(node, ast.Attribute) and (of := ast.unparse(node.value)) in aliases:
                waiting.append((aliases[of], node.attr))
    return seen


def imports(module: ast.Module) -> tuple[dict[str, Function], dict[str, str]]:
    """What a module takes from its siblings: their functions, and themselves."""
    names: dict[str, Function] = {}
    aliases: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("the_sink.deploy"):
            sibling = (node.module or "").removeprefix("the_sink.deploy").removeprefix(".")
            for each in node.names:
                if sibling:
                    names[each.asname or each.name] = (sibling, each.name)
                else:
                    aliases[each.asname or each.name] = each.name
    return names, aliases


def deploy_calls() -> set[tuple[str, str]]:
    """The calls of boto3 that a deploy may come to."""
    clients = made_clients()
    of_class = {class_name: boto_calls(class_name) for _, class_name in clients.values()}
    found = {("sts", call) for calls in boto_calls("Identity").values() for call in calls}
    starts = [("deploy", "plan"), ("deploy", "apply")]
    starts += [("promotion", "find_candidate"), ("promotion", "is_older")]
    for module, name in reached_from(*starts):
        body = next(
            node
            for node in tree(PACKAGE / "deploy" / f"{module}.py").body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        )
        for node in ast.walk(body):  # aws.services.describe, self._aws.stacks.describe_events
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Attribute):
                continue
            if node.value.attr in clients and ast.unparse(node.value.value).endswith("aws"):
                service, class_name = clients[node.value.attr]
                found |= {(service, call) for call in of_class[class_name][node.attr]}
    return found


ROLES = {"stage": "GitHubRole", "uat": "GitHubUatRole", "prod": "GitHubProdRole"}
PIPELINES = f"arn:aws:codepipeline:eu-west-1:{ACCOUNT}"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def granted(stack: Callable[..., Any]) -> Callable[[str], list[dict[str, Any]]]:
    """A function that returns what an environment's role allows."""
    resolved = stack("platform", GitHubOrganization="acme")
    return lambda env: role_statements(resolved, ROLES[env])


def test_the_table_knows_every_call() -> None:
    """A call that is new needs a line above, and one that is gone loses it."""
    assert everything_called() == ACTIONS.keys()


def test_the_sources_are_followed_to_their_ends() -> None:
    """Neighbours of a deploy that it does not reach, and the farthest that it does."""
    calls = deploy_calls()

    assert {
        ("s3", "get_object"),
        ("ecs", "describe_task_definition"),
        ("cloudformation", "describe_stack_events"),
        ("logs", "get_log_events"),
    } <= calls
    assert not {("secretsmanager", "restore_secret"), ("cloudformation", "create_change_set")} & calls


@pytest.mark.parametrize("env", ROLES)
def test_a_workflow_may_do_what_a_deploy_does_and_no_more(
    env: str, granted: Callable[[str], list[dict[str, Any]]]
) -> None:
    needed = {action for call in deploy_calls() for action in ACTIONS[call]}

    assert needed >= FOR_PEOPLE
    assert {action for s in granted(env) for action in as_list(s["Action"])} == needed - FOR_PEOPLE


def test_a_workflow_reads_what_a_build_made(granted: Callable[[str], list[dict[str, Any]]]) -> None:
    """Where the digest of the release is looked up; nothing is written there."""
    read = [r for s in granted("prod") if "s3:GetObject" in s["Action"] for r in as_list(s["Resource"])]

    assert read == [
        "<PipelineBucket.Arn>/*.zip",
        "<PipelineBucket.Arn>/stacks/python/*.yml",
        "<ArtifactBucket.Arn>/*",
        "arn:aws:s3:::the-sink-artifacts-*/*",
    ]
    artifact = "demo-app-prod-pipel/BuildOutpu/a1B2c3D"
    bucket = f"arn:aws:s3:::{Names('demo-app', 'prod').artifact_bucket}-0a1b2c3d"
    assert allows(granted("prod"), request("s3:GetObject", f"{bucket}/{artifact}"))
    (own,) = [s for s in granted("prod") if s["Sid"] == "ReadBuildOutput"]
    assert own["Condition"] == {"StringEquals": {"s3:ResourceAccount": ACCOUNT}}
    assert allows(granted("prod"), request("ecs:DescribeTaskDefinition"))


@pytest.mark.parametrize(
    ("resource", "cluster", "may"),
    [
        ("*", "demo-app-stage-ecs-cluster", True),
        ("*", "somebody-elses", False),
        ("arn:aws:ecs:eu-west-1:123456789012:container-instance/demo-app-stage-ecs-cluster/*", "", True),
    ],
)
def test_tasks_are_listed_by_their_service_whatever_iam_is_asked_about(
    resource: str, cluster: str, may: bool, granted: Callable[[str], list[dict[str, Any]]]
) -> None:
    """No container instance is named, so it is ``*``: https://github.com/cdklabs/construct-hub/pull/1207."""
    context = {"ecs:cluster": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/{cluster}"} if cluster else {}

    assert allows(granted("stage"), request("ecs:ListTasks", resource, context)) == may


@pytest.mark.parametrize("env", ROLES)
def test_a_job_of_one_environment_deploys_to_no_other(
    env: str, granted: Callable[[str], list[dict[str, Any]]]
) -> None:
    """A name of an app may hold another environment's: what counts is the last part."""
    apps = ("demo-app", "prod-app", "demo-stage", "demo-uat", "demo-prod")
    released = {
        other
        for app in apps
        for other in ROLES
        if allows(
            granted(env), request("s3:PutObject", f"<PipelineBucket.Arn>/{tag_key(app, DEFAULT_TAGS[other])}")
        )
    }
    started = {
        other
        for app in apps
        for other in ROLES
        if allows(
            granted(env),
            request("codepipeline:StartPipelineExecution", f"{PIPELINES}:{Names(app, other).pipeline}"),
        )
    }

    assert released == started == {env}


@pytest.mark.parametrize("env", ROLES)
@pytest.mark.parametrize("once", [True, False])
def test_only_stage_adds_archives_and_none_is_written_twice(
    env: str, once: bool, granted: Callable[[str], list[dict[str, Any]]]
) -> None:
    asked = request(
        "s3:PutObject",
        f"<PipelineBucket.Arn>/{release_key('demo-app', SHA)}",
        {"s3:if-none-match": "*"} if once else {},
    )

    assert allows(granted(env), asked) == (env == "stage" and once)


@pytest.mark.parametrize(
    "key", ["stacks/python/cfn-template-v1.0.0.yml", "demo-app/other.zip", "latest.zip", "prod.zip"]
)
def test_a_workflow_writes_nothing_else(key: str, granted: Callable[[str], list[dict[str, Any]]]) -> None:
    asked = request("s3:PutObject", f"<PipelineBucket.Arn>/{key}", {"s3:if-none-match": "*"})

    assert [env for env in ROLES if allows(granted(env), asked)] == []
