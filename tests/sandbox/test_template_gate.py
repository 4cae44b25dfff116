"""No stack is made of a template that AWS would refuse, whoever asks for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sink_host.templates import validator_files
from sink_host.templates.validator import ValidatorFailed
from sink_sandbox.services.cloudformation import cfn_lint
from sink_sandbox.services.cloudformation.template_gate import StackTemplate, TemplateGate, TemplateRefused
from the_sink.local.template_checks import check_templates

from .bad_templates import BAD, Bad
from .helpers import BUCKET, ROLE, Pipelines, action, stage, wait_for

STACKS = Path(__file__).parents[2] / "stacks"

ODD = "Resources:\n  Log:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      Retention: 1\n"
SOUND = "Resources:\n  Log:\n    Type: AWS::Logs::LogGroup\n"
SAID = "line 5, Log: Additional properties are not allowed ('Retention' was unexpected) (F3002)"


def code_and_message(error: pytest.ExceptionInfo[ClientError]) -> str:
    answer = error.value.response["Error"]
    return f"{answer['Code']}: {answer['Message']}"


@pytest.fixture
def deploy(pipelines: Pipelines) -> Callable[[str], str]:
    """A function that deploys a template through a pipeline, and returns the failure of its action."""
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "made",
        "TemplatePath": "Src::aws/template.yml",
        "RoleArn": ROLE,
        "Capabilities": "CAPABILITY_IAM",
    }
    pipelines.create(
        "shop", [stage("Deploy", action("Stack", "Deploy", "CloudFormation", configuration, inp="Src"))]
    )

    def run(template: str) -> str:
        pipelines.upload({"aws/template.yml": template})
        execution_id = pipelines.start("shop")
        if pipelines.ended("shop", execution_id) == "Succeeded":
            return ""
        error = pipelines.error("shop", execution_id, "Stack")
        return f"{error['code']}: {error['message']}"

    return run


class TestTable:
    """What AWS refuses: by ``validate``, by CloudFormation itself, and by a pipeline."""

    @pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
    def test_validate_says_it(self, bad: Bad, tmp_path: Path) -> None:
        (tmp_path / "aws").mkdir()
        (tmp_path / "aws/cfn-template.yml").write_text(bad.text)
        line, _, said = bad.said.partition(", ")

        problems = [each.message for each in check_templates(tmp_path).problems if not each.is_warning]

        assert f"{line}: {said.removesuffix('.')}." in problems

    def test_cloudformation_says_it(self, pipelines: Pipelines) -> None:
        for bad in BAD:
            with pytest.raises(ClientError) as refused:
                pipelines.stacks.create_stack(
                    StackName="made", TemplateBody=bad.text, Capabilities=["CAPABILITY_IAM"]
                )

            said = code_and_message(refused)
            assert said.startswith("ValidationError: Template validation error: "), bad.name
            assert bad.said in said
        assert pipelines.stacks.describe_stacks()["Stacks"] == []

    def test_a_pipeline_says_it(self, deploy: Callable[[str], str], pipelines: Pipelines) -> None:
        for bad in BAD:
            said = deploy(bad.text)

            assert said.startswith("ValidationError: Template validation error: aws/template.yml, "), bad.name
            assert bad.said in said
        assert [s["StackName"] for s in pipelines.stacks.describe_stacks()["Stacks"]] == ["stack-shop"]


class TestRequests:
    def test_updates_and_change_sets_are_refused_alike(self, pipelines: Pipelines) -> None:
        pipelines.stack("made", json.loads('{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}}'))
        requests: list[Callable[[], Any]] = [
            lambda: pipelines.stacks.update_stack(StackName="made", TemplateBody=ODD),
            lambda: pipelines.stacks.create_change_set(
                StackName="made", ChangeSetName="next", TemplateBody=ODD
            ),
            lambda: pipelines.stacks.create_change_set(
                StackName="other", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=ODD
            ),
        ]

        for request in requests:
            with pytest.raises(ClientError) as refused:
                request()
            assert code_and_message(refused) == f"ValidationError: Template validation error: {SAID}."
        assert pipelines.settled("made")["StackStatus"] == "CREATE_COMPLETE"  # type: ignore[index]
        assert pipelines.stacks.list_change_sets(StackName="made")["Summaries"] == []

    def test_cloudformations_own_words_come_first(self, pipelines: Pipelines) -> None:
        undefined = SOUND + "    Properties: { LogGroupName: !Ref Nobody, Retention: 1 }\n"
        with pytest.raises(ClientError) as refused:
            pipelines.stacks.create_stack(StackName="made", TemplateBody=undefined)

        assert code_and_message(refused) == (
            "ValidationError: Template format error: Unresolved resource dependencies "
            "[Nobody] in the Resources block of the template"
        )

    def test_what_a_condition_leaves_out_is_not_judged(self, pipelines: Pipelines) -> None:
        template = {
            "Parameters": {"Days": {"Type": "String", "Default": "0"}},
            "Conditions": {"IsKept": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Days"}, "0"]}]}},
            "Resources": {
                "Log": {
                    "Type": "AWS::Logs::LogGroup",
                    "Properties": {
                        "RetentionInDays": {"Fn::If": ["IsKept", {"Ref": "Days"}, {"Ref": "AWS::NoValue"}]}
                    },
                }
            },
        }
        assert pipelines.stack("made", template)["StackStatus"] == "CREATE_COMPLETE"

        with pytest.raises(ClientError, match=r"line 1, Log: '2' is not one of"):
            pipelines.stack("made", template, Parameters=[{"ParameterKey": "Days", "ParameterValue": "2"}])

    def test_a_nested_template_is_judged_by_what_it_is_passed(
        self, deploy: Callable[[str], str], pipelines: Pipelines
    ) -> None:
        url = f"https://{BUCKET}.s3.amazonaws.com/stacks/child.yml"
        child = (
            "Parameters:\n  Period: { Type: Number, Default: 60 }\n  Topic: { Type: String, Default: '' }\n"
            "Resources:\n  Alarm:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n"
            "      ComparisonOperator: GreaterThanThreshold\n      EvaluationPeriods: 1\n      Threshold: 1\n"
            "      Namespace: AWS/SQS\n      MetricName: NumberOfMessagesSent\n      Statistic: Sum\n"
            "      AlarmActions: [!Ref Topic]\n      Period: !Ref Period\n"
        )
        pipelines.s3.put_object(Bucket=BUCKET, Key="stacks/child.yml", Body=child)

        def parent(period: str) -> str:
            return json.dumps(
                {
                    "Resources": {
                        "Topic": {"Type": "AWS::SNS::Topic"},
                        "Child": {
                            "Type": "AWS::CloudFormation::Stack",
                            "Properties": {
                                "TemplateURL": url,
                                "Parameters": {"Period": period, "Topic": {"Ref": "Topic"}},
                            },
                        },
                    }
                }
            )

        assert deploy(parent("7")).startswith(
            f"ValidationError: Template validation error: {url}, line 15, Alarm: Period 7 is invalid; "
        )
        assert deploy(parent("60")) == ""


def check(folder: Path, text: str, region: str = "eu-west-1", **named: Any) -> None:
    TemplateGate(folder).check([StackTemplate("odd.yml", text, {})], region, **named)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has judged nothing yet, with the validator of this one."""
    fetched = validator_files.fetch_validator()
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    own = validator_files.cache_folder()
    own.mkdir(parents=True)
    for each in fetched.iterdir():
        if each.name != "verdicts":
            (own / each.name).symlink_to(each)
    return own


