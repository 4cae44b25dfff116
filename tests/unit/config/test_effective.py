"""What the pipeline's stack and the app's must share is held against each other, wherever it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from the_sink.checks.effective import PLATFORM_DEFAULTS
from the_sink.checks.validation import check_against_pipeline, check_app, load_parameters
from the_sink.config import load_app
from the_sink.config.files import Folder
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.errors import ConfigError
from the_sink.resources import resource_path

CONFIGURATION = "aws/cfn-template-configuration-stage.json"
TEMPLATE = "aws/cfn-template.yml"
BOUNDARY = "arn:aws:iam::012345678901:policy/bound"


@pytest.fixture(autouse=True)
def unbounded(app: Path) -> None:
    """What these tests pass the platform's stack is what each is about."""
    set_stage(app, 'permissions_boundary = "none"')


def write_template(app: Path, passed: str, declared: str = "") -> None:
    """Write an app's template that nests the platform's stack and passes it the names given."""
    base = "".join(
        f"  {name}: {{Type: String}}\n" for name in ("PlatformName", "AppName", "AppEnv", "RuntimeVersion")
    )
    (app / TEMPLATE).write_text(
        f"Parameters:\n{base}{declared}"
        "  TaskCpu: {Type: Number, Default: 256}\n  TaskMemory: {Type: Number, Default: 512}\n"
        "Resources:\n  Stack:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n"
        '      TemplateURL: !Sub "https://b.s3.amazonaws.com/stacks/python/cfn-template-v1-${AppEnv}.yml"\n'
        "      Parameters:\n        PlatformName: !Ref PlatformName\n        AppName: !Ref AppName\n"
        f"        AppEnv: !Ref AppEnv\n        SecretsDelivery: task\n{passed}"
    )


def set_values(app: Path, **values: str | None) -> None:
    """Change the stage's parameters; None takes one out."""
    path = app / CONFIGURATION
    document = json.loads(path.read_text())
    document["Parameters"] |= values
    document["Parameters"] = {
        name: value for name, value in document["Parameters"].items() if value is not None
    }
    path.write_text(json.dumps(document))


def set_stage(app: Path, line: str) -> None:
    with (app / "sink.toml").open("a") as file:
        file.write(f"{line}\n")


def found(app: Path) -> list[tuple[str, str]]:
    return [(str(problem), problem.hint) for problem in check_app(app)]


def test_what_an_app_does_not_pass_is_what_the_platforms_stack_takes():
    text = resource_path("stacks/python/cfn-template.yml").read_text(encoding="utf-8")
    declared, _ = read_parameters(parse_template(text)[0])

    assert {name: declared[name].default for name in PLATFORM_DEFAULTS} == PLATFORM_DEFAULTS


def test_the_configuration_files_value_counts(app):
    write_template(app, "        Architecture: !Ref Cpu\n", "  Cpu: {Type: String, Default: X86_64}\n")
    assert found(app) == []

    set_values(app, Cpu="ARM64")
    assert found(app) == [
        (
            f'{CONFIGURATION}: Architecture is "ARM64", and environments.stage.architecture of sink.toml is '
            '"X86_64": both stacks need the same.',
            f'Write "Cpu": "X86_64" into {CONFIGURATION}, or change sink.toml and run invoke bootstrap '
            "--env stage.",
        )
    ]

    set_stage(app, 'architecture = "ARM64"')
    assert found(app) == []


def test_the_templates_default_counts_where_the_file_is_silent(app):
    declared = f"  Bound: {{Type: String, Default: '{BOUNDARY}'}}\n"
    write_template(app, "        PermissionsBoundaryArn: !Ref Bound\n", declared)

    assert [message for message, _ in found(app)] == [
        f'{TEMPLATE}: PermissionsBoundaryArn is "{BOUNDARY}" by its default, and '
        'environments.stage.permissions_boundary of sink.toml is "none": both stacks need the same.'
    ]
    set_values(app, Bound="")
    assert found(app) == []


IF_PLATFORM = "!If [HasPlatformBoundary, !Sub 'arn:${AWS::Partition}:x', !Ref PermissionsBoundaryArn]"


@pytest.fixture
def undecided(app: Path) -> Path:
    """An app whose ``sink.toml`` says nothing of a boundary, and whose template is as one is generated."""
    settings = app / "sink.toml"
    settings.write_text(settings.read_text().replace('permissions_boundary = "none"\n', ""))
    declared = "  PermissionsBoundaryArn: {Type: String, Default: platform}\n"
    write_template(app, f"        PermissionsBoundaryArn: {IF_PLATFORM}\n", declared)
    return app


