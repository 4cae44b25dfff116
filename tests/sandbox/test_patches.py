"""The declared changes to the emulator: complete, in order, each once, and taken back."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from ministack.services.cloudformation import engine

import sink_sandbox
from sink_sandbox.patches import PATCHES, Patch, Patcher, PatchError
from sink_sandbox.services.cloudformation.patch import conditions

from .patching import unpatched_afterwards

PACKAGE = Path(sink_sandbox.__file__).parent
FIRST, SECOND = Patch("first", "a", "one"), Patch("second", "b", "two", after=("first",))


def test_every_module_that_patches_is_declared_once():
    """A patch that is not declared would be applied by nobody, or behind the list's back."""
    installing = {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for folder in ("emulator", "services")
        for file in (PACKAGE / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name in ("install", "save_alone")
    }

    assert sorted(patch.module for patch in PATCHES) == sorted(installing)
    for patch in PATCHES:
        import_module(f"sink_sandbox.{patch.module}")
        assert patch.reason.endswith(".")


def test_the_list_decides_the_order_and_not_who_installs():
    done: list[str] = []
    patcher = Patcher([FIRST, SECOND])

    patcher.apply_rest({"second": lambda: done.append("second"), "first": lambda: done.append("first")})

    assert done == ["first", "second"]
    assert patcher.as_data() == [
        {"name": "first", "module": "a", "reason": "one", "after": []},
        {"name": "second", "module": "b", "reason": "two", "after": ["first"]},
    ]


def test_what_has_not_been_applied_is_not_listed():
    assert Patcher([FIRST, SECOND]).as_data() == []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ([SECOND, FIRST], "The patch second must be declared after first."),
        ([SECOND], "The patch second must be declared after first."),
        ([FIRST, FIRST], "The patch first is declared twice."),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(declared, message):
    with pytest.raises(PatchError, match=message):
        Patcher(declared)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["first", "first"], "The patch first has been applied already."),
        (["second"], "The patch second is out of order: first comes before it."),
        (["third"], "The patch third is not declared in sink_sandbox.patches."),
    ],
)
def test_a_patch_is_applied_once_and_in_order(names, message):
    patcher = Patcher([FIRST, SECOND])
    *before, last = names
    for name in before:
        patcher.apply(name, lambda: None)

    with pytest.raises(PatchError, match=message):
        patcher.apply(last, lambda: pytest.fail("It was applied."))


def test_a_patch_that_nobody_installs_is_refused():
    with pytest.raises(PatchError, match="Nothing installs second"):
        Patcher([FIRST, SECOND]).apply_rest({"first": lambda: pytest.fail("It was applied.")})


def test_a_patch_changes_the_emulator_until_it_is_taken_back():
    empty = {"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Subnets"}]}, ""]}
    template = {"Conditions": {"NoSubnets": empty}}
    values = {"Subnets": {"Value": ""}}

    with unpatched_afterwards():
        Patcher([Patch("conditions", "x", "y")]).apply("conditions", conditions.install)
        assert engine._evaluate_conditions(template, values) == {"NoSubnets": True}

    assert engine._evaluate_conditions(template, values) == {"NoSubnets": False}
