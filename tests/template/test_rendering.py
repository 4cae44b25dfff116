"""What a rendered service consists of, from wherever its template comes, and how it is found again."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from the_sink.checks.validation import check_app, load_parameters
from the_sink.config.platform_pin import parse_pin
from the_sink.config.settings import load_app
from the_sink.naming import PYTHON_RUNTIMES

from .conftest import APP, VARIANTS, VERSION, Render, Template, answers_of, files_of, git, questions

GOLDEN = Path(__file__).parent / "golden"
ENVIRONMENTS = [["stage"], ["stage", "uat"], ["prod", "stage"], ["stage", "uat", "prod"]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_whole_tree_is_the_golden_one(render: Render, variant: str) -> None:
    """A file that appears or disappears is a decision: write it into golden/."""
    expected = (GOLDEN / f"{variant}.txt").read_text().splitlines()

    assert sorted(files_of(render(**answers_of(variant)))) == sorted(expected)


def combinations() -> Iterator[Any]:
    """Framework, database and environments decide which files there are: all of their combinations, and
    with each one of the deliveries and runtimes, which only change values."""
    deliveries, runtimes = cycle(["task", "image"]), cycle(PYTHON_RUNTIMES)
    for variant, environments in product(VARIANTS, ENVIRONMENTS):
        answers = {
            **answers_of(variant),
            "environments": environments,
            "secrets_delivery": next(deliveries),
            "runtime_version": next(runtimes),
        }
        yield pytest.param(answers, id=f"{variant}-{'-'.join(environments)}")


@pytest.mark.parametrize("answers", list(combinations()))
def test_every_combination_is_a_service_that_validate_accepts(
    render: Render, answers: dict[str, Any]
) -> None:
    folder = render(**answers)

    variant = f"{answers['framework']}-{answers['database']}"
    absent = {
        f"aws/cfn-template-configuration-{name}.json"
        for name in ("stage", "uat", "prod")
        if name not in answers["environments"]
    }
    if answers["environments"] == ["stage"]:
        absent.add(".github/workflows/promote.yml")
    expected = set((GOLDEN / f"{variant}.txt").read_text().splitlines()) - absent
    assert set(files_of(folder)) == expected
    assert [problem for problem in check_app(folder) if not problem.is_warning] == []
    for name in answers["environments"]:
        parameters = load_parameters(load_app(folder), name)
        assert parameters["SecretsDelivery"] == answers["secrets_delivery"]
        assert parameters["RuntimeVersion"] == answers["runtime_version"]
        has_database = answers["database"] == "postgres"
        assert parameters["RDSInstanceClass"] == ("db.t4g.micro" if has_database else "none")
    for path in folder.rglob("*.py"):
        compile(path.read_text(), path.name, "exec")


def test_every_file_of_a_known_form_can_be_read(render: Render) -> None:
    """Whatever the answers, quotes and letters of all alphabets among them."""
    hostile = 'Says "hello" \\ {{ to }} #everyone: it\'s <ours> & 日本 🚀'
    folder = render(app_description=hostile, primary_owner="Zoë @ team/a", project_code="a: b")

    for name, content in files_of(folder).items():
        text = content.decode()
        assert "\r" not in text, name
        assert text == "" or text.endswith("\n"), name
        if name.endswith(".json"):
            json.loads(text)
        elif name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith((".yaml", "answers.yml")):
            yaml.safe_load(text)
        elif name.endswith(".yml"):
            yaml.compose(text)  # CloudFormation's tags have no Python type
        elif name.endswith(".py"):
            compile(text, name, "exec")
    project = tomllib.loads((folder / "app/pyproject.toml").read_text())["project"]
    assert project["description"] == hostile
    assert load_app(folder).app == APP


@pytest.mark.parametrize("chosen", ENVIRONMENTS)
def test_only_chosen_environments_have_files(render: Render, chosen: list[str]) -> None:
    folder = render(environments=chosen)

    found = {
        path.stem.rpartition("-")[2] for path in (folder / "aws").glob("cfn-template-configuration-*.json")
    }
    assert found == set(chosen)
    # In promotion order, whatever the order of the answers.
    expected = tuple(name for name in ("stage", "uat", "prod") if name in chosen)
    assert load_app(folder).environment_names == expected
    accounts = yaml.safe_load((folder / ".copier-answers.yml").read_text()).keys()
    assert {name for name in accounts if name.startswith("account_")} == {
        f"account_{name}" for name in chosen
    }


def test_numbers_that_are_no_numbers_stay_as_they_are(render: Render) -> None:
    """3.10 is not 3.1, and an account number keeps its leading zeros, from answer to update."""
    folder = render(runtime_version="3.10", account_stage="001234567890", account_prod="098765432109")

    parameters = json.loads((folder / "aws/cfn-template-configuration-stage.json").read_text())["Parameters"]
    assert parameters["RuntimeVersion"] == "3.10"
    accounts = {environment.name: environment.account for environment in load_app(folder).environments}
    # uat is where stage is unless something else is said.
    assert accounts == {"stage": "001234567890", "uat": "001234567890", "prod": "098765432109"}
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert (answers["runtime_version"], answers["account_stage"]) == ("3.10", "001234567890")


def test_rendering_twice_gives_the_same_bytes(render_anew: Render, app: Path) -> None:
    assert files_of(render_anew()) == files_of(app)


def test_no_answer_is_asked_that_nothing_uses(render: Render) -> None:
    """Each answer stands in a file besides the answers file, or in the golden trees."""
    answers: dict[str, Any] = {
        "app_name": "other-name",
        "app_description": "Another description.",
        "app_repository": "https://example.com/other",
        "cost_center_id": "4711",
        "primary_owner": "a@example.com",
        "secondary_owner": "b@example.com",
        "project_group": "group-of-projects",
        "project_code": "code-of-project",
        "runtime_version": "3.12",
        "framework": "flask",
        "database": "postgres",
        "secrets_delivery": "image",
        "environments": ["stage", "uat", "prod"],
        "platform_name": "other-platform",
        "platform_repository": "https://example.com/platform.git",
        "region": "us-east-1",
        "account_stage": "111111111111",
        "account_uat": "222222222222",
        "account_prod": "333333333333",
    }
    assert answers.keys() == {
        name for name, details in questions().items() if details.get("when") is not False
    }

    files = files_of(render(**answers))
    files.pop(".copier-answers.yml")
    everything = b"\n".join(files.values()).decode()

    for name in answers.keys() - {"framework", "database"}:
        answer = answers[name]
        for value in [answer] if isinstance(answer, str) else answer:
            assert f'"{value}"' in everything or f"[environments.{value}]" in everything, name


@pytest.mark.parametrize(
    ("address", "pinned"),
    [
        ("https://example.com/the/sink", "git+https://example.com/the/sink"),
        ("ssh://git@example.com/the/sink.git", "git+ssh://git@example.com/the/sink.git"),
        ("git@example.com:the/sink.git", "git+ssh://git@example.com/the/sink.git"),
        ("/srv/the sink", "git+file://localhost/srv/the%20sink"),
        ("file:///srv/sink", "git+file://localhost/srv/sink"),
    ],
)
def test_the_pin_names_the_commit_of_the_template(
    render: Render, template: Template, address: str, pinned: str
) -> None:
    """One line in the form that pip and uv both take, at the full commit."""
    text = (render(platform_repository=address) / "requirements-platform.txt").read_text()

    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == [f"the-sink[sandbox] @ {pinned}@{template.commit}"]
    assert VERSION in text
    pin = parse_pin(text)
    assert pin is not None
    assert pin.commit == template.commit


class TestSources:
    """The command that a person types, as a process: copier without --trust."""

    def copy(self, source: str, folder: Path, *options: str, name: str = "service") -> dict[str, Any]:
        answers = ["--defaults", "--data", f"app_name={APP}", *options]
        command = [sys.executable, "-m", "copier", "copy", *answers, source, name]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return dict(yaml.safe_load((folder / name / ".copier-answers.yml").read_text()))

    def test_an_absolute_path(self, template: Template, tmp_path: Path) -> None:
        answers = self.copy(str(template.path), tmp_path)

        assert (answers["_src_path"], answers["_commit"]) == (str(template.path), VERSION)
        assert answers["platform_repository"] == str(template.path)

    def test_a_git_url(self, template: Template, tmp_path: Path) -> None:
        url = f"git+file://{template.path}"
        answers = self.copy(url, tmp_path)

        assert (answers["_src_path"], answers["_commit"]) == (url, VERSION)
        assert answers["platform_repository"] == f"file://{template.path}"
        pinned = f"git+file://localhost{template.path}@{template.commit}\n"
        assert (tmp_path / "service/requirements-platform.txt").read_text().endswith(pinned)

    def test_a_tag_and_an_update_to_the_next_one(self, template: Template, tmp_path: Path) -> None:
        """A service made from an old tag follows the template without a conflict in unedited files."""
        platform = tmp_path / "platform"
        git(tmp_path, "clone", "--quiet", str(template.path), str(platform))
        buildspec = platform / "template/aws/buildspec.yaml"
        buildspec.write_text(buildspec.read_text() + "# A platform change.\n")
        git(platform, "commit", "--quiet", "--all", "--message", "The next version")
        git(platform, "tag", "v1.3.0")
        answers = self.copy(str(platform), tmp_path, "--vcs-ref", VERSION)
        assert answers["_commit"] == VERSION
        service = tmp_path / "service"
        assert template.commit in (service / "requirements-platform.txt").read_text()
        git(service, "init", "--quiet")
        git(service, "add", "--all")
        git(service, "commit", "--quiet", "--message", "Start")

        command = [sys.executable, "-m", "copier", "update", "--defaults"]
        done = subprocess.run(command, cwd=service, check=False, capture_output=True, text=True)

        assert done.returncode == 0, done.stderr
        changed = {".copier-answers.yml", "aws/buildspec.yaml", "requirements-platform.txt"}
        assert set(git(service, "diff", "--name-only").splitlines()) == changed
        assert "<<<<<<<" not in git(service, "diff")
        assert git(platform, "rev-parse", "HEAD") in (service / "requirements-platform.txt").read_text()
        # The next commands are for a person to read, at once.
        assert "invoke validate" in done.stdout + done.stderr

    def test_a_wrong_answer_leaves_nothing_behind(self, template: Template, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "copier", "copy", "--defaults", "--data", "app_name=Wrong"]
        done = subprocess.run(
            [*command, str(template.path), "service"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode != 0
        assert "'Wrong' cannot name an app: only lowercase letters" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "service").exists()
