"""compose.yaml: what its reader relies on, and that it says what the rest of the service says.

That Compose accepts it is seen where there is one: `docker compose config` in a generated service.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from the_sink.config.stack_template import parse_template
from the_sink.naming import runtime_repository

from .conftest import CHECKOUT, VARIANTS, Render, answers_of


@pytest.fixture(params=VARIANTS)
def service(request: pytest.FixtureRequest, render: Render) -> Path:
    return render(**answers_of(request.param), runtime_version="3.12")


@pytest.fixture
def compose(service: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((service / "compose.yaml").read_text()))


def test_the_image_is_built_as_in_aws_from_a_runtime_that_must_be_named(
    service: Path, compose: dict[str, Any]
) -> None:
    build = compose["services"]["app"]["build"]

    assert (service / build["context"] / build["dockerfile"]).is_file()
    [(argument, value)] = build["args"].items()
    assert re.search(rf"^ARG {argument}$", (service / "aws/Dockerfile").read_text(), re.MULTILINE)
    # Compose ends with that sentence where the variable is not set.
    assert re.fullmatch(r"\$\{RUNTIME_IMAGE:\?[^}]+\}", value)
    assert f"/{runtime_repository('the-sink')}:3.12\n" in (service / "compose.yaml").read_text()


def test_it_is_reached_from_this_machine_alone(compose: dict[str, Any]) -> None:
    assert compose["services"]["app"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "ports" not in compose["services"].get("database", {})


def test_settings_are_optional_and_no_part_of_the_image(service: Path, compose: dict[str, Any]) -> None:
    assert compose["services"]["app"]["env_file"] == [{"path": "app/.env", "required": False}]
    assert "app/.env*" in (service / ".dockerignore").read_text().splitlines()


def test_its_database_is_that_of_the_stack(service: Path, compose: dict[str, Any]) -> None:
    configuration = json.loads((service / "aws/cfn-template-configuration-stage.json").read_text())
    parameters = configuration["Parameters"]
    app, database = compose["services"]["app"], compose["services"].get("database")

    assert (database is not None) == (parameters["RDSInstanceClass"] != "none")
    if database is None:
        assert "environment" not in app
        return
    major = parameters["RDSEngineVersion"].partition(".")[0]
    assert database["image"] == f"public.ecr.aws/docker/library/postgres:{major}"
    assert app["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert app["environment"] == {
        "PGHOST": "database",
        "PGPORT": "5432",
        "PGDATABASE": database["environment"]["POSTGRES_DB"],
        "PGUSER": database["environment"]["POSTGRES_USER"],
        "PGPASSWORD": database["environment"]["POSTGRES_PASSWORD"],
    }
    # From 18 on the image keeps its data in a folder of the version below this one:
    # https://github.com/docker-library/postgres/pull/1259
    assert database["volumes"] == ["database:/var/lib/postgresql"]
    assert list(compose["volumes"]) == ["database"]


def test_it_is_healthy_when_the_runtimes_own_probe_says_so(compose: dict[str, Any]) -> None:
    assert compose["services"]["app"]["healthcheck"]["test"] == ["CMD", "container-init", "health"]


def test_it_is_stopped_as_in_aws(compose: dict[str, Any]) -> None:
    """Below an init, because process 1 hears no SIGTERM before it has a handler; with the stack's time."""
    template, _ = parse_template((CHECKOUT / "stacks/python/cfn-template.yml").read_text())
    [container] = template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]

    assert compose["services"]["app"]["init"] == container["LinuxParameters"]["InitProcessEnabled"]
    assert compose["services"]["app"]["stop_grace_period"] == f"{container['StopTimeout']}s"


def test_it_is_no_part_of_a_release(service: Path) -> None:
    assert "compose.yaml export-ignore" in (service / ".gitattributes").read_text().splitlines()