def test_what_was_judged_is_not_judged_again(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TemplateRefused) as first:
        check(tmp_path, ODD)
    check(tmp_path, SOUND)
    (own_cache / "cloudformation_validate").unlink()

    check(tmp_path, SOUND)
    with pytest.raises(TemplateRefused) as second:
        check(tmp_path, ODD)
    assert str(second.value) == str(first.value) == f"Template validation error: odd.yml, {SAID}."
    for text, region in ((SOUND + "    DeletionPolicy: Delete\n", "eu-west-1"), (SOUND, "eu-central-1")):
        with pytest.raises(ValidatorFailed, match="validator ended with exit code 1: ModuleNotFoundError"):
            check(tmp_path, text, region)


def test_a_cancelled_action_ends_the_validator(own_cache: Path, tmp_path: Path) -> None:
    def cancel(is_done: Callable[[], bool]) -> None:
        assert not is_done()
        raise InterruptedError

    with pytest.raises(InterruptedError):
        check(tmp_path, SOUND, wait=cancel)

    assert list(own_cache.rglob("verdicts/**/*.json")) == []


def test_a_secret_value_is_kept_nowhere(own_cache: Path, tmp_path: Path) -> None:
    text = (
        "Parameters:\n  Password: { Type: String, NoEcho: true, Default: '' }\nResources:\n"
        "  Topic:\n    Type: AWS::SNS::Topic\n    Properties: { TopicName: !Ref Password }\n"
    )

    TemplateGate(tmp_path).check([StackTemplate("", text, {"Password": "hunter.2"})], "eu-west-1")

    verdicts = list(own_cache.rglob("verdicts/**/*.json"))
    assert verdicts
    assert not any("hunter" in each.read_text() for each in verdicts)


