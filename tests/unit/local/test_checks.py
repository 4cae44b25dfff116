"""What validate asks programs about: the template's source on this machine, the nested stack, cfn-lint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from the_sink.checks.nested import PlatformStack, check_passed
from the_sink.config.stack_template import Parameter, parse_template, read_parameters
from the_sink.local import tool_checks as checks
from the_sink.resources import resource_path


@pytest.fixture
def app(app: Path, repository: Path) -> Path:
    """The app, generated from the test's repository."""
    (app / ".copier-answers.yml").write_text(f"_commit: v1.0.0\n_src_path: {repository}\n")
    return app


def pin(app: Path, sha: str) -> None:
    (app / "requirements-platform.txt").write_text(f"the-sink[sandbox] @ git+https://x/y@{sha}\n")


def test_a_version_that_its_source_has_is_in_order(app, git, commit):
    sha = commit({"copier.yml": ""})
    git("tag", "v1.0.0")
    pin(app, sha)

    assert checks.check_source(app) == []


def test_a_version_that_its_source_does_not_have_was_never_committed(app, repository, git, commit):
    commit({"copier.yml": ""})
    (app / ".copier-answers.yml").write_text(f"_commit: v1.0.0-2-g1234567\n_src_path: {repository}\n")

    assert [str(problem) for problem in checks.check_source(app)] == [
        f".copier-answers.yml: _commit is 'v1.0.0-2-g1234567', which {repository} has not: "
        "uncommitted changes were rendered."
    ]


def test_a_pin_of_another_commit_is_named(app, git, commit):
    sha = commit({"copier.yml": ""})
    git("tag", "v1.0.0")
    pin(app, "b" * 40)

    assert [str(problem) for problem in checks.check_source(app)] == [
        f"requirements-platform.txt: it pins commit bbbbbbbb, the template's v1.0.0 is {sha[:8]}."
    ]


