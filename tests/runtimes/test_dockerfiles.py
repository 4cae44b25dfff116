"""The runtime images' Dockerfiles: one text, five versions."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from the_sink.naming import PYTHON_RUNTIMES, RETIRED_RUNTIMES

from .conftest import SCRIPTS


@pytest.mark.parametrize("version", PYTHON_RUNTIMES)
def test_the_five_are_one_text_but_for_the_version(version: str) -> None:
    """Whoever changes one changes all; one that Python has given up has a line more, which says so."""
    newest, text = (
        re.sub(rf"(?<=python:{each})\.\d+", "", (SCRIPTS / f"{each}.Dockerfile").read_text())
        for each in (PYTHON_RUNTIMES[-1], version)
    )

    ours = [line for line in text.splitlines() if "end of life" not in line]
    assert ours == newest.replace(PYTHON_RUNTIMES[-1], version).splitlines()
    assert ("end of life" in text) == (version in RETIRED_RUNTIMES)


@pytest.mark.parametrize("version", PYTHON_RUNTIMES)
def test_a_runtime_is_what_the_contract_says(version: str) -> None:
    text = (SCRIPTS / f"{version}.Dockerfile").read_text()

    # A public registry without pull limits, and any other by build argument; a tag that stays with a patch.
    assert re.search(
        rf"^ARG BASE=public\.ecr\.aws/docker/library/python:{version}\.\d+-slim-trixie$", text, re.M
    )
    assert re.search(r"^FROM \$\{BASE\}$", text, re.MULTILINE)
    installs = re.findall(r"pip install ((?:[^\n]|\\\n)*?) *(?:\\\n)? *&&", text)
    assert [re.sub(r"\s*\\\n\s*", " ", each).split("--require-hashes ")[1] for each in installs] == [
        "--only-binary :all: --requirement /usr/local/share/sink_runtime/requirements.lock"
    ]
    # Nothing after it gives rights back.
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["app"]
    assert 'HOST="0.0.0.0"' in text
    assert 'PORT="8080"' in text
    assert "\nWORKDIR /app\n" in text
    assert 'CMD ["container-init"]' in text
    assert re.search(r'^HEALTHCHECK .* CMD \["container-init", "health"\]$', text, re.MULTILINE)


@pytest.mark.parametrize("version", PYTHON_RUNTIMES)
def test_the_app_has_no_rights_and_the_legacy_platforms_name_is_the_same_user(version: str) -> None:
    """Dockerfiles of that platform say ``USER smartlabuser`` and copy to its home."""
    text = (SCRIPTS / f"{version}.Dockerfile").read_text().replace("\\\n", " ")
    commands = [
        shlex.split(each) for line in re.findall(r"^RUN (.*)$", text, re.M) for each in line.split("&&")
    ]
    users = {words[-1]: words for words in commands if words[0] == "useradd"}

    assert {name: words[words.index("--uid") + 1] for name, words in users.items()} == {
        "app": "1000",
        "smartlabuser": "1000",
    }
    assert {words[words.index("--gid") + 1] for words in users.values()} == {"app"}
    assert "--non-unique" in users["smartlabuser"]
    assert ["groupadd", "--gid", "1000", "app"] in commands
    assert ["ln", "-s", "/app", "/home/smartlabuser"] in commands


def test_everything_that_the_scripts_need_is_copied_and_nothing_else() -> None:
    """The context holds what COPY names; the scripts run from where it puts them."""
    allowed = re.findall(r"^!(.+)$", (SCRIPTS / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (.+) \S+$", (SCRIPTS / "3.13.Dockerfile").read_text(), re.MULTILINE)

    assert sorted(allowed) == sorted(name.rstrip("/") for line in copied for name in line.split())
    assert all((SCRIPTS / name).exists() for name in allowed)


def test_the_scripts_run_from_where_an_image_has_them(tmp_path: Path) -> None:
    """/usr/local/bin and /usr/local/lib, without an installation."""
    local = tmp_path / "usr" / "local"
    (local / "bin").mkdir(parents=True)
    shutil.copy(SCRIPTS / "container-init", local / "bin")
    shutil.copytree(SCRIPTS / "sink_runtime", local / "lib" / "sink_runtime")

    done = subprocess.run(
        [sys.executable, str(local / "bin" / "container-init"), "env"],
        env={"SINK_SECRET_CORE": '{"A": "b"}'},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, 'A="b"\n')


def test_the_scripts_are_written_for_the_oldest_runtime() -> None:
    """Ruff reads them as Python 3.10: newer syntax would break images that nobody builds every day."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", str(SCRIPTS)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    assert 'target-version = "py310"' in (SCRIPTS.parent / "ruff.toml").read_text()


def test_the_installer_is_pinned_by_its_version_and_the_hash_of_every_wheel() -> None:
    """pip refuses a file that lacks one; no registry is named, so a mirror serves as well."""
    lock = (SCRIPTS / "requirements.lock").read_text()
    stated = re.sub(r"(?m)^ *#.*\n", "", lock).replace("\\\n", "").split()

    assert (SCRIPTS / "requirements.in").read_text().splitlines()[-1] == stated[0]
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+", stated[0])
    assert len(stated) > 4
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in stated[1:])
