"""``validate --timing``: the modelled rollout of each environment, as a person and as a script reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.tasks.app_local import validate

TEMPLATE = """
Parameters:
  PlatformName: {Type: String}
  AppName: {Type: String}
  AppEnv: {Type: String}
  RuntimeVersion: {Type: String}
  TaskCpu: {Type: Number, Default: 256}
  TaskMemory: {Type: Number, Default: 512}
  HealthCheckGracePeriod: {Type: String, Default: auto}
  AlarmRollback: {Type: String, Default: "false"}
Resources:
  StackPython:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub "https://bucket.s3.amazonaws.com/stacks/python/cfn-template-v1-${AppEnv}.yml"
      Parameters:
        PlatformName: !Ref PlatformName
        AppName: !Ref AppName
        AppEnv: !Ref AppEnv
        RuntimeVersion: !Ref RuntimeVersion
        TaskCpu: !Ref TaskCpu
        TaskMemory: !Ref TaskMemory
        HealthCheckGracePeriod: !Ref HealthCheckGracePeriod
        AlarmRollback: !Ref AlarmRollback
        SecretsDelivery: task
        RDSInstanceClass: none
"""


@pytest.fixture
def service(app: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app that nests the platform's stack, in stage and prod."""
    monkeypatch.chdir(app)
    (app / "aws" / "cfn-template.yml").write_text(TEMPLATE)
    unbounded = 'permissions_boundary = "none"\n'
    with (app / "sink.toml").open("a") as settings:
        settings.write(f'{unbounded}[environments.prod]\nregion = "eu-west-1"\n{unbounded}')
    stage = (app / "aws" / "cfn-template-configuration-stage.json").read_text()
    (app / "aws" / "cfn-template-configuration-prod.json").write_text(stage.replace('"stage"', '"prod"'))
    return app


def configure(app: Path, env: str, **values: str) -> None:
    """Change an environment's parameters."""
    path = app / "aws" / f"cfn-template-configuration-{env}.json"
    document = json.loads(path.read_text())
    document["Parameters"].update(values)
    path.write_text(json.dumps(document))


def test_environments_that_are_alike_are_said_once_with_their_formula(service, capsys):
    validate(Context(), timing=True)

    printed = capsys.readouterr().out
    assert printed.startswith(
        "The app's files are in order.\n\n"
        "stage, prod: a rollout of one task, modelled for AWS, without alarms\n"
        "WHAT HAPPENS             TAKES  FROM\n"
        "Fargate starts the task  35 s   https://"
    )
    assert "In all: 35 + 10 + 20 + 5 + 15 + 1 = 86 s\n" in printed
    assert printed.endswith(
        "A release that never becomes healthy is rolled back after 3 x (35 + 90 + 10 + 15 + 30) = 540 s at "
        "most; the pipeline waits 900 s.\n"
    )


def test_an_environment_that_differs_is_said_apart(service, capsys):
    configure(service, "prod", TaskCpu="1024", TaskMemory="2048", AlarmRollback="true")

    validate(Context(), timing=True)

    stage, prod = capsys.readouterr().out.split("\n\n")[1:]
    assert stage.startswith("stage: ")
    assert "AlarmRollback" not in stage
    assert prod.startswith("prod: ")
    assert "the app boots            3 s    2.5 s of a processor, TaskCpu 1024\n" in prod
    assert prod.endswith("AlarmRollback adds the time for which ECS watches the alarm afterwards.\n")


def test_a_grace_period_that_outlasts_the_pipeline_is_warned_of(service, capsys):
    configure(service, "prod", HealthCheckGracePeriod="600")

    validate(Context())

    assert capsys.readouterr().out == (
        "warning: aws/cfn-template-configuration-prod.json: a release that never becomes healthy is rolled "
        "back after 1380 s at most, and after 900 s the pipeline fails while ECS goes on trying. "
        "Lower HealthCheckGracePeriod by 240 s.\n"
        "The app's files are in order.\n"
    )
    configure(service, "prod", HealthCheckGracePeriod="360")
    validate(Context())
    assert "warning" not in capsys.readouterr().out


def test_a_script_gets_the_figures(service, capsys):
    validate(Context(), json=True, timing=True)

    stage, prod = json.loads(capsys.readouterr().out)["timing"]
    assert (stage["environment"], prod["environment"]) == ("stage", "prod")
    assert stage["rollout_s"] == sum(term["seconds"] for term in stage["terms"]) == 86
    assert (stage["gives_up_s"], stage["pipeline_waits_s"]) == (540, 900)
    validate(Context(), json=True)
    assert "timing" not in json.loads(capsys.readouterr().out)


def test_an_app_without_the_platforms_stack_has_nothing_to_model(app, monkeypatch, capsys):
    monkeypatch.chdir(app)

    validate(Context(), timing=True)

    assert capsys.readouterr().out == (
        "The app's files are in order.\n"
        "aws/cfn-template.yml does not nest the platform's stack: there is nothing to model.\n"
    )


def test_what_cannot_be_deployed_is_not_modelled(service, capsys):
    configure(service, "prod", HealthCheckGracePeriod="a while")

    with pytest.raises(Exit) as caught:
        validate(Context(), timing=True)

    assert caught.value.code == 2
    assert "rollout" not in capsys.readouterr().out