def test_a_source_elsewhere_is_not_asked(app):
    (app / ".copier-answers.yml").write_text("_commit: v1.0.0\n_src_path: https://git.example/x.git\n")

    assert checks.check_source(app) == []


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which an installer has written down what it knows of the package."""
    folder = tmp_path / "site-packages" / "the_sink-1.0.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: the-sink\nVersion: 1.0.0\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def install(folder: Path, origin: dict[str, object]) -> None:
    (folder / "direct_url.json").write_text(json.dumps(origin))


def test_a_package_of_another_commit_than_the_pin_is_named(app, installed):
    """As between `invoke update` and the installation of what it pins."""
    pin(app, "b" * 40)
    install(installed, {"url": "https://x/y", "vcs_info": {"vcs": "git", "commit_id": "c" * 40}})

    (problem,) = checks.check_installed(app)

    assert str(problem) == (
        "requirements-platform.txt: it pins commit bbbbbbbb, and cccccccc is installed, whose files are used "
        "here."
    )
    assert problem.hint == "Install it: .venv/bin/pip install --force-reinstall -r requirements-platform.txt"
    assert problem.is_warning


@pytest.mark.parametrize(
    "origin",
    [
        {"url": "https://x/y", "vcs_info": {"vcs": "git", "commit_id": "b" * 40}},
        {"url": "file:///srv/platform", "dir_info": {"editable": True}},
        None,
    ],
)
def test_the_pinned_package_and_one_of_no_commit_are_in_order(app, installed, origin):
    pin(app, "b" * 40)
    if origin is not None:
        install(installed, origin)

    assert checks.check_installed(app) == []


CHANNEL = "v1-${AppEnv}"


def nested(app: Path, version: str = CHANNEL, **parameters: str) -> list[str]:
    lines = "".join(f"        {name}: {value}\n" for name, value in parameters.items())
    (app / "aws" / "cfn-template.yml").write_text(
        "Resources:\n  App:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n"
        "      TemplateURL: !Sub\n"
        f'        - "https://${{Bucket}}.s3.amazonaws.com/stacks/python/cfn-template-{version}.yml"\n'
        '        - Bucket: !ImportValue {"Fn::Sub": "${PlatformName}-PipelineS3Bucket"}\n'
        f"      Parameters:\n{lines}"
    )
    return [problem.message for problem in checks.check_nested(app)]


def required() -> dict[str, str]:
    text = resource_path("stacks/python/cfn-template.yml").read_text(encoding="utf-8")
    parameters, _ = read_parameters(parse_template(text)[0])
    values = {"AppName": "my-app", "AppEnv": "stage", "RuntimeVersion": "'3.13'"}
    return {name: values[name] for name, parameter in parameters.items() if parameter.is_required}


def test_what_the_platforms_stack_takes_may_be_passed(app):
    assert nested(app, **required(), TaskCpu="!Ref TaskCpu") == []


@pytest.mark.parametrize("version", [CHANNEL, "v1-prod", "v1.1", "v1.2.0"])
def test_a_parameter_too_many_is_named(app, version):
    assert nested(app, version, **required(), TaskCpuu="x") == [
        "App passes TaskCpuu, no parameter of the platform's stack. Did you mean 'TaskCpu'?"
    ]


def test_a_parameter_of_a_newer_platform_is_not_taken_for_a_misspelt_one():
    template = {
        "Resources": {
            "App": {
                "Properties": {
                    "TemplateURL": "stacks/python/cfn-template-v1-uat.yml",
                    "Parameters": {"AlarmRollback": "true", "AlarmTopik": ""},
                }
            }
        }
    }
    known = PlatformStack({name: Parameter(name, "String", "") for name in ("AlarmRollbacks", "AlarmTopic")})
    newer = PlatformStack({"AlarmRollback": Parameter("AlarmRollback", "String", "")})

    assert [(each.message, each.hint) for each in check_passed(template, known, newer=newer)] == [
        ("App passes AlarmRollback, no parameter of the platform's stack.", ""),
        (
            "App passes AlarmTopik, no parameter of the platform's stack. Did you mean 'AlarmTopic'?",
            "Spell it so there, and commit.",
        ),
    ]


def test_a_parameter_too_few_is_named(app):
    passed = required()
    assert "AppName" in passed, "the platform's stack cannot know the app's name by itself"
    del passed["AppName"]

    assert nested(app, **passed) == ["App does not pass AppName, which the platform's stack needs."]


@pytest.mark.parametrize(
    "read",
    [
        "!GetAtt App.Outputs.Urll",
        "{Fn::GetAtt: [App, Outputs.Urll]}",
        '!Sub "see ${App.Outputs.Urll}"',
        '!Sub ["${x} ${App.Outputs.Urll}", {x: y}]',
        '!Sub ["${x}", {x: !GetAtt App.Outputs.Urll}]',
    ],
)
def test_an_output_that_the_platforms_stack_does_not_have_is_named(app, read):
    nested(app, **required())
    template = app / "aws" / "cfn-template.yml"
    text = template.read_text()
    template.write_text(
        f"{text}Outputs:\n  Wrong: {{Value: {read}}}\n  Right: {{Value: !GetAtt App.Outputs.Url}}\n"
    )

    assert [problem.message for problem in checks.check_nested(app)] == [
        "App.Outputs.Urll is read, no output of the platform's stack. Did you mean 'Url'?"
    ]


def test_a_value_that_the_platforms_stack_refuses_is_named_with_its_file(app):
    configuration = app / "aws" / "cfn-template-configuration-stage.json"
    content = json.loads(configuration.read_text())
    content["Parameters"]["Cidr"] = "banana"
    configuration.write_text(json.dumps(content))

    found = nested(app, **required(), EcsAlbAllowedCidr="!Ref Cidr", AlarmRollback="perhaps", TaskCpu="512")

    assert found == [
        r'Cidr is "banana"; its template expects: text that matches (\d{1,3}\.){3}\d{1,3}/\d{1,2}.',
        'AlarmRollback is "perhaps"; its template allows true, false.',
    ]


def test_a_stack_of_another_major_is_not_held_against_this_one(app):
    assert nested(app, "v10.1", Anything="x") == []
    assert nested(app, "v2-stage", Anything="x") == []


def test_a_nested_stack_of_the_teams_own_is_left_alone(app):
    (app / "aws" / "cfn-template.yml").write_text(
        "Resources: {Own: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: 'https://x/y.yml'}}}"
    )

    assert checks.check_nested(app) == []


def lint(app: Path) -> list[tuple[str, bool]]:
    cfn_lint = checks.find_cfn_lint()
    assert cfn_lint is not None
    return [(problem.message, problem.is_warning) for problem in checks.lint_template(app, cfn_lint)]


def test_a_template_is_linted_by_line_and_rule(app):
    template = app / "aws" / "cfn-template.yml"
    template.write_text(template.read_text().replace("${TaskMemory}", "${Nothing}"))

    found = lint(app)
    assert [(message.split(":")[0], message.split()[-1], warning) for message, warning in found] == [
        ("line 8", "(W2001).", True),
        ("line 14", "(E1019).", False),
    ]


def test_a_template_is_linted_for_the_regions_of_its_environments(app, tmp_path):
    """Not for us-east-1, cfn-lint's own choice."""
    fake = tmp_path / "cfn-lint"
    fake.write_text('#!/bin/sh\necho "$*" >&2\nexit 1\n')
    fake.chmod(0o755)

    (problem,) = checks.lint_template(app, str(fake))

    assert problem.message.endswith("aws/cfn-template.yml --format json --regions eu-west-1")


def test_a_linter_that_fails_is_a_problem_and_not_a_pass(app, tmp_path):
    broken = tmp_path / "cfn-lint"
    broken.write_text("#!/bin/sh\necho 'no rules' >&2\nexit 1\n")
    broken.chmod(0o755)

    assert [problem.message for problem in checks.lint_template(app, str(broken))] == [
        "cfn-lint ended with exit code 1: no rules"
    ]
