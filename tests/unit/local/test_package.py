"""A commit becomes an archive: what git holds, what sink.toml adds, and never what is not committed."""

from __future__ import annotations

import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from the_sink.config import Package, Settings, load_app
from the_sink.errors import ConfigError, InputError, SinkError
from the_sink.local.git import resolve_commit
from the_sink.local.package import check_commit, package_commit

APP = {
    "sink.toml": """
        [app]
        name = "my-app"
        [platform]
        name = "the-sink"
        [environments.stage]
        region = "eu-west-1"
    """,
    "aws/buildspec.yaml": "version: 0.2\n",
    "aws/cfn-template.yml": "Resources: {}\n",
    ".copier-answers.yml": "_commit: v1.2.3\n_src_path: https://git.example/platform.git\n",
    ".gitignore": "dist/\n.env*\n",
}


@pytest.fixture
def settings(repository: Path, commit) -> Settings:
    commit(APP)
    return load_app(repository)


CONFIGURATION = "aws/cfn-template-configuration-stage.json"


def deployable(settings: Settings, commit) -> None:
    commit(
        {
            "aws/buildspec.yaml": "version: 0.2\nphases: {}\n",
            "aws/cfn-template.yml": "Parameters: {Colour: {Type: String}}\nResources: {}\n",
            CONFIGURATION: '{"Parameters": {"Colour": "red"}}',
        }
    )


def refused_commit(settings: Settings, name: str = "", *, is_checked_out: bool = False) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        check_commit(settings, resolve_commit(settings.root, name), "stage", is_checked_out=is_checked_out)
    return caught.value


def test_what_is_checked_is_the_commit_and_not_the_working_tree(settings, commit):
    deployable(settings, commit)
    (settings.root / CONFIGURATION).write_text("{")
    check_commit(settings, resolve_commit(settings.root), "stage", is_checked_out=False)

    broken = commit({})
    commit({CONFIGURATION: '{"Parameters": {"Colour": "red"}}'})
    error = refused_commit(settings, broken)

    assert error.message.startswith(f"In commit {broken[:8]}: {CONFIGURATION}: it is not JSON: ")
    assert error.hint.endswith(" Deploy a commit that has it repaired.")
    check_commit(settings, resolve_commit(settings.root), "stage", is_checked_out=True)


def test_what_is_worth_knowing_about_a_commit_is_no_reason_to_refuse_it(settings, commit):
    deployable(settings, commit)
    commit({"app/Procfile": "web: gunicorn app\nchek: true\n"})

    found = check_commit(settings, resolve_commit(settings.root), "stage", is_checked_out=True)

    assert [problem.line for problem in found] == [
        "warning: app/Procfile: every task runs 'chek' beside web. Did you mean 'check'?"
    ]


def test_every_file_that_a_pipeline_acts_on_is_checked(settings, commit, git):
    deployable(settings, commit)
    commit({"aws/buildspec.yaml": "version: 0.1\n", "aws/cfn-template.yml": "- a\n"})

    error = refused_commit(settings, is_checked_out=True)

    assert error.message == (
        "aws/cfn-template.yml: it is empty, or no mapping; expected: Parameters, Resources and Outputs. "
        "(2 more problems: invoke validate lists them)"
    )
    assert refused_commit(settings, "HEAD").message.endswith(" (2 more problems there)")

    git("rm", "--quiet", CONFIGURATION)
    commit({"aws/buildspec.yaml": "version: 0.2\nphases: {}\n", "aws/cfn-template.yml": "Resources: {}\n"})
    assert refused_commit(settings, "HEAD").message.endswith(f": {CONFIGURATION}: it is missing.")


def test_a_commit_without_an_app_is_no_release(settings, git, commit):
    git("rm", "--quiet", "aws/buildspec.yaml")
    sha = commit({})

    with pytest.raises(InputError) as caught:
        check_commit(settings, resolve_commit(settings.root), "stage", is_checked_out=True)

    assert caught.value.message == (
        f"Commit {sha[:8]} holds no aws/buildspec.yaml: no pipeline can deploy it."
    )


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def refused(settings: Settings, target: Path, error: type[SinkError] = InputError) -> str:
    with pytest.raises(error) as caught:
        package_commit(settings, resolve_commit(settings.root), target)
    assert list(target.glob("*.zip")) == []
    return caught.value.message


def test_a_commit_is_packed_under_its_name_with_what_it_is(settings, tmp_path):
    commit = resolve_commit(settings.root)

    made = package_commit(settings, commit, tmp_path)

    assert made.path == tmp_path / f"{commit.sha}.zip"
    assert set(contents(made.path)) == {*APP, "release.json"}
    assert (made.manifest.app, made.manifest.commit, made.manifest.subject) == (
        "my-app",
        commit.sha,
        "Change",
    )
    assert made.manifest.template_version == "1.2.3"


