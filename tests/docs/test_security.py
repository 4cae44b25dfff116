"""Each cell of ``docs/explanation/security.md`` that is not a question of IAM alone names the test of it.

Cells of its first table are held by ``tests/stacks/test_security_table.py``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "explanation" / "security.md"

_ATTACKS = "sandbox/authentication/test_attacks.py"
_SIGNATURES = "sandbox/authentication/test_signatures.py"
_TOKENS = "sandbox/authentication/test_registry_tokens.py"
_LIFECYCLE = "sandbox/test_lifecycle.py"
_ADMISSION = "aws/test_admission.py"
_APPROVAL = "aws/test_approval.py"
_PAGE = f"{_ATTACKS}::test_an_attack_is_refused_on_every_path"
_USER = f"{_ATTACKS}::test_another_user_of_this_machine_gets_nothing"
_DATABASES = "sandbox/databases"
_PASSWORD = f"{_DATABASES}/test_instances.py::test_nobody_comes_in_without_the_password"
_BALANCER = f"{_ATTACKS}::test_the_name_of_a_load_balancer_leads_to_apps_alone"

SANDBOX = {
    "ask its AWS": {
        "developer": f"{_SIGNATURES}::test_the_key_is_found_by_aws_and_boto3_in_the_environment",
        "build or task": "sandbox/test_roles.py::test_what_runs_in_a_task_acts_under_the_task_role",
        "another user": _USER,
        "web page": _PAGE,
    },
    "pull and push images": {
        "developer": f"{_TOKENS}::test_the_token_of_the_account_opens_it",
        "build or task": f"{_TOKENS}::test_the_token_of_a_role_does_what_the_role_may",
        "another user": _USER,
        "web page": _PAGE,
    },
    "see its status, empty it": {
        "developer": f"{_LIFECYCLE}::test_reset_empties_a_running_and_a_stopped_sandbox",
        "build or task": f"{_ATTACKS}::test_a_role_reaches_no_path_of_the_sandbox",
        "another user": _USER,
        "web page": _PAGE,
    },
    "reach the emulator's own paths": {
        "developer": f"{_ATTACKS}::test_a_closed_path_is_closed_for_root_too",
        "build or task": f"{_ATTACKS}::test_a_closed_path_is_closed_for_a_role",
        "another user": _USER,
        "web page": _PAGE,
    },
    "read its secret and its state": {
        "developer": f"{_SIGNATURES}::test_the_secret_is_made_once_and_kept_from_others",
        "build or task": "sandbox/test_builds.py::test_a_build_without_an_engine_reads_what_its_user_reads",
        "another user": _USER,
        "web page": _PAGE,
    },
    "connect to a database": {
        "developer": f"{_DATABASES}/test_instances.py::test_a_stacks_database_is_reached_by_its_secret",
        "build or task": f"{_DATABASES}/test_nested.py::test_a_task_uses_the_database_by_what_it_is_given",
        "another user": _PASSWORD,
        "web page": _PASSWORD,
    },
    "open an app at its load balancer": {
        "developer": _BALANCER,
        "build or task": _BALANCER,
        "another user": _BALANCER,
        "web page": _BALANCER,
    },
}

PEOPLE = {
    "approve an archive that is not the one of its commit": (
        f"{_APPROVAL}::test_an_archive_that_is_not_its_commits_is_refused"
    ),
    "give an archive a summary that names a reviewed commit": (
        f"{_APPROVAL}::test_commit_and_subject_are_those_inside_the_archive"
    ),
    "let a release run or read something while it waits": (
        f"{_APPROVAL}::test_what_waits_has_run_nothing_and_read_nothing"
    ),
    "replace the archive of a commit": (
        "aws/test_deploy.py::test_a_commit_that_was_archived_with_other_bytes_is_refused"
    ),
    "put an archive without a commit where releases are promoted": (
        f"{_ADMISSION}::test_an_archive_without_a_commit_goes_to_no_environment_that_takes_releases_of_another"
    ),
    "push an image under the tag of the next commit": (
        f"{_ADMISSION}::test_an_image_that_waits_under_the_tag_of_the_next_commit_is_refused"
    ),
    "push, in one build, what the next one finds": (
        f"{_ADMISSION}::test_an_image_that_the_build_of_another_commit_pushed_is_refused"
    ),
    "promote an image that was never released before": (
        f"{_ADMISSION}::test_what_an_environment_takes_over_was_released_in_the_one_before"
    ),
    "promote an archive with other files than the commit": (
        "aws/test_promotion.py::test_an_archive_with_other_files_than_its_commit_is_refused"
    ),
    "bring code of the app into the platform's own commands": (
        f"{_ADMISSION}::test_nothing_of_the_artifact_runs_as_the_pipelines_role"
    ),
}

CELLS = {f"{thing}: {who}": test for thing, row in SANDBOX.items() for who, test in row.items()} | PEOPLE


def tables() -> list[list[list[str]]]:
    """The page's tables, without the line below their heads."""
    found: list[list[list[str]]] = []
    is_table = False
    for line in PAGE.read_text().splitlines():
        if line.startswith("|"):
            if not is_table:
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        is_table = line.startswith("|")
    return [[head, *body] for head, _, *body in found]


def test_every_cell_has_its_test_and_every_test_its_cell() -> None:
    _, _, people, sandbox = tables()

    assert [thing for thing, _ in people[1:]] == list(PEOPLE)
    head, *rows = sandbox
    assert [thing for thing, *_ in rows] == list(SANDBOX)
    for thing, *cells in rows:
        assert all(cells) and head[1:] == list(SANDBOX[thing]) and len(cells) == len(SANDBOX[thing])


@pytest.mark.parametrize("cell", CELLS)
def test_the_test_of_a_cell_is_there_and_runs(cell: str) -> None:
    """Where it is marked to be skipped or to fail, the cell says more than anybody has looked at."""
    file, _, name = CELLS[cell].partition("::")
    nodes = ast.walk(ast.parse((CHECKOUT / "tests" / file).read_text()))
    (found,) = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == name]
    marks = " ".join(ast.unparse(decorator) for decorator in found.decorator_list)

    assert "skip" not in marks and "xfail" not in marks
    holds = any(isinstance(node, ast.Assert) for node in ast.walk(found))
    assert holds or "pytest.raises" in ast.unparse(found)
