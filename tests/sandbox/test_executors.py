"""What the emulator would run as the developer is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import Pipelines, make_role


def template(marker: Path, kind: str) -> dict[str, Any]:
    """A function that would write a file, and a custom resource that would call it."""
    code = f"def handler(event, context):\n    open({str(marker)!r}, 'w').close()\n"
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": code},
            "Handler": "index.handler",
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::000000000000:role/any",
        },
    }
    token = "arn:aws:lambda:eu-west-1:000000000000:function:any"
    custom = {"Type": kind, "Properties": {"ServiceToken": token}}
    return {"Resources": {"Function": function} if kind.startswith("AWS::Lambda") else {"Called": custom}}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (
            "AWS::Lambda::Function",
            "The sandbox runs no functions, so Function (AWS::Lambda::Function) cannot",
        ),
        (
            "Custom::Anything",
            "The sandbox runs no functions, so nothing answers for the custom resource Called",
        ),
        ("AWS::CloudFormation::CustomResource", "so nothing answers for the custom resource Called"),
    ],
)
def test_a_stack_with_code_to_run_is_refused(
    kind: str, sentence: str, pipelines: Pipelines, tmp_path: Path
) -> None:
    stack = pipelines.stack("code", template(tmp_path / "ran", kind))

    events = pipelines.stacks.describe_stack_events(StackName="code")["StackEvents"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert [event for event in events if sentence in event.get("ResourceStatusReason", "")]
    assert not (tmp_path / "ran").exists()


def test_functions_and_jobs_are_refused_at_their_services(aws: Callable[[str], Any]) -> None:
    role = make_role(aws, "any")

    with pytest.raises(ClientError, match=r"The sandbox runs no functions\."):
        aws("lambda").create_function(
            FunctionName="f", Role=role, Code={"ZipFile": b"x"}, Runtime="python3.12", Handler="i.h"
        )
    with pytest.raises(ClientError, match=r"The sandbox runs no functions\."):
        aws("lambda").invoke(FunctionName="f")
    with pytest.raises(ClientError, match=r"The sandbox runs no jobs\."):
        aws("glue").start_job_run(JobName="j")