class TestWithoutValidator:
    """On a machine that the validator has no build for."""

    @pytest.fixture(autouse=True)
    def _no_build(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lock = tmp_path / "validator.lock"
        lock.write_text("cloudformation-validate==0.0.1 --hash=sha256:" + "0" * 64 + "\n")
        monkeypatch.setattr(validator_files, "LOCK", lock)
        monkeypatch.setattr(validator_files, "lock_digest", lambda: "none")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def test_cfn_lint_judges_and_the_sandbox_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = TemplateGate(tmp_path)
        with pytest.raises(
            TemplateRefused, match=r"^Template validation error: line 5, Log: .* \(E3002\)\.$"
        ):
            gate.check([StackTemplate("", ODD, {})], "eu-west-1")

        (note,) = gate.notes()
        assert note.startswith("AWS's template validator could not be fetched: ")
        assert note.endswith(" cfn-lint judges templates in its place, and refuses less.")
        monkeypatch.setattr(cfn_lint, "_COMMAND", ("/bin/sh", "-c", "echo out of order >&2; exit 9"))
        with pytest.raises(TemplateRefused):  # as it was before
            gate.check([StackTemplate("", ODD, {})], "eu-west-1")
        with pytest.raises(ValidatorFailed, match="cfn-lint ended with exit code 9: out of order"):
            gate.check([StackTemplate("", SOUND, {})], "eu-west-1")

    def test_a_cancelled_action_ends_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cfn_lint, "_COMMAND", ("/bin/sh", "-c", "exec sleep 600"))

        def cancel(is_done: Callable[[], bool]) -> None:
            assert not is_done()
            raise InterruptedError

        begun = time.monotonic()
        with pytest.raises(InterruptedError):
            check(tmp_path, SOUND, wait=cancel)
        assert time.monotonic() - begun < 300

    def test_validate_says_so(self, tmp_path: Path) -> None:
        app = tmp_path / "app"
        (app / "aws").mkdir(parents=True)
        (app / "aws/cfn-template.yml").write_text(ODD)

        verdict = check_templates(app)

        assert verdict.judged_by == "cfn-lint"
        assert verdict.note.endswith(" cfn-lint judged aws/cfn-template.yml instead.")
        assert [each.message.split()[-1] for each in verdict.problems] == ["(E3002)."]

    def test_validate_says_so_where_there_is_no_cfn_lint_either(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("the_sink.local.tool_checks.find_cfn_lint", lambda: None)
        app = tmp_path / "app"
        (app / "aws").mkdir(parents=True)
        (app / "aws/cfn-template.yml").write_text(ODD)

        verdict = check_templates(app)

        assert (verdict.problems, verdict.judged_by) == ([], "")
        assert verdict.note.startswith(
            "aws/cfn-template.yml was read, not judged: AWS's template validator could not be fetched: "
        )


def test_the_platforms_own_templates_pass(tmp_path: Path) -> None:
    names = ("python/cfn-template.yml", "python/pipeline.yml", "platform/cfn-template.yml")
    templates = [StackTemplate(name, (STACKS / name).read_text(encoding="utf-8"), {}) for name in names]

    TemplateGate(tmp_path).check(templates, "eu-west-1", lambda is_done: wait_for(is_done, "a verdict"))
