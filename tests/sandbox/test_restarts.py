"""A restart brings a changed secret into the tasks, and one that fails leaves the service as it was."""

from __future__ import annotations

from typing import Any

import pytest

from the_sink.aws.session import Aws
from the_sink.errors import NotFound, SinkError
from the_sink.models import Event, TasksChanged
from the_sink.verbs.restart import restart

from .shop import Shop, shop_names

FROM_SECRET = [{"Name": "VERSION", "ValueFrom": {"Fn::Sub": "${Secret}:A::"}}]


def finish(events: Any) -> tuple[list[Event], int]:
    told: list[Event] = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as end:
            return told, end.value


def put(shop: Shop, text: str) -> None:
    shop.aws("secretsmanager").put_secret_value(SecretId="core", SecretString=text)


def test_new_tasks_have_the_value_that_was_set(shop: Shop, connection: Aws) -> None:
    shop.push("live")
    shop.deploy(Secrets=FROM_SECRET)
    (before,) = shop.tasks()
    put(shop, '{"A": "changed"}')
    assert shop.get()[1].startswith("1 ")

    told, running = finish(restart(connection, shop_names()))

    assert running == 1
    assert shop.get()[1].startswith("changed ")
    (after,) = shop.tasks()
    assert after["taskArn"] != before["taskArn"]
    assert after["taskDefinitionArn"] == before["taskDefinitionArn"]
    assert any(isinstance(event, TasksChanged) for event in told)


def test_a_restart_that_fails_says_so_and_leaves_what_serves(shop: Shop, connection: Aws) -> None:
    shop.push("live")
    shop.deploy(Secrets=FROM_SECRET)
    put(shop, '{"B": "not the one"}')

    with pytest.raises(SinkError, match="The restart of s failed: ECS deployment circuit breaker") as failure:
        finish(restart(connection, shop_names()))

    assert failure.value.hint == "Look: invoke logs --env stage --sandbox"
    assert shop.get()[1].startswith("1 ")


def test_where_nothing_runs_nothing_is_restarted(connection: Aws) -> None:
    with pytest.raises(NotFound, match="shop has no service in stage yet"):
        finish(restart(connection, shop_names()))
