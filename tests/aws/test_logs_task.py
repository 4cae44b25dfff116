"""``invoke logs`` on the sandbox: everything once, in order, whoever writes it and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.session import Aws
from the_sink.naming import Names
from the_sink.verbs import logs as verb

NAMES = Names("my-app", "stage")
FIRST, SECOND = ("3f2c1ab09d8e4c0f9b1d0a7e6c5b4a39", "77777777777777777777777777777777")


class Writer:
    """Writes as tasks of the service do."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.create_log_group(logGroupName=NAMES.log_group)
        self._streams: set[str] = set()

    def write(self, text: str, task: str = FIRST, ago_s: float = 0) -> None:
        stream = f"app/{NAMES.container}/{task}"
        if stream not in self._streams:
            self._client.create_log_stream(logGroupName=NAMES.log_group, logStreamName=stream)
            self._streams.add(stream)
        at = int((time.time() - ago_s) * 1000)
        self._client.put_log_events(
            logGroupName=NAMES.log_group,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": text}],
        )


@pytest.fixture
def writer(aws: Any) -> Writer:
    return Writer(aws("logs"))


def follow(connection: Aws, happenings: list[Callable[[], None]], since_s: float = 600) -> list[str]:
    """What is shown when something happens in each pause of the watcher, until nothing more does."""

    class Ended(Exception):
        pass

    waiting = iter(happenings)

    def sleep(_seconds: float) -> None:
        happening = next(waiting, None)
        if happening is None:
            raise Ended
        happening()

    watched = replace(connection, clock=replace(connection.clock, sleep=sleep))
    log = verb.Log(NAMES.log_group, datetime.now(UTC) - timedelta(seconds=since_s))
    shown: list[str] = []
    with pytest.raises(Ended):
        for page in verb.read_log(watched, NAMES, log, follow=True):
            shown += [event.message for event in page]
    return shown


def test_following_shows_each_event_once_over_pages_tasks_and_late_arrivals(
    connection: Aws, writer: Writer
) -> None:
    large = [f"{number}" + "x" * 250_000 for number in range(6)]
    for number, text in enumerate(large):
        writer.write(text, ago_s=100 - number)
    writer.write("newest", ago_s=10)

    shown = follow(
        connection,
        [
            lambda: writer.write("the next task", SECOND),
            lambda: writer.write("late: older than the newest", SECOND, ago_s=30),
            lambda: None,
            lambda: writer.write("of a clock that is ahead", FIRST, ago_s=-3000),
            lambda: writer.write("after that", SECOND),
        ],
    )

    assert shown == [
        *large,
        "newest",
        "the next task",
        "late: older than the newest",
        "of a clock that is ahead",
        "after that",
    ]


def test_nothing_older_than_since_is_shown_however_late_it_comes(connection: Aws, writer: Writer) -> None:
    writer.write("old", ago_s=50)
    writer.write("young", ago_s=5)

    shown = follow(connection, [lambda: writer.write("old too", ago_s=40)], since_s=20)

    assert shown == ["young"]


def test_a_services_log_is_shown_for_eyes(invoke: Any, app: Path, stage: str, writer: Writer) -> None:
    writer.write('{"level": "INFO", "message": "GET / 200", "status": 200}', ago_s=30)
    writer.write("container-init: web: \x1b]0;owned\x07", SECOND, ago_s=20)
    writer.write("an hour ago", ago_s=3600)

    def logs(*more: str) -> Any:
        return invoke(app, "logs", "--env", "stage", "--sandbox", *more)

    ended = logs()
    assert (ended.code, ended.err) == (0, "")
    assert [line[25:] for line in ended.out.splitlines()] == [
        "3f2c1ab0  INFO     GET / 200  status=200",
        r"77777777  container-init: web: \x1b]0;owned\x07",
    ]
    assert logs("--since", "2h", "--grep", "hour").out[25:] == "3f2c1ab0  an hour ago\n"
    assert logs("--task", "7777", "--raw").out == "container-init: web: \\x1b]0;owned\\x07\n"
    silent = logs("--grep", "nowhere")
    assert (silent.code, silent.out) == (0, "")
    assert silent.err.startswith(f"No lines with 'nowhere' in {NAMES.log_group} since 20")


def test_a_builds_log_is_shown_to_its_end(invoke: Any, app: Path, stage: str) -> None:
    nothing = invoke(app, "logs", "--env", "stage", "--build", "--sandbox")
    assert nothing.code == 2
    assert nothing.err == (
        "my-app has built nothing in stage yet.\nFirst: invoke deploy --env stage --sandbox\n"
    )
    assert invoke(app, "deploy", "--env", "stage", "--sandbox").code == 1

    ended = invoke(app, "logs", "--env", "stage", "--build", "--follow", "--sandbox")

    assert ended.code == 0, ended.err
    assert "  compiling the answer\n" in ended.out
    assert ended.out.count("compiling the answer\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--since", "soon"), "--since soon: that is not a time span."),
        (("--since", "5"), "--since 5: that is not a time span."),
        (("--task", "web.1"), "--task web.1: that is not the id of a task, nor its beginning."),
        (("--build", "--task", "3f2c"), "--build and --task: a build has no tasks."),
        ((), "stage has no log yet: there is no log group /the-sink/my-app/stage/app."),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, invoke: Any, app: Path, stage: str
) -> None:
    ended = invoke(app, "logs", "--env", "stage", "--sandbox", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[0] == sentence
    assert len(ended.err.splitlines()) == 2


def test_an_environment_that_is_not_there_is_one_sentence(invoke: Any, app: Path, sandbox: Any) -> None:
    unknown = invoke(app, "logs", "--env", "dev", "--sandbox")
    bare = invoke(app, "logs", "--env", "uat", "--sandbox")

    assert unknown.err.splitlines()[0] == "--env dev: there is no such environment here."
    assert bare.err.splitlines() == [
        "my-app has no environment uat in account 000000000000, eu-west-1.",
        "First: invoke bootstrap --env uat --sandbox",
    ]


def test_ctrl_c_ends_following_without_a_word(app: Path, stage: str, writer: Writer) -> None:
    (app / "tasks.py").write_text("from the_sink.tasks import app_namespace\n\nns = app_namespace()\n")
    writer.write("here")
    watcher = subprocess.Popen(
        [str(Path(sys.executable).parent / "invoke"), "logs", "--env", "stage", "--follow", "--sandbox"],
        cwd=app,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    first = watcher.stdout.readline()
    watcher.send_signal(signal.SIGINT)
    out, err = watcher.communicate(timeout=30)

    assert first.endswith("  here\n")
    assert (watcher.returncode, out, err) == (130, "", "")
