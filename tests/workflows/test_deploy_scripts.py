"""The scripts of a service's deploy workflow: what they read, what they type, and how their job ends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from the_sink.models import EnvironmentStatus, WaitingRelease

from .conftest import Runner, read, script


def test_the_services_python_is_read_from_stage(runner: Runner) -> None:
    stage = runner.folder / "aws" / "cfn-template-configuration-stage.json"
    configuration = json.loads(stage.read_text())
    configuration["Parameters"]["RuntimeVersion"] = "3.10"
    stage.write_text(json.dumps(configuration))

    done = runner.run(script(runner.folder, "action", "service"))

    assert done.returncode == 0, done.stderr
    assert runner.left("output") == "runtime=3.10\n"


def test_the_region_is_the_environments_own(runner: Runner) -> None:
    settings = runner.folder / "sink.toml"
    first, uat, rest = settings.read_text().partition("[environments.uat]")
    settings.write_text(first + uat + rest.replace("eu-west-1", "us-east-2", 1))
    text = script(runner.folder, "deploy", "settings")

    assert runner.run(text, ENVIRONMENT="uat").returncode == 0
    assert runner.left("output") == "region=us-east-2\n"
    assert runner.run(text, ENVIRONMENT="none").returncode != 0


@pytest.mark.parametrize(
    ("variables", "typed"),
    [
        ({"COMMIT": "", "ANYWAY": ""}, "deploy --env uat --timeout 7"),
        ({"COMMIT": "a b; c", "ANYWAY": "yes"}, "deploy --env uat --commit [a b; c] --yes --timeout 7"),
    ],
)
def test_inputs_reach_the_deploy_as_they_were_typed(
    runner: Runner, variables: dict[str, str], typed: str
) -> None:
    show = "import sys; print(*(f'[{word}]' if ' ' in word else word for word in sys.argv[1:]))"
    runner.play_invoke(f"#!{sys.executable}\n{show}\n")

    done = runner.run(script(runner.folder, "deploy", "Deploy"), ENVIRONMENT="uat", TIMEOUT="7", **variables)

    assert (done.returncode, done.stdout) == (0, f"{typed}\n")


WAITING = WaitingRelease("0123456789abcdef", "Mend it", None, "run-1")


def deploy_ended(
    runner: Runner, code: int, timeout: str, waiting: WaitingRelease | None
) -> subprocess.CompletedProcess[str]:
    """Run the deploy of a job where the command ended with a code, and something waits, or nothing."""
    status = EnvironmentStatus("prod", is_bootstrapped=True, waiting_for_approval=waiting)
    said = json.dumps({"app": "hello-sink", "environments": [asdict(status)]})
    runner.play_invoke(f"#!/bin/sh\nif [ $1 = status ]; then echo '{said}'; else exit {code}; fi\n")
    text = script(runner.folder, "deploy", "Deploy")
    return runner.run(text, ENVIRONMENT="prod", COMMIT="", ANYWAY="", TIMEOUT=timeout)


def test_a_job_that_waited_for_an_approval_ends_with_a_notice(runner: Runner) -> None:
    done = deploy_ended(runner, 1, "0", WAITING)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "::notice::01234567 waits for an approval in prod: invoke approve --env prod. "
    )
    assert runner.left("summary") == done.stdout


@pytest.mark.parametrize(
    ("code", "timeout", "waiting"),
    [
        pytest.param(1, "0", None, id="nothing-waits"),
        pytest.param(1, "3300", WAITING, id="failed-before-its-time-was-over"),
        pytest.param(2, "0", WAITING, id="refused"),
    ],
)
def test_every_other_end_of_a_deploy_is_the_jobs(
    runner: Runner, code: int, timeout: str, waiting: WaitingRelease | None
) -> None:
    assert deploy_ended(runner, code, timeout, waiting).returncode == code


def test_without_the_environments_own_role_nothing_is_begun(runner: Runner) -> None:
    """In prod that is a mistake; a service that has no stage yet is checked all the same."""
    steps = next(each for each in read(runner.folder) if each.path.stem == "deploy").steps
    text = script(runner.folder, "deploy", "The role is known")

    refused = runner.run(text, ENVIRONMENT="prod", ROLE="")
    left_out = runner.run(text, ENVIRONMENT="stage", ROLE="")

    assert steps[0].step["run"] == text
    assert refused.returncode == 1
    assert refused.stdout == (
        "::error::The variable SINK_ROLE_ARN of the GitHub environment prod is not set: nothing was "
        "deployed. "
        "It is GitHubRoleArn, which invoke bootstrap --env prod prints.\n"
    )
    assert left_out.returncode == 0
    assert left_out.stdout.startswith("::notice::The variable SINK_ROLE_ARN of the GitHub environment stage ")
    assert runner.left("output") == ""
    known = "steps.role.outputs.known == 'true'"
    assert [each.step.get("if") for each in steps[1:]] == [known] * (len(steps) - 1)
    assert runner.run(text, ENVIRONMENT="prod", ROLE="arn:aws:iam::1:role/x").returncode == 0
    assert runner.left("output") == "known=true\n"