def test_a_clone_makes_the_same_bytes(settings, tmp_path, commit):
    (settings.root / "run").write_text("x")
    (settings.root / "run").chmod(0o755)
    (settings.root / "link").symlink_to("run")
    commit({})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(settings.root), str(clone)], check=True)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()

    here = package_commit(settings, resolve_commit(settings.root), tmp_path / "one")
    there = package_commit(load_app(clone), resolve_commit(clone), tmp_path / "two")

    assert here.sha256 == there.sha256
    assert here.path.read_bytes() == there.path.read_bytes()


def test_an_older_commit_can_be_packed_whatever_the_working_tree_holds(settings, tmp_path, commit):
    old = resolve_commit(settings.root)
    commit({"new": "1"})
    (settings.root / "dirty").write_text("1")

    made = package_commit(settings, old, tmp_path)

    assert set(contents(made.path)) == {*APP, "release.json"}


def test_a_commit_without_an_app_is_refused(settings, tmp_path, git, commit):
    git("rm", "--quiet", "aws/buildspec.yaml")
    sha = commit({})

    assert refused(settings, tmp_path) == (
        f"Commit {sha[:8]} holds no aws/buildspec.yaml: no pipeline can deploy it."
    )


def test_a_commit_without_answers_has_no_template_version(settings, tmp_path, git, commit):
    git("rm", "--quiet", ".copier-answers.yml")
    commit({})

    made = package_commit(settings, resolve_commit(settings.root), tmp_path)

    assert made.manifest.template_version == ""


def test_built_files_join_the_archive_after_the_command_that_makes_them(settings, tmp_path):
    build = "mkdir -p dist/js && echo one > dist/js/a.js && echo two > dist/b.css && ln -sf b.css dist/c.css"
    settings = replace(settings, package=Package(include=("dist", "dist/*.css", "aws/*"), before=build))

    found = contents(package_commit(settings, resolve_commit(settings.root), tmp_path).path)

    assert found["dist/js/a.js"] == b"one\n"
    assert found["dist/b.css"] == b"two\n"
    assert found["dist/c.css"] == b"b.css"
    assert found["aws/buildspec.yaml"] == b"version: 0.2\n"


def test_what_the_command_says_is_no_data(settings, tmp_path, capfd):
    settings = replace(settings, package=Package(before="echo words"))

    package_commit(settings, resolve_commit(settings.root), tmp_path)

    assert capfd.readouterr() == ("", "words\n")


def test_a_command_that_fails_packs_nothing(settings, tmp_path):
    settings = replace(settings, package=Package(before="exit 7"))

    message = refused(settings, tmp_path, SinkError)

    assert message == "package.before of sink.toml ended with exit code 7: exit 7."


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("dist/**", "package.include of sink.toml names 'dist/**', and there is no such file."),
        (".env", "package.include of sink.toml names .env, which never goes into an archive."),
        (
            "conf/.env.prod",
            "package.include of sink.toml names conf/.env.prod, which never goes into an archive.",
        ),
        (".git/HEAD", "package.include of sink.toml names .git/HEAD, which never goes into an archive."),
    ],
)
def test_files_that_are_missing_or_secret_are_refused(settings, tmp_path, pattern, message):
    for name in (".env", "conf/.env.prod"):
        (settings.root / name).parent.mkdir(exist_ok=True)
        (settings.root / name).write_text("PASSWORD=planted")

    assert refused(replace(settings, package=Package(include=(pattern,))), tmp_path) == message


def test_built_files_cannot_join_a_commit_that_is_not_checked_out(settings, tmp_path, commit):
    old = resolve_commit(settings.root)
    commit({"new": "1"})

    with pytest.raises(InputError) as caught:
        package_commit(replace(settings, package=Package(before="true")), old, tmp_path)

    assert caught.value.message == (
        f"sink.toml has [package], files of the working tree, and {old.short} is not checked out."
    )


def test_built_files_cannot_join_a_dirty_tree(settings, tmp_path):
    (settings.root / "dirty").write_text("1")

    message = refused(replace(settings, package=Package(before="true")), tmp_path)

    assert message == "1 file is not committed: dirty."


@pytest.mark.parametrize("pattern", ["dist/*", "dist", "dist/**/*"])
@pytest.mark.parametrize("linked", ["folder", "file"])
def test_built_files_never_come_from_outside_the_app(settings, tmp_path, pattern, linked):
    """A link of the build's leads to what is on this laptop, and its content would be in the archive."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text("mine")
    (settings.root / ".git/info/exclude").write_text("dist\n")
    if linked == "folder":
        (settings.root / "dist").symlink_to(outside)
    else:
        (settings.root / "dist").mkdir()
        (settings.root / "dist/key").symlink_to(outside / "key")
    with_files = replace(settings, package=Package(include=(pattern,)))

    with pytest.raises(InputError) as refused:
        package_commit(with_files, resolve_commit(settings.root), tmp_path)

    assert re.fullmatch(
        r"package.include of sink.toml names dist(/key)?, which leads out of the app's folder.",
        refused.value.message,
    )
    assert not list(tmp_path.glob("*.zip"))
