"""What `validate` says of the calls of sink-build in a buildspec that people edit and merge."""

from __future__ import annotations

from typing import Any

import pytest

from the_sink.config.build_steps import check_build_steps

ORDER = "The order is: sink-build login, sink-build settings, sink-build image, sink-build push."


def phases(before: list[str], during: list[str], after: list[str], on_failure: str = "ABORT") -> Any:
    return {
        "pre_build": {"commands": before},
        "build": {"on-failure": on_failure, "commands": during},
        "post_build": {"commands": after},
    }


def problems(*arguments: Any, **more: str) -> list[str]:
    return [each.line for each in check_build_steps(phases(*arguments, **more), "buildspec")]


def test_steps_with_own_commands_between_them_are_in_order() -> None:
    before, after = ["sink-build login", "make css", "sink-build settings"], ["sink-build push", "echo bye"]

    assert problems(before, ["sink-build image"], after) == []
    assert problems(before, ["sink-build image", "sink-build push"], [], on_failure="CONTINUE") == []


@pytest.mark.parametrize("given", [None, [], {"build": None}, {"build": {"commands": "make"}}])
def test_a_buildspec_without_them_is_its_own(given: object) -> None:
    assert check_build_steps(given, "buildspec") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            (["sink-build login", "sink-build settings"], ["sink-build imgae"], ["sink-build push"]),
            f"buildspec: it calls sink-build imgae, which is not a step of a build. {ORDER}",
        ),
        (
            (["sink-build login"], ["sink-build image"], ["sink-build push"]),
            f"buildspec: it does not call sink-build settings. {ORDER}",
        ),
        (
            (["sink-build settings", "sink-build login"], ["sink-build image"], ["sink-build push"]),
            f"buildspec: it calls sink-build settings, login, image, push. {ORDER}",
        ),
        (
            (
                ["sink-build login", "sink-build settings"],
                ["sink-build image"],
                ["sink-build push"],
                "CONTINUE",
            ),
            "buildspec: build has no on-failure: ABORT, so a later step runs after sink-build image has "
            "failed. Add it beside the commands of build.",
        ),
    ],
)
def test_what_a_merge_has_lost_is_named(given: tuple[Any, ...], said: str) -> None:
    assert problems(*given) == [said]
