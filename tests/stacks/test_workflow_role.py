"""The role of GitHub workflows can do all of ``invoke deploy`` to its app and environment, and nothing else.

Which calls that is, is read from the sources: from ``plan`` and ``apply`` of the deploy through everything
they reach, to the calls of boto3 in ``the_sink.aws``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import the_sink
from the_sink.naming import DEFAULT_TAGS, ENVIRONMENTS, Names, release_key, tag_key

from .policies import ACCOUNT, REGION, Request, allows, as_list, filled, request, role_statements

PACKAGE = Path(the_sink.__file__).parent
Function = tuple[str, str]
"""Module of ``the_sink.verbs`` and name of a function or class in it."""

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
    ("ecs", "stop_service_deployment"): {"ecs:StopServiceDeployment"},
    ("ecs", "update_service"): {"ecs:UpdateService"},
    ("elbv2", "describe_target_groups"): {"elasticloadbalancing:DescribeTargetGroups"},
    ("elbv2", "describe_target_health"): {"elasticloadbalancing:DescribeTargetHealth"},
    ("iam", "create_service_linked_role"): {"iam:CreateServiceLinkedRole"},
    ("iam", "get_role"): {"iam:GetRole"},
    ("iam", "list_roles"): {"iam:ListRoles"},
    ("logs", "filter_log_events"): {"logs:FilterLogEvents"},
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
    ("secretsmanager", "put_secret_value"): {"secretsmanager:PutSecretValue"},
    ("secretsmanager", "restore_secret"): {"secretsmanager:RestoreSecret"},
    ("secretsmanager", "update_secret_version_stage"): {"secretsmanager:UpdateSecretVersionStage"},
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


def modules() -> dict[str, ast.Module]:
    """What a deploy is made of, by the modules' whole names: verbs, and the diagnosis of what they see."""
    return {
        "the_sink." + path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): tree(path)
        for folder in ("verbs", "diagnosis")
        for path in (PACKAGE / folder).rglob("*.py")
    }


def reached_from(*starts: Function) -> set[Function]:
    """The functions and classes of those modules that some of them lead to."""
    found = modules()
    defined = {
        (module, node.name): node
        for module, parsed in found.items()
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
        names, aliases = imports(found[module], found.keys())
        for node in ast.walk(defined[module, name]):
            if isinstance(node, ast.Name):
                waiting.append(names.get(node.id, (module, node.id)))
            elif isinstance(node, ast.Attribute) and (of := ast.unparse(node.value)) in aliases:
                waiting.append((aliases[of], node.attr))
    return seen


def imports(module: ast.Module, known: Collection[str]) -> tuple[dict[str, Function], dict[str, str]]:
    """What a module takes from the known ones: their functions, and themselves."""
    names: dict[str, Function] = {}
    aliases: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                if node.module in known:
                    names[each.asname or each.name] = (node.module, each.name)
                elif f"{node.module}.{each.name}" in known:
                    aliases[each.asname or each.name] = f"{node.module}.{each.name}"
    return names, aliases


def deploy_calls() -> set[tuple[str, str]]:
    """The calls of boto3 that a deploy may come to."""
    clients = made_clients()
    of_class = {class_name: boto_calls(class_name) for _, class_name in clients.values()}
    found = {("sts", call) for calls in boto_calls("Identity").values() for call in calls}
    starts = [("the_sink.verbs.deploy", "plan"), ("the_sink.verbs.deploy", "apply")]
    starts += [("the_sink.verbs.promote", "find_candidate"), ("the_sink.verbs.promote", "is_older")]
    found_in = modules()
    for module, name in reached_from(*starts):
        body = next(
            node
            for node in found_in[module].body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        )
        for node in ast.walk(body):  # aws.services.describe, self._aws.stacks.describe_events
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Attribute):
                continue
            if node.value.attr in clients and ast.unparse(node.value.value).endswith("aws"):
                service, class_name = clients[node.value.attr]
                found |= {(service, call) for call in of_class[class_name][node.attr]}
    return found


