"""``logs``: what a service's tasks or a build wrote, and what they go on to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from the_sink.aws.session import Aws
from the_sink.errors import NotFound
from the_sink.models import ActionRun, LogEvent
from the_sink.naming import Names
from the_sink.verbs.deploy import require_bootstrapped

_PAUSE_S = 2.0
"""Between two looks. The quota of FilterLogEvents is as low as five requests a second for a whole account:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

_WINDOW = timedelta(seconds=60)
"""How far a look goes back behind the newest event. The log driver hands events over in batches, one task
sooner than another, so an event may appear behind events that are younger than it is."""

_START_OF_BUILD = timedelta(seconds=60)
"""How much sooner than its action's start a build's first line may be: clocks differ."""


@dataclass(frozen=True)
class Log:
    """Which log is read, and from when.

    Attributes:
        group: The log group.
        since: Nothing older is read.
        stream: One stream of it; "" for all.
        prefix: What the streams' names begin with; "" for all.
        build_id: The build that writes it; "" for a service's.
    """

    group: str
    since: datetime
    stream: str = ""
    prefix: str = ""
    build_id: str = ""


def find_service_log(aws: Aws, names: Names, since: datetime, task: str = "") -> Log:
    """Return the log of an environment's tasks.

    Args:
        aws: The environment's account.
        names: Of the app there.
        since: Nothing older is read.
        task: The beginning of one task's id; "" for all tasks, also those that do not run yet.

    Raises:
        NotFound: the environment is not bootstrapped.
    """
    require_bootstrapped(aws, names)
    return Log(names.log_group, since, prefix=f"{names.log_streams}{task}" if task else "")


def find_build_log(aws: Aws, names: Names, since: datetime | None) -> Log:
    """Return the log of the environment's running build, or else of its last one.

    Args:
        aws: The environment's account.
        names: Of the app there.
        since: Nothing older is read; None for the whole log.

    Raises:
        NotFound: the environment is not bootstrapped, or has built nothing yet.
    """
    require_bootstrapped(aws, names)
    for execution in aws.pipelines.executions(names.pipeline):
        builds = [
            action
            for action in aws.pipelines.actions(names.pipeline, execution.execution_id)
            if action.provider == "CodeBuild" and action.external_id
        ]
        if builds:
            return _log_of_build(aws, names, max(builds, key=_started_at), since)
    raise NotFound(
        f"{names.app} has built nothing in {names.env} yet.",
        f"First: invoke deploy --env {names.env}{aws.target.flags}",
    )


def _started_at(action: ActionRun) -> float:
    return action.started_at.timestamp() if action.started_at else 0.0


def _log_of_build(aws: Aws, names: Names, action: ActionRun, since: datetime | None) -> Log:
    build = aws.builds.describe(action.external_id)
    if build is None or not build.log_stream:
        raise NotFound(
            f"The build {action.external_id} of {names.env} has no log yet.",
            f"How far it is: invoke status --env {names.env}{aws.target.flags}",
        )
    begin = since or (action.started_at or aws.clock.utc()) - _START_OF_BUILD
    return Log(build.log_group, begin, stream=build.log_stream, build_id=build.build_id)


def read_log(aws: Aws, names: Names, log: Log, *, follow: bool = False) -> Iterator[tuple[LogEvent, ...]]:
    """Yield a log's events in pages, each event once.

    Inside a page, and from page to page until the end is first reached, the oldest event comes first. Who
    follows gets later events as they are seen, within the window of :data:`_WINDOW` also older ones. A
    build's log ends with the build; a service's is followed until the caller stops.

    Args:
        aws: The environment's account.
        names: Of the app there.
        log: Which one.
        follow: Go on when the end is reached.

    Raises:
        NotFound: there is no such log.
    """
    seen = _Seen(aws, log.since)
    is_last = not follow
    while True:
        try:
            for page in aws.logs.pages(log.group, seen.since_ms, stream=log.stream, prefix=log.prefix):
                yield seen.only_new(page)
        except NotFound as error:
            raise NotFound(
                f"{names.env} has no log yet: there is no log group {log.group}.",
                f"It comes with the first deploy: invoke deploy --env {names.env}{aws.target.flags}",
            ) from error
        if is_last:
            return
        # Asked before the pause: what the build wrote last is read once more after its end.
        is_last = bool(log.build_id) and not _is_building(aws, log.build_id)
        aws.clock.sleep(_PAUSE_S)


def describe_silence(log: Log, grep: str) -> str:
    """Return the sentence about a log in which nothing was found."""
    text = f" with {grep!r}" if grep else ""
    where = f"streams {log.prefix}… of {log.group}" if log.prefix else log.stream or log.group
    return f"No lines{text} in {where} since {log.since:%Y-%m-%d %H:%M:%S} UTC."


def _is_building(aws: Aws, build_id: str) -> bool:
    build = aws.builds.describe(build_id)
    return build is not None and build.status == "IN_PROGRESS"


class _Seen:
    """Which events were shown already, as far back as a later look goes."""

    def __init__(self, aws: Aws, since: datetime) -> None:
        self._aws = aws
        self._since = since
        self._newest = since
        self._shown: dict[str, datetime] = {}

    @property
    def since_ms(self) -> int:
        """Where the next look begins, in milliseconds since 1970."""
        return max(int(self._begin.timestamp() * 1000), 0)

    @property
    def _begin(self) -> datetime:
        # A writer whose clock is ahead must not lead the next look past the events of the others.
        newest = min(self._newest, self._aws.clock.utc())
        return max(self._since, newest - _WINDOW)

    def only_new(self, page: tuple[LogEvent, ...]) -> tuple[LogEvent, ...]:
        """Return the events that were not shown yet, and take note of them."""
        fresh = tuple(event for event in page if event.event_id not in self._shown)
        self._shown.update((event.event_id, event.at) for event in fresh)
        self._newest = max((self._newest, *(event.at for event in fresh)))
        begin = self._begin - _MILLISECOND
        self._shown = {event_id: at for event_id, at in self._shown.items() if at >= begin}
        return fresh


_MILLISECOND = timedelta(milliseconds=1)
"""What is lost when a look's begin is rounded down to AWS's unit."""
