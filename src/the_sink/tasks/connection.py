"""From settings and ``--sandbox`` to an open connection: shared by every task that talks to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from the_sink.aws.session import Aws
    from the_sink.config import Environment, PlatformSettings


def connect_to(place: Environment | PlatformSettings, *, sandbox: bool, quiet: bool = False) -> Aws:
    """Open the account and region that an environment (or the platform) lives in.

    Args:
        place: Names region, account and profile.
        sandbox: Go to the sandbox of this machine instead.
        quiet: Leave out the line that says how the sandbox plays containers.

    Raises:
        AccessError: no credentials, or another account's.
        SandboxUnavailable: the sandbox is not running.
    """
    import time
    from datetime import UTC, datetime

    from the_sink.aws.session import Target, connect
    from the_sink.models import Clock

    clock = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))
    if not sandbox:
        return connect(Target(region=place.region, account=place.account, profile=place.profile), clock)
    import sink_sandbox
    from the_sink.report import lines
    from the_sink.tasks.sandbox import chosen_name

    running = sink_sandbox.require(chosen_name())
    aws = connect(Target.sandbox(place.region, running.endpoint_url, running.secret), clock)
    if running.compute == "processes" and not quiet:
        lines.say(f"Sandbox {running.name!r}, no Docker: containers are played by processes.")
    return aws
