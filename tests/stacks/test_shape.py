"""What holds for every template: its sections, its descriptions, its limits, and its place in the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = [
    *("Description", "Metadata", "Parameters", "Rules"),
    *("Mappings", "Conditions", "Resources", "Outputs"),
]

ALL = ["platform", "python", "pipeline", "app"]


@pytest.mark.parametrize("name", ALL)
def test_sections_come_in_one_order(name: str, template_text: Callable[..., str]) -> None:
    found = re.findall(r"^(\w+):", template_text(name), flags=re.MULTILINE)

    assert found[0] == "AWSTemplateFormatVersion"
    assert found[1:] == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_and_output_is_described(name: str, stack: Callable[..., Any]) -> None:
    template = stack(name).template

    assert [p for p, declared in template["Parameters"].items() if not declared.get("Description")] == []
    assert [o for o, declared in template["Outputs"].items() if not declared.get("Description")] == []


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_the_console_shows_every_parameter_in_a_group(name: str, stack: Callable[..., Any]) -> None:
    template = stack(name).template
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(template["Parameters"]) == sorted(p for group in groups for p in group["Parameters"])


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_conditions_read_as_questions(name: str, stack: Callable[..., Any]) -> None:
    assert [c for c in stack(name).template["Conditions"] if not re.match("(Is|Has)[A-Z]", c)] == []


@pytest.mark.parametrize("name", ALL)
def test_template_fits_the_limits_of_cloudformation(name: str, template_text: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    The platform's travels in a request: there is no bucket yet that it could be read from. The others are
    read from one.
    """
    assert len(template_text(name).encode()) < (51_200 if name == "platform" else 1_000_000)


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_every_resource_has_its_reason_and_its_cost(name: str, stack: Callable[..., Any]) -> None:
    page = (REPOSITORY / "docs" / "resources.md").read_text()

    assert [i for i in stack(name).template["Resources"] if f"`{i}`" not in page] == []


def test_only_resources_that_are_there_are_explained(stack: Callable[..., Any]) -> None:
    page = (REPOSITORY / "docs" / "resources.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, flags=re.MULTILINE)
    explained = {i for row in rows for i in re.findall(r"`(\w+)`", row)}

    assert explained == {
        i for name in ("platform", "python", "pipeline") for i in stack(name).template["Resources"]
    }