def test_an_app_is_under_the_boundary_of_its_bootstrap_unless_it_says_otherwise(undecided):
    assert found(undecided) == []
    assert load_parameters(load_app(undecided), "stage")["PermissionsBoundaryArn"] == "platform"

    set_values(undecided, PermissionsBoundaryArn="")
    assert found(undecided) == [
        (
            f'{CONFIGURATION}: PermissionsBoundaryArn is "", and the default of '
            'environments.stage.permissions_boundary of sink.toml is "platform": both stacks need the same.',
            f'Write "PermissionsBoundaryArn": "platform" into {CONFIGURATION}, or do without: '
            'permissions_boundary = "none" under [environments.stage] of sink.toml, then invoke bootstrap '
            "--env stage.",
        )
    ]

    set_stage(undecided, 'permissions_boundary = "none"')
    assert found(undecided) == []
    assert load_parameters(load_app(undecided), "stage")["PermissionsBoundaryArn"] == ""


def test_an_app_on_the_legacy_template_stays_without_one(undecided):
    write_template(undecided, "")
    template = undecided / TEMPLATE
    template.write_text(template.read_text().replace("v1-${AppEnv}", "v1.1"))

    assert load_parameters(load_app(undecided), "stage")["PermissionsBoundaryArn"] == ""


def test_what_is_not_passed_or_passed_as_it_stands_counts(app):
    write_template(app, "")
    set_stage(app, 'architecture = "ARM64"')
    assert found(app) == [
        (
            f'{TEMPLATE}: Architecture is "X86_64" because Stack does not pass it, and '
            'environments.stage.architecture of sink.toml is "ARM64": both stacks need the same.',
            "Pass Architecture there, or change sink.toml and run invoke bootstrap --env stage.",
        )
    ]

    write_template(app, "        Architecture: ARM64\n")
    assert found(app) == []
    write_template(app, "        Architecture: X86_64\n")
    assert [message for message, _ in found(app)] == [
        f'{TEMPLATE}: Architecture is "X86_64" where Stack is passed it, and environments.stage.architecture '
        'of sink.toml is "ARM64": both stacks need the same.'
    ]


def test_what_only_cloudformation_can_tell_is_left_to_it(app):
    write_template(app, '        Architecture: !Sub "${AWS::Region}"\n')

    assert found(app) == []


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [("AppName", "app.name", "my-app"), ("PlatformName", "platform.name", "the-sink")],
)
def test_names_are_shared_too(app, name, setting, expected):
    set_values(app, **{name: "other-name"})

    assert [message for message, _ in found(app)] == [
        f'{CONFIGURATION}: {name} is "other-name", and {setting} of sink.toml is "{expected}": '
        "both stacks need the same."
    ]


def test_a_file_belongs_to_the_environment_in_its_name(app):
    set_values(app, AppEnv="uat")

    assert [message for message, _ in found(app)] == [
        f'{CONFIGURATION}: AppEnv is "uat"; by the name of {CONFIGURATION} it is "stage".'
    ]


def test_the_moving_tag_has_one_truth(app):
    declared = "  EcrTag: {Type: String, Default: newest}\n"
    write_template(app, "        EcrTag: !Ref EcrTag\n", declared)
    settings = load_app(app)
    assert load_parameters(settings, "stage")["EcrTag"] == "newest"

    set_values(app, EcrTag="chosen")
    assert load_parameters(settings, "stage")["EcrTag"] == "chosen"

    set_values(app, EcrTag=None)
    write_template(app, "")
    assert load_parameters(settings, "stage")["EcrTag"] == "latest"


def test_a_task_that_uses_the_values_refuses_what_differs(app):
    write_template(app, "")
    set_stage(app, 'architecture = "ARM64"')

    with pytest.raises(ConfigError) as caught:
        load_parameters(load_app(app), "stage")

    assert caught.value.message.startswith(f'{TEMPLATE}: Architecture is "X86_64"')


def test_a_size_is_checked_with_the_default_of_its_other_half(app):
    set_values(app, TaskCpu="4096", TaskMemory=None)
    assert [message for message, _ in found(app)] == [
        f"{CONFIGURATION}: Fargate refuses TaskMemory 512 with TaskCpu 4096; with 4096 it takes 8192 to "
        "30720 in steps of 1024."
    ]

    set_values(app, TaskCpu=None, TaskMemory="4096")
    assert [message for message, _ in found(app)] == [
        f"{CONFIGURATION}: Fargate refuses TaskMemory 4096 with TaskCpu 256; with 256 it takes 512, "
        "1024, 2048."
    ]


@pytest.mark.parametrize(
    "name, theirs", [("EcrTag", "moving"), ("Architecture", "ARM64"), ("PermissionsBoundaryArn", BOUNDARY)]
)
def test_a_release_is_held_against_the_pipeline_that_is_to_deploy_it(app, name, theirs):
    write_template(app, "")
    own = PLATFORM_DEFAULTS[name]

    (problem,) = check_against_pipeline(Folder(app), "stage", {name: theirs, "SecretsDelivery": "task"})

    assert str(problem) == (
        f'{TEMPLATE}: {name} is "{own}" because Stack does not pass it, and the pipeline of stage has '
        f'"{theirs}": both stacks need the same.'
    )
    assert problem.hint == "First: invoke bootstrap --env stage"
    # An older pipeline's stack may not have the parameter at all.
    assert check_against_pipeline(Folder(app), "stage", {name: own}) == []
