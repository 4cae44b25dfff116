"""Bad input to the tasks that reach AWS: one sentence, the next step, exit code 2, nothing half-made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.lifecycle import Sandbox
from the_sink.resources import platform_version
from the_sink.tasks import platform_namespace

from .conftest import commit


def stacks(aws: Any) -> list[str]:
    return [each["StackName"] for each in aws("cloudformation").describe_stacks()["Stacks"]]


def test_an_unknown_environment(invoke: Any, app: Path) -> None:
    ended = invoke(app, "deploy", "--env", "live", "--sandbox")

    assert ended.code == 2
    assert ended.err == "--env live: there is no such environment here.\nAdd --env with one of: stage, uat.\n"


def test_the_sandbox_is_not_running(
    invoke: Any, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing-runs-here"))
    for task in ("bootstrap", "deploy", "outputs"):
        ended = invoke(app, task, "--env", "stage", "--sandbox")

        assert ended.code == 2
        assert ended.err == "The sandbox 'default' is not running.\nStart it: invoke sandbox.start\n"


def test_no_credentials(invoke: Any, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    ended = invoke(app, "bootstrap", "--env", "stage")

    assert ended.code == 2
    assert ended.err.startswith("There are no AWS credentials on this machine.\n")


def test_another_account(invoke: Any, app: Path, sandbox: Sandbox) -> None:
    settings = app / "sink.toml"
    settings.write_text(
        settings.read_text().replace("[environments.uat]", 'account = "123456789012"\n[environments.uat]')
    )
    commit(app, "Name the account")

    ended = invoke(app, "deploy", "--env", "stage")

    assert ended.code == 2
    assert ended.err.startswith(
        "These credentials belong to account 000000000000, but sink.toml names account 123456789012.\n"
    )


def test_bootstrap_before_the_platform(invoke: Any, app: Path, aws: Any) -> None:
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[1:] == [
        "There is no platform 'the-sink' in account 000000000000, eu-west-1.",
        "In the platform's repository: invoke platform.bootstrap --sandbox",
    ]
    assert stacks(aws) == []


def test_bootstrap_out_of_order(invoke: Any, app: Path, platform_bucket: str, aws: Any) -> None:
    ended = invoke(app, "bootstrap", "--env", "uat", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "my-app has no stage yet, and uat is only reached through it.",
        "First: invoke bootstrap --env stage --sandbox",
    ]
    assert stacks(aws) == ["the-sink-platform"]


def test_deploy_before_bootstrap(invoke: Any, app: Path, platform_bucket: str, aws: Any) -> None:
    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "my-app has no environment stage in account 000000000000, eu-west-1.",
        "First: invoke bootstrap --env stage --sandbox",
    ]
    assert "Contents" not in aws("s3").list_objects_v2(Bucket=platform_bucket, Prefix="my-app/")


def test_a_dirty_tree(invoke: Any, app: Path) -> None:
    (app / "new.py").write_text("x = 1\n")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.startswith("1 file is not committed: new.py.\n")


def test_a_commit_that_does_not_exist(invoke: Any, app: Path) -> None:
    ended = invoke(app, "deploy", "--env", "stage", "--commit", "nonsense", "--sandbox")

    assert ended.code == 2
    assert ended.err.startswith("There is no commit 'nonsense' in this repository.\n")


def test_a_configuration_file_that_is_not_json(invoke: Any, app: Path) -> None:
    (app / "aws/cfn-template-configuration-stage.json").write_text('{"Parameters": {,}}')

    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.startswith("aws/cfn-template-configuration-stage.json: it is not JSON: ")


def test_a_number_where_text_belongs_is_found_before_anything_is_uploaded(invoke: Any, app: Path) -> None:
    path = app / "aws/cfn-template-configuration-stage.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"Parameters": content["Parameters"] | {"RuntimeVersion": 3.13}}))
    commit(app, "Break the configuration")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.startswith(
        "aws/cfn-template-configuration-stage.json: RuntimeVersion is the number 3.13; CloudFormation takes "
        'strings only: write "3.13".\n'
    )


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("app/Procfile", "release: migrate\n", "it has no line 'web: <command>': nothing would serve."),
        ("app/Procfile", "web serve\nweb: serve\n", "line 1 is not 'name: command'."),
        ("aws/Dockerfile", "RUN app-init app\n", "it has no FROM instruction."),
        ("aws/cfn-template.yml", "Resources: [", "it is not YAML: "),
    ],
)
def test_what_a_build_would_stumble_over_is_found_before_anything_is_uploaded(
    invoke: Any, app: Path, file: str, text: str, sentence: str
) -> None:
    (app / file).parent.mkdir(exist_ok=True)
    (app / file).write_text(text)
    commit(app, "Break it")

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.startswith(f"{file}: {sentence}")


def test_a_timeout_that_is_no_number(invoke: Any, app: Path) -> None:
    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "abc")

    assert ended.code == 2
    assert ended.err.startswith("--timeout abc: that is not a number of seconds.\n")


def test_an_option_that_was_given_and_is_empty(invoke: Any, app: Path) -> None:
    """`--commit "$UNSET"` must not ship whatever is checked out."""
    for arguments in (["--commit", ""], ["--commit= "]):
        ended = invoke(app, "deploy", "--env", "stage", *arguments, "--sandbox")

        assert ended.code == 2
        assert ended.err == (
            "--commit is empty.\nGive it a value, or leave --commit out; an unset variable?\n"
        )


def test_a_refusal_reaches_a_script_as_json_too(invoke: Any, app: Path) -> None:
    ended = invoke(app, "deploy", "--env", "live", "--sandbox", "--json")

    assert ended.code == 2
    assert json.loads(ended.out) == {
        "ok": False,
        "error": "--env live: there is no such environment here.",
        "hint": "Add --env with one of: stage, uat.",
    }
    assert ended.err.startswith("--env live")


def test_outputs_before_anything_was_deployed(invoke: Any, app: Path, sandbox: Sandbox) -> None:
    ended = invoke(app, "outputs", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err == "my-app has no stack in stage yet.\nFirst: invoke deploy --env stage --sandbox\n"


def test_status_of_an_app_that_was_never_bootstrapped_is_an_answer(
    invoke: Any, app: Path, sandbox: Sandbox
) -> None:
    ended = invoke(app, "status", "--sandbox", "--json")

    assert ended.code == 0
    assert [(each["env"], each["is_bootstrapped"]) for each in json.loads(ended.out)["environments"]] == [
        ("stage", False),
        ("uat", False),
    ]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The settings of a platform's repository."""
    (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')
    return tmp_path


@pytest.mark.parametrize("task", ["platform.publish", "runtimes.list", "runtimes.publish"])
def test_publishing_before_the_platform(invoke: Any, checkout: Path, sandbox: Sandbox, task: str) -> None:
    ended = invoke(checkout, task, "--sandbox", namespace=platform_namespace)

    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "In the platform's repository: invoke platform.bootstrap --sandbox"


def test_a_runtime_that_does_not_exist(invoke: Any, checkout: Path, sandbox: Sandbox) -> None:
    ended = invoke(
        checkout, "runtimes.publish", "--runtime", "3.9", "--sandbox", namespace=platform_namespace
    )

    assert ended.code == 2
    assert ended.err == ("There is no Python runtime '3.9'.\nChoose from: 3.10, 3.11, 3.12, 3.13, 3.14.\n")


@pytest.mark.parametrize("task", ["runtimes.build", "runtimes.list", "runtimes.publish"])
def test_a_processor_that_does_not_exist(invoke: Any, checkout: Path, task: str) -> None:
    ended = invoke(checkout, task, "--architecture", "arm", namespace=platform_namespace)

    assert ended.code == 2
    assert ended.err == (
        "--architecture arm: there are no runtimes for that processor.\nChoose from: X86_64, ARM64.\n"
    )


@pytest.mark.parametrize("task", ["runtimes.build", "runtimes.publish"])
@pytest.mark.parametrize("given", ["BASE", "=x"])
def test_a_build_argument_without_name_or_value(invoke: Any, checkout: Path, task: str, given: str) -> None:
    ended = invoke(checkout, task, f"--build-arg={given}", namespace=platform_namespace)

    assert ended.code == 2
    assert ended.err == (
        f"--build-arg {given}: a name, an equals sign and a value are needed.\n"
        "For example: --build-arg BASE=registry.example.com/python:3.13\n"
    )


def test_a_parameter_without_a_value(invoke: Any, checkout: Path) -> None:
    ended = invoke(checkout, "platform.bootstrap", "--parameter", "VpcCidr", namespace=platform_namespace)

    assert ended.code == 2
    assert ended.err == (
        "--parameter VpcCidr: a name, an equals sign and a value are needed.\n"
        "For example: --parameter NetworkEgress=endpoints\n"
    )


def test_publish_through_the_task(
    invoke: Any, checkout: Path, platform_bucket: str, sandbox: Sandbox
) -> None:
    dry = invoke(checkout, "platform.publish", "--sandbox", "--dry-run", namespace=platform_namespace)
    done = invoke(checkout, "platform.publish", "--sandbox", namespace=platform_namespace)
    again = invoke(checkout, "platform.publish", "--sandbox", namespace=platform_namespace)

    version = platform_version()
    assert dry.out.startswith("Nothing was changed. This would be done:\n  1. upload s3://")
    assert done.out == f"Version {version} is published; apps in stage take it at their next pipeline run.\n"
    assert again.out == f"Version {version} was published already, and stage holds it.\n"
