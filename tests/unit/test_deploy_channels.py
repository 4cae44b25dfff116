"""A release whose build the environment's pipeline cannot start is refused before anything is uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from the_sink.config.files import Tree
from the_sink.errors import ConfigError
from the_sink.models import Stack, StackStatus
from the_sink.verbs.channels import check_sink_build

TEMPLATE = Path(__file__).resolve().parents[2] / "template/aws/buildspec.yaml"
IN_SHELL = Path(__file__).resolve().parents[1] / "fixtures/buildspec-in-shell.yaml"


def check(buildspec: bytes, **outputs: str) -> None:
    """Check a release of this buildspec against a pipeline with these outputs."""
    pipeline = Stack("my-app-stage-pipeline", "arn", StackStatus("UPDATE_COMPLETE"), outputs=outputs)
    check_sink_build("stage", Tree({"aws/buildspec.yaml": buildspec}), pipeline, " --sandbox")


def test_a_pipeline_that_was_not_bootstrapped_anew_cannot_build_it() -> None:
    with pytest.raises(ConfigError) as caught:
        check(TEMPLATE.read_bytes())

    assert caught.value.message == (
        "aws/buildspec.yaml calls sink-build, which the builds of my-app-stage-pipeline are not given yet."
    )
    assert caught.value.hint == (
        "Bring the pipeline up to date: invoke bootstrap --env stage --sandbox; then deploy again."
    )


def test_one_that_was_can() -> None:
    check(TEMPLATE.read_bytes(), SinkBuildKey="stacks/python/build/sink-build-v1-stage.pyz")


@pytest.mark.parametrize(
    "buildspec", [IN_SHELL.read_bytes(), b"version: [", b"# sink-build push\nversion: 0.2"]
)
def test_other_buildspecs_need_none(buildspec: bytes) -> None:
    check(buildspec)
