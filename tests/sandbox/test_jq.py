"""Where a machine has no jq, builds get one that does what jq does, or refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sink_sandbox.services.codebuild.jq_command import install_jq_command


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent))
        folder = install_jq_command(tmp_path_factory.mktemp("state"))
    assert folder is not None
    return str(folder / "jq")


def run(command: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *words], input=given, capture_output=True, text=True, check=False)


def test_a_machine_that_has_one_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jq").write_text("#!/bin/sh\n")
    (tmp_path / "jq").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert install_jq_command(tmp_path / "state") is None


def test_it_writes_an_env_file_as_buildspecs_of_the_legacy_platform_do(command: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"A": 'x # "y"', "N": 5, "T": True, "O": {"k": [1, None]}, "Ü": "é\n2"}))

    done = run(command, "-r", r'to_entries|map("\(.key)=\(.value|tostring)")|.[]', str(secret))

    assert done.stdout == 'A=x # "y"\nN=5\nT=true\nO={"k":[1,null]}\nÜ=é\n2\n'
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "given", "code", "printed", "said"),
    [
        (["-r", ".a"], '{"a": "b"}', 0, "b\n", ""),
        ([".a"], '{"a": "b"}', 0, '"b"\n', ""),
        ([".[]"], "[1, [2]]", 0, "1\n[\n  2\n]\n", ""),
        (["-c", "."], '{"a": [1, 2]}', 0, '{"a":[1,2]}\n', ""),
        (["-r", "--arg", "x", "y", "$x"], "null", 0, "y\n", ""),
        ([".a"], '{"a": 1} {"a": 2}', 0, "1\n2\n", ""),
        (["--slurp", "."], "1", 2, "", "unrecognized arguments: --slurp"),
        ([".a ["], "{}", 3, "", "syntax error"),
        ([".a"], "{", 5, "", "parse error"),
        ([".a"], "[]", 5, "", "Cannot index array"),
        ([".", "nowhere.json"], "", 2, "", "nowhere.json"),
    ],
)
def test_it_does_what_jq_does_or_says_why_not(
    command: str, words: list[str], given: str, code: int, printed: str, said: str
) -> None:
    done = run(command, *words, given=given)

    assert (done.returncode, done.stdout) == (code, printed), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
