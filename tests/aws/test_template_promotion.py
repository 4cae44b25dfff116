"""``platform.publish`` and ``platform.promote`` on a real sandbox: which version each environment's apps get.

The platform is a checkout of its own, so that what is published is its own stacks under its own version.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.lifecycle import Sandbox
from the_sink.tasks import platform_namespace

TEMPLATE = "stacks/python/cfn-template.yml"


@dataclass(frozen=True)
class Platform:
    """A checkout of the platform, and the bucket that it publishes to."""

    folder: Path
    bucket: str
    client: Any
    invoke: Callable[..., Any]

    def become(self, version: str, text: str = "") -> None:
        """Make the checkout another version, with another template and another sink-build."""
        (self.folder / "pyproject.toml").write_text(f'[project]\nname = "the-sink"\nversion = "{version}"\n')
        (self.folder / TEMPLATE).write_text(text or f"# the template of {version}\n")

    def run(self, *arguments: str) -> Any:
        return self.invoke(self.folder, *arguments, "--sandbox", namespace=platform_namespace)

    def publish(self, version: str, text: str = "") -> Any:
        self.become(version, text)
        ended = self.run("platform.publish")
        assert ended.code == 0, ended.err
        return ended

    def promote(self, env: str, *arguments: str) -> Any:
        return self.run("platform.promote", "--env", env, *arguments)

    def text(self, channel: str) -> str:
        """Return what a channel serves, called by what follows ``cfn-template-``."""
        key = f"stacks/python/cfn-template-{channel}.yml"
        return str(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode())

    def build_version(self, env: str) -> str:
        """Return the version that the ``sink-build`` of an environment's channel says it is."""
        key = f"stacks/python/build/sink-build-v1-{env}.pyz"
        content = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read("sink_build/VERSION").decode().strip()


@pytest.fixture
def platform_bucket(bare_platform_bucket: str) -> str:
    """A bucket that nothing was published to."""
    return bare_platform_bucket


