"""The scripts of the platform's release workflow: the tag, the notes, and the record in releases.toml."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Runner, script

VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def release(tmp_path: Path) -> Runner:
    """The platform's files that a release reads."""
    folder, temp = tmp_path / "checkout", tmp_path / "temp"
    folder.mkdir()
    temp.mkdir()
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(CHECKOUT / name, folder)
    return Runner(folder, temp, {"GITHUB_REF_NAME": f"v{VERSION}"})


def test_a_tag_that_is_not_the_version_is_refused(release: Runner) -> None:
    text = script(CHECKOUT, "release", "The tag is the version")

    assert release.run(text).returncode == 0
    refused = release.run(text, GITHUB_REF_NAME="v0.9.0")
    assert refused.returncode == 2
    assert f"The tag is v0.9.0, pyproject.toml says {VERSION}" in refused.stderr


def test_the_notes_are_the_changelogs_words_for_this_version_alone(release: Runner) -> None:
    (release.folder / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 9.9.9\n\nLater.\n\n"
        f"## {VERSION} (soon)\n\nNow.\n\n### More\n\nOf it.\n\n## 0.1.0\n\nThen.\n"
    )
    text = script(CHECKOUT, "release", "What the changelog says")

    assert release.run(text).returncode == 0
    assert (release.folder / "release" / "notes.md").read_text().split() == [
        "Now.",
        "###",
        "More",
        "Of",
        "it.",
    ]
    refused = release.run(text, GITHUB_REF_NAME="v1.0.99")
    assert refused.returncode == 2
    assert "CHANGELOG.md has no words under ## 1.0.99" in refused.stderr


def test_the_changelog_as_it_is_has_words_for_the_version(release: Runner) -> None:
    assert release.run(script(CHECKOUT, "release", "What the changelog says")).returncode == 0


def test_a_release_is_recorded_once(release: Runner) -> None:
    text, sha = script(CHECKOUT, "release", "Write releases.toml"), "ab" * 20
    file = release.folder / "releases.toml"
    shutil.copy(CHECKOUT / "releases.toml", file)
    before = tomllib.loads(file.read_text())

    for _ in range(2):
        assert release.run(text, GITHUB_REF_NAME="v9.8.7", GITHUB_SHA=sha).returncode == 0

    assert file.read_text().count("9.8.7") == 1
    after = tomllib.loads(file.read_text())
    assert after != before
    assert sha in str(after)
