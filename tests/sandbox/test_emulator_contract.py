"""Each internal of ministack that the sandbox touches, so that a new version fails here and says where.

The behaviour that is built on them has tests of its own; these say which name or signature is gone.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import sink_sandbox
from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.patch.resource_types import resource_types
from sink_sandbox.services.codepipeline.jobs import Outcome
from sink_sandbox.services.codepipeline.service import CodePipeline
from sink_sandbox.services.elb.patch.balancer import Balancers
from sink_sandbox.services.rds import DatabaseServers
from sink_sandbox.services.rds.patch.servers import DatabaseInstances

from .internals import DATA, FUNCTIONS, HANDLERS, STORES

SANDBOX = Path(sink_sandbox.__file__).parent
TYPES = resource_types(
    CodePipeline(lambda _job: Outcome()),
    Balancers(1, lambda _host, _port: None, "", True),
    DatabaseInstances(DatabaseServers(Path("/nowhere"), "127.0.0.1", [])),
)


def find(module: str, name: str) -> Any:
    found = getattr(importlib.import_module(module), name, None)
    assert found is not None or name == "_docker", f"{module}.{name} is gone"
    return found


def test_the_version_is_the_one_these_internals_were_read_in() -> None:
    assert version("ministack") == "1.5.33"


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [(module, name, wanted) for module, names in FUNCTIONS.items() for name, wanted in names.items()],
)
def test_a_function_that_is_called_or_replaced_has_its_parameters(
    module: str, name: str, parameters: list[str] | None
) -> None:
    function = find(module, name)

    assert callable(function)
    if parameters is not None:
        assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("module", "name", "kind"), [(m, name, kind) for m, names in DATA.items() for name, kind in names.items()]
)
def test_data_that_is_read_or_changed_is_there(module: str, name: str, kind: type) -> None:
    assert isinstance(find(module, name), kind)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in STORES.items() for name in names]
)
def test_a_store_behaves_like_a_dictionary(module: str, name: str) -> None:
    store = find(module, name)

    for method in ("get", "pop", "items", "values", "__getitem__", "__setitem__", "__contains__"):
        assert hasattr(store, method)


def test_regional_stores_can_be_read_across_regions() -> None:
    for module, name in (
        ("ministack.services.alb", "_lbs"),
        ("ministack.services.alb", "_listeners"),
        ("ministack.services.cloudformation", "_stacks"),
        ("ministack.services.cloudformation", "_change_sets"),
        ("ministack.services.ecs", "_services"),
        ("ministack.services.ecs", "_task_defs"),
        ("ministack.services.ecs", "_tasks"),
        ("ministack.services.rds", "_instances"),
    ):
        assert callable(find(module, name).all_items)


@pytest.mark.parametrize(("kind", "entries"), HANDLERS.items())
def test_a_resource_type_has_the_handlers_that_are_wrapped(kind: str, entries: set[str]) -> None:
    handlers = find("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")

    assert entries <= set(handlers[kind])


@pytest.mark.parametrize("kind", [name for name, made in TYPES.items() if not isinstance(made, EmulatedType)])
def test_a_type_of_ours_is_still_missing_there(kind: str) -> None:
    """Once the emulator has it, ours should be looked at again."""
    assert kind not in find("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")


def test_the_service_of_ours_is_still_missing_there() -> None:
    assert "codepipeline" not in find("ministack.app", "SERVICE_HANDLERS")


def touching() -> list[Path]:
    """The modules of the sandbox that import ministack."""
    return [
        path
        for path in SANDBOX.rglob("*.py")
        if any(name.split(".")[0] == "ministack" for name in imports(path))
    ]


def test_nothing_but_patches_and_what_serves_it_touches_the_emulator() -> None:
    places = [path.relative_to(SANDBOX) for path in touching()]

    assert places
    assert [
        place
        for place in places
        if place.parts[0] != "emulator" and "patch" not in (place.stem, place.parent.name)
    ] == []


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def test_every_internal_that_is_touched_is_named_here() -> None:
    """Reads the sandbox's own source: ``module._name`` of a ministack module must be in one of the tables."""
    known = {name for table in (FUNCTIONS, DATA) for names in table.values() for name in names}
    known |= {name for names in STORES.values() for name in names}
    touched: dict[str, str] = {}
    for path in touching():
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
                and node.attr.startswith("_")
            ):
                touched.setdefault(node.attr, path.name)

    exceptions = {"_IncompleteRequestBody", "_RequestBodyDisconnected"}
    assert {name: where for name, where in touched.items() if name not in known | exceptions} == {}
    for name in exceptions:
        assert issubclass(find("ministack.app", name), Exception)


def test_requests_are_authorized_by_what_is_replaced() -> None:
    """The patch of IAM replaces functions that the router imports with each request."""
    from ministack import app

    source = inspect.getsource(app)
    for words in (
        "from ministack.core.iam_evaluator import AuthError, enforce, pin_request_caller",
        "resource_arn = extract_resource_arn(",
        "return access_denied_response(",
        'AUTH = os.environ.get("AUTH", "false").lower() == "true"',
    ):
        assert words in source
    assert "codepipeline" not in find("ministack.core.iam_actions", "SERVICE_TO_IAM_NAMESPACE")


def test_layers_are_kept_where_the_registry_puts_and_finds_them() -> None:
    """The patch of ECR takes the place of one dictionary, by these words of the registry's code."""
    from ministack.services import ecr

    source = inspect.getsource(ecr)
    for words in (
        "_layer_blobs.setdefault(name, {})[digest] = ",
        "_layer_blobs.get(name, {}).get(digest)",
        '"layer_blobs": copy.deepcopy(_layer_blobs)',
        '(_layer_blobs, "layer_blobs")',
    ):
        assert words in source
