"""Registries: what is pushed is looked through, whichever it is, and an app's goes with its environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_every_image_is_scanned_when_it_is_pushed(stack: Callable[..., Any]) -> None:
    registries = {
        (name, logical_id): resource["Properties"]
        for name in ("platform", "pipeline")
        for logical_id, resource in stack(name).resources.items()
        if resource["Type"] == "AWS::ECR::Repository"
    }

    assert len(registries) == 3
    for which, registry in registries.items():
        assert registry["ImageScanningConfiguration"] == {"ScanOnPush": True}, which


def test_an_environment_can_be_deleted_with_its_images_and_the_platform_not_with_its_own(
    stack: Callable[..., Any],
) -> None:
    """A registry with images in it cannot be deleted; every release's archive remains."""
    own = stack("pipeline").resources["Repository"]

    assert own["DeletionPolicy"] == "Delete"
    assert own["Properties"]["EmptyOnDelete"] is True
    for logical_id in ("RuntimeRepository", "RuntimeArmRepository"):
        runtimes = stack("platform").resources[logical_id]
        assert runtimes["DeletionPolicy"] == "RetainExceptOnCreate"
        assert not runtimes["Properties"].get("EmptyOnDelete", False)
