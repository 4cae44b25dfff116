"""The aws/ folder of an app of the legacy platform deploys as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from the_sink.checks.validation import check_app
from the_sink.config.files import Folder
from the_sink.config.legacy import require_own_layout
from the_sink.errors import InputError
from the_sink.local import tool_checks as checks

LEGACY = Path(__file__).resolve().parents[2] / "fixtures" / "legacy_app"
CONFIGURATION = "aws/cfn-template-configuration-stage.json"
TEMPLATE = "aws/cfn-template.yml"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Such an app with the files that it is given here, and no others: no Procfile, no answers.

    Its name is that of the legacy platform's own public app.
    """
    root = tmp_path / "the-sink"
    shutil.copytree(LEGACY, root)
    (root / "requirements-platform.txt").write_text(f"the-sink[sandbox] @ git+https://x/y.git@{'a' * 40}\n")
    (root / "sink.toml").write_text(
        '[app]\nname = "the-sink"\nsecrets_delivery = "image"\n[platform]\nname = "the-sink"\n'
        '[environments.stage]\nregion = "eu-west-1"\n[environments.prod]\nregion = "eu-west-1"\n'
    )
    return root


def errors(app: Path) -> list[str]:
    return [str(problem) for problem in check_app(app) if not problem.is_warning]


def warnings(app: Path) -> list[str]:
    return [str(problem) for problem in check_app(app) if problem.is_warning]


def set_runtime(app: Path, version: str) -> None:
    path = app / CONFIGURATION
    path.write_text(path.read_text().replace('"3.11"', json.dumps(version)))


def test_versions_without_quotes_are_worth_a_warning(earlier):
    assert errors(earlier) == []
    assert warnings(earlier) == [
        f"{TEMPLATE}: RuntimeVersion has versions without quotes: YAML reads 3.10 as the number 3.1.",
        "aws/buildspec.yaml: it pushes the tag $ECR_TAG and deploys it: after a deploy that failed, a task "
        "that ECS starts anew runs the new image all the same.",
    ]
    assert checks.check_nested(earlier) == []


def test_cfn_lint_finds_no_error_in_it(earlier):
    cfn_lint = checks.find_cfn_lint()
    assert cfn_lint is not None

    assert [found for found in checks.lint_template(earlier, cfn_lint) if not found.is_warning] == []


def test_the_version_that_yaml_lost_is_an_error_for_who_needs_it(earlier):
    set_runtime(earlier, "3.10")

    assert errors(earlier) == [
        f"{TEMPLATE}: 3.10 stands in RuntimeVersion without quotes, YAML reads it as 3.1, "
        f"and {CONFIGURATION} needs it."
    ]


def test_the_lost_version_in_the_configuration_is_named_too(earlier):
    set_runtime(earlier, "3.1")

    assert errors(earlier) == [
        f'{CONFIGURATION}: RuntimeVersion is "3.1", which 3.10 becomes wherever its quotes are lost; '
        'write "3.10".',
        f"{TEMPLATE}: 3.10 stands in RuntimeVersion without quotes, YAML reads it as 3.1, "
        f"and {CONFIGURATION} needs it.",
    ]


def test_a_lost_default_counts_where_nothing_else_is_said(earlier):
    template, path = earlier / TEMPLATE, earlier / CONFIGURATION
    template.write_text(template.read_text().replace("AllowedValues: [3.10, 3.11, 3.12]", "Default: 3.10", 1))
    path.write_text(path.read_text().replace('    "RuntimeVersion": "3.11",\n', ""))

    assert errors(earlier) == [
        f"{TEMPLATE}: 3.10 stands in RuntimeVersion without quotes, YAML reads it as 3.1, "
        f"and {CONFIGURATION} needs it."
    ]


def test_a_version_that_its_template_does_not_allow_is_refused_as_ever(earlier):
    set_runtime(earlier, "3.13")

    assert errors(earlier) == [
        f'{CONFIGURATION}: RuntimeVersion is "3.13"; its template allows 3.1, 3.11, 3.12.'
    ]


def rename(app: Path, name: str, instance_class: str) -> None:
    """Give the app another name, and stage alone."""
    settings, path = app / "sink.toml", app / CONFIGURATION
    text = settings.read_text().replace('name = "the-sink"', f'name = "{name}"', 1)
    settings.write_text(text.partition("[environments.prod]")[0])
    document = json.loads(path.read_text())
    document["Parameters"] |= {"AppName": name, "RDSInstanceClass": instance_class}
    path.write_text(json.dumps(document))


def test_a_name_that_no_database_may_have_does_for_an_app_without_one(earlier):
    rename(earlier, "tide--gauge", "none")

    assert errors(earlier) == []


def test_a_name_that_no_database_may_have_is_refused_where_there_is_one(earlier):
    rename(earlier, "tide--gauge", "db.t4g.micro")

    (problem,) = [each for each in check_app(earlier) if not each.is_warning]
    assert str(problem) == (
        f'{CONFIGURATION}: RDSInstanceClass is "db.t4g.micro", and the database would be called '
        "tide--gauge-stage-db: RDS takes no name with two hyphens in a row."
    )
    assert problem.hint == (
        f'Do without one ("RDSInstanceClass": "none" in {CONFIGURATION}), or give the app another name.'
    )


def test_its_secrets_are_in_the_image_and_the_pipeline_must_know(earlier):
    settings = earlier / "sink.toml"
    settings.write_text(settings.read_text().replace('"image"', '"task"'))

    assert set(errors(earlier)) == {
        f'{TEMPLATE}: SecretsDelivery is "image" because StackPython does not pass it, and '
        'app.secrets_delivery of sink.toml is "task": both stacks need the same.'
    }


def test_a_file_that_only_generated_apps_have_is_missed_where_there_is_no_server(earlier):
    shutil.rmtree(earlier / "app/server")

    assert errors(earlier) == ["app/Procfile: it is missing.", ".copier-answers.yml: it is missing."]


@pytest.mark.parametrize("task", ["serve", "test", "lint", "lock"])
def test_a_task_for_the_layout_of_generated_apps_says_so(earlier, task):
    with pytest.raises(InputError) as caught:
        require_own_layout(Folder(earlier), task)

    assert caught.value.message == (
        f"invoke {task} knows the layout of generated apps; this one has the legacy platform's "
        "(app/server, no app/Procfile)."
    )
