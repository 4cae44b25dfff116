"""An invoke on an older Python, or beside no package of ours, ends in one sentence that says what to do."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
TASKS = [CHECKOUT / "tasks.py", CHECKOUT / "template" / "tasks.py"]


@pytest.mark.parametrize("tasks", TASKS, ids=["platform", "app"])
def test_one_sentence_and_exit_code_2(tasks, tmp_path):
    shutil.copy(tasks, tmp_path)
    # The version is all that an old interpreter differs in as far as this file is read.
    script = "import sys; sys.version_info = (3, 10, 13, 'final', 0); import tasks"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(
        "Python 3.10 runs this invoke, and the platform needs 3.11 or later; make .venv with a newer one: "
        "python3.13 -m venv --clear .venv && .venv/bin/pip install -r requirements"
    )


@pytest.mark.parametrize("tasks", TASKS, ids=["platform", "app"])
def test_a_missing_package_is_one_sentence(tasks, tmp_path):
    shutil.copy(tasks, tmp_path)

    # -S leaves site-packages out, and with them the package.
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import tasks"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("The platform's package is not installed where this invoke runs; ")


@pytest.mark.parametrize("tasks", TASKS, ids=["platform", "app"])
def test_the_check_comes_first_in_syntax_that_old_pythons_read(tasks):
    tree = ast.parse(tasks.read_text(encoding="utf-8"), feature_version=(3, 7))

    documentation, imported, check = tree.body[:3]
    assert isinstance(documentation, ast.Expr)
    assert ast.unparse(imported) == "import sys"
    assert isinstance(check, ast.If)
    assert ast.unparse(check.test) == "sys.version_info < (3, 11)"
    assert not any(isinstance(node, (ast.JoinedStr, ast.NamedExpr)) for node in ast.walk(tree))


@pytest.mark.parametrize("tasks", TASKS, ids=["platform", "app"])
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_an_old_python_of_this_machine_says_so(tasks, version, tmp_path):
    candidates = [
        shutil.which(f"python{version}"),
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python"),
    ]
    works = [
        str(each)
        for each in candidates
        if each and subprocess.run([each, "-c", ""], capture_output=True, check=False).returncode == 0
    ]
    if not works:
        pytest.skip(f"Python {version} is not on this machine")
    shutil.copy(tasks, tmp_path)

    done = subprocess.run(
        [works[0], "-c", "import tasks"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Python {version} runs this invoke, and the platform needs 3.11 or later")
    assert len(done.stderr.splitlines()) == 1
