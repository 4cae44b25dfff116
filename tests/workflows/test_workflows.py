"""Workflows run what is there, with pinned actions, few permissions and no input inside a script."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from the_sink.config.settings import load_app
from the_sink.tasks import app_namespace
from the_sink.tasks.menu import find_mistake, load_menu, read_menu

from .conftest import CHECKOUT, Render, Workflow, read


def find(folder: Path, name: str) -> Workflow:
    return next(each for each in read(folder) if each.path.stem == name)


def test_every_action_is_pinned_by_its_commit_everywhere_the_same(service: Path) -> None:
    """One version of an action in all of them: a newer one is taken once."""
    pins: dict[str, set[str]] = {}
    for workflow in [*read(CHECKOUT), *read(service)]:
        for line in re.findall(r"uses: +(\S.*)", workflow.text):
            if line.startswith("./"):
                continue
            found = re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            assert found, f"{workflow.path.name}: {line}"
            pins.setdefault(found[1], set()).add(found[2])

    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}
    assert "actions/checkout" in pins


def test_what_is_used_of_a_repository_is_in_it(repository: Path) -> None:
    used = {line for workflow in read(repository) for line in re.findall(r"uses: +\./(\S+)", workflow.text)}

    assert [name for name in used if not (repository / name).exists()] == []


def test_nothing_is_allowed_but_what_a_job_names(repository: Path) -> None:
    for workflow in read(repository):
        if not workflow.jobs:
            continue
        assert workflow.content["permissions"] == {}, workflow.path.name
        for name, job in workflow.jobs.items():
            assert job["permissions"], f"{workflow.path.name}: {name}"
            assert "uses" in job or job["timeout-minutes"] <= 90, f"{workflow.path.name}: {name}"


def test_no_checkout_leaves_its_token_behind(repository: Path) -> None:
    checkouts = [
        each.step
        for workflow in read(repository)
        for each in workflow.steps
        if each.step.get("uses", "").startswith("actions/checkout@")
    ]

    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_no_script_has_a_value_written_into_it(repository: Path) -> None:
    """Values reach scripts as variables: ``${{ }}`` would make the value a part of the script."""
    scripts = [script for workflow in read(repository) for script in workflow.scripts]

    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_every_script_is_one_that_bash_reads(repository: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    for workflow in read(repository):
        for script in workflow.scripts:
            done = subprocess.run([bash, "-n"], input=script, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{workflow.path.name}: {done.stderr}"


@pytest.mark.parametrize("where", ["platform", "service"])
def test_every_task_that_is_run_is_there_with_its_options(where: str, service: Path) -> None:
    menu = load_menu(CHECKOUT) if where == "platform" else read_menu(app_namespace())
    commands = [
        # ${COMMIT:+--commit "$COMMIT"} is these words, or none.
        re.sub(r"\$\{\w+:\+([^}]*)\}", r"\1", line)
        for workflow in read(CHECKOUT if where == "platform" else service)
        for script in workflow.scripts
        for line in re.findall(r"\.venv/bin/(invoke [^>|;\n]+)", script)
    ]

    assert commands
    assert [mistake for command in commands if (mistake := find_mistake(command, menu))] == []


def test_each_job_that_deploys_names_its_environment_and_is_never_broken_off(service: Path) -> None:
    """The role trusts an environment of the repository: stacks/python/pipeline.yml."""
    for folder in (CHECKOUT, service):
        for workflow in read(folder):
            for each in workflow.steps:
                if "configure-aws-credentials" in each.step.get("uses", ""):
                    assert each.job["environment"], workflow.path.name
                    assert each.job["permissions"]["id-token"] == "write"
                    assert workflow.content["concurrency"]["cancel-in-progress"] is False


def test_only_a_green_push_to_main_is_deployed(service: Path) -> None:
    stage = find(service, "ci").jobs["stage"]

    assert stage["needs"] == "check"
    assert "github.event_name == 'push' && github.ref == 'refs/heads/main'" in stage["if"]
    assert stage["with"]["environment"] == "stage"


@pytest.mark.parametrize("chosen", [["stage", "uat"], ["stage", "prod"], ["stage", "uat", "prod"]])
def test_a_release_is_promoted_where_the_service_has_environments(render: Render, chosen: list[str]) -> None:
    folder = render(environments=chosen)

    inputs = find(folder, "promote").triggers["workflow_dispatch"]["inputs"]
    names = load_app(folder).environment_names
    assert inputs["environment"]["options"] == [name for name in names if name != "stage"]
    assert inputs["commit"]["default"] == ""


def test_the_role_is_a_variable_of_the_environment_and_comes_from_nowhere_else(service: Path) -> None:
    """A variable of the repository or the organisation would be every environment's."""
    deploy = find(service, "deploy")
    (step,) = [s.step for s in deploy.steps if "configure-aws-credentials" in s.step.get("uses", "")]

    assert step["with"]["role-to-assume"] == "${{ vars.SINK_ROLE_ARN }}"
    assert "role" not in deploy.triggers["workflow_call"]["inputs"]
    assert {name for each in read(service) for name in re.findall(r"vars\.(\w+)", each.text)} == {
        "SINK_ROLE_ARN"
    }


def test_a_service_with_stage_alone_has_nothing_to_promote(render: Render) -> None:
    assert not (render(environments=["stage"]) / ".github/workflows/promote.yml").exists()


def test_each_workflow_that_is_called_gets_its_inputs(service: Path) -> None:
    called = find(service, "deploy").triggers["workflow_call"]
    callers = [
        job
        for workflow in read(service)
        for job in workflow.jobs.values()
        if job.get("uses", "").endswith("/deploy.yml")
    ]

    assert len(callers) == 2
    for job in callers:
        assert job["with"].keys() == called["inputs"].keys()
        assert job["secrets"].keys() == called["secrets"].keys()
        # What it may do, its caller must be allowed to.
        assert job["permissions"] == find(service, "deploy").jobs["deploy"]["permissions"]
