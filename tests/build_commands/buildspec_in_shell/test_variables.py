"""What a buildspec in shell relies on: variables that the pipeline of this version still sets."""

from __future__ import annotations

import re

import pytest

from the_sink.config.stack_template import parse_template
from the_sink.resources import resource_path

from .conftest import BY_THE_PIPELINE

pytestmark = pytest.mark.long  # a further combination of what the journey walks

OF_CODEBUILD = {"AWS_REGION"}
"""https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html"""


def test_the_pipeline_sets_what_it_did() -> None:
    text = resource_path("stacks/python/pipeline.yml").read_text()
    project = parse_template(text)[0]["Resources"]["BuildProject"]["Properties"]
    names = {str(found) for found in re.findall(r"'Name': '([A-Z_]+)'", str(project["Environment"]))}

    assert names | OF_CODEBUILD >= BY_THE_PIPELINE


def test_every_variable_comes_from_the_pipeline_or_an_earlier_command(commands: list[str]) -> None:
    known = set(BY_THE_PIPELINE)
    for command in commands:
        known |= set(
            re.findall(r"(?:^|;\s*|then |elif |for |\) )\s*([A-Z_]+)(?:=| in )", command, re.MULTILINE)
        )
        known |= set(re.findall(r"&& ([A-Z_]+)=", command))
        used = set(re.findall(r"\$\{?([A-Z_]+)", re.sub(r"printf '[^']*'", "", command)))
        assert used <= known, command
