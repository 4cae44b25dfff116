"""The table of ``docs/explanation/security.md``: each cell is what IAM's evaluator says of the stacks' roles.

Of an app's task and of another app it is the worst that is asked: a role whose own policies allow everything,
as a template may write one, under the boundary that new apps have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from the_sink.naming import DEFAULT_TAGS, ENVIRONMENTS, Names, release_key, tag_key

from .policies import ACCOUNT, REGION, Request, allows, filled, request, role_statements

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "security.md"
BUCKET = "arn:aws:s3:::<import the-sink-PipelineS3Bucket>"
SHA = "0a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d"
APP = "demo-app"
NEIGHBOURS = ("other-app", "demo-app-two", "demo-app-stage")
EVERYTHING = [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]
DELIVERY = ("PipelineRole", "BuildRole", "StackRole", "EventRole", "GitHubRole")

Role = tuple[str, Callable[[Request], bool]]
"""The environment that it belongs to, and whether it may do something."""


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def put(key: str, *, once: bool = True) -> Request:
    return request("s3:PutObject", f"{BUCKET}/{key}", {"s3:if-none-match": "*"} if once else {})


def artifacts(app: str, env: str) -> str:
    return f"arn:aws:s3:::{Names(app, env).artifact_bucket}-0a1b2c3d"


def role(app: str, env: str, kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/the-sink/{kind}/{app}/{env}/{name}-1A2B3C"


def secret(app: str, env: str) -> str:
    return arn("secretsmanager", f"secret:{app}-{env}-secret-core-AbCdEf")


def things_of(app: str, env: str) -> list[Request]:
    """What one app keeps, and no other has a reason to look at."""
    names = Names(app, env)
    return [
        request("s3:GetObject", f"{BUCKET}/{release_key(app, SHA)}"),
        request("s3:GetObject", f"{BUCKET}/{tag_key(app, DEFAULT_TAGS[env])}"),
        request("s3:GetObject", f"{artifacts(app, env)}/{app}-{env}-pipel/SourceOutp/a1B2c3D"),
        request("ecr:BatchGetImage", arn("ecr", f"repository/{names.repository}")),
        request("ecr:GetDownloadUrlForLayer", arn("ecr", f"repository/{names.repository}")),
        request("logs:GetLogEvents", arn("logs", f"log-group:{names.build_log_group}:log-stream:x")),
        request("logs:GetLogEvents", arn("logs", f"log-group:{names.log_group}:log-stream:x")),
        request("secretsmanager:GetSecretValue", secret(app, env)),
    ]


THINGS: dict[str, Callable[[str, str], list[Request]]] = {
    "put the archive of a commit": lambda app, _: [put(release_key(app, SHA))],
    "replace one": lambda app, _: [put(release_key(app, SHA), once=False)],
    "release to an environment": lambda app, env: [
        put(tag_key(app, DEFAULT_TAGS[env])),
        request("codepipeline:StartPipelineExecution", arn("codepipeline", Names(app, env).pipeline)),
    ],
    "approve a release": lambda app, env: [
        request(
            "codepipeline:PutApprovalResult",
            arn("codepipeline", f"{Names(app, env).pipeline}/Approval/Approve"),
        )
    ],
    "change a pipeline or its build": lambda app, env: [
        request("codepipeline:UpdatePipeline", arn("codepipeline", Names(app, env).pipeline)),
        request("codebuild:UpdateProject", arn("codebuild", f"project/{Names(app, env).build_project}")),
        request(
            "cloudformation:UpdateStack",
            arn("cloudformation", f"stack/{Names(app, env).pipeline_stack}/0-1"),
        ),
    ],
    "change what was approved, after the approval": lambda app, env: [
        request("s3:PutObject", f"{artifacts(app, env)}/{app}-{env}-pipel/SourceOutp/a1B2c3D"),
        request("s3:PutObject", f"{artifacts(app, env)}/{app}-{env}-pipel/AdmittedOu/a1B2c3D"),
    ],
    "read an environment's secret": lambda app, env: [
        request("secretsmanager:GetSecretValue", secret(app, env))
    ],
    "push an image": lambda app, env: [
        request("ecr:PutImage", arn("ecr", f"repository/{Names(app, env).repository}"))
    ],
    "roll an image out": lambda app, env: [
        request(
            "ecs:UpdateService", arn("ecs", f"service/{Names(app, env).cluster}/{Names(app, env).service}")
        )
    ],
    "write the ledger": lambda app, env: [
        put(f"releases/{app}/{env}/{SHA}/0a1b.json"),
        put(f"admissions/{app}/{env}/{SHA}/0a1b.json"),
    ],
    "write what every app is built and made of": lambda _, env: [
        put(f"stacks/python/build/sink-build-v1-{env}.pyz"),
        put(f"stacks/python/cfn-template-v1-{env}.yml"),
        put("stacks/python/cfn-template-v1.0.0.yml"),
    ],
    "read another app's archives, artifacts, images, logs or secrets": things_of,
    "make a role without the boundary, or change the boundary": lambda app, env: [
        request("iam:CreateRole", role(app, env, "apps", "Own")),
        request("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/elsewhere"),
        request("iam:DeleteRolePermissionsBoundary", role(app, env, "apps", "Own")),
        request(
            "iam:PutRolePermissionsBoundary",
            role(app, env, "apps", "Own"),
            {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        request("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/the-sink-{app}-{env}-boundary"),
    ],
    "act as another role": lambda app, env: [
        request("sts:AssumeRole", role(app, env, "delivery", "StackRole")),
        request("sts:AssumeRole", role(app, env, "apps", "TaskRole")),
        request("sts:AssumeRole", "arn:aws:iam::999999999999:role/theirs"),
    ],
}
"""What is asked to do one thing to an app in an environment; who may do any of it may do the thing."""

OF_ANOTHER_APP = "read another app's archives, artifacts, images, logs or secrets"


def delivery_role(stack: Callable[..., Any], app: str, env: str, name: str) -> Role:
    resolved = stack(
        "pipeline",
        AppName=app,
        AppEnv=env,
        ArchiveTag=DEFAULT_TAGS[env],
        EcrTag=DEFAULT_TAGS[env],
        GitHubRepository=f"acme/{app}",
        PermissionsBoundaryArn="platform",
        PromotedFrom={"stage": "", "uat": "stage", "prod": "uat"}[env],
    )
    statements = filled(
        role_statements(resolved, name),
        {"ArtifactBucket": artifacts(app, env), "Repository": arn("ecr", f"repository/{app}-{env}")},
    )
    boundary = resolved.properties("Boundary")["PolicyDocument"]["Statement"]
    own = role(app, env, "delivery", name)
    return env, lambda asked: allows(statements, asked, role=own, boundary=boundary)


def task_role(stack: Callable[..., Any], app: str, env: str) -> Role:
    resolved = stack("pipeline", AppName=app, AppEnv=env)
    boundary = resolved.properties("Boundary")["PolicyDocument"]["Statement"]
    own = role(app, env, "apps", "TaskRole")
    return env, lambda asked: allows(EVERYTHING, asked, role=own, boundary=boundary)


def neighbours(stack: Callable[..., Any]) -> Iterator[Role]:
    for app in NEIGHBOURS:
        for env in ENVIRONMENTS:
            yield task_role(stack, app, env)
            for name in DELIVERY:
                yield delivery_role(stack, app, env, name)


ACTORS: dict[str, Callable[[Callable[..., Any]], list[Role]]] = {
    "stage job": lambda stack: [delivery_role(stack, APP, "stage", "GitHubRole")],
    "prod job": lambda stack: [delivery_role(stack, APP, "prod", "GitHubRole")],
    "pipeline": lambda stack: [delivery_role(stack, APP, env, "PipelineRole") for env in ENVIRONMENTS],
    "app's build": lambda stack: [delivery_role(stack, APP, env, "BuildRole") for env in ENVIRONMENTS],
    "app's template": lambda stack: [delivery_role(stack, APP, env, "StackRole") for env in ENVIRONMENTS],
    "app's task": lambda stack: [task_role(stack, APP, env) for env in ENVIRONMENTS],
    "another app": lambda stack: list(neighbours(stack)),
}


def table() -> dict[str, dict[str, str]]:
    """The page's first table: thing → who → cell."""
    part = PAGE.read_text().partition("## In AWS")[2].partition("\nA developer")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    head, _, *body = rows
    return {thing: dict(zip(head[1:], cells, strict=True)) for thing, *cells in body}


def test_the_table_has_every_cell_and_no_other() -> None:
    assert {thing: list(cells) for thing, cells in table().items()} == {
        thing: list(ACTORS) for thing in THINGS
    }


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("thing", THINGS)
def test_a_cell_is_what_iam_says(thing: str, actor: str, stack: Callable[..., Any]) -> None:
    """``its own``: in its own environment and in no other; ``yes``: in every one."""
    targets = NEIGHBOURS if thing == OF_ANOTHER_APP and actor != "another app" else (APP,)
    reached = {
        (env, target)
        for env, may in ACTORS[actor](stack)
        for target in ENVIRONMENTS
        for app in targets
        if any(may(asked) for asked in THINGS[thing](app, target))
    }
    own = {(env, env) for env, _ in ACTORS[actor](stack)}
    everywhere = {(env, target) for env, _ in own for target in ENVIRONMENTS}
    words = {"no": set(), "its own": own, "yes": everywhere}

    assert reached == words[table()[thing][actor]]
