"""``rollback``: an environment goes back to a release that served, by the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from the_sink.aws.session import Aws
from the_sink.verbs.rollback import compare_releases

from .deploying import releases
from .walking import Walk, at_a_terminal, walk

pytestmark = pytest.mark.long  # a further combination of what the journey walks

__all__ = ["walk"]


def rollback(walk: Walk, *more: str) -> Any:
    return walk.run(walk.folder, "rollback", "--env", "stage", "--sandbox", *more)


@pytest.mark.long
def test_the_release_before_serves_again_and_the_ledger_names_what_was_undone(
    walk: Walk, connection: Aws, platform_bucket: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two in a row go back twice; a dry run, a no, and nobody to ask change nothing."""
    commits = {}
    for subject in ("First", "Second", "Third"):
        commits[subject] = walk.commit(subject)
        assert walk.deploy("stage").code == 0
    first, second, third = commits.values()
    before = len(releases(aws))

    dry = rollback(walk, "--dry-run")
    unasked = rollback(walk)
    declined = at_a_terminal(monkeypatch, "\nn\n", lambda: rollback(walk))
    wrong = at_a_terminal(monkeypatch, "7\n", lambda: rollback(walk))
    assert len(releases(aws)) == before
    back = rollback(walk, "--yes")
    records = connection.ledger.releases(platform_bucket, "my-app", "stage")
    again = at_a_terminal(monkeypatch, "y\n", lambda: rollback(walk, "--to", first[:10]))
    history = walk.run(walk.folder, "history", "--env", "stage", "--sandbox", "--limit", "2")

    told = f"stage goes back from {third[:8]} 'Third' to {second[:8]} 'Second'."
    assert told in dry.out
    assert f"/my-app/{second}.zip" in dry.out
    assert unasked.code == declined.code == wrong.code == 2
    assert unasked.err.splitlines()[-2:] == [
        f"Go back to {second[:8]} in stage? There is no terminal to ask at.",
        "If you mean it, add --yes.",
    ]
    assert f"  1  {second[:8]} Second (" in declined.err
    assert f"  2  {first[:8]} First (" in declined.err
    assert declined.err.endswith("Nothing was done.\n")
    assert wrong.err.endswith("7 is not a number from 1 to 2. Nothing was done.\n")
    assert back.code == 0, back.err
    assert back.out.startswith(f"my-app stage serves {second[:8]} (sha256:")
    assert (records[0].commit, records[0].rolled_back_from) == (second, third)
    assert records[0].digest == records[2].digest
    assert again.code == 0, again.err
    assert f"* {first[:8]} First (serves)" in history.out
    assert f"rolled back from {second[:8]}, released by Tester" in history.out


def test_what_cannot_be_gone_back_to_is_a_sentence(walk: Walk, aws: Any, platform_bucket: str) -> None:
    nothing = rollback(walk)
    only = walk.commit("Only")
    assert walk.deploy("stage").code == 0
    none_before = rollback(walk, "--yes")
    same = rollback(walk, "--to", only[:8], "--yes")
    unknown = rollback(walk, "--to", "abcdef12", "--yes")
    nowhere = walk.run(walk.folder, "rollback", "--env", "nowhere", "--sandbox")
    nonsense = rollback(walk, "--to", "no-such-branch")

    see = "See what there is: invoke history --env stage --sandbox"
    assert [each.code for each in (nothing, none_before, same, unknown, nowhere, nonsense)] == [2] * 6
    assert nothing.err.splitlines()[-2] == (
        "The ledger has no release of my-app in stage, so there is nothing to go back to."
    )
    assert none_before.err.splitlines()[-2:] == [
        "No release of my-app served in stage before the one that does.",
        see,
    ]
    assert same.err.splitlines()[-2:] == [
        f"{only[:8]} 'Only' serves in stage already.",
        "To run its pipeline again, should the stack have changed: invoke deploy --env stage --commit "
        f"{only[:8]} --again --sandbox",
    ]
    assert unknown.err.splitlines()[-2:] == [
        "abcdef12 never served in stage: the ledger has no record of it.",
        see,
    ]
    assert "no-such-branch" in nonsense.err


TEMPLATE = "aws/cfn-template.yml"


@pytest.mark.parametrize(
    ("newer", "older", "sentences"),
    [
        ({}, {}, []),
        (
            {"app/migrations/2.py": b"", "app/migrations/1.py": b""},
            {"app/migrations/1.py": b""},
            [
                "The database stays as 1 newer migration left it: app/migrations/2.py. The release before "
                "must be able to work with that."
            ],
        ),
        (
            {"app/Procfile": b"web: serve\nrelease: migrate\n"},
            {},
            ["The database stays as it is: no migration was added, and none is undone."],
        ),
        (
            {TEMPLATE: b"Resources: {Queue: {}, Log: {}}"},
            {TEMPLATE: b"Resources: {Log: {}, Table: {}}"},
            [
                f"The stack loses what 3f2c1ab9 added to {TEMPLATE}: Queue. Data in it goes, unless its "
                "DeletionPolicy keeps it.",
                f"What 3f2c1ab9 took out of {TEMPLATE} is made anew, and empty: Table.",
                f"The stack changes too, to what that release declares: {TEMPLATE} differs.",
            ],
        ),
        ({TEMPLATE: b": no template"}, {TEMPLATE: b": no template"}, []),
    ],
)
def test_what_going_back_does_not_undo_is_said(
    newer: dict[str, bytes], older: dict[str, bytes], sentences: list[str]
) -> None:
    assert list(compare_releases("stage", "3f2c1ab9", newer, older)) == sentences