@pytest.fixture
def platform(invoke: Any, tmp_path: Path, platform_bucket: str, aws: Any, sandbox: Sandbox) -> Platform:
    """A platform that has published 1.0.0."""
    folder = tmp_path / "clone"
    (folder / "stacks/python/build").mkdir(parents=True)
    (folder / "stacks/python/build/__main__.py").write_text("print('built')\n")
    (folder / "copier.yml").write_text("_subdirectory: template\n")
    (folder / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')
    found = Platform(folder, platform_bucket, aws("s3"), invoke)
    found.publish("1.0.0")
    return found


def test_a_checkout_publishes_its_own_stacks_under_its_own_version(platform: Platform) -> None:
    ended = platform.publish("1.1.0", "# changed in the clone\n")

    assert ended.out == "Version 1.1.0 is published; apps in stage take it at their next pipeline run.\n"
    assert platform.text("v1.1.0") == platform.text("v1-stage") == "# changed in the clone\n"
    assert platform.text("v1-uat") == platform.text("v1-prod") == "# the template of 1.0.0\n"


def test_a_version_is_let_on_from_environment_to_environment(platform: Platform) -> None:
    platform.publish("1.1.0")

    to_uat = platform.promote("uat")
    between = (platform.text("v1-uat"), platform.text("v1-prod"), platform.text("v1.1"))
    to_prod = platform.promote("prod")

    assert to_uat.code == to_prod.code == 0, to_uat.err + to_prod.err
    assert to_uat.out == "uat went from 1.0.0 to 1.1.0; its apps take it at their next pipeline run.\n"
    assert to_prod.out == "prod went from 1.0.0 to 1.1.0; its apps take it at their next pipeline run.\n"
    old, new = "# the template of 1.0.0\n", "# the template of 1.1.0\n"
    assert between == (new, old, old)
    assert (platform.text("v1-prod"), platform.text("v1.1")) == (new, new)


def test_the_next_command_is_named(platform: Platform) -> None:
    """It is the one for the first environment that does not hold the version yet."""
    first = platform.publish("1.0.0")
    published = platform.publish("1.1.0")
    promoted = platform.promote("uat")
    again = platform.publish("1.1.0")
    last = platform.promote("prod")

    then = "Then let it on: invoke platform.promote --env {} --sandbox\n"
    assert published.err.endswith(then.format("uat"))
    assert promoted.err.endswith(then.format("prod"))
    assert again.err.endswith(then.format("prod"))
    for ended in (first, last):
        assert ended.err.endswith("Every environment holds it.\n")


def test_the_build_goes_with_the_template(platform: Platform) -> None:
    """One version is one whole: what an environment's builds run was tested with what its stacks are."""
    platform.publish("1.1.0")
    between = [platform.build_version(env) for env in ("stage", "uat", "prod")]

    platform.promote("uat")

    assert between == ["1.1.0", "1.0.0", "1.0.0"]
    assert [platform.build_version(env) for env in ("stage", "uat", "prod")] == ["1.1.0", "1.1.0", "1.0.0"]


def test_a_version_without_a_build_leaves_the_channel_of_builds(platform: Platform) -> None:
    """The first had none; apps that have moved on since still need the program."""
    platform.publish("1.1.0")
    platform.promote("uat")
    first = "stacks/python/build/sink-build-v1.0.0.pyz"
    platform.client.delete_object(Bucket=platform.bucket, Key=first)

    ended = platform.promote("uat", "--version", "1.0.0", "--yes")

    assert ended.code == 0, ended.err
    assert platform.text("v1-uat") == "# the template of 1.0.0\n"
    assert platform.build_version("uat") == "1.1.0"


def test_what_uat_holds_goes_to_prod_not_what_stage_holds(platform: Platform) -> None:
    platform.publish("1.1.0")
    platform.promote("uat")
    platform.publish("1.2.0")

    platform.promote("prod")

    assert platform.text("v1-prod") == "# the template of 1.1.0\n"


def test_nothing_to_promote(platform: Platform) -> None:
    ended = platform.promote("uat")

    assert (ended.code, ended.out) == (
        0,
        "uat holds version 1.0.0 already, as stage does; there is nothing to promote.\n",
    )


def test_a_dry_run_of_a_promotion_changes_nothing(platform: Platform) -> None:
    platform.publish("1.1.0")

    ended = platform.promote("prod", "--version", "1.1.0", "--dry-run")

    stacks = f"s3://{platform.bucket}/stacks/python"
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "Nothing was changed. This would be done:",
        f"  1. move channel {stacks}/cfn-template-v1-prod.yml to version 1.1.0",
        f"  2. move channel {stacks}/build/sink-build-v1-prod.pyz to version 1.1.0",
        f"  3. move channel {stacks}/cfn-template-v1.1.yml to version 1.1.0",
        "prod would go from 1.0.0 to 1.1.0.",
        "It asks first: uat holds 1.0.0, not 1.1.0: prod would run what uat does not.",
    ]
    assert platform.text("v1-prod") == "# the template of 1.0.0\n"


def test_stage_is_moved_by_publishing(platform: Platform) -> None:
    ended = platform.promote("stage")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "--env stage: nothing is promoted to stage; publishing a version moves it.\n"
        "Publish: invoke platform.publish. Then promote: invoke platform.promote --env uat.\n"
    )


def test_a_version_that_was_never_published(platform: Platform) -> None:
    ended = platform.promote("uat", "--version", "1.3.0")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-2:] == ["Version 1.3.0 was never published.", "Published are: 1.0.0."]


def test_what_is_no_version(platform: Platform) -> None:
    ended = platform.promote("uat", "--version", "newest")

    assert (ended.code, ended.err) == (
        2,
        "--version newest: that is no version.\nFor example: --version 1.1.0\n",
    )


