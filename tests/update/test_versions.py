"""Updates forward: from every released version to the checkout as it stands, and on to a next one."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.platform_change import BUILD_GREETING, NEW_PARAMETER, NEW_VALUE, change_platform
from the_sink.local.template_source import open_source

from .conftest import (
    APP,
    CHECKOUT,
    CURRENT,
    NEXT,
    App,
    add_build_command,
    assert_no_markers,
    assert_own_edits,
    copy_template,
    edit_as_a_team,
    files_of,
    git,
    replace,
)

RELEASED: dict[str, str] = tomllib.loads((CHECKOUT / "releases.toml").read_text())["releases"]
LOCKS = {"app/requirements.lock", "app/requirements-dev.lock"}


@pytest.fixture(params=RELEASED.items(), ids=lambda each: each[0])
def released(request: pytest.FixtureRequest, platform: Path) -> str:
    """The commit of a released version, which the platform's repository has."""
    version, commit = request.param
    missing = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=platform, check=False)
    is_shallow = git(CHECKOUT, "rev-parse", "--is-shallow-repository") == "true"
    # Our own CI clones everything (.github/workflows/ci.yml): there nothing is left out unseen.
    if missing.returncode and is_shallow and not os.environ.get("GITHUB_ACTIONS"):
        pytest.skip(f"{version} ({commit}) is not in this shallow clone")
    assert missing.returncode == 0, f"releases.toml names {commit} for {version}, which does not exist"
    return str(commit)