PIPELINES = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}"
BUCKET = "arn:aws:s3:::<import the-sink-PipelineS3Bucket>"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def granted(stack: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """A function that returns what the role of demo-app in an environment allows."""

    def statements(env: str, tag: str = "") -> list[dict[str, Any]]:
        resolved = stack(
            "pipeline",
            AppEnv=env,
            ArchiveTag=tag or DEFAULT_TAGS[env],
            EcrTag=DEFAULT_TAGS[env],
            GitHubRepository="acme/demo-app",
        )
        own = bucket_of("demo-app", env)
        return filled(
            role_statements(resolved, "GitHubRole"),
            {"ArtifactBucket": own, "Repository": repository("demo-app", env)},
        )

    return statements


def bucket_of(app: str, env: str) -> str:
    return f"arn:aws:s3:::{Names(app, env).artifact_bucket}-0a1b2c3d"


def repository(app: str, env: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{Names(app, env).repository}"


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


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_workflow_may_do_what_a_deploy_does_and_no_more(
    env: str, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    needed = {action for call in deploy_calls() for action in ACTIONS[call]}

    assert needed >= FOR_PEOPLE
    assert {action for s in granted(env) for action in as_list(s["Action"])} == needed - FOR_PEOPLE


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def looks(app: str, env: str) -> list[Request]:
    """What a deploy looks at in an environment, but for its archives."""
    names = Names(app, env)
    return [
        request("s3:GetObject", f"{bucket_of(app, env)}/{app}-{env}-pipel/BuildOutpu/a1B2c3D"),
        request("codebuild:BatchGetBuilds", arn("codebuild", f"project/{names.build_project}")),
        request("logs:GetLogEvents", arn("logs", f"log-group:{names.build_log_group}:log-stream:x")),
        request("logs:GetLogEvents", arn("logs", f"log-group:{names.log_group}:log-stream:x")),
        request(
            "logs:GetLogEvents", arn("logs", f"log-group:/aws/codepipeline/{names.pipeline}:log-stream:x")
        ),
        request("rds:DescribeDBInstances", arn("rds", f"db:{names.database}")),
        request("cloudformation:DescribeStackEvents", arn("cloudformation", f"stack/{names.app_stack}/0-1")),
        request(
            "cloudformation:DescribeStackEvents",
            arn("cloudformation", f"stack/{names.app_stack}-StackPython-1A2B3C/0-1"),
        ),
        request("cloudformation:DescribeStacks", arn("cloudformation", f"stack/{names.pipeline_stack}/0-1")),
        request("ecs:DescribeServiceDeployments", arn("ecs", f"service-deployment/{names.cluster}/x/y")),
    ]


def promotion_looks(app: str, env: str) -> list[Request]:
    """What a promotion looks at in the environment before."""
    names = Names(app, env)
    return [
        request("codepipeline:GetPipelineState", f"{PIPELINES}:{names.pipeline}"),
        request("codepipeline:ListPipelineExecutions", f"{PIPELINES}:{names.pipeline}"),
        request("codepipeline:ListActionExecutions", f"{PIPELINES}:{names.pipeline}"),
        request("cloudformation:DescribeStacks", arn("cloudformation", f"stack/{names.app_stack}/0-1")),
        request("ecr:DescribeImages", repository(app, env)),
        request("ecs:DescribeServices", arn("ecs", f"service/{names.cluster}/{names.service}")),
        request("ecs:ListServiceDeployments", arn("ecs", f"service/{names.cluster}/{names.service}")),
        request("ecs:DescribeTasks", arn("ecs", f"task/{names.cluster}/0a1b")),
        request("ecs:ListTasks", "*", {"ecs:cluster": arn("ecs", f"cluster/{names.cluster}")}),
    ]


OTHERS = [
    (app, env)
    for app in ("other-app", "demo-app-two", "demo-app-stage", "demo-app-prod", "demo", "app")
    for env in ENVIRONMENTS
]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_workflow_looks_at_its_own_environment_and_at_none_of_another_app(
    env: str, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    may = granted(env)
    own = [*looks("demo-app", env), *promotion_looks("demo-app", env)]
    assert [one for one in own if not allows(may, one)] == []

    before = ENVIRONMENTS[: ENVIRONMENTS.index(env)]
    assert [one for each in before for one in promotion_looks("demo-app", each) if not allows(may, one)] == []
    for other in ENVIRONMENTS:
        if other != env:
            assert [one for one in looks("demo-app", other) if allows(may, one)] == [], other
    for app, other in OTHERS:
        asked = [*looks(app, other), *promotion_looks(app, other)]
        assert [one for one in asked if allows(may, one)] == [], (app, other)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_workflow_reads_archives_of_its_app_and_templates(
    env: str, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    def reads(key: str) -> bool:
        return allows(granted(env), request("s3:GetObject", f"{BUCKET}/{key}"))

    assert all(reads(key) for key in ("demo-app/latest.zip", release_key("demo-app", SHA)))
    assert reads("stacks/python/cfn-template-v1-stage.yml")
    assert [app for app, _ in OTHERS if reads(release_key(app, SHA)) or reads(tag_key(app, "prod"))] == []


@pytest.mark.parametrize(
    ("resource", "cluster", "may"),
    [
        ("*", "demo-app-stage-ecs-cluster", True),
        ("*", "somebody-elses", False),
        ("arn:aws:ecs:eu-west-1:123456789012:container-instance/demo-app-stage-ecs-cluster/*", "", True),
    ],
)
def test_tasks_are_listed_by_their_service_whatever_iam_is_asked_about(
    resource: str, cluster: str, may: bool, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    """No container instance is named, so it is ``*``: https://github.com/cdklabs/construct-hub/pull/1207."""
    context = {"ecs:cluster": arn("ecs", f"cluster/{cluster}")} if cluster else {}

    assert allows(granted("stage"), request("ecs:ListTasks", resource, context)) == may


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_job_of_one_environment_deploys_its_app_there_and_nowhere_else(
    env: str, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    apps = ("demo-app", *(app for app, _ in OTHERS))
    may = granted(env)
    released = {
        (app, other)
        for app in apps
        for other in ENVIRONMENTS
        if allows(may, request("s3:PutObject", f"{BUCKET}/{tag_key(app, DEFAULT_TAGS[other])}"))
    }
    started = {
        (app, other)
        for app in apps
        for other in ENVIRONMENTS
        if allows(
            may,
            request("codepipeline:StartPipelineExecution", f"{PIPELINES}:{Names(app, other).pipeline}"),
        )
    }

    assert released == started == {("demo-app", env)}


@pytest.mark.parametrize(("env", "tag"), [("uat", "latest"), ("prod", "uat"), ("prod", "latest")])
def test_an_environment_that_follows_anothers_archive_puts_none(
    env: str, tag: str, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    may = granted(env, tag)

    assert [t for t in DEFAULT_TAGS.values() if allows(may, put(tag_key("demo-app", t)))] == []


def put(key: str, *, once: bool = False) -> Request:
    return request("s3:PutObject", f"{BUCKET}/{key}", {"s3:if-none-match": "*"} if once else {})


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("once", [True, False])
def test_only_stage_adds_archives_and_none_is_written_twice(
    env: str, once: bool, granted: Callable[..., list[dict[str, Any]]]
) -> None:
    may = granted(env)

    assert allows(may, put(release_key("demo-app", SHA), once=once)) == (env == "stage" and once)
    assert [app for app, _ in OTHERS if allows(may, put(release_key(app, SHA), once=once))] == []


@pytest.mark.parametrize(
    "key",
    [
        "stacks/python/cfn-template-v1.0.0.yml",
        "demo-app/other.zip",
        "latest.zip",
        "prod.zip",
        f"demo-app/{SHA}0.zip",
        f"demo-app/{SHA}.json",
        f"releases/demo-app/stage/{SHA}/0a1b.json",
        f"admissions/demo-app/stage/{SHA}/0a1b.json",
    ],
)
def test_a_workflow_writes_nothing_else(key: str, granted: Callable[..., list[dict[str, Any]]]) -> None:
    assert [env for env in ENVIRONMENTS if allows(granted(env), put(key, once=True))] == []