def test_skipping_an_environment_asks(platform: Platform) -> None:
    platform.publish("1.1.0")

    refused = platform.promote("prod", "--version", "1.1.0")
    between = platform.text("v1-prod")
    done = platform.promote("prod", "--version", "v1.1.0", "--yes")

    assert refused.code == 2
    assert refused.err.splitlines()[-2:] == [
        "uat holds 1.0.0, not 1.1.0: prod would run what uat does not. Promote all the same? "
        "There is no terminal to ask at.",
        "If you mean it, add --yes.",
    ]
    assert between == "# the template of 1.0.0\n"
    assert done.code == 0, done.err
    assert platform.text("v1-prod") == platform.text("v1.1") == "# the template of 1.1.0\n"


def test_going_back_asks(platform: Platform) -> None:
    platform.publish("1.1.0")
    platform.promote("uat")

    refused = platform.promote("uat", "--version", "1.0.0")
    between = platform.text("v1-uat")
    done = platform.promote("uat", "--version", "1.0.0", "--yes")

    assert refused.code == 2
    assert "uat holds 1.1.0, which is newer than 1.0.0: it would go back." in refused.err
    assert between == "# the template of 1.1.0\n"
    assert (done.code, done.out) == (
        0,
        "uat went from 1.1.0 to 1.0.0; its apps take it at their next pipeline run.\n",
    )
    assert platform.text("v1-uat") == "# the template of 1.0.0\n"


def test_publishing_an_older_version_asks(platform: Platform) -> None:
    platform.publish("1.1.0")
    platform.become("1.0.0")

    refused = platform.run("platform.publish")
    between = platform.text("v1-stage")
    done = platform.run("platform.publish", "--yes")

    assert refused.code == 2
    assert "stage holds 1.1.0, which is newer than 1.0.0. Move it back?" in refused.err
    assert between == "# the template of 1.1.0\n"
    assert done.code == 0, done.err
    assert platform.text("v1-stage") == "# the template of 1.0.0\n"


def test_versions_with_the_same_bytes_are_told_apart(platform: Platform) -> None:
    """A version that leaves the stack as it was is promoted as itself."""
    platform.publish("1.1.0", "# the template of 1.0.0\n")

    ended = platform.promote("uat")
    again = platform.promote("uat")

    assert ended.out == "uat went from 1.0.0 to 1.1.0; its apps take it at their next pipeline run.\n"
    assert again.out == "uat holds version 1.1.0 already, as stage does; there is nothing to promote.\n"


def test_a_channel_that_says_nothing_is_known_by_its_bytes(platform: Platform) -> None:
    """Version 1.0.0 of the platform wrote no word of the version beside a channel's bytes."""
    platform.publish("1.1.0")
    key = "stacks/python/cfn-template-v1-uat.yml"
    platform.client.put_object(Bucket=platform.bucket, Key=key, Body=b"# the template of 1.0.0\n")

    ended = platform.promote("uat")

    assert ended.out == "uat went from 1.0.0 to 1.1.0; its apps take it at their next pipeline run.\n"


def test_a_channel_that_lies_is_known_by_its_bytes(platform: Platform) -> None:
    key = "stacks/python/cfn-template-v1-stage.yml"
    platform.client.put_object(
        Bucket=platform.bucket, Key=key, Body=b"by hand", Metadata={"the-sink-version": "1.0.0"}
    )

    ended = platform.promote("uat")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        f"The template of stage (s3://{platform.bucket}/{key}) is none of the published versions.",
        "Publish it anew (invoke platform.publish), or name a version: --version 1.0.0.",
    ]


def test_versions_follow_one_another_as_numbers(platform: Platform) -> None:
    platform.publish("1.9.0")
    platform.publish("1.10.0")
    platform.promote("uat")

    ended = platform.promote("uat", "--version", "1.9.0")

    assert "uat holds 1.10.0, which is newer than 1.9.0" in ended.err
    assert ended.code == 2
