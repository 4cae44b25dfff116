"""The runtime images' Dockerfiles: one text, five versions."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from the_sink.naming import PYTHON_RUNTIMES

from .conftest import SCRIPTS


@pytest.mark.parametrize("version", PYTHON_RUNTIMES)
def test_the_five_differ_by_the_version_alone(version: str) -> None:
    """Whoever changes one changes all; 3.10 has a line more, about its end."""
    newest, text = (
        re.sub(rf"(?<=python:{each})\.\d+", "", (SCRIPTS / f"{each}.Dockerfile").read_text())
        for each in (PYTHON_RUNTIMES[-1], version)
    )

    ours = [line for line in text.splitlines() if "end of life" not in line]
    assert ours == newest.replace(PYTHON_RUNTIMES[-1], version).splitlines()
    assert ("end of life" in text) == (version == "3.10")


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
    # Nothing after it gives rights back, and the earlier platform's name is the same user.
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["app"]
    assert re.findall(r"useradd --uid (\d+) .*\\\n(?:.* )?smartlabuser|useradd --uid (\d+) .* app ", text)
    assert set(re.findall(r"--uid (\d+)", text)) == {"1000"}
    assert 'HOST="0.0.0.0"' in text
    assert 'PORT="8080"' in text
    assert "\nWORKDIR /app\n" in text
    assert 'CMD ["container-init"]' in text
    assert re.search(r'^HEALTHCHECK .* CMD \["container-init", "health"\]$', text, re.MULTILINE)


def test_everything_that_the_scripts_need_is_copied_and_nothing_else() -> None:
    """The context holds what COPY names; the scripts run from where it puts them."""
    allowed = re.findall(r"^!(.+)$", (SCRIPTS / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (.+) \S+$", (SCRIPTS / "3.13.Dockerfile").read_text(), re.MULTILINE)

    assert sorted(allowed) == sorted(name.rstrip("/") for line in copied for name in line.split())
    assert all((SCRIPTS / name).exists() for name in allowed)


def test_the_scripts_run_from_where_an_image_has_them(tmp_path: object) -> None:
    """/usr/local/bin and /usr/local/lib, without an installation."""
    import shutil
    from pathlib import Path

    local = Path(str(tmp_path)) / "usr" / "local"
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
