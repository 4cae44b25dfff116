"""The stack action refuses templates that the emulator would take and AWS would not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from the_sink.sandbox import lifecycle
from the_sink.sandbox.codepipeline.actions import ActionFailed
from the_sink.sandbox.player import lint
from the_sink.sandbox.player.lint import TemplateLint

from .helpers import BUCKET, ROLE, Pipelines, action, stage, wait_for

STACKS = Path(__file__).parents[2] / "stacks"

ODD = "Resources:\n  Log:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      Retention: 1\n"
SOUND = "Resources:\n  Log:\n    Type: AWS::Logs::LogGroup\n"


def wait(is_done: Callable[[], bool]) -> None:
    wait_for(is_done, "the lint", timeout_s=120)


def verdicts(folder: Path) -> dict[str, int]:
    """When each verdict was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.json")}


class TestAction:
    """Through a pipeline whose template has a nested one that the platform published."""

    @pytest.fixture
    def deploy(self, pipelines: Pipelines) -> Callable[[dict[str, Any]], str]:
        configuration = {
            "ActionMode": "CREATE_UPDATE",
            "StackName": "made",
            "TemplatePath": "Src::aws/template.yml",
            "RoleArn": ROLE,
        }
        pipelines.create(
            "shop",
            [stage("Deploy", action("Stack", "Deploy", "CloudFormation", configuration, inp="Src"))],
        )

        def run(resources: dict[str, Any]) -> str:
            pipelines.upload({"aws/template.yml": json.dumps({"Resources": resources}, indent=1)})
            execution_id = pipelines.start("shop")
            if pipelines.ended("shop", execution_id) == "Succeeded":
                return ""
            error = pipelines.error("shop", execution_id, "Stack")
            return f"{error['code']}: {error['message']}"

        return run

    def test_a_name_that_nothing_defines_fails_the_action(
        self, deploy: Callable[[dict[str, Any]], str], pipelines: Pipelines
    ) -> None:
        log = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "None"}}}

        message = deploy({"Log": log})

        assert message.startswith(
            "ValidationError: Template validation error: aws/template.yml, line 7, Log: "
        )
        assert "'None' is not one of" in message
        assert message.endswith(" (E1020).")
        assert [s["StackName"] for s in pipelines.stacks.describe_stacks()["Stacks"]] == ["stack-shop"]

    def test_an_unknown_property_of_a_nested_template_fails_it_until_it_is_mended(
        self,
        deploy: Callable[[dict[str, Any]], str],
        pipelines: Pipelines,
        sandbox: lifecycle.Sandbox,
    ) -> None:
        url = f"https://{BUCKET}.s3.amazonaws.com/stacks/child.yml"
        child = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        pipelines.s3.put_object(Bucket=BUCKET, Key="stacks/child.yml", Body=ODD)

        message = deploy({"Child": child})

        assert message.startswith(
            f"ValidationError: Template validation error: {url}, line 5, Log: Additional properties are not "
            "allowed ('Retention' was unexpected"
        )
        pipelines.s3.put_object(Bucket=BUCKET, Key="stacks/child.yml", Body=SOUND)
        assert deploy({"Child": child}) == ""
        known = verdicts(sandbox.state_dir / "lint")
        assert len(known) >= 3
        assert deploy({"Child": child}) == ""
        assert verdicts(sandbox.state_dir / "lint") == known


def test_what_was_linted_is_not_linted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = TemplateLint(tmp_path)
    with pytest.raises(ActionFailed, match=r"odd\.yml, line 5, Log: .* \(E3002\)\.$") as first:
        checks.check({"odd.yml": ODD, "sound.yml": SOUND}, "eu-west-1", wait)
    monkeypatch.setattr(lint, "_COMMAND", ("/bin/sh", "-c", "echo out of order >&2; exit 9"))
    later = TemplateLint(tmp_path)

    later.check({"sound.yml": SOUND}, "eu-west-1", wait)
    with pytest.raises(ActionFailed) as second:
        later.check({"odd.yml": ODD}, "eu-west-1", wait)
    assert second.value.message == first.value.message
    for text, region in ((SOUND + "#", "eu-west-1"), (SOUND, "eu-central-1")):
        with pytest.raises(ActionFailed, match="cfn-lint ended with exit code 9: out of order"):
            later.check({"sound.yml": text}, region, wait)


def test_a_cancelled_action_ends_the_lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "_COMMAND", ("/bin/sh", "-c", "exec sleep 600"))

    def cancel(is_done: Callable[[], bool]) -> None:
        assert not is_done()
        raise InterruptedError

    begun = time.monotonic()
    with pytest.raises(InterruptedError):
        TemplateLint(tmp_path).check({"sound.yml": SOUND}, "eu-west-1", cancel)

    assert time.monotonic() - begun < 300
    assert verdicts(tmp_path) == {}


def test_the_platforms_own_templates_pass(tmp_path: Path) -> None:
    names = ("python/cfn-template.yml", "python/pipeline.yml", "platform/cfn-template.yml")
    texts = {name: (STACKS / name).read_text(encoding="utf-8") for name in names}

    TemplateLint(tmp_path).check(texts, "eu-west-1", wait)

    assert len(verdicts(tmp_path)) == len(names)
