"""The restart that makes a changed secret effective: new tasks of the release that serves."""

from __future__ import annotations

from collections.abc import Generator

from the_sink.aws.session import Aws
from the_sink.errors import NotFound, SinkError
from the_sink.models import Event, Said, TasksChanged
from the_sink.naming import Names
from the_sink.verbs.poller import Pace

_LONGEST_S = 1800.0
"""A rollout that has not ended by then goes on without its watcher."""


def restart(aws: Aws, names: Names) -> Generator[Event, None, int]:
    """Replace a service's tasks by new ones and wait until they serve; return how many serve.

    Raises:
        NotFound: nothing is deployed there.
        SinkError: the new tasks did not come up, and the service went back to those it had.
        TimedOut: it takes too long.
    """
    service = aws.services.describe(names.cluster, names.service)
    if service is None:
        raise NotFound(
            f"{names.app} has no service in {names.env} yet; its first deploy takes the values along.",
            f"Deploy: invoke deploy --env {names.env}{aws.target.flags}",
        )
    before = {each.arn for each in aws.services.deployments(names.cluster, names.service)}
    aws.services.restart(names.cluster, names.service)
    yield Said(f"Restarting {names.service}: its tasks are replaced once new ones are healthy.")
    look = f"Look: invoke logs --env {names.env}{aws.target.flags}"
    pace = Pace(aws.clock, _LONGEST_S, f"The restart of {names.service}", look)
    counts = (-1, -1, -1)
    while True:
        latest = next(iter(aws.services.deployments(names.cluster, names.service)), None)
        service = aws.services.describe(names.cluster, names.service) or service
        changed = counts != (counts := (service.running, service.pending, service.desired))
        if changed:
            yield TasksChanged(*counts)
        if latest is not None and latest.arn not in before and not latest.is_in_progress:
            if latest.status != "SUCCESSFUL":
                reason = (latest.reason or latest.status).rstrip(".")
                raise SinkError(
                    f"The restart of {names.service} failed: {reason}; the tasks from before go on.", look
                )
            return service.running
        pace.wait(changed)
