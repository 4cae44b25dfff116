"""Which platform's files are meant: a checkout's, or those of the installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from the_sink.errors import ConfigError
from the_sink.resources import find_checkout, platform_version, resource_path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as makes it one."""
    (tmp_path / "stacks/python").mkdir(parents=True)
    (tmp_path / "copier.yml").write_text("_subdirectory: template\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "the-sink"\nversion = "9.8.7"\n')
    return tmp_path


def test_a_checkout_is_found_from_a_folder_inside(checkout: Path) -> None:
    assert find_checkout(checkout / "stacks" / "python") == checkout.resolve()
    assert platform_version(checkout) == "9.8.7"


def test_another_project_is_no_checkout(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nname = "something"\nversion = "1"\n')

    assert find_checkout(checkout) is None


@pytest.mark.parametrize("missing", ["copier.yml", "pyproject.toml"])
def test_what_lacks_a_part_is_no_checkout(checkout: Path, missing: str) -> None:
    (checkout / missing).unlink()

    assert find_checkout(checkout) is None


def test_without_a_checkout_the_installed_package_is_meant() -> None:
    assert resource_path("stacks/python/cfn-template.yml").is_file()
    assert platform_version().count(".") == 2


def test_a_file_that_the_checkout_lacks(checkout: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        resource_path("stacks/python/cfn-template.yml", checkout)

    assert caught.value.message == f"{checkout} has no stacks/python/cfn-template.yml."
    assert caught.value.hint == "Restore it: git checkout HEAD -- stacks/python/cfn-template.yml."


def test_a_checkout_without_a_version(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nname = "the-sink"\n')

    with pytest.raises(ConfigError, match="has no version"):
        platform_version(checkout)


def test_a_pyproject_that_is_no_toml(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text("[project\n")

    with pytest.raises(ConfigError, match="it is not TOML"):
        find_checkout(checkout)