def render(platform: Path, version: str, folder: Path) -> dict[str, bytes]:
    """Return what the template alone makes of the tests' app."""
    copy_template(platform, version, folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return files_of(folder)


class TestFromEveryReleasedVersion:
    def test_an_untouched_app_becomes_what_the_template_makes_now(
        self, released: str, generate: Any, platform: Path, tmp_path: Path
    ) -> None:
        app = generate(released)

        ended = app.update()

        assert ended.code == 0, ended.err
        expected = render(platform, f"v{CURRENT}", tmp_path / "fresh" / APP)
        found = app.files()
        assert found.keys() == expected.keys()
        differing = {path for path in found if found[path] != expected[path]} - LOCKS
        assert differing == set()

    def test_a_teams_edits_are_there_beside_the_platforms(
        self, released: str, generate: Any, platform: Path, invoke: Any
    ) -> None:
        app = generate(released, edit_as_a_team)
        before = app.files()

        ended = app.update()

        assert ended.code == 0, ended.out + ended.err
        assert_own_edits(app)
        assert_no_markers(app)
        assert app.read("app/requirements.lock").encode() == before["app/requirements.lock"]
        head = git(platform, "rev-parse", f"v{CURRENT}")
        assert f"@{head}\n" in app.read("requirements-platform.txt")
        assert yaml.safe_load(app.read(".copier-answers.yml"))["_commit"] == f"v{CURRENT}"
        assert yaml.safe_load(app.read(".copier-answers.yml"))["_src_path"] == str(platform)
        git(app.folder, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qam", "Update")
        assert app.status() == []
        valid = invoke(app.folder, "validate")
        assert (valid.code, valid.out) == (0, "The app's files are in order.\n"), valid.out + valid.err


class TestToANextVersion:
    """A platform change as an engineer makes it: stacks, buildspec, a configuration parameter."""

    def test_it_arrives_beside_the_teams_edits(self, generate: Any, release: Any) -> None:
        """A dry run before says the same, and changes nothing."""
        app = generate(f"v{CURRENT}", edit_as_a_team)
        new = release(lambda platform: change_platform(platform, NEXT))
        before = app.files()

        dry = app.update("--dry-run")
        between = (app.files(), app.status())
        ended = app.update()

        assert dry.code == 0, dry.err
        assert between == (before, [])
        assert dry.out.splitlines()[0] == (
            f"Nothing was changed. This is what the update from v{CURRENT} to v{NEXT} would do:"
        )
        assert dry.out.splitlines()[1:] == ended.out.splitlines()[1:]
        assert ended.code == 0, ended.out + ended.err
        assert ended.out.startswith(f"Updated from v{CURRENT} to v{NEXT}.\n")
        assert ended.kinds() == {
            ".copier-answers.yml": "changed",
            "aws/buildspec.yaml": "merged",
            "aws/cfn-template-configuration-prod.json": "changed",
            "aws/cfn-template-configuration-stage.json": "merged",
            "aws/cfn-template-configuration-uat.json": "changed",
            "aws/cfn-template.yml": "merged",
            "requirements-platform.txt": "changed",
        }
        assert_own_edits(app)
        assert_no_markers(app)
        assert BUILD_GREETING in app.read("aws/buildspec.yaml")
        assert f'"{NEW_PARAMETER}": "{NEW_VALUE}"' in app.read("aws/cfn-template-configuration-stage.json")
        assert f"{NEW_PARAMETER}: !Ref {NEW_PARAMETER}" in app.read("aws/cfn-template.yml")
        assert f"@{new}\n" in app.read("requirements-platform.txt")
        assert {line[:2] for line in app.status()} == {"M "}
        assert "git diff --staged" in ended.err
        assert ".venv/bin/pip install --requirement requirements-platform.txt" in ended.err
        assert f'git commit --all --message "Update the platform to v{NEXT}"' in ended.err
        assert "invoke lock" not in ended.err

    @pytest.mark.long
    def test_new_dependencies_and_a_new_question(self, generate: Any, release: Any) -> None:
        app = generate()
        lock = app.read("app/requirements.lock")

        def change(platform: Path) -> None:
            path = next((platform / "template/app").glob("pyproject.toml*"))
            path.write_text(re.sub(r"pytest>=\d+", "pytest>=9.0.1", path.read_text(), count=1))
            with (platform / "copier.yml").open("a") as questions:
                questions.write("\nfavourite_colour:\n  type: str\n  help: For banners\n  default: green\n")

        release(change)
        ended = app.update()

        assert ended.code == 0, ended.err
        assert ended.kinds()["app/pyproject.toml"] == "changed"
        assert ".venv/bin/invoke lock" in ended.err
        assert app.read("app/requirements.lock") == lock
        assert "New questions took their defaults: favourite_colour=green.\n" in ended.out
        assert yaml.safe_load(app.read(".copier-answers.yml"))["favourite_colour"] == "green"
        assert ".venv/bin/copier update --data favourite_colour=…" in ended.err

    @pytest.mark.long
    def test_a_named_version_and_no_further(self, generate: Any, release: Any) -> None:
        app = generate()
        wanted = release(lambda platform: change_platform(platform, "1.98.0"), "1.98.0")
        release(lambda platform: replace(platform / "pyproject.toml", "1.98.0", NEXT))

        ended = app.update("--to", "1.98.0")
        again = git(app.folder, "diff", "--staged", "--", "requirements-platform.txt")

        assert ended.out.startswith(f"Updated from v{CURRENT} to v1.98.0.\n"), ended.err
        assert f"@{wanted}" in again

    @pytest.mark.long
    def test_a_commit_that_was_not_released(self, generate: Any, platform: Path) -> None:
        app = generate()
        add_build_command(platform)
        git(platform, "commit", "--quiet", "--all", "--message", "Not released")
        unreleased = git(platform, "rev-parse", "HEAD")

        ended = app.update("--to", unreleased[:10])

        assert ended.code == 0, ended.err
        assert re.match(rf"Updated from v{re.escape(CURRENT)} to v{re.escape(CURRENT)}-1-g", ended.out)
        assert f"@{unreleased}\n" in app.read("requirements-platform.txt")
        git(app.folder, "commit", "--quiet", "--all", "--message", "Update")
        assert app.update().out.endswith("already; there is nothing to update.\n")

    @pytest.mark.long
    def test_versions_without_their_tags(self, generate: Any, release: Any, platform: Path) -> None:
        """Tags do not travel with every clone: releases.toml names the commits then."""
        app = generate()
        old = git(platform, "rev-parse", f"v{CURRENT}")
        new = release(lambda folder: add_build_command(folder))
        (platform / "releases.toml").write_text(f'[releases]\n"{CURRENT}" = "{old}"\n"{NEXT}" = "{new}"\n')
        git(platform, "commit", "--quiet", "--all", "--message", "Releases")
        git(platform, "tag", "--delete", f"v{CURRENT}", f"v{NEXT}")

        ended = app.update()

        assert ended.code == 0, ended.out + ended.err
        assert ended.out.startswith(f"Updated from v{CURRENT} to v{NEXT}.\n")
        assert f"@{new}\n" in app.read("requirements-platform.txt")
        assert app.invoke(app.folder, "validate").code == 0

    def test_a_tag_wins_over_releases_toml(self, release: Any, platform: Path, tmp_path: Path) -> None:
        new = release(add_build_command)
        old = git(platform, "rev-parse", f"v{CURRENT}")
        (platform / "releases.toml").write_text(f'[releases]\n"{NEXT}" = "{old}"\n')
        git(platform, "commit", "--quiet", "--all", "--message", "A mistake")

        source = open_source(str(platform), tmp_path / "source")

        assert source.resolve(NEXT) == source.resolve(f"v{NEXT}") == new

    @pytest.mark.long
    def test_an_app_in_a_folder_of_a_larger_repository(self, generate: Any, release: Any) -> None:
        made = generate()
        top = made.folder.parent / "monorepo"
        top.mkdir()
        git(top, "init", "--quiet", "--initial-branch", "main")
        for path, content in made.files().items():
            (top / "services" / APP / path).parent.mkdir(parents=True, exist_ok=True)
            (top / "services" / APP / path).write_bytes(content)
        (top / "README.md").write_text("Everything\n")
        git(top, "add", "--all")
        git(top, "commit", "--quiet", "--message", "Start")
        app = App(top / "services" / APP, made.invoke)
        release(lambda platform: change_platform(platform, NEXT))

        ended = app.update()

        assert ended.code == 0, ended.out + ended.err
        assert BUILD_GREETING in app.read("aws/buildspec.yaml")
        assert all(line[3:].startswith(f"services/{APP}/") for line in app.status())


def test_nothing_to_update(generate: Any) -> None:
    app = generate()

    ended = app.update()

    assert (ended.code, app.status()) == (0, [])
    assert ended.out == (
        f"The app is at v{CURRENT} already, the newest released version; there is nothing to update.\n"
    )
