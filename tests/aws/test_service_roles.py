"""The role that ECS acts under is there before the first cluster needs it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from the_sink.aws.service_roles import ECS
from the_sink.aws.session import Aws
from the_sink.errors import SinkError
from the_sink.models import Said
from the_sink.plan import ApplyStack, MakeServiceRole
from the_sink.plan.steps import Step
from the_sink.verbs.platform import stack as platform


def plan(connection: Aws) -> tuple[Step, ...]:
    return platform.plan_bootstrap(connection, "the-sink", "1.0.0", {}, may_delete=False)


def test_a_platform_makes_it_where_it_is_missing_and_leaves_it_alone_afterwards(
    connection: Aws, aws: Any
) -> None:
    first, stack = plan(connection)

    assert first == MakeServiceRole(ECS)
    assert str(first) == "make the service-linked role of ecs.amazonaws.com"
    assert isinstance(stack, ApplyStack)

    told = next(platform.apply_bootstrap(connection, "the-sink", (first, stack)))

    assert told == Said("Made the role of ecs.amazonaws.com.")
    (role,) = aws("iam").list_roles(PathPrefix="/aws-service-role/ecs.amazonaws.com/")["Roles"]
    assert role["Path"] == "/aws-service-role/ecs.amazonaws.com/"
    assert [type(each) for each in plan(connection)] == [ApplyStack]


def test_somebody_else_may_make_it_meanwhile(connection: Aws) -> None:
    connection.service_roles.create(ECS)
    connection.service_roles.create(ECS)

    client: Any = connection.service_roles._client
    with Stubber(client) as stub:  # in AWS's words
        stub.add_client_error(
            "create_service_linked_role",
            "InvalidInput",
            "Service role name AWSServiceRoleForECS has been taken in this account, please try a different "
            "suffix.",
        )
        connection.service_roles.create(ECS)


def test_another_refusal_is_one_sentence(connection: Aws) -> None:
    client: Any = connection.service_roles._client
    with Stubber(client) as stub:
        stub.add_client_error("create_service_linked_role", "AccessDenied", "not you")
        with pytest.raises(SinkError, match="AWS denied IAM CreateServiceLinkedRole: not you"):
            connection.service_roles.create(ECS)
