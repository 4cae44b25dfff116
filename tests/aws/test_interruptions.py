"""Ctrl-C ends the watching, never the deploy, and the last lines say how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.process import wait_until
from the_sink.aws.s3 import Objects
from the_sink.models import Event, Said
from the_sink.report.events import PlainDisplay
from the_sink.tasks import releasing

from .conftest import git
from .deploying import close_build, releases, versions


def interrupt_at(monkeypatch: pytest.MonkeyPatch, beginning: str) -> None:
    """Press Ctrl-C when a line that begins so is shown."""
    show = PlainDisplay.show

    def interrupted(self: PlainDisplay, event: Event) -> None:
        show(self, event)
        if isinstance(event, Said) and event.text.startswith(beginning):
            raise KeyboardInterrupt

    monkeypatch.setattr(PlainDisplay, "show", interrupted)


def test_an_interruption_before_the_release_says_that_nothing_was_released(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")
    deploy = ("deploy", "--env", "stage", "--sandbox")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, "Uploaded s3://")
        ended = invoke(app, *deploy, "--again")

    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"Interrupted before {head[:8]} was released: stage stays as it is. Its archive is uploaded.",
        f"Deploy it: invoke deploy --env stage --commit {head} --sandbox --again",
    ]
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1}
    assert releases(aws) == []

    gone_on = invoke(app, *ended.err.splitlines()[-1].split()[3:])

    assert "failed in Build: phase BUILD" in gone_on.err
    assert versions(aws, stage) == {f"my-app/{head}.zip": 1, "my-app/latest.zip": 1}


@pytest.mark.parametrize("options", ["", " --commit HEAD --timeout 90 --again --yes", " --dry-run"])
def test_an_interruption_before_the_first_line_says_so_and_how_to_go_on(
    invoke: Any, app: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(releasing, "choose_commit", interrupted)
    command = f"deploy --env stage{options}"

    ended = invoke(app, *command.split())

    assert (ended.code, ended.out) == (130, "")
    assert ended.err == f"Interrupted: nothing was released.\nDeploy: invoke {command}\n"


def test_an_interruption_within_the_release_does_not_claim_to_know(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)
    copy = Objects.copy

    def interrupted(self: Objects, *arguments: Any) -> str:
        copy(self, *arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objects, "copy", interrupted)
        ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"Interrupted at the moment when {head[:8]} was being released to stage: it may be on its way, or "
        "not.",
        f"This finds out, and goes on from there: invoke deploy --env stage --commit {head} --sandbox",
    ]
    # Here it was: the command follows that run, and makes no second one.
    gone_on = invoke(app, "deploy", "--env", "stage", "--commit", head, "--sandbox", "--timeout", "1")
    assert f"carries {head[:8]}" in gone_on.err
    assert versions(aws, stage)["my-app/latest.zip"] == 1


@pytest.mark.parametrize(
    ("moment", "sentence", "hint"),
    [
        pytest.param(
            "Released as s3://",
            "Stopped watching before the run began: {head} is released to stage, and AWS starts the run by "
            "itself.",
            "Watch it, and start it should nothing have",
            id="before the run",
        ),
        pytest.param(
            "Run ",
            "Stopped watching; the run {run} of {head} goes on.",
            "Watch again",
            id="during the run",
        ),
    ],
)
def test_an_interruption_after_the_release_says_how_to_watch_again(
    invoke: Any, app: Path, stage: str, aws: Any, monkeypatch: pytest.MonkeyPatch,
    moment: str, sentence: str, hint: str,
) -> None:  # fmt: skip
    head = git(app, "rev-parse", "HEAD")
    close_build(aws)
    interrupt_at(monkeypatch, moment)

    ended = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert wait_until(lambda: len(releases(aws)) == 1, 60)
    (run,) = releases(aws)
    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        sentence.format(head=head[:8], run=run["pipelineExecutionId"]),
        f"{hint}: invoke deploy --env stage --commit {head} --sandbox",
    ]
    assert run["status"] == "InProgress"


def test_an_interruption_after_a_failure_says_how_to_hear_its_cause(
    invoke: Any, app: Path, stage: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(app, "rev-parse", "HEAD")

    def interrupt(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("the_sink.verbs.deploy.explain", interrupt)
    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    (run,) = releases(aws)
    assert ended.code == 130
    assert ended.err.splitlines()[-2:] == [
        f"The run {run['pipelineExecutionId']} of {head[:8]} failed; its cause was not found yet.",
        f"This says why, and deploys it again: invoke deploy --env stage --commit {head} --sandbox",
    ]
